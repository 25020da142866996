//! A published track: what a member sends of one kind, put in order and counted.

use std::ops::RangeInclusive;

use super::{
    cache::{self, Cache, Parcel},
    codec,
    keyframe::Wish,
    nack::{Lately, Missed},
    negotiated::Track,
    red::Older,
    report::{Clock, Reception},
    rtp::Packet,
    sequence::{Arrival, Follower},
    time::{MILLISECOND, SECOND},
    vp8,
};

/// A source that was silent as long may go on under another SSRC.
const ABANDONED: u64 = 500 * MILLISECOND;
/// Packets a receiver is given at once instead of a keyframe of its own: a burst of 40 kB at most.
const FRESH: u64 = 40;
/// Silent for longer it is muted or gone; Opus DTX speaks every 400 ms.
const SILENT: u64 = 2 * SECOND;

/// What became of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub parcel: Parcel<'a>,
    /// Of a VP8 packet.
    pub picture: Option<vp8::Descriptor>,
    /// A decoder can begin with it.
    pub begins: bool,
    /// Numbers of different epochs have no order.
    pub epoch: u32,
    pub clock_rate: u32,
    /// The source was silent before.
    pub woke: bool,
    /// What it said before, for those who lose packets.
    pub older: Option<&'a Older>,
}

#[derive(Debug)]
pub struct Source {
    pub ssrc: Option<u32>,
    /// Counts restarts.
    pub epoch: u32,
    pub cache: Cache,
    pub missed: Missed,
    pub wish: Wish,
    pub clock: Option<Clock>,
    pub reception: Reception,
    /// Packets flow.
    pub live: bool,
    /// A receiver may ask for packets again.
    pub asked_for: bool,
    /// Counted since the last reception report.
    pub unreported: bool,
    pub keyframes: u64,
    /// Where the newest keyframe begins, and its timestamp.
    keyframe: Option<(u64, u32)>,
    pub repaired: u64,
    /// Of everything that comes.
    pub meter: Meter,
    /// Without retransmissions, and what browsers send beside media to find out what fits.
    flow: Meter,
    /// Of the newest packet: which picture of the base layer it belongs to, and whether what may follow of its own picture is
    /// of an upper layer or nothing.
    layers_at: Option<(u8, bool)>,
    /// How much of it the base layer is, and when something came that is of another.
    base: Share,
    layered: Option<u64>,
    follower: Follower,
    lately: Lately,
    last: u64,
    audio: bool,
}

impl Source {
    #[must_use]
    pub fn new(audio: bool) -> Self {
        Self {
            ssrc: None,
            epoch: 0,
            cache: Cache::new(if audio { cache::AUDIO } else { cache::VIDEO }),
            missed: Missed::default(),
            wish: Wish::default(),
            clock: None,
            reception: Reception::default(),
            live: false,
            asked_for: false,
            unreported: false,
            keyframes: 0,
            keyframe: None,
            repaired: 0,
            meter: Meter::default(),
            flow: Meter::default(),
            layers_at: None,
            base: Share::default(),
            layered: None,
            follower: Follower::default(),
            lately: Lately::default(),
            last: 0,
            audio,
        }
    }

    /// Takes a packet of the track's own payload type.
    pub fn receive<'a>(
        &mut self,
        now: u64,
        track: &Track,
        packet: &Packet<'a>,
    ) -> Option<Received<'a>> {
        if !self.accepts(now, track, packet.ssrc) {
            return None;
        }
        self.meter.add(now, packet.payload.len());
        let arrival = self.follower.arrived(packet.sequence);
        let number = match arrival {
            Arrival::Next { number, .. } | Arrival::Late { number } => number,
            Arrival::Restart { number } => {
                self.restart(number);
                number
            }
            Arrival::Duplicate | Arrival::Stray => return None,
        };
        let woke = !std::mem::replace(&mut self.live, true);
        if woke {
            self.reception.woke(number);
            self.lately = Lately::default();
        }
        self.last = now;
        self.flow.add(now, packet.payload.len());
        self.unreported = true;
        self.reception
            .came(now, number, packet.timestamp, track.clock_rate);
        match arrival {
            Arrival::Next { gap, .. } => {
                self.lately.came(now, gap);
                if gap > 0 && track.feedback.nack {
                    let upper = self.lost_no_base(track, gap, packet.payload);
                    if !self.missed.hole(number - gap, gap, upper, now) {
                        self.wish.want();
                    }
                }
            }
            Arrival::Late { .. } => {
                self.lately.came_late();
                self.missed.came(number);
            }
            _ => {}
        }
        if self.lately.is_flooded(now) && !self.missed.is_empty() {
            self.missed.clear();
            self.wish.want();
        }
        let received = self.examine(track, number, packet, packet.payload);
        if let Some(picture) = &received.picture {
            if !matches!(arrival, Arrival::Late { .. }) {
                let ends = packet.marker || picture.layer > 0;
                self.layers_at = picture.tl0.map(|(base, _)| (base, ends));
            }
            self.base.add(packet.payload.len(), picture.layer == 0);
            if picture.layer > 0 {
                self.layered = Some(now);
            }
        }
        Some(Received { woke, ..received })
    }

    /// Takes a packet of the retransmission payload type (RFC 4588): the original comes out, if it
    /// is still missing. Bandwidth probes in this stream carry nothing.
    pub fn receive_repair<'a>(
        &mut self,
        now: u64,
        track: &Track,
        packet: &Packet<'a>,
    ) -> Option<Received<'a>> {
        self.meter.add(now, packet.payload.len());
        let (original, payload) = packet.payload.split_first_chunk::<2>()?;
        let sequence = u16::from_be_bytes(*original);
        if !self.follower.misses(sequence) {
            return None;
        }
        let Arrival::Late { number } = self.follower.arrived(sequence) else {
            return None;
        };
        self.missed.came(number);
        self.repaired += 1;
        self.last = now;
        Some(self.examine(track, number, packet, payload))
    }

    /// Takes a packet that another one carries along (RFC 2198), if it never came. The publisher still hears that it was
    /// lost: by that it knows what to carry along.
    pub fn recover<'a>(
        &mut self,
        now: u64,
        track: &Track,
        packet: &Packet<'a>,
    ) -> Option<Received<'a>> {
        if self.ssrc != Some(packet.ssrc) || !self.follower.lacks(packet.sequence) {
            return None;
        }
        let (Arrival::Next { number, .. } | Arrival::Late { number }) =
            self.follower.arrived(packet.sequence)
        else {
            return None;
        };
        self.missed.came(number);
        self.repaired += 1;
        self.last = now;
        let received = self.examine(track, number, packet, packet.payload);
        // who hears the source from now on only did not lose it
        Some(Received {
            begins: false,
            ..received
        })
    }

    fn examine<'a>(
        &mut self,
        track: &Track,
        number: u64,
        packet: &Packet<'a>,
        payload: &'a [u8],
    ) -> Received<'a> {
        let byte = |id: Option<u8>| Some(*packet.extension(id?)?.first()?);
        let parcel = Parcel {
            number,
            timestamp: packet.timestamp,
            marker: packet.marker,
            level: byte(track.extensions.audio_level),
            orientation: byte(track.extensions.video_orientation),
            payload,
        };
        let picture = vp8::Descriptor::of(&track.codec, payload);
        let begins = match &picture {
            Some(picture) => picture.keyframe_start,
            None => codec::begins_picture(&track.codec, payload),
        };
        if begins && !self.audio {
            self.keyframe_begins(number, packet.timestamp);
        }
        Received {
            parcel,
            picture,
            begins,
            epoch: self.epoch,
            clock_rate: track.clock_rate,
            woke: false,
            older: None,
        }
    }

    /// A packet from the cache, as it was when it came. `begins`: it is where a keyframe does.
    #[must_use]
    pub fn recall(&self, track: &Track, number: u64, begins: bool) -> Option<Received<'_>> {
        let parcel = self.cache.get(number)?;
        Some(Received {
            parcel,
            picture: vp8::Descriptor::of(&track.codec, parcel.payload),
            begins,
            epoch: self.epoch,
            clock_rate: track.clock_rate,
            woke: false,
            older: None,
        })
    }

    /// Whether all `gap` packets that are missing between the newest and this one are of upper layers: each picture of the
    /// base layer is counted (RFC 7741 section 4.2, TL0PICIDX).
    fn lost_no_base(&self, track: &Track, gap: u64, payload: &[u8]) -> bool {
        let (Some((base, true)), Some(picture)) =
            (self.layers_at, vp8::Descriptor::of(&track.codec, payload))
        else {
            return false;
        };
        let next = base.wrapping_add(u8::from(picture.layer == 0));
        // the counter has eight bits
        let counted = gap < 128 && picture.tl0.is_some_and(|(base, _)| base == next);
        counted && (picture.start || picture.layer > 0)
    }

    fn keyframe_begins(&mut self, number: u64, timestamp: u32) {
        self.wish.came();
        match &mut self.keyframe {
            // an H.264 picture can be begun at its parameter sets and at its IDR slice; the decoder
            // wants both
            Some((first, known)) if *known == timestamp => *first = number.min(*first),
            Some((first, _)) if *first > number => {}
            keyframe => {
                *keyframe = Some((number, timestamp));
                self.keyframes += 1;
                self.missed.forget_before(number);
            }
        }
    }

    /// A member has one stream of each kind. Which SSRC that is may change (a page that builds its
    /// sender anew), but not from packet to packet.
    fn accepts(&mut self, now: u64, track: &Track, ssrc: u32) -> bool {
        let known = |ssrc| track.remote_ssrcs.contains(&ssrc);
        match self.ssrc {
            Some(current) if current == ssrc => true,
            Some(current)
                if now.saturating_sub(self.last) < ABANDONED
                    && (known(current) || !known(ssrc)) =>
            {
                false
            }
            _ => {
                self.end();
                self.ssrc = Some(ssrc);
                true
            }
        }
    }

    fn restart(&mut self, number: u64) {
        self.epoch = self.epoch.wrapping_add(1);
        self.missed.clear();
        self.layers_at = None;
        self.lately = Lately::default();
        self.clock = None;
        self.keyframe = None;
        self.reception = Reception::starting(number);
    }

    /// A packet from the cache that waited there to be sent.
    #[must_use]
    pub fn recall_late(&self, track: &Track, number: u64) -> Option<Received<'_>> {
        let received = self.recall(track, number, false)?;
        let begins = match &received.picture {
            Some(picture) => picture.keyframe_start,
            None => codec::begins_picture(&track.codec, received.parcel.payload),
        };
        Some(Received { begins, ..received })
    }

    /// When to ask for a keyframe: one only floods a flooded link more. `None`: nobody wants one, or nothing flows.
    #[must_use]
    pub fn wish_wake(&self, rtt: u64) -> Option<u64> {
        let wake = self.wish.wake(rtt).filter(|_| self.live)?;
        Some(wake.max(self.lately.calm_at()))
    }

    /// Whether to ask for one now, which is then noted.
    pub fn wish_due(&mut self, now: u64, rtt: u64) -> bool {
        self.wish_wake(rtt).is_some_and(|wake| wake <= now) && self.wish.due(now, rtt)
    }

    /// Something came at most so long ago.
    #[must_use]
    pub fn was_live(&self, now: u64, ago: u64) -> bool {
        self.live || self.last > 0 && now < self.last + ago
    }

    /// Bit/s at IP level of media now.
    #[must_use]
    pub fn flow(&self, now: u64) -> u64 {
        // a meter that nothing runs through stands still
        if now < self.last + SECOND {
            self.flow.rate()
        } else {
            0
        }
    }

    /// Bit/s at IP level of the base layer alone; `None`: its pictures are not in layers.
    #[must_use]
    pub fn base(&self, now: u64) -> Option<u64> {
        let layered = self.layered.is_some_and(|then| now < then + SECOND);
        layered.then(|| self.base.of(self.flow(now)))
    }

    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.follower.newest()
    }

    /// The newest keyframe's first packet.
    #[must_use]
    pub fn newest_keyframe(&self) -> Option<u64> {
        self.keyframe.map(|(first, _)| first)
    }

    /// The stream is over (BYE, or another took its place).
    pub fn end(&mut self) {
        self.ssrc = None;
        self.follower = Follower::default();
        self.missed.clear();
        self.live = false;
    }

    /// The newest keyframe, first packet to the newest of all, if it is so near that a receiver can
    /// be given everything since.
    #[must_use]
    pub fn fresh_keyframe(&self) -> Option<RangeInclusive<u64>> {
        let ((first, _), newest) = (self.keyframe?, self.follower.newest()?);
        let near = self.live && newest.saturating_sub(first) < FRESH;
        (near && self.cache.get(first).is_some()).then_some(first..=newest)
    }

    /// Notices silence; `true`: it has just fallen. Nobody asks for packets that old.
    pub fn sweep(&mut self, now: u64) -> bool {
        let fell = self.live && now.saturating_sub(self.last) > SILENT;
        if fell {
            self.live = false;
            self.missed.clear();
            self.cache.clear();
        }
        fell
    }
}

/// A rate, from what came in the last whole half second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    since: u64,
    bytes: u64,
    rate: u64,
    pub packets: u64,
    pub total: u64,
}

/// Of IP, UDP, RTP and the SRTP tag, in bytes.
const HEADERS: usize = 20 + 8 + 12 + 10;

/// What part of a stream something is, by the last tens of kilobytes: half a second has so few
/// pictures of a small stream that one more or less would count.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    part: u64,
    all: u64,
}

impl Share {
    const LATELY: u64 = 64 * 1_024;

    fn add(&mut self, payload: usize, belongs: bool) {
        let size = (payload + HEADERS) as u64;
        if self.all > Self::LATELY {
            (self.part, self.all) = (self.part / 2, self.all / 2);
        }
        self.all += size;
        self.part += if belongs { size } else { 0 };
    }

    fn of(self, whole: u64) -> u64 {
        (whole * self.part).checked_div(self.all).unwrap_or(whole)
    }
}

impl Meter {
    pub fn add(&mut self, now: u64, payload: usize) {
        let size = (payload + HEADERS) as u64;
        (self.packets, self.total) = (self.packets + 1, self.total + size);
        let passed = now.saturating_sub(self.since);
        if passed >= SECOND / 2 {
            self.rate = self.bytes * 8 * SECOND / passed;
            (self.since, self.bytes) = (now, 0);
        }
        self.bytes += size;
    }

    /// Bit/s at IP level.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.rate
    }
}
