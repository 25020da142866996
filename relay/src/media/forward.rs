//! One packet to everybody whose slot carries its source, and once more to who lost it.

use super::{
    MemberId,
    lane::Kind,
    member::Member,
    nack,
    redundancy::room,
    room::Sink,
    serve::SOON,
    slot::Slot,
    source::Received,
    time::{SECOND, micros},
    vp8,
};

/// What the receivers made of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Somebody waits for a keyframe.
    pub waiting: bool,
    /// Somebody's slot has a new source now, whose clock is to be told soon.
    pub began: bool,
    /// Somebody's link has no room for it now.
    pub queued: bool,
}

/// Sends a packet of `from`'s source to each receiver. `copy` is memory for a payload that has to
/// be changed.
pub fn forward(
    now: u64,
    (from, kind): (MemberId, Kind),
    received: &Received<'_>,
    receivers: &mut [Member],
    copy: &mut Vec<u8>,
    sink: &mut impl Sink,
) -> Outcome {
    let parcel = &received.parcel;
    let mut outcome = Outcome::default();
    copy.clear();
    for receiver in receivers {
        let lane = &mut receiver.lanes[kind as usize];
        let Some(slot) = lane.slot.as_mut().filter(|slot| slot.source == Some(from)) else {
            continue;
        };
        let paced = kind == Kind::Video && receiver.pacer.rate().is_some();
        if paced && !slot.is_late(received) {
            let waits = slot.waits_behind(received);
            if waits || !receiver.pacer.is_free(now) {
                if !waits && (received.begins || !slot.is_waiting()) {
                    slot.queue(received.epoch, parcel.number);
                }
                outcome.queued = true;
                outcome.waiting |= slot.is_waiting() && slot.queued().is_none();
                continue;
            }
        }
        deliver(
            now,
            (from, kind),
            received,
            receiver,
            copy,
            sink,
            &mut outcome,
        );
    }
    outcome
}

/// A packet to one receiver; `copy` is empty, or holds the payload from the receiver before.
fn deliver(
    now: u64,
    (from, kind): (MemberId, Kind),
    received: &Received<'_>,
    receiver: &mut Member,
    copy: &mut Vec<u8>,
    sink: &mut impl Sink,
    outcome: &mut Outcome,
) {
    let Received {
        parcel, picture, ..
    } = received;
    let older = received
        .older
        .map(|older| (older, receiver.carried_along()));
    let budget = receiver.downlink.for_speech();
    let lane = &mut receiver.lanes[kind as usize];
    let (Some(slot), Some(track)) = (&mut lane.slot, &lane.track) else {
        return;
    };
    let waited = slot.is_waiting();
    let Some(place) = slot.place(now, from, received) else {
        outcome.waiting |= slot.is_waiting();
        return;
    };
    if waited {
        outcome.began = true;
        receiver.report_at = receiver.report_at.min(now + SOON);
    }
    let number = receiver.transport_cc;
    let mut header = slot.header(now, track, &place, parcel, &mut receiver.transport_cc);
    let payload = match picture {
        _ if place.empty => &[],
        Some(picture) if !place.shift.is_zero() => {
            if copy.is_empty() {
                copy.extend_from_slice(parcel.payload);
            }
            place.shift.apply(picture, copy);
            &copy[..]
        }
        _ => match (older, track.red) {
            (Some((older, distance @ 1..)), Some(red)) => {
                let passed = older.step().unwrap_or(0);
                let passed = micros(passed, track.clock_rate);
                let bounds = (distance, slot.since(), room(budget, passed));
                if older.wrap(copy, track.payload_type, parcel.payload, bounds) {
                    header.retype(red);
                    &copy[..]
                } else {
                    parcel.payload
                }
            }
            _ => parcel.payload,
        },
    };
    let header = header.finish();
    sink.rtp(receiver.id, header, payload);
    slot.count(now, payload.len());
    receiver.stats.sent_packets += 1;
    receiver.stats.sent_bytes += payload.len() as u64;
    receiver.sent(now, kind, number, header.len() + payload.len());
}

/// How long a picture may wait for its receiver's link.
pub const LATE: u64 = SECOND;
/// Having waited so long, pictures go without their upper layers until nothing waits any more.
const HURRIED: u64 = LATE / 4;

/// Sends what waits for the link to `members[at]`, as much as may go now. Of what waited too long
/// the rest is left out up to the next keyframe, which is asked for if it is not there: `true`.
pub fn release(
    now: u64,
    at: usize,
    members: &mut [Member],
    copy: &mut Vec<u8>,
    sink: &mut impl Sink,
) -> bool {
    let lane = members[at].lane(Kind::Video);
    let Some(slot) = lane.slot.as_ref().filter(|slot| slot.queued().is_some()) else {
        return false;
    };
    let from = slot.source;
    let from = from.and_then(|from| members.binary_search_by_key(&from, |it| it.id).ok());
    let Some(Ok([receiver, publisher])) = from.map(|from| members.get_disjoint_mut([at, from]))
    else {
        return false;
    };
    let id = publisher.id;
    let thins = receiver.can_be_thinned();
    let lane = publisher.lane_mut(Kind::Video);
    while let Some(slot) = &mut receiver.lanes[Kind::Video as usize].slot
        && let Some((epoch, next)) = slot.queued()
    {
        let source = &lane.source;
        let (Some(track), Some(newest)) = (&lane.track, source.newest()) else {
            return false;
        };
        if epoch != source.epoch || next > newest {
            slot.caught_up();
            return false;
        }
        let received = source.recall_late(track, next);
        let ended = source.cache.get(next - 1).is_none_or(|last| last.marker);
        let age = source.cache.age(now, next).unwrap_or(0);
        slot.hurried |= thins && age > HURRIED;
        if ended && age > LATE {
            let begins = received.is_some_and(|received| received.begins);
            let keyframe = source.newest_keyframe().filter(|first| *first > next);
            if let Some(first) = keyframe {
                slot.restart();
                slot.queue(epoch, first);
                continue;
            }
            if !begins {
                slot.restart();
                lane.source.wish.want();
                return true;
            }
        }
        if !receiver.pacer.is_free(now) {
            return false;
        }
        slot.queue(epoch, next + 1);
        if let Some(received) = received {
            copy.clear();
            let outcome = &mut Outcome::default();
            deliver(
                now,
                (id, Kind::Video),
                &received,
                receiver,
                copy,
                sink,
                outcome,
            );
        }
    }
    false
}

/// A keyframe that came so lately is given to who has a narrow link too.
const YOUNG: u64 = SECOND / 4;

/// Gives the slots that wait for `members[from]`'s picture everything since its newest keyframe, if
/// that is near; `false`: it is not.
pub fn replay(
    now: u64,
    kind: Kind,
    from: usize,
    members: &mut [Member],
    copy: &mut Vec<u8>,
    sink: &mut impl Sink,
) -> bool {
    let Some(numbers) = members[from].lane(kind).source.fresh_keyframe() else {
        return false;
    };
    let id = members[from].id;
    let mut all = true;
    for at in 0..members.len() {
        let Ok([receiver, publisher]) = members.get_disjoint_mut([at, from]) else {
            continue;
        };
        let paced = kind == Kind::Video && receiver.pacer.rate().is_some();
        let slot = receiver.lane_mut(kind).slot.as_mut();
        let waits = |slot: &&mut Slot| {
            slot.source == Some(id) && slot.is_waiting() && slot.queued().is_none()
        };
        let Some(slot) = slot.filter(waits) else {
            continue;
        };
        let lane = publisher.lane(kind);
        if paced {
            // a burst is the last thing a narrow link needs
            let (first, source) = (*numbers.start(), &lane.source);
            let fresh = source.cache.age(now, first).is_some_and(|age| age < YOUNG);
            if fresh {
                slot.queue(source.epoch, first);
            }
            all &= fresh;
            continue;
        }
        let Some(track) = &lane.track else {
            return false;
        };
        for number in numbers.clone() {
            let begins = number == *numbers.start();
            let Some(received) = lane.source.recall(track, number, begins) else {
                continue;
            };
            let receiver = std::slice::from_mut(&mut *receiver);
            forward(now, (id, kind), &received, receiver, copy, sink);
        }
    }
    all
}

/// Sends a packet again to the member that asks for one of our sequence numbers, if it is still
/// there and was not asked for too often. `others` yields the member a packet came from.
pub fn resend(
    now: u64,
    kind: Kind,
    sequence: u16,
    (receiver, members): (usize, &mut [Member]),
    copy: &mut Vec<u8>,
    sink: &mut impl Sink,
) -> Option<()> {
    let distance = members[receiver].distance();
    let lane = members[receiver].lane_mut(kind);
    let track = lane.track.as_ref()?;
    if track.rtx.is_none() && !track.feedback.nack {
        return None;
    }
    let origin = lane.slot.as_ref()?.origin(sequence)?;
    let source = members
        .binary_search_by_key(&origin.source, |member| member.id)
        .ok()?;
    let [receiver, source] = members.get_disjoint_mut([receiver, source]).ok()?;
    let source = &source.lane(kind).source;
    if source.epoch != origin.epoch {
        return None;
    }
    let parcel = source.cache.get(origin.theirs)?;

    let owes = receiver.pacer.owes(now)?;
    let out = owes + receiver.pacer.takes(parcel.payload.len());
    let lane = &mut receiver.lanes[kind as usize];
    let (slot, track) = (lane.slot.as_mut()?, lane.track.as_ref()?);
    let picture = vp8::Descriptor::of(&track.codec, parcel.payload);
    let upper = picture.is_some_and(|picture| picture.layer > 0);
    let late = upper && source.cache.age(now, origin.theirs)? + owes > nack::SHOWN;
    if late || owes > CROWDED {
        return None;
    }
    let place = slot.went(&origin, &parcel, picture.as_ref())?;
    if !slot.answered.may(place.number, now, out, distance) {
        return None;
    }
    copy.clear();
    if track.rtx.is_some() {
        // RFC 4588 section 4: the original sequence number comes first
        copy.extend_from_slice(&sequence.to_be_bytes());
    }
    let start = copy.len();
    if !place.empty {
        copy.extend_from_slice(parcel.payload);
    }
    if let (Some(picture), false) = (picture, place.empty || place.shift.is_zero()) {
        place.shift.apply(&picture, &mut copy[start..]);
    }
    let number = receiver.transport_cc;
    let mut header = slot.repair_header(now, track, &place, &parcel, &mut receiver.transport_cc);
    let header = header.finish();
    sink.rtp(receiver.id, header, copy);
    slot.meter.add(now, copy.len());
    receiver.stats.resent += 1;
    receiver.stats.sent_bytes += copy.len() as u64;
    receiver.sent(now, kind, number, header.len() + copy.len());
    Some(())
}

/// Nothing is repaired while so much else waits for the link.
const CROWDED: u64 = SECOND / 2;

/// Sends `members[at]` a packet of padding, where its link is asked what it carries.
pub fn pad(now: u64, receiver: &mut Member, sink: &mut impl Sink) -> Option<()> {
    const PADDING: [u8; 255] = {
        let mut bytes = [0; 255];
        bytes[254] = 255;
        bytes
    };
    let lane = &mut receiver.lanes[Kind::Video as usize];
    let (slot, track) = (lane.slot.as_mut()?, lane.track.as_ref()?);
    let number = receiver.transport_cc;
    let mut header = slot.padding(track, &mut receiver.transport_cc)?;
    let header = header.finish();
    sink.rtp(receiver.id, header, &PADDING);
    receiver.sent(now, Kind::Video, number, header.len() + PADDING.len());
    Some(())
}
