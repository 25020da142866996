//! A slot: one stream of ours to a receiver, whose source may change.
//!
//! The receiver sees one SSRC whose sequence numbers, timestamps and picture ids go on, whoever is
//! behind it. No number is ever used for two different packets: that would repeat a nonce of
//! AES-GCM.

use super::{
    MemberId,
    budget::Limiter,
    cache::Parcel,
    nack::Answered,
    negotiated::Track,
    report::Reported,
    rtp::Header,
    sequence,
    source::{Meter, Received},
    time::ticks,
    vp8,
};

/// Stretches of numbers remembered: a stretch ends when the source changes or a packet of padding
/// is left out. NACKs reach back a second at most.
const STRETCHES: usize = 16;
/// The first number, plus a few bits of the SSRC: away from zero for late packets, and below 2^15
/// so that no early loss hides a wrap from SRTP (RFC 3711 section 3.3.1).
const FIRST: u64 = 1 << 16;

/// From where and how numbers and clocks of a source are moved.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Counts changes of source: stretches of one run follow each other.
    run: u32,
    source: MemberId,
    epoch: u32,
    /// The first number of the source, and ours.
    theirs: u64,
    ours: u64,
    timestamp: u32,
    shift: vp8::Shift,
}

/// Where a packet goes in the slot's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub number: u64,
    pub timestamp: u32,
    pub shift: vp8::Shift,
}

/// A packet that was sent: whose it was and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub source: MemberId,
    pub epoch: u32,
    pub theirs: u64,
    pub place: Place,
}

#[derive(Debug)]
pub struct Slot {
    /// Who is in it.
    pub source: Option<MemberId>,
    pub ssrc: u32,
    /// A sender report told how its clock runs since the source last changed.
    pub synced: bool,
    pub answered: Answered,
    pub meter: Meter,
    pub limiter: Limiter,
    pub reported: Reported,
    pub packets: u32,
    pub octets: u32,
    /// The receiver knows the SSRC: `mid` need not be sent any more (RFC 8843 section 9.2).
    acknowledged: bool,
    /// Since the source last changed something was sent.
    running: bool,
    run: u32,
    stretches: Vec<Stretch>,
    newest: u64,
    newest_timestamp: u32,
    newest_at: u64,
    any: bool,
    counters: vp8::Counters,
    repairs: u16,
    /// The first packet of the source that waits for the link, and its epoch.
    queue: Option<(u32, u64)>,
}

impl Slot {
    #[must_use]
    pub fn new(ssrc: u32) -> Self {
        Self {
            source: None,
            ssrc,
            synced: false,
            answered: Answered::default(),
            meter: Meter::default(),
            limiter: Limiter::default(),
            reported: Reported::default(),
            packets: 0,
            octets: 0,
            acknowledged: false,
            running: false,
            run: 0,
            stretches: Vec::new(),
            newest: FIRST + u64::from(ssrc & 0xfff),
            newest_timestamp: 0,
            newest_at: 0,
            any: false,
            counters: vp8::Counters::default(),
            repairs: ssrc as u16 & 0xfff,
            queue: None,
        }
    }

    /// Puts somebody else into the slot; what is sent next must begin a picture.
    pub fn assign(&mut self, source: Option<MemberId>) {
        if self.source != source {
            self.source = source;
            self.restart();
        }
    }

    /// The source began anew.
    pub fn restart(&mut self) {
        self.running = false;
        self.synced = false;
        self.queue = None;
    }

    /// A packet closes a hole in what was sent. Nothing may be queued from it on: that would be sent
    /// twice.
    #[must_use]
    pub fn is_late(&self, received: &Received<'_>) -> bool {
        let last = self.stretches.last().filter(|_| self.running);
        last.is_some_and(|stretch| {
            let number = (stretch.ours + received.parcel.number).checked_sub(stretch.theirs);
            stretch.epoch == received.epoch && number.is_none_or(|number| number <= self.newest)
        })
    }

    /// Whether a packet has to wait behind others.
    #[must_use]
    pub fn waits_behind(&mut self, received: &Received<'_>) -> bool {
        // numbers of another epoch have no order with these
        self.queue = self.queue.filter(|(epoch, _)| *epoch == received.epoch);
        self.queue
            .is_some_and(|(_, next)| received.parcel.number >= next)
    }

    /// From this packet on everything of the source waits in its cache.
    pub fn queue(&mut self, epoch: u32, next: u64) {
        self.queue = Some((epoch, next));
    }

    #[must_use]
    pub fn queued(&self) -> Option<(u32, u64)> {
        self.queue
    }

    /// Nothing waits any more.
    pub fn caught_up(&mut self) {
        self.queue = None;
    }

    /// Goes on under another SSRC. The numbers go on too: if the old SSRC ever comes back, none of
    /// its numbers is used again.
    pub fn rename(&mut self, ssrc: u32) {
        if self.ssrc != ssrc {
            self.ssrc = ssrc;
            self.acknowledged = false;
            (self.packets, self.octets) = (0, 0);
            self.forget();
        }
    }

    /// The receiver's description changed: packets sent before cannot be written again as they were.
    pub fn forget(&mut self) {
        self.restart();
        self.stretches.clear();
    }

    /// Waits for a packet a decoder can begin with.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.running
    }

    /// A receiver report names the slot: its `mid` has done its work.
    pub fn acknowledge(&mut self) {
        self.acknowledged = self.packets > 0;
    }

    /// The shift of the source's timestamps, while it is running.
    #[must_use]
    pub fn timestamp_shift(&self) -> Option<u32> {
        self.stretches
            .last()
            .filter(|_| self.running)
            .map(|stretch| stretch.timestamp)
    }

    /// Finds a place for a packet of the source; `None`: it is not to be sent.
    pub fn place(&mut self, now: u64, source: MemberId, received: &Received<'_>) -> Option<Place> {
        let Received {
            parcel, picture, ..
        } = received;
        let last = self.stretches.last();
        if last.is_some_and(|stretch| stretch.epoch != received.epoch) {
            self.restart();
        }
        if !self.running {
            if !received.begins || parcel.payload.is_empty() {
                return None;
            }
            self.begin(now, source, received);
        }
        let stretch = *self.stretches.last()?;
        if parcel.number < stretch.theirs {
            return self.late(parcel, stretch.run);
        }
        let number = stretch.ours + (parcel.number - stretch.theirs);
        if parcel.payload.is_empty() && number > self.newest {
            // padding: the numbers close up behind it
            let stretch = Stretch {
                theirs: parcel.number + 1,
                ours: number,
                ..stretch
            };
            self.remember(stretch);
            return None;
        }
        let timestamp = parcel.timestamp.wrapping_add(stretch.timestamp);
        if number > self.newest {
            self.newest = number;
            self.newest_timestamp = timestamp;
            self.newest_at = now;
            if let Some(picture) = picture {
                self.counters.sent(picture, stretch.shift);
            }
        }
        Some(Place {
            number,
            timestamp,
            shift: stretch.shift,
        })
    }

    fn begin(&mut self, now: u64, source: MemberId, received: &Received<'_>) {
        let Received {
            parcel,
            picture,
            epoch,
            clock_rate,
            ..
        } = *received;
        self.running = true;
        self.run = self.run.wrapping_add(1);
        let timestamp = if self.any {
            let passed = ticks(now.saturating_sub(self.newest_at), clock_rate).max(1);
            self.newest_timestamp
                .wrapping_add(passed)
                .wrapping_sub(parcel.timestamp)
        } else {
            0
        };
        self.any = true;
        self.remember(Stretch {
            run: self.run,
            source,
            epoch,
            theirs: parcel.number,
            ours: self.newest + 1,
            timestamp,
            shift: picture
                .map(|picture| self.counters.follow(&picture))
                .unwrap_or_default(),
        });
    }

    /// A packet from before the newest stretch of this run.
    fn late(&self, parcel: &Parcel<'_>, run: u32) -> Option<Place> {
        let mut earlier = self
            .stretches
            .iter()
            .rev()
            .take_while(|stretch| stretch.run == run);
        let stretch = earlier.find(|stretch| stretch.theirs <= parcel.number)?;
        Some(Place {
            number: stretch.ours + (parcel.number - stretch.theirs),
            timestamp: parcel.timestamp.wrapping_add(stretch.timestamp),
            shift: stretch.shift,
        })
    }

    fn remember(&mut self, stretch: Stretch) {
        match self.stretches.last_mut() {
            // nothing was sent in it
            Some(last) if last.ours == stretch.ours => *last = stretch,
            _ => {
                if self.stretches.len() == STRETCHES {
                    self.stretches.remove(0);
                }
                self.stretches.push(stretch);
            }
        }
    }

    /// What was sent under a sequence number of ours.
    #[must_use]
    pub fn origin(&self, sequence: u16) -> Option<Origin> {
        let number = sequence::unwrap(self.newest, sequence);
        if number > self.newest {
            return None;
        }
        let stretch = self
            .stretches
            .iter()
            .rev()
            .find(|stretch| stretch.ours <= number)?;
        Some(Origin {
            source: stretch.source,
            epoch: stretch.epoch,
            theirs: stretch.theirs + (number - stretch.ours),
            // the timestamp is moved by the caller, who has the packet
            place: Place {
                number,
                timestamp: stretch.timestamp,
                shift: stretch.shift,
            },
        })
    }

    /// The next sequence number of the retransmission stream.
    pub fn next_repair(&mut self) -> u16 {
        self.repairs = self.repairs.wrapping_add(1);
        self.repairs
    }

    pub fn count(&mut self, now: u64, octets: usize) {
        self.meter.add(now, octets);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(octets as u32);
        self.answered.sent();
    }

    /// A header for a packet at its place, with the receiver's payload type and extension ids.
    #[must_use]
    pub fn header(
        &self,
        now: u64,
        track: &Track,
        place: &Place,
        parcel: &Parcel<'_>,
        transport_cc: &mut u16,
    ) -> Header {
        let mut header = Header::new(
            parcel.marker,
            track.payload_type,
            place.number as u16,
            place.timestamp,
            self.ssrc,
        );
        self.extend(
            &mut header,
            now,
            track,
            parcel,
            !self.acknowledged,
            transport_cc,
        );
        header
    }

    /// The header of a retransmission: its own stream where RFC 4588 is agreed, else the very bytes
    /// that were sent before.
    #[must_use]
    pub fn repair_header(
        &mut self,
        now: u64,
        track: &Track,
        place: &Place,
        parcel: &Parcel<'_>,
        transport_cc: &mut u16,
    ) -> Header {
        let (Some(payload_type), Some(ssrc)) = (track.rtx, track.local_rtx_ssrc) else {
            return self.header(now, track, place, parcel, transport_cc);
        };
        let sequence = self.next_repair();
        let mut header = Header::new(parcel.marker, payload_type, sequence, place.timestamp, ssrc);
        self.extend(&mut header, now, track, parcel, true, transport_cc);
        header
    }

    /// The header of a packet of padding in the retransmission stream, whose numbers are told of by
    /// transport-wide feedback; `None`: not where nobody tells. The last byte of the padding says
    /// how long it is.
    #[must_use]
    pub fn padding(&mut self, track: &Track, transport_cc: &mut u16) -> Option<Header> {
        let (payload_type, ssrc) = (track.rtx?, track.local_rtx_ssrc?);
        let id = track.extensions.transport_cc?;
        let sequence = self.next_repair();
        let timestamp = self.newest_timestamp;
        let mut header = Header::new(false, payload_type, sequence, timestamp, ssrc);
        if let Some(id) = track.extensions.mid {
            header.extend(id, track.mid.as_bytes());
        }
        *transport_cc = transport_cc.wrapping_add(1);
        header.extend(id, &transport_cc.to_be_bytes());
        header.pad();
        Some(header)
    }

    fn extend(
        &self,
        header: &mut Header,
        now: u64,
        track: &Track,
        parcel: &Parcel<'_>,
        mid: bool,
        transport_cc: &mut u16,
    ) {
        let ids = &track.extensions;
        // sent again as it was: nothing in it may depend on when it is sent
        let repeats = track.rtx.is_none() && track.feedback.nack;
        if let (Some(id), true) = (ids.mid, mid || repeats) {
            header.extend(id, track.mid.as_bytes());
        }
        if let (Some(id), Some(level)) = (ids.audio_level, parcel.level) {
            header.extend(id, &[level]);
        }
        if let (Some(id), Some(orientation)) = (ids.video_orientation, parcel.orientation) {
            header.extend(id, &[orientation]);
        }
        if repeats {
            return;
        }
        if let Some(id) = ids.transport_cc {
            *transport_cc = transport_cc.wrapping_add(1);
            header.extend(id, &transport_cc.to_be_bytes());
        } else if let Some(id) = ids.abs_send_time {
            // 24 bits of seconds, 18 of them behind the point
            let time = ((u128::from(now) << 18) / 1_000_000) as u32;
            header.extend(id, &time.to_be_bytes()[1..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCTOR: MemberId = MemberId(1);
    const PATIENT: MemberId = MemberId(2);

    fn packet(number: u64, payload: &[u8]) -> Received<'_> {
        let parcel = Parcel {
            number,
            timestamp: number as u32 * 3_000,
            marker: true,
            level: None,
            orientation: None,
            payload,
        };
        Received {
            parcel,
            picture: None,
            begins: true,
            epoch: 1,
            clock_rate: 90_000,
            woke: false,
        }
    }

    fn place(slot: &mut Slot, source: MemberId, number: u64) -> Option<u64> {
        slot.place(number, source, &packet(number, b"x"))
            .map(|place| place.number - FIRST)
    }

    #[test]
    fn padding_leaves_no_hole() {
        let mut slot = Slot::new(0);
        assert_eq!(place(&mut slot, DOCTOR, 500), Some(1));
        assert_eq!(place(&mut slot, DOCTOR, 501), Some(2));
        assert_eq!(slot.place(0, DOCTOR, &packet(502, b"")), None);
        assert_eq!(slot.place(0, DOCTOR, &packet(503, b"")), None);
        assert_eq!(place(&mut slot, DOCTOR, 504), Some(3));
        assert_eq!(place(&mut slot, DOCTOR, 506), Some(5));
        assert_eq!(place(&mut slot, DOCTOR, 505), Some(4));
        let theirs = |ours: u64| {
            slot.origin((FIRST + ours) as u16)
                .map(|origin| origin.theirs)
        };
        assert_eq!(
            [1, 2, 3, 4, 5].map(theirs),
            [500, 501, 504, 505, 506].map(Some)
        );
        assert_eq!(theirs(6), None);
        assert_eq!(theirs(0), None);
    }

    #[test]
    fn padding_that_comes_late_is_sent_empty_for_its_number_is_taken() {
        let mut slot = Slot::new(0);
        place(&mut slot, DOCTOR, 500);
        place(&mut slot, DOCTOR, 502);
        let late = slot.place(0, DOCTOR, &packet(501, b""));
        assert_eq!(late.map(|place| place.number - FIRST), Some(2));
    }

    #[test]
    fn a_late_packet_of_the_one_before_is_not_sent() {
        let mut slot = Slot::new(0);
        slot.assign(Some(DOCTOR));
        place(&mut slot, DOCTOR, 500);
        slot.assign(Some(PATIENT));
        assert_eq!(place(&mut slot, PATIENT, 90), Some(2));
        assert_eq!(place(&mut slot, PATIENT, 89), None, "from before it began");
        assert_eq!(slot.origin((FIRST + 1) as u16).unwrap().source, DOCTOR);
    }

    #[test]
    fn time_goes_on_across_a_change() {
        let mut slot = Slot::new(0);
        let at = |slot: &mut Slot, now: u64, source, number: u64| {
            slot.place(now, source, &packet(number, b"x"))
                .unwrap()
                .timestamp
        };
        let before = at(&mut slot, 1_000_000, DOCTOR, 500);
        slot.restart();
        assert_eq!(at(&mut slot, 1_100_000, PATIENT, 7_000), before + 9_000);
        assert_eq!(at(&mut slot, 1_133_333, PATIENT, 7_001), before + 12_000);
    }
}
