//! A room: who is in it, and what of one member goes to the others.
//!
//! Pure: plaintext packets and the time in (microseconds on the worker's monotonic clock), packets
//! out through a [`Sink`]. The worker encrypts, sends and wakes the room.
//!
//! A packet's way: [`super::rtp`] reads it, the member's [`super::source`] puts it in order, the
//! [`super::cache`] keeps it, [`super::forward`] writes it into each [`super::slot`] that carries
//! the source. Nothing is allocated on it once buffers have grown to their size.

mod link;

use super::{
    MemberId,
    assign::{self, Candidate},
    codec,
    downlink::{Limits, Second},
    forward::{LATE, forward, replay, resend},
    lane::Kind,
    level::Floor,
    member::Member,
    negotiated::{Negotiated, Track},
    red::Older,
    redundancy::Redundancy,
    report::Clock,
    rtcp::{Block, Item, items},
    serve::{Desk, SOON},
    source::{Received, Source},
    stats::Stats,
    time::{MILLISECOND, SECOND},
};

/// Where a room's packets go; the worker seals and batches them.
pub trait Sink {
    /// One RTP packet. `header` is the whole RTP header with its extensions, `payload` what
    /// follows. A pair of SSRC and sequence number must never be sent twice with different bytes:
    /// it would repeat the nonce of AES-GCM.
    fn rtp(&mut self, to: MemberId, header: &[u8], payload: &[u8]);
    /// One compound (or reduced-size) RTCP packet in plaintext.
    fn rtcp(&mut self, to: MemberId, packet: &[u8]);
}

/// How often silence is noticed and buffers are fitted.
const SWEEP: u64 = SECOND;
/// How often everybody's loudness is compared.
const LISTEN: u64 = 50 * MILLISECOND;
/// A packet that waits for a link is looked at this soon.
const QUEUED: u64 = MILLISECOND;
/// Numbers of one RTCP packet's NACKs that are looked at.
const MOST_NACKS: usize = 256;

#[derive(Debug, Default)]
pub struct Room {
    /// Sorted by id.
    members: Vec<Member>,
    floor: Floor,
    /// `u64::MAX`: never.
    wake: Wake,
    sweep_at: u64,
    listen_at: u64,
    desk: Desk,
    copy: Vec<u8>,
    older: Older,
    /// What was found out about links and not told yet.
    news: Vec<(MemberId, Limits)>,
}

#[derive(Clone, Copy, Debug)]
struct Wake(u64);

impl Default for Wake {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

impl Room {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The member is there, its path need not be up yet. Nothing flows before [`Room::admit`].
    pub fn join(&mut self, member: MemberId, negotiated: Negotiated, now: u64) {
        match self
            .members
            .binary_search_by_key(&member, |member| member.id)
        {
            Ok(at) => self.members[at].negotiate(negotiated),
            Err(at) => self
                .members
                .insert(at, Member::new(member, negotiated, now)),
        }
        self.settle(now);
    }

    pub fn renegotiate(&mut self, member: MemberId, negotiated: Negotiated, now: u64) {
        if let Some(at) = self.find(member) {
            self.members[at].negotiate(negotiated);
            self.settle(now);
        }
    }

    /// From now on the member hears and is heard.
    pub fn admit(&mut self, member: MemberId, now: u64) {
        let Some(at) = self.find(member) else { return };
        let member = &mut self.members[at];
        if std::mem::replace(&mut member.admitted, true) {
            return;
        }
        for lane in &mut member.lanes {
            // nobody missed what nobody was to get
            lane.source.missed.clear();
        }
        self.settle(now);
    }

    /// What of the member the others do not get, whatever it sends.
    pub fn mute(&mut self, member: MemberId, kind: Kind, muted: bool, now: u64) {
        if let Some(at) = self.find(member) {
            self.members[at].lane_mut(kind).muted = muted;
            self.settle(now);
        }
    }

    /// What the member can take from now on.
    pub fn limit(&mut self, member: MemberId, limits: Limits, now: u64) {
        if let Some(at) = self.find(member) {
            let member = &mut self.members[at];
            member.downlink.limit(limits);
            member.pace(now);
            self.settle(now);
        }
    }

    /// The member has come to another network.
    pub fn moved(&mut self, member: MemberId, now: u64) {
        if let Some(at) = self.find(member) {
            self.members[at].moved(now);
            self.tell_carried(now, at);
            self.settle(now);
        }
    }

    /// The member cannot show what it gets, and says so by signalling (RFC 5168), not by RTCP.
    pub fn request_key_frame(&mut self, member: MemberId, now: u64) {
        if let Some(at) = self.find(member)
            && self.want_keyframe(at).is_some()
        {
            self.wake.0 = self.wake.0.min(now);
        }
    }

    pub fn leave(&mut self, member: MemberId, now: u64) {
        if let Some(at) = self.find(member) {
            self.members.remove(at);
            self.floor.left(member);
            self.settle(now);
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    #[must_use]
    pub fn stats(&self, member: MemberId) -> Option<Stats> {
        self.find(member).map(|at| self.members[at].stats())
    }

    /// Who speaks, as far as levels and pauses tell.
    #[must_use]
    pub fn speaker(&self) -> Option<MemberId> {
        self.floor.speaker
    }

    /// Who has spoken since then.
    pub fn spoke_since(&self, then: u64) -> impl Iterator<Item = MemberId> {
        let members = self.members.iter();
        members
            .filter(move |member| member.loudness.spoke().is_some_and(|at| at >= then))
            .map(|member| member.id)
    }

    /// What a member's link carries now, once for each change of note.
    pub fn news(&mut self) -> Option<(MemberId, Limits)> {
        (!self.news.is_empty()).then(|| self.news.remove(0))
    }

    /// An authenticated RTP packet, header included.
    pub fn rtp(&mut self, now: u64, from: MemberId, packet: &[u8], sink: &mut impl Sink) {
        let Some(at) = self.find(from) else { return };
        let Some(unpacked) = self.members[at].unpack(packet) else {
            self.members[at].stats.refused += 1;
            return self.attend(now, at, sink);
        };
        let kind = unpacked.kind;
        for packet in unpacked.older() {
            if let Some(received) = self.members[at].recover(now, kind, &packet) {
                self.pass_on(now, at, kind, received, sink);
            }
        }
        let (own, repairs) = (unpacked.own(), unpacked.repairs);
        if let Some(received) = self.members[at].receive(now, kind, repairs, &own) {
            self.pass_on(now, at, kind, received, sink);
        }
        self.attend(now, at, sink);
    }

    /// A packet of a member goes to the others.
    fn pass_on(
        &mut self,
        now: u64,
        at: usize,
        kind: Kind,
        received: Received<'_>,
        sink: &mut impl Sink,
    ) {
        let member = &mut self.members[at];
        let from = member.id;
        if !member.admitted {
            return;
        }
        if kind == Kind::Audio {
            let pauses_tell = member.lane(kind).track.as_ref();
            let pauses_tell = pauses_tell.is_some_and(Track::only_pauses_tell);
            match received.parcel.level {
                Some(level) => member.loudness.heard(now, level),
                None if pauses_tell => {
                    member.loudness.said(now, received.epoch, &received.parcel);
                }
                None => {}
            }
        }
        self.rearrange(now, received.woke, kind);
        let source = &mut self.members[at].lane_mut(kind).source;
        if source.asked_for && !received.parcel.payload.is_empty() {
            source.cache.insert(now, &received.parcel);
        }
        let bundles = kind == Kind::Audio && source.asked_for;
        if bundles {
            self.older.look(&source.cache, &received.parcel);
        }
        let received = Received {
            older: bundles.then_some(&self.older),
            ..received
        };
        let (members, copy) = (&mut self.members, &mut self.copy);
        let outcome = forward(now, (from, kind), &received, members, copy, sink);
        if outcome.began {
            self.wake.0 = self.wake.0.min(now + SOON);
        }
        let waiting = outcome.waiting && kind == Kind::Video;
        if waiting && !replay(now, kind, at, members, copy, sink) {
            members[at].lane_mut(kind).source.wish.want();
        }
        if outcome.queued || outcome.waiting {
            let source = &mut members[at].lane_mut(kind).source;
            source.cache.keep(LATE + LATE / 2);
            self.wake.0 = self.wake.0.min(now + QUEUED);
        }
    }

    /// An authenticated RTCP packet, compound or reduced-size.
    pub fn rtcp(&mut self, now: u64, from: MemberId, packet: &[u8], sink: &mut impl Sink) {
        let Some(at) = self.find(from) else { return };
        self.members[at].reports_at = Some(now);
        let mut nacks = MOST_NACKS;
        for item in items(packet) {
            match item {
                Item::SenderReport {
                    ssrc,
                    ntp,
                    rtp,
                    blocks,
                    ..
                } => {
                    self.clock(now, at, ssrc, Clock { ntp, rtp, at: now });
                    blocks.for_each(|block| self.reported(now, at, &block));
                }
                Item::ReceiverReport { blocks, .. } => {
                    blocks.for_each(|block| self.reported(now, at, &block));
                }
                Item::Bye { ssrcs } => ssrcs.for_each(|ssrc| {
                    if let Some(source) = published(&mut self.members[at], ssrc) {
                        source.end();
                    }
                }),
                Item::Nack { media, lost } => {
                    let Some(kind) = self.members[at].slot_kind(media) else {
                        continue;
                    };
                    for sequence in lost.take(nacks) {
                        nacks -= 1;
                        self.members[at].stats.nacks_received += 1;
                        let members = (at, &mut self.members[..]);
                        resend(now, kind, sequence, members, &mut self.copy, sink);
                    }
                }
                Item::Pli { media } => self.keyframe_wanted(now, at, media, sink),
                Item::Fir { media } => {
                    media
                        .take(2)
                        .for_each(|media| self.keyframe_wanted(now, at, media, sink));
                }
                Item::Remb { bitrate } => self.members[at].stats.remb = bitrate,
                Item::TransportCc(feedback) => {
                    let member = &mut self.members[at];
                    let (far, beside) = (member.distance(), member.beside());
                    let change = member.estimator.feedback(now, far, beside, &feedback);
                    let (came, lost) = member.estimator.told();
                    member.stats.feedback_came += u64::from(came);
                    member.stats.feedback_lost += u64::from(lost);
                    self.fed(now, at, change);
                }
            }
        }
        self.attend(now, at, sink);
    }

    /// Timers that are due.
    pub fn tick(&mut self, now: u64, sink: &mut impl Sink) {
        if now < self.wake.0 {
            return;
        }
        if now >= self.sweep_at {
            self.sweep(now);
        }
        self.wake.0 = if self.members.is_empty() {
            u64::MAX
        } else {
            self.sweep_at
        };
        for at in 0..self.members.len() {
            if self.members[at].wake() <= now {
                self.tend(now, at, sink);
            }
            // what could not be sent now is looked at again, but not in a loop
            let wake = self.members[at].wake().max(now + 1_000);
            self.wake.0 = self.wake.0.min(wake);
        }
    }

    /// When [`Room::tick`] wants to be called next.
    #[must_use]
    pub fn next_wake(&self) -> Option<u64> {
        (self.wake.0 != u64::MAX).then_some(self.wake.0)
    }

    fn find(&self, member: MemberId) -> Option<usize> {
        self.members
            .binary_search_by_key(&member, |member| member.id)
            .ok()
    }

    /// Serves a member at once if something is due, and notes when something will be.
    fn attend(&mut self, now: u64, at: usize, sink: &mut impl Sink) {
        let mut wake = self.members[at].wake();
        if wake <= now {
            self.tend(now, at, sink);
            wake = self.members[at].wake().max(now + 1_000);
        }
        self.wake.0 = self.wake.0.min(wake);
    }

    /// Membership changed: who is in which slot, and when to wake.
    fn settle(&mut self, now: u64) {
        self.assign();
        self.wake.0 = if self.members.is_empty() {
            u64::MAX
        } else {
            now
        };
    }

    /// A source woke up, or levels moved: slots may change.
    fn rearrange(&mut self, now: u64, woke: bool, kind: Kind) {
        let mut changed = woke;
        if kind == Kind::Audio && self.members.len() > 2 && now >= self.listen_at {
            self.listen_at = now + LISTEN;
            let heard = |member: &&Member| member.admitted && !member.lane(Kind::Audio).muted;
            let admitted = self.members.iter().filter(heard);
            changed |= self
                .floor
                .update(now, admitted.map(|member| (member.id, member.loudness)));
        }
        if changed {
            self.assign();
        }
    }

    /// Puts into every slot whom the policy picks.
    fn assign(&mut self) {
        for kind in Kind::BOTH {
            for member in &mut self.members {
                member.lane_mut(kind).source.asked_for = false;
            }
            for at in 0..self.members.len() {
                let picked = self.pick(kind, at);
                let carries_along = kind == Kind::Audio && self.members[at].carried_along() > 0;
                let lane = self.members[at].lane_mut(kind);
                let Some(slot) = &mut lane.slot else { continue };
                let changed = slot.source != picked;
                slot.assign(picked);
                let repairs = lane
                    .track
                    .as_ref()
                    .is_some_and(|track| track.rtx.is_some() || track.feedback.nack);
                let Some(source) = picked.and_then(|picked| self.find(picked)) else {
                    continue;
                };
                let source = &mut self.members[source].lane_mut(kind).source;
                source.asked_for |= repairs || kind == Kind::Video || carries_along;
                if changed && kind == Kind::Video && source.fresh_keyframe().is_none() {
                    source.wish.want();
                }
            }
        }
        // what was not kept without a break is not to be replayed
        for lane in self.members.iter_mut().flat_map(|member| &mut member.lanes) {
            if !lane.source.asked_for {
                lane.source.cache.clear();
            }
        }
    }

    fn pick(&self, kind: Kind, at: usize) -> Option<MemberId> {
        let receiver = &self.members[at];
        let lane = receiver.lane(kind);
        if kind == Kind::Video && !receiver.downlink.shows() {
            return None;
        }
        let track = lane
            .track
            .as_ref()
            .filter(|track| receiver.admitted && track.receives)?;
        let candidates = self.members.iter().filter_map(|member| {
            let lane = member.lane(kind);
            let sent = lane
                .sent()
                .filter(|sent| codec::compatible(&sent.codec, &track.codec));
            sent.filter(|_| member.admitted && !lane.muted)
                .map(|_| Candidate {
                    member: member.id,
                    live: lane.source.live,
                })
        });
        let current = lane.slot.as_ref().and_then(|slot| slot.source);
        assign::pick(receiver.id, current, self.floor.speaker, candidates)
    }

    /// A publisher's sender report; slots that do not know its clock yet are told soon.
    fn clock(&mut self, now: u64, at: usize, ssrc: u32, clock: Clock) {
        let member = &mut self.members[at];
        let from = member.id;
        if published(member, ssrc)
            .map(|source| source.clock = Some(clock))
            .is_none()
        {
            return;
        }
        member.timebase.reported(now, clock.ntp);
        for receiver in &mut self.members {
            let slots = receiver.lanes.iter().filter_map(|lane| lane.slot.as_ref());
            if slots
                .into_iter()
                .any(|slot| slot.source == Some(from) && !slot.synced && !slot.is_waiting())
            {
                receiver.report_at = receiver.report_at.min(now + SOON);
                self.wake.0 = self.wake.0.min(receiver.report_at);
            }
        }
    }

    fn reported(&mut self, now: u64, at: usize, block: &Block) {
        let kind = self.members[at].slot_kind(block.ssrc);
        let choked = self.members[at].reported(now, block);
        match kind {
            Some(Kind::Video) if choked => self.hurry_publisher(now, at),
            Some(Kind::Audio) => {
                let slot = self.members[at].lane(Kind::Audio).slot.as_ref();
                let lost = slot.map_or(0, |slot| slot.reported.fraction_lost);
                self.carry_along(now, at, |redundancy| redundancy.reported(now, lost));
            }
            _ => {}
        }
    }

    /// News about what a member loses of speech.
    fn carry_along(&mut self, now: u64, at: usize, hears: impl FnOnce(&mut Redundancy) -> bool) {
        let before = self.members[at].carried_along();
        if hears(&mut self.members[at].redundancy) && self.members[at].carried_along() != before {
            self.assign();
            self.tell_carried(now, at);
        }
    }

    fn keyframe_wanted(&mut self, now: u64, at: usize, media: u32, sink: &mut impl Sink) {
        if self.members[at].slot_kind(media) == Some(Kind::Video)
            && let Some(source) = self.want_keyframe(at)
        {
            self.attend(now, source, sink);
        }
    }

    /// Notes that a member cannot show what is in its video slot; whose picture that is.
    fn want_keyframe(&mut self, at: usize) -> Option<usize> {
        let member = &mut self.members[at];
        member.stats.keyframes_wanted += 1;
        let slot = member.lane(Kind::Video).slot.as_ref();
        let source = slot
            .and_then(|slot| slot.source)
            .and_then(|source| self.find(source))?;
        let lane = self.members[source].lane_mut(Kind::Video);
        lane.source.wish.want();
        Some(source)
    }

    /// What a member was sent lately; while its picture is paused, what it would be sent of one.
    fn second(&mut self, now: u64, at: usize) -> Second {
        let member = &mut self.members[at];
        let told = member.told_loss(now);
        let member = &self.members[at];
        let flow = |other: &&Member| other.lane(Kind::Video).source.flow(now);
        let slot = member.lane(Kind::Video).slot.as_ref();
        let publisher = match slot {
            // what waits for the link counts too
            Some(slot) if member.downlink.shows() => {
                let source = slot.source.and_then(|source| self.find(source));
                source.map(|source| &self.members[source])
            }
            _ => {
                let others = self.members.iter().filter(|other| other.id != member.id);
                others.max_by_key(flow)
            }
        };
        let base = publisher.filter(|_| member.can_be_thinned());
        let slots = member.lanes.iter().filter_map(|lane| lane.slot.as_ref());
        Second {
            audio: member.speech(),
            video: publisher.as_ref().map_or(0, flow),
            base: base.and_then(|publisher| publisher.lane(Kind::Video).source.base(now)),
            lost: slots
                // nobody reports about what is not sent
                .filter(|slot| slot.source.is_some())
                .map(|slot| slot.reported.surely_lost())
                .fold(told.0, u64::max),
            silent: told.1,
            room: member.room(),
        }
    }

    fn sweep(&mut self, now: u64) {
        self.sweep_at = now + SWEEP;
        let mut fell = false;
        for lane in self.members.iter_mut().flat_map(|member| &mut member.lanes) {
            fell |= lane.source.sweep(now);
        }
        for at in 0..self.members.len() {
            let second = self.second(now, at);
            if self.members[at].downlink.look(now, second) {
                fell = true;
                if self.members[at].downlink.is_cut_off().is_some() {
                    self.cut_off(now, at);
                }
            }
            self.members[at].pace(now);
            self.tell_carried(now, at);
            if let Some(lost) = self.members[at].share_lost() {
                self.carry_along(now, at, |redundancy| redundancy.guess(now, lost));
            }
            self.members[at].warn(now);
        }
        if fell {
            self.assign();
        }
        for kind in Kind::BOTH {
            for at in 0..self.members.len() {
                let receiver = &self.members[at];
                let source = receiver
                    .lane(kind)
                    .slot
                    .as_ref()
                    .and_then(|slot| slot.source);

                let Some(rtt) = receiver.rtt else { continue };
                if let Some(source) = source.and_then(|source| self.find(source)) {
                    self.members[source]
                        .lane_mut(kind)
                        .source
                        .cache
                        .farther(rtt);
                }
            }
        }
    }
}

fn published(member: &mut Member, ssrc: u32) -> Option<&mut Source> {
    let sources = member.lanes.iter_mut().map(|lane| &mut lane.source);
    sources.into_iter().find(|source| source.ssrc == Some(ssrc))
}
