//! One packet to everybody whose slot carries its source, and once more to who lost it.

use super::{
    MemberId,
    member::{Kind, Member},
    room::Sink,
    serve::SOON,
    source::Received,
    vp8,
};

/// What the receivers made of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Somebody waits for a keyframe.
    pub waiting: bool,
    /// Somebody's slot has a new source now, whose clock is to be told soon.
    pub began: bool,
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
    let Received {
        parcel, picture, ..
    } = received;
    let mut outcome = Outcome::default();
    copy.clear();
    for receiver in receivers {
        let lane = &mut receiver.lanes[kind as usize];
        let (Some(slot), Some(track)) = (&mut lane.slot, &lane.track) else {
            continue;
        };
        if slot.source != Some(from) {
            continue;
        }
        let waited = slot.is_waiting();
        let place = slot.place(now, from, received);
        let Some(place) = place else {
            outcome.waiting |= slot.is_waiting();
            continue;
        };
        if waited {
            outcome.began = true;
            receiver.report_at = receiver.report_at.min(now + SOON);
        }
        let mut header = slot.header(now, track, &place, parcel, &mut receiver.transport_cc);
        let payload = match picture {
            Some(picture) if !place.shift.is_zero() => {
                if copy.is_empty() {
                    copy.extend_from_slice(parcel.payload);
                }
                place.shift.apply(picture, copy);
                &copy[..]
            }
            _ => parcel.payload,
        };
        sink.rtp(receiver.id, header.finish(), payload);
        slot.count(now, payload.len());
        receiver.stats.sent_packets += 1;
        receiver.stats.sent_bytes += payload.len() as u64;
    }
    outcome
}

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
    for at in 0..members.len() {
        let Ok([receiver, publisher]) = members.get_disjoint_mut([at, from]) else {
            continue;
        };
        let slot = receiver.lane(kind).slot.as_ref();
        if !slot.is_some_and(|slot| slot.source == Some(id) && slot.is_waiting()) {
            continue;
        }
        let lane = publisher.lane(kind);
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
    true
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

    let lane = &mut receiver.lanes[kind as usize];
    let (slot, track) = (lane.slot.as_mut()?, lane.track.as_ref()?);
    if !slot.answered.may(origin.place.number, now, distance) {
        return None;
    }
    let mut place = origin.place;
    place.timestamp = place.timestamp.wrapping_add(parcel.timestamp);
    copy.clear();
    if track.rtx.is_some() {
        // RFC 4588 section 4: the original sequence number comes first
        copy.extend_from_slice(&sequence.to_be_bytes());
    }
    let start = copy.len();
    copy.extend_from_slice(parcel.payload);
    if !place.shift.is_zero()
        && let Some(picture) = vp8::Descriptor::of(&track.codec, parcel.payload)
    {
        place.shift.apply(&picture, &mut copy[start..]);
    }
    let mut header = slot.repair_header(now, track, &place, &parcel, &mut receiver.transport_cc);
    sink.rtp(receiver.id, header.finish(), copy);
    receiver.stats.resent += 1;
    receiver.stats.sent_bytes += copy.len() as u64;
    Some(())
}
