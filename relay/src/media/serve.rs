//! The RTCP a member gets from us: reports, requests for what is missing, feedback.

use super::{
    lane::Kind,
    member::Member,
    nack,
    negotiated::Track,
    room::Sink,
    rtcp::{Block, Writer},
    time::{MILLISECOND, SECOND, ntp},
    twcc::Recorder,
};

/// The canonical name of everything the relay sends: audio and video belong together.
pub const CNAME: &str = "clinicall";

/// Reports while video flows either way.
const WITH_VIDEO: u64 = SECOND;
/// On a link that carries only speech each report costs as much as four packets of it.
const AUDIO_ONLY: u64 = 5 * SECOND;
const AUDIO_WITH_LOSS: u64 = 5 * SECOND / 2;

/// After its last picture a member is told as often as before for so long.
const LATELY: u64 = 30 * SECOND;

/// No transport-wide feedback is put behind more: it can be a kilobyte itself.
const FULL: usize = 180;

/// The slowest of so many receivers sets the pace. A broadcast is not held up by one viewer: that
/// is for layers to solve.
const FEW: usize = 3;

/// Memory that is used again for each packet.
#[derive(Debug, Default)]
pub struct Desk {
    writer: Writer,
    ask: Vec<u16>,
}

/// Sends what is due to `members[at]`.
pub fn serve(now: u64, at: usize, members: &mut [Member], desk: &mut Desk, sink: &mut impl Sink) {
    desk.writer.clear();
    if members[at].report_at <= now {
        report(now, at, members, &mut desk.writer);
    }
    let member = &mut members[at];
    let Some(sender) = sender(member) else {
        // its description left it nothing to be told about
        member.recorder = Recorder::default();
        return;
    };
    if member.admitted {
        repairs(now, member, desk);
    }

    if desk.writer.bytes().len() > FULL {
        sink.rtcp(member.id, desk.writer.bytes());
        desk.writer.clear();
    }
    if member
        .recorder
        .wake(member.rate(), member.shows())
        .is_some_and(|wake| wake <= now)
    {
        let media = member
            .lanes
            .iter()
            .rev()
            .find_map(|lane| lane.source.ssrc)
            .unwrap_or(0);
        member.recorder.tell(now, sender, media, &mut desk.writer);
    }
    if !desk.writer.is_empty() {
        sink.rtcp(member.id, desk.writer.bytes());
    }
}

/// An SSRC of ours for messages about the member's media.
fn sender(member: &Member) -> Option<u32> {
    member
        .lanes
        .iter()
        .find_map(|lane| lane.track.as_ref())
        .map(|track| track.local_ssrc)
}

/// A compound packet: a sender report for each slot whose clock is known, a receiver report else.
fn report(now: u64, at: usize, members: &mut [Member], writer: &mut Writer) {
    let mut clocks = [None; 2];
    for kind in Kind::BOTH {
        clocks[kind as usize] = slot_clock(now, kind, at, members);
    }
    let limit = limit(now, at, members);
    let member = &mut members[at];
    let flow = member.lane(Kind::Video).source.flow(now);
    let speech = member.lane(Kind::Audio).source.meter.rate();
    let limit = limit
        .map(|least| least.map(|least| at_rtp_level(member.obeys.told(now, flow, least)) + speech));
    let budget = limit.and_then(|limit| member.told.tell(now, limit));
    let Some(sender) = sender(member) else {
        member.report_at = now + AUDIO_ONLY;
        return;
    };
    let (mut blocks, mut count) = ([Block::default(); 2], 0);
    for lane in &mut member.lanes {
        let source = &mut lane.source;
        if let (Some(ssrc), true) = (source.ssrc, source.unreported) {
            source.unreported = false;
            blocks[count] = source.reception.block(now, ssrc, source.clock.as_ref());
            count += 1;
        }
    }
    let mut blocks = &blocks[..count];
    let mut lossy = blocks.iter().any(|block| block.fraction_lost > 0);
    let mut named = 0;
    for (lane, rtp) in member.lanes.iter_mut().zip(clocks) {
        let (Some(slot), Some(rtp)) = (&mut lane.slot, rtp) else {
            continue;
        };
        let sent = (slot.packets, slot.octets);
        writer.sender_report(slot.ssrc, ntp(now), rtp, sent, std::mem::take(&mut blocks));
        slot.synced = true;
        lossy |= slot.reported.fraction_lost > 0;
        named += 1;
    }
    if named == 0 && !blocks.is_empty() {
        writer.receiver_report(sender, blocks);
        writer.cname([sender], CNAME);
    } else if named > 0 {
        let lanes = member.lanes.iter().zip(clocks);
        let ssrcs = lanes
            .filter(|(_, clock)| clock.is_some())
            .filter_map(|(lane, _)| lane.slot.as_ref().map(|slot| slot.ssrc));
        writer.cname(ssrcs, CNAME);
    }
    if let (Some(bitrate), Some(media)) = (budget, member.lane(Kind::Video).source.ssrc) {
        writer.remb(sender, bitrate, &[media]);
    }
    // a picture that was given up comes back by what is told of the link
    let speaks = member.lane(Kind::Audio).source.live;
    let sent_one = speaks && member.lane(Kind::Video).source.was_live(now, LATELY);
    let video = member.shows() || sent_one || clocks[Kind::Video as usize].is_some();
    let interval = match (video, lossy) {
        (true, _) => WITH_VIDEO,
        (false, true) => AUDIO_WITH_LOSS,
        (false, false) => AUDIO_ONLY,
    };
    // members that joined together do not report together for ever
    let apart = member.id.0 % 8 * (interval / 100);
    member.report_at = now + interval - apart;
}

/// What the receivers of a member's picture can take of it; outer `None`: the
/// member does not listen to REMB, or shows nothing.
fn limit(now: u64, at: usize, members: &[Member]) -> Option<Option<u64>> {
    let member = &members[at];
    let lane = member.lane(Kind::Video);
    lane.sent()
        .filter(|track| track.feedback.remb && lane.source.live)?;
    let shown = |receiver: &&Member| {
        let slot = receiver.lane(Kind::Video).slot.as_ref();
        // whose picture is paused gets it back when it fits
        let waits = !receiver.downlink.shows() && receiver.id != member.id;
        waits || slot.is_some_and(|slot| slot.source == Some(member.id))
    };
    let receivers = members.iter().filter(shown);
    if receivers.clone().count() > FEW {
        return Some(None);
    }
    let wanting = receivers.filter(|receiver| receiver.downlink.wants());
    let appetite = |receiver: &Member| receiver.appetite().unwrap_or(u64::MAX);
    let weakest = wanting.clone().min_by_key(|receiver| appetite(receiver));
    let Some(weakest) = weakest.filter(|weakest| weakest.appetite().is_some()) else {
        return Some(None);
    };
    let others = wanting.filter(|receiver| receiver.id != weakest.id);
    let least = appetite(weakest);
    let thinned = weakest.can_be_thinned() && others.clone().next().is_some();
    let (flow, base) = (lane.source.flow(now), lane.source.base(now));
    let Some(base) = base.filter(|base| thinned && *base > 0) else {
        return Some(Some(least));
    };
    // beside others one may have half the frames, so that their picture need not be as small as its
    // own: the picture whose base layer fits through its link
    let whole = least * flow / base * BESIDE / 8;
    let most = others.map(appetite).fold(whole, u64::min);
    Some(Some(least.max(most)))
}

/// Of eight parts: what the weakest receiver is to take of what it can, beside others. The base
/// layer is not the same part of every second.
const BESIDE: u64 = 7;

/// What encoders count of it: headers around a picture's packets are about 8 % of all.
const fn at_rtp_level(limit: u64) -> u64 {
    limit.saturating_mul(92) / 100
}

/// The slot's RTP timestamp for now, from its source's own reports.
fn slot_clock(now: u64, kind: Kind, at: usize, members: &[Member]) -> Option<u32> {
    let slot = members[at].lane(kind).slot.as_ref()?;
    let shift = slot.timestamp_shift()?;
    let source = members
        .binary_search_by_key(&slot.source?, |member| member.id)
        .ok()?;
    let source = &members[source];
    let lane = source.lane(kind);
    let clock_rate = lane.track.as_ref()?.clock_rate;
    let clock = lane.source.clock.as_ref().filter(|_| lane.source.live)?;
    Some(
        source
            .timebase
            .rtp_at(now, clock, clock_rate)?
            .wrapping_add(shift),
    )
}

/// NACKs and keyframe requests.
fn repairs(now: u64, member: &mut Member, desk: &mut Desk) {
    let distance = member.distance();
    // by what its link is said to carry; what it sends may be little on a good one
    let wait = member.downlink.limits().video.map_or(0, nack::wait);
    for lane in &mut member.lanes {
        let (Some(track), Some(media)) = (&lane.track, lane.source.ssrc) else {
            continue;
        };
        desk.ask.clear();
        if !lane.source.missed.due(now, distance, wait, &mut desk.ask) {
            lane.source.wish.want();
        }
        if !desk.ask.is_empty() {
            member.stats.nacks_sent += desk.ask.len() as u64;
            desk.writer
                .nack(track.local_ssrc, media, desk.ask.iter().copied());
        }
        if lane.source.wish_due(now, distance) {
            member.stats.keyframes_asked += 1;
            lane.firs = lane.firs.wrapping_add(1);
            keyframe(track, media, lane.firs, &mut desk.writer);
        }
    }
}

fn keyframe(track: &Track, media: u32, count: u8, writer: &mut Writer) {
    if track.feedback.fir && !track.feedback.pli {
        writer.fir(track.local_ssrc, media, count);
    } else {
        writer.pli(track.local_ssrc, media);
    }
}

/// A slot that has a new source is told its clock this soon.
pub const SOON: u64 = 50 * MILLISECOND;
