//! One member of a room: what it publishes, what it receives, what it was told.

use super::{
    MemberId, budget,
    downlink::{Downlink, Limits},
    estimate::{Estimator, probe::Probe},
    lane::{Kind, Lane},
    level::Loudness,
    negotiated::{Negotiated, Track},
    pacer::Pacer,
    red::Bundle,
    redundancy::{LOSSY, Redundancy},
    report::{Timebase, surely},
    rtcp::Block,
    rtp::Packet,
    slot::Slot,
    source::Received,
    stats::Stats,
    time::{MILLISECOND, SECOND},
    twcc::Recorder,
};

/// A receiver of a picture that sends no RTCP this long has a link that carries nothing.
const UNHEARD: u64 = 2_500 * MILLISECOND;
/// Round trip assumed before one was measured.
const FAR: u64 = 100 * MILLISECOND;
/// The first report comes early: lips and voice are not together before it.
const FIRST_REPORT: u64 = 500 * MILLISECOND;
/// One report in five is lost where it matters.
const WARNINGS: u8 = 2;

/// Around an RTP packet: IPv4, UDP, SRTP tag; bytes.
const AROUND: usize = 20 + 8 + 10;
/// What speech takes that has no limit, bit/s.
const SPEECH: u64 = 50_000;
/// A picture that is not sent now for want of room is to become no smaller than this, bit/s at IP
/// level: browsers send none below.
const LEAST: u64 = 36_000;
/// What is asked of speech where not even that fits, bit/s at IP level: 8 kbit/s of Opus in packets of
/// 60 ms.
const LEAST_SPEECH: u64 = 15_000;
/// Where so much fits through, nothing waits long behind anything.
const WIDE: u64 = 1_000_000;
/// After a change to another link a report may be about what was sent into the gap: browsers report about pictures once
/// a second.
const SETTLING: u64 = 3 * SECOND;
/// A round trip this much longer than it was is a queue, and where much is lost beside it a full one.
const QUEUE: u64 = 500 * MILLISECOND;

/// What the payload type of a packet says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    Media,
    /// Sent again (RFC 4588).
    Repair,
    /// Speech of now and before (RFC 2198).
    Bundle,
}

/// A packet of a member and what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Unpacked<'a> {
    pub kind: Kind,
    pub repairs: bool,
    pub packet: Packet<'a>,
    /// The payload type of what is inside.
    bundle: Option<(u8, Bundle<'a>)>,
}

impl<'a> Unpacked<'a> {
    /// What it carries along, the oldest first.
    pub fn older(&self) -> impl Iterator<Item = Packet<'a>> + use<'a> {
        let packet = self.packet;
        let bundle = self.bundle.into_iter();
        bundle.flat_map(move |(codec, bundle)| bundle.older_packets(packet, codec))
    }

    /// The packet by itself.
    #[must_use]
    pub fn own(&self) -> Packet<'a> {
        match self.bundle {
            None => self.packet,
            Some((codec, bundle)) => self.packet.bare(codec, bundle.newest),
        }
    }
}

/// `b=TIAS` counts no headers (RFC 3890); around a picture's packets they are about 8 % of all.
const fn at_ip_level(tias: u64) -> u64 {
    tias.saturating_mul(100) / 92
}

#[derive(Debug)]
pub struct Member {
    pub id: MemberId,
    pub admitted: bool,
    pub lanes: [Lane; 2],
    pub recorder: Recorder,
    pub timebase: Timebase,
    pub loudness: Loudness,
    /// The last transport-wide sequence number sent to it.
    pub transport_cc: u16,
    /// Microseconds, once measured.
    pub rtt: Option<u64>,
    shortest: Option<u64>,
    /// Until when its reports tell of loss on the link before.
    settled_at: u64,
    pub report_at: u64,
    /// How often it was told of loss before its time.
    warned: u8,
    /// The most it was told to send.
    pub told: budget::Told,
    pub obeys: budget::Obeys,
    pub carries: budget::Carries,
    pub downlink: Downlink,
    pub redundancy: Redundancy,
    pub estimator: Estimator,
    pub pacer: Pacer,
    /// Asks the link whether a picture would fit.
    pub probe: Option<Probe>,
    /// The limits of its last description.
    described: Limits,
    /// When RTCP came from it; `None`: it has never sent any.
    pub reports_at: Option<u64>,
    /// Of its transport-wide feedback: what came and was lost when it was last looked at, and when before that.
    feedback: [(u64, u64); 2],
    pub stats: Stats,
}

impl Member {
    #[must_use]
    pub fn new(id: MemberId, negotiated: Negotiated, now: u64) -> Self {
        let mut member = Self {
            id,
            admitted: false,
            lanes: Kind::BOTH.map(Lane::new),
            recorder: Recorder::default(),
            timebase: Timebase::default(),
            loudness: Loudness::default(),
            transport_cc: 0,
            rtt: None,
            shortest: None,
            settled_at: 0,
            report_at: now + FIRST_REPORT,
            warned: 0,
            told: budget::Told::default(),
            obeys: budget::Obeys::default(),
            carries: budget::Carries::default(),
            downlink: Downlink::default(),
            redundancy: Redundancy::default(),
            estimator: Estimator::default(),
            pacer: Pacer::default(),
            probe: None,
            described: Limits::default(),
            reports_at: None,
            feedback: [(0, 0); 2],
            stats: Stats::default(),
        };
        member.negotiate(negotiated);
        member
    }

    pub fn negotiate(&mut self, negotiated: Negotiated) {
        let written = |track: &Option<Track>| track.as_ref().and_then(|track| track.bandwidth);
        let limits = Limits {
            // of speech `b=` does not say how much headers add: the picture's part stands by itself
            audio: None,
            video: written(&negotiated.video).map(at_ip_level),
        };
        // a description that is sent again does not take back what was said since
        if limits != self.described {
            self.described = limits;
            self.downlink.limit(limits);
        }
        let [audio, video] = &mut self.lanes;
        audio.negotiate(negotiated.audio);
        video.negotiate(negotiated.video);
    }

    /// It is reached by another link: what was found out about the one before says nothing of this one.
    pub fn moved(&mut self, now: u64) {
        (self.rtt, self.shortest, self.warned) = (None, None, 0);
        self.settled_at = now + SETTLING;
        for slot in self.lanes.iter_mut().filter_map(|lane| lane.slot.as_mut()) {
            slot.reported.fraction_lost = 0;
            slot.limiter = budget::Limiter::default();
        }
        self.stats.remb = 0;
        self.reports_at = self.reports_at.map(|_| now);
        self.estimator = Estimator::default();
        self.downlink.begin();
        self.probe = None;
        self.pace(now);
    }

    #[must_use]
    pub fn lane(&self, kind: Kind) -> &Lane {
        &self.lanes[kind as usize]
    }

    pub fn lane_mut(&mut self, kind: Kind) -> &mut Lane {
        &mut self.lanes[kind as usize]
    }

    /// The packets that are in one it sent: itself, and before it those that it carries along.
    #[must_use]
    pub fn unpack<'a>(&self, packet: &'a [u8]) -> Option<Unpacked<'a>> {
        let packet = Packet::parse(packet).ok()?;
        let (kind, carries) = self.classify(&packet)?;
        let bundle = match (carries, &self.lane(kind).track) {
            (Carries::Bundle, Some(track)) => Some((
                track.payload_type,
                Bundle::of(packet.payload, track.payload_type)?,
            )),
            _ => None,
        };
        Some(Unpacked {
            kind,
            repairs: carries == Carries::Repair,
            packet,
            bundle,
        })
    }

    /// Takes a packet that never came, out of one that carries it along.
    pub fn recover<'a>(
        &mut self,
        now: u64,
        kind: Kind,
        packet: &Packet<'a>,
    ) -> Option<Received<'a>> {
        let Lane { track, source, .. } = &mut self.lanes[kind as usize];
        source.recover(now, track.as_ref()?, packet)
    }

    /// Takes a packet it sent; `None`: the room has no use for it.
    pub fn receive<'a>(
        &mut self,
        now: u64,
        kind: Kind,
        repairs: bool,
        packet: &Packet<'a>,
    ) -> Option<Received<'a>> {
        let Lane { track, source, .. } = &mut self.lanes[kind as usize];
        let track = track.as_ref()?;
        let feedback = track.extensions.transport_cc;
        let feedback = feedback.filter(|_| track.feedback.transport_cc);
        if let Some(&[high, low]) = feedback.and_then(|id| packet.extension(id)) {
            self.recorder.came(now, u16::from_be_bytes([high, low]));
        }
        if repairs {
            source.receive_repair(now, track, packet)
        } else {
            source.receive(now, track, packet)
        }
    }

    /// Which track a packet belongs to, and what it carries. The payload type tells; where two
    /// sections share one, the `mid` does (RFC 8843 section 9.2).
    fn classify(&self, packet: &Packet<'_>) -> Option<(Kind, Carries)> {
        let mut found = None;
        for kind in Kind::BOTH {
            let Some(track) = self.lane(kind).sent() else {
                continue;
            };
            let is = |payload_type| payload_type == Some(packet.payload_type);
            let carries = if is(Some(track.payload_type)) {
                Carries::Media
            } else if is(track.rtx) {
                Carries::Repair
            } else if is(track.red) {
                Carries::Bundle
            } else {
                continue;
            };
            let mid = track.extensions.mid.and_then(|id| packet.extension(id));
            if mid.is_none_or(|mid| mid == track.mid.as_bytes()) {
                found = found.or(Some((kind, carries)));
            }
        }
        found
    }

    /// The kind of the slot we send under an SSRC.
    #[must_use]
    pub fn slot_kind(&self, ssrc: u32) -> Option<Kind> {
        let has = |kind: &Kind| {
            self.lane(*kind)
                .slot
                .as_ref()
                .is_some_and(|slot| slot.ssrc == ssrc)
        };
        Kind::BOTH.into_iter().find(has)
    }

    /// The member reports how a slot of it does; `true`: less is to be sent into it.
    pub fn reported(&mut self, now: u64, block: &Block) -> bool {
        let slots = self.lanes.iter_mut().filter_map(|lane| lane.slot.as_mut());
        if let Some(slot) = slots.into_iter().find(|slot| slot.ssrc == block.ssrc) {
            slot.reported(now, block);
            if now < self.settled_at {
                slot.reported.fraction_lost = 0;
            }
            self.rtt = slot.reported.rtt.or(self.rtt);
            self.shortest = self.shortest.into_iter().chain(self.rtt).min();
            let (rtt, sent) = (self.rtt.unwrap_or(FAR), slot.meter.rate());
            let lost = slot.reported.fraction_lost;
            if let (Some(probe), Some(shortest)) = (&mut self.probe, self.shortest)
                && slot.reported.rtt.is_some_and(|rtt| rtt > shortest + QUEUE)
                && lost >= budget::HEAVY
            {
                probe.drowns(now);
            }
            return slot.limiter.reported(now, rtt, lost, sent);
        }
        false
    }

    /// A packet went out; `before` is the last transport-wide number before it, `len` that of the
    /// RTP packet.
    pub fn sent(&mut self, now: u64, kind: Kind, before: u16, len: usize) {
        let size = len + AROUND;
        self.pacer.sent(now, size);
        let feedback = |track: &Track| track.feedback.transport_cc;
        if before != self.transport_cc && self.lane(kind).track.as_ref().is_some_and(feedback) {
            self.estimator.sent(now, self.transport_cc, size);
        }
    }

    /// Bit/s of speech that goes to it.
    #[must_use]
    pub fn speech(&self) -> u64 {
        let slot = self.lane(Kind::Audio).slot.as_ref();
        let filled = slot.filter(|slot| slot.source.is_some());
        filled.map_or(0, |slot| slot.meter.rate())
    }

    /// Bit/s that go to it without being told of by transport-wide feedback.
    #[must_use]
    pub fn beside(&self) -> u64 {
        let told =
            |track: &Track| track.feedback.transport_cc && track.extensions.transport_cc.is_some();
        match &self.lane(Kind::Audio).track {
            Some(track) if told(track) => 0,
            _ => self.speech(),
        }
    }

    /// What its link carries of a picture, bit/s at IP level; `None`: not known.
    #[must_use]
    pub fn room(&self) -> Option<u64> {
        let estimate = self.estimator.estimate()?;
        Some(estimate.saturating_sub(self.speech()))
    }

    /// How many packets of speech before it each one carries along to the member.
    #[must_use]
    pub fn carried_along(&self) -> usize {
        let distance = self.redundancy.distance();
        let can = self.lane(Kind::Audio).track.as_ref();
        if distance == 0 || can.is_none_or(|track| track.red.is_none()) {
            return 0;
        }
        let budget = self.downlink.for_speech();
        let fits = budget.is_none_or(|budget| self.redundancy.share(budget).is_some());
        let narrow = self.downlink.is_cut_off().is_some() || self.estimator.queues();
        if fits && !narrow { distance } else { 0 }
    }

    /// What its link carries, as others are told: nothing of a picture while that is taken away, and
    /// of speech what fits where not even that does.
    #[must_use]
    pub fn carried(&self) -> Limits {
        let speech = self.speech();
        let estimate = self.estimator.estimate();
        if let Some(dead) = self.downlink.is_cut_off() {
            // a link that has filled up looks dead as well
            let crowded = dead || self.probe.is_some_and(|probe| probe.is_crowded());
            let tight = estimate.is_some_and(|estimate| estimate < speech + speech / 3);
            // what did not fit is not tried again before there is room for a picture
            let small = self
                .carries
                .told()
                .audio
                .is_some_and(|told| told <= LEAST_SPEECH);
            return Limits {
                audio: (crowded || tight || small).then_some(LEAST_SPEECH),
                video: Some(0),
            };
        }
        let room = self.room().filter(|_| self.downlink.wants());
        let budget = self.downlink.for_speech();
        let share = budget
            .filter(|_| self.carried_along() > 0)
            .and_then(|budget| self.redundancy.share(budget));
        let own = self.downlink.limits().audio;
        Limits {
            audio: share.filter(|share| own.is_none_or(|own| *share < own)),
            video: room.map(|room| room.max(LEAST)),
        }
    }

    /// Whether pictures can be left out for it: not where repairs are to be the very bytes that were
    /// sent before.
    #[must_use]
    pub fn can_be_thinned(&self) -> bool {
        let track = self.lane(Kind::Video).track.as_ref();
        track.is_some_and(|track| track.rtx.is_some())
    }

    /// Sets the pace of its picture by what it promised to take and what its link carries.
    pub fn pace(&mut self, now: u64) {
        let thinned = self.downlink.thins() && self.can_be_thinned();
        if let Some(slot) = &mut self.lane_mut(Kind::Video).slot {
            slot.thinned = thinned;
        }
        let limits = self.downlink.limits();
        let promised = limits.video.map(|video| {
            let all = video + limits.audio.unwrap_or(SPEECH);
            all + all / 20
        });
        let carried = self.estimator.estimate().map(|estimate| {
            if self.estimator.queues() {
                estimate * 4 / 5
            } else {
                estimate * 3 / 2
            }
        });
        let held = self.estimator.held_from(self.distance());
        let rate = match held {
            Some(held) if held <= now => Some(0),
            _ => promised.into_iter().chain(carried).min(),
        };
        self.pacer.set(now, rate.filter(|rate| *rate < WIDE));
    }

    /// What it told since it was last asked: what is lost for sure, of 256, and whether it is silent although it gets a
    /// picture, of which browsers tell once a second at least.
    pub fn told_loss(&mut self, now: u64) -> (u64, bool) {
        let told = (self.stats.feedback_came, self.stats.feedback_lost);
        let [last, before] = self.feedback;
        self.feedback = [told, last];
        // a bad second, or two that are together: the more packets the surer
        let since = |then: (u64, u64)| {
            let (came, lost) = (told.0 - then.0, told.1 - then.1);
            surely(lost, came + lost, 1)
        };
        let share = since(last).max(since(before));
        let slot = self.lane(Kind::Video).slot.as_ref();
        let shown = slot.is_some_and(|slot| slot.source.is_some() && !slot.is_waiting());
        let silent = self.reports_at.is_some_and(|then| now > then + UNHEARD);
        (share, shown && silent)
    }

    /// What was lost so far, of 256, of its speech and of its picture, whichever lost more: browsers report about what
    /// they hear once in five seconds. `None`: too little came to tell.
    #[must_use]
    pub fn share_lost(&self) -> Option<u8> {
        const ENOUGH: u64 = 20;
        let said = self.lane(Kind::Audio).source.reception.share_lost();
        let (came, lost) = (self.stats.feedback_came, self.stats.feedback_lost);
        let shown = (came + lost >= ENOUGH).then(|| (lost * 256 / (came + lost)).min(255) as u8);
        said.max(shown)
    }

    /// Speech of the member's is lost: it learns of it at once, for reports on speech alone are seconds apart, and until then
    /// nothing is said twice. Beside a picture they are not, and one about few packets more would tell of too much loss.
    pub fn warn(&mut self, now: u64) {
        let (lost, expected) = self.lane(Kind::Audio).source.reception.lost_since();
        // one of ten is nothing yet
        let lossy = expected >= 10 && lost >= 2 && lost * 256 >= expected * u64::from(LOSSY);
        if self.warned < WARNINGS && lossy && !self.shows() {
            self.warned += 1;
            self.report_at = now;
        }
    }

    /// What the member can take of a picture, bit/s at IP level.
    #[must_use]
    pub fn appetite(&self) -> Option<u64> {
        let lane = self.lane(Kind::Video);
        if !self.downlink.wants() {
            return None;
        }
        // speech has what it carries along of the picture's part
        let carries = self.carried_along() > 0;
        let own = self.downlink.limits().audio.filter(|_| carries);
        let beyond = own.map_or(0, |own| self.speech().saturating_sub(own));
        let wish = self.downlink.appetite();
        let wish = wish.map(|wish| wish.saturating_sub(beyond).max(LEAST.min(wish)));
        if self.estimator.is_fed() {
            let room = self.room().map(|room| room.max(LEAST));
            let least = wish.into_iter().chain(room).min();
            // repairs take their part
            let lost = lane
                .slot
                .as_ref()
                .map_or(0, |slot| slot.reported.fraction_lost);
            return least.map(|least| least * (256 - u64::from(lost)) / 256);
        }
        let limit = lane.slot.as_ref().and_then(|slot| slot.limiter.limit());
        let remb = Some(self.stats.remb).filter(|remb| *remb > 0);
        [wish, limit, remb].into_iter().flatten().min()
    }

    /// The round trip to count with.
    #[must_use]
    pub fn distance(&self) -> u64 {
        self.rtt.unwrap_or(FAR)
    }

    /// Video flows from it.
    #[must_use]
    pub fn shows(&self) -> bool {
        self.lane(Kind::Video).source.live
    }

    /// Bit/s at IP level the member sends.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.source.meter.rate()).sum()
    }

    /// When it wants to be served next.
    #[must_use]
    pub fn wake(&self) -> u64 {
        let mut wake = self.report_at.min(self.link_wake());
        if let Some(feedback) = self.recorder.wake(self.rate(), self.shows()) {
            wake = wake.min(feedback);
        }
        if self.admitted {
            for lane in &self.lanes {
                let source = &lane.source;
                let repair = source.missed.wake().into_iter();
                let keyframe = source.wish_wake(self.distance());
                wake = repair.chain(keyframe).fold(wake, u64::min);
            }
        }
        wake
    }

    /// When something is due about its link.
    fn link_wake(&self) -> u64 {
        if let Some(probe) = &self.probe {
            return probe.wake();
        }
        let shows = self.downlink.shows();
        let held = self.pacer.rate() == Some(0);
        let silent = if held {
            self.estimator.dead_from(self.distance())
        } else {
            self.estimator.held_from(self.distance())
        };
        let slot = self.lane(Kind::Video).slot.as_ref();
        let queued = slot.and_then(Slot::queued).and_then(|_| self.pacer.free());
        silent
            .filter(|_| shows)
            .into_iter()
            .chain(queued)
            .min()
            .unwrap_or(u64::MAX)
    }
}
