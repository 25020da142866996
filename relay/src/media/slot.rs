//! A slot: one stream of ours to a receiver, whose source may change.
//!
//! The receiver sees one SSRC whose sequence numbers, timestamps and picture ids go on, whoever is
//! behind it. No number is ever used for two different packets: that would repeat a nonce of
//! AES-GCM.

use super::{
    MemberId,
    budget::Limiter,
    cache::Parcel,
    layers::{self, Layers},
    nack::Answered,
    negotiated::Track,
    omitted::Omitted,
    report::{Numbered, Reported},
    rtcp::Block,
    rtp::Header,
    sequence,
    source::{Meter, Received},
    time::{SECOND, ticks},
    vp8,
};

/// Runs remembered: one lasts until the source changes or begins anew. NACKs reach back a second at
/// most.
const RUNS: usize = 8;
/// Longer without anything to send is a pause.
const PAUSED: u64 = SECOND;
/// The first number, plus a few bits of the SSRC: away from zero for late packets, and below 2^15
/// so that no early loss hides a wrap from SRTP (RFC 3711 section 3.3.1).
const FIRST: u64 = 1 << 16;

/// What becomes of the numbers and clocks of a source while it is in the slot.
#[derive(Clone, Copy, Debug)]
struct Run {
    source: MemberId,
    epoch: u32,
    /// The first number of the source, and ours.
    theirs: u64,
    ours: u64,
    /// The newest of the source.
    newest: u64,
    /// What was not sent: padding, and pictures of upper layers.
    omitted: Omitted<8>,
    layers: Layers,
    timestamp: u32,
    shift: vp8::Shift,
}

impl Run {
    /// Where a packet of the source goes, or went; `None`: it was left out.
    fn place(&self, parcel: &Parcel<'_>, picture: Option<&vp8::Descriptor>) -> Option<Place> {
        let moved = self.omitted.place(parcel.number)?;
        let empty = picture.is_some_and(|picture| !self.layers.has(picture));
        let mut shift = self.shift;
        if let (Some(picture), false) = (picture, empty) {
            let closed = self.layers.shift(picture)?;
            shift.picture_id = shift.picture_id.wrapping_add(closed);
        }
        Some(Place {
            number: self.ours + moved.checked_sub(self.theirs)?,
            timestamp: parcel.timestamp.wrapping_add(self.timestamp),
            shift,
            empty,
        })
    }
}

/// Where a packet goes in the slot's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub number: u64,
    pub timestamp: u32,
    pub shift: vp8::Shift,
    /// It comes too late to be left out: its number goes out with nothing, so that the receiver
    /// does not ask for it.
    pub empty: bool,
}

/// A packet that was sent: whose it was and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub source: MemberId,
    pub epoch: u32,
    pub theirs: u64,
    run: usize,
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
    /// It gets the base layer of a picture alone: while its link has no room for all of it,
    pub thinned: bool,
    /// and while what waits for the link has waited for long. Not where repairs are the bytes that
    /// were sent before: what is left out must not change them.
    pub hurried: bool,
    /// The receiver knows the SSRC: `mid` need not be sent any more (RFC 8843 section 9.2).
    acknowledged: bool,
    /// Since the source last changed something was sent.
    running: bool,
    runs: Vec<Run>,
    newest: u64,
    numbered: Numbered,
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
            thinned: false,
            hurried: false,
            acknowledged: false,
            running: false,
            runs: Vec::new(),
            newest: FIRST + u64::from(ssrc & 0xfff),
            numbered: Numbered::default(),
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
        self.caught_up();
    }

    /// A packet closes a hole in what was sent. Nothing may be queued from it on: that would be sent
    /// twice.
    #[must_use]
    pub fn is_late(&self, received: &Received<'_>) -> bool {
        let run = self.runs.last().filter(|_| self.running);
        run.is_some_and(|run| run.epoch == received.epoch && received.parcel.number <= run.newest)
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
        self.hurried = false;
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
        self.thinned = false;
        self.runs.clear();
    }

    /// Waits for a packet a decoder can begin with.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.running
    }

    /// A receiver reports about the slot: its `mid` has done its work.
    pub fn reported(&mut self, now: u64, block: &Block) {
        self.acknowledged = self.packets > 0;
        self.reported.block(now, self.numbered, block);
    }

    /// From which of its source's numbers on the receiver may hear it.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.runs.last().map_or(u64::MAX, |run| run.theirs)
    }

    /// The shift of the source's timestamps, while it is running.
    #[must_use]
    pub fn timestamp_shift(&self) -> Option<u32> {
        self.runs
            .last()
            .filter(|_| self.running)
            .map(|run| run.timestamp)
    }

    /// Finds a place for a packet of the source; `None`: it is not to be sent.
    pub fn place(&mut self, now: u64, source: MemberId, received: &Received<'_>) -> Option<Place> {
        let (parcel, picture) = (&received.parcel, received.picture.as_ref());
        let last = self.runs.last();
        if last.is_some_and(|run| run.epoch != received.epoch) {
            self.restart();
        }
        if !self.running {
            if !received.begins || parcel.payload.is_empty() {
                return None;
            }
            self.begin(now, source, received);
        }
        let highest = if self.thinned || self.hurried {
            0
        } else {
            layers::ALL
        };
        let run = self.runs.last_mut()?;
        if parcel.number > run.newest {
            run.newest = parcel.number;
            let taken = picture.is_none_or(|picture| run.layers.take(picture, highest));
            if !taken || parcel.payload.is_empty() {
                // the numbers close up behind it
                run.omitted.add(parcel.number);
                return None;
            }
        }
        let place = run.place(parcel, picture)?;
        if place.number <= self.newest {
            self.numbered.holes = self.numbered.holes.saturating_sub(1);
        } else {
            let step = place.number - self.newest;
            self.numbered.all += step;
            self.numbered.holes += step - 1;
            self.newest = place.number;
            self.newest_timestamp = place.timestamp;
            self.newest_at = now;
            if let (Some(picture), false) = (picture, place.empty) {
                self.counters.sent(picture, place.shift);
            }
        }
        Some(place)
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
        if self.any && now > self.newest_at + PAUSED {
            self.give_up_unheard();
        }
        let timestamp = if self.any {
            let passed = ticks(now.saturating_sub(self.newest_at), clock_rate).max(1);
            self.newest_timestamp
                .wrapping_add(passed)
                .wrapping_sub(parcel.timestamp)
        } else {
            0
        };
        self.any = true;
        if self.runs.len() == RUNS {
            self.runs.remove(0);
        }
        self.runs.push(Run {
            source,
            epoch,
            theirs: parcel.number,
            ours: self.newest + 1,
            newest: parcel.number - 1,
            omitted: Omitted::default(),
            layers: Layers::begin(picture.as_ref()),
            timestamp,
            shift: picture
                .map(|picture| self.counters.follow(&picture))
                .unwrap_or_default(),
        });
    }

    /// What was sent before a pause and is not known to have come counts as if it had never been sent: what was lost then
    /// is no news of the link as it is now.
    fn give_up_unheard(&mut self) {
        if let Some(highest) = self.reported.highest {
            let heard = sequence::unwrap(self.newest, highest);
            self.numbered.holes += self.newest.saturating_sub(heard);
        }
    }

    /// What was sent under a sequence number of ours.
    #[must_use]
    pub fn origin(&self, sequence: u16) -> Option<Origin> {
        let number = sequence::unwrap(self.newest, sequence);
        if number > self.newest {
            return None;
        }
        let at = self.runs.iter().rposition(|run| run.ours <= number)?;
        let run = &self.runs[at];
        Some(Origin {
            source: run.source,
            epoch: run.epoch,
            theirs: run.omitted.number(run.theirs + (number - run.ours))?,
            run: at,
        })
    }

    /// Where a packet of that origin went.
    #[must_use]
    pub fn went(
        &self,
        origin: &Origin,
        parcel: &Parcel<'_>,
        picture: Option<&vp8::Descriptor>,
    ) -> Option<Place> {
        self.runs.get(origin.run)?.place(parcel, picture)
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
    use proptest::prelude::*;

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
            older: None,
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
    fn what_drowned_before_a_pause_is_not_blamed_on_the_link_after_it() {
        let mut slot = Slot::new(0);
        let send = |slot: &mut Slot, now: u64, numbers: std::ops::Range<u64>| {
            for number in numbers {
                assert!(slot.place(now, DOCTOR, &packet(number, b"x")).is_some());
            }
        };
        let report = |slot: &mut Slot, highest: u64, fraction_lost| {
            let block = Block {
                highest: (FIRST + highest) as u32,
                fraction_lost,
                ..Block::default()
            };
            slot.reported(0, &block);
            slot.reported.fraction_lost
        };
        send(&mut slot, 0, 500..510);
        assert_eq!(report(&mut slot, 10, 0), 0);
        send(&mut slot, 1, 510..520);
        slot.restart();
        send(&mut slot, 3 * SECOND, 520..530);
        assert_eq!(report(&mut slot, 30, 128), 0, "the last ten of before");
        send(&mut slot, 3 * SECOND, 530..540);
        assert_eq!(report(&mut slot, 40, 77), 77, "that is now");
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

    /// A packet of a picture as libwebrtc makes them in two layers: of the upper every other one needs
    /// the base alone.
    fn layered(picture: u16, part: u8) -> Vec<u8> {
        let [high, low] = (picture | 0x8000).to_be_bytes();
        let (upper, sync) = (picture & 1, picture % 4 == 1);
        let layer = (upper << 6) as u8 | u8::from(sync) << 5;
        let start = u8::from(part == 0) << 4;
        let key = u8::from(picture > 0);
        vec![
            0x80 | start,
            0xe0,
            high,
            low,
            (picture / 2) as u8,
            layer,
            key,
            part,
        ]
    }

    fn received(number: u64, payload: &[u8]) -> Received<'_> {
        let picture = vp8::Descriptor::parse(payload).filter(|_| !payload.is_empty());
        Received {
            begins: picture.is_some_and(|picture| picture.keyframe_start),
            picture,
            ..packet(number, payload)
        }
    }

    /// What is written into a payload at its place: picture id, layer, sync.
    fn written(payload: &[u8], place: &Place) -> (u16, u8, bool) {
        let (mut copy, picture) = (payload.to_vec(), vp8::Descriptor::parse(payload).unwrap());
        place.shift.apply(&picture, &mut copy);
        let written = vp8::Descriptor::parse(&copy).unwrap();
        (
            written.picture_id.unwrap().value,
            written.layer,
            written.sync,
        )
    }

    #[test]
    fn a_lost_packet_of_an_upper_layer_that_comes_late_fills_its_number_with_nothing() {
        let mut slot = Slot::new(0);
        slot.thinned = true;
        let mut send = |number: u64| {
            let payload = layered(number as u16 - 500, 0);
            let place = slot.place(0, DOCTOR, &received(number, &payload))?;
            Some((place.number - FIRST, place.empty))
        };
        assert_eq!(send(500), Some((1, false)));
        assert_eq!(send(501), None);
        assert_eq!(send(502), Some((2, false)));
        assert_eq!(send(504), Some((4, false)));
        assert_eq!(send(503), Some((3, true)));
        let origin = slot.origin((FIRST + 3) as u16).unwrap();
        let payload = layered(3, 0);
        let late = received(503, &payload);
        let again = slot.went(&origin, &late.parcel, late.picture.as_ref());
        assert!(again.unwrap().empty, "nor is it repaired");
    }

    proptest! {
        /// Pictures of one to three packets, padding between some of them, packets that come late or
        /// not at all, and a link that has room for all of it, or not, from one moment to the next.
        #[test]
        fn whatever_is_left_out_numbers_and_pictures_follow_each_other(
            turns in proptest::collection::vec((1_u8..4, 0_u8..12, any::<bool>()), 1..200),
            orderly: bool,
        ) {
            let mut slot = Slot::new(0);
            let (mut packets, mut number) = (Vec::new(), 65_536);
            for (picture, (parts, fate, thinned)) in turns.iter().enumerate() {
                for part in 0..*parts {
                    packets.push((number, layered(picture as u16, part), *thinned));
                    number += 1;
                }
                if *fate == 0 {
                    packets.push((number, Vec::new(), *thinned));
                    number += 1;
                }
            }
            if !orderly {
                for (at, (_, fate, _)) in turns.iter().enumerate().skip(3) {
                    let last = packets.len() - 1;
                    match fate {
                        1 => packets.swap((at + 1).min(last), (at + 3).min(last)),
                        2 => drop(packets.remove(at.min(last))),
                        _ => {}
                    }
                }
            }
            let mut sent: Vec<(u64, u64, Vec<u8>, Place)> = Vec::new();
            for (theirs, payload, thinned) in packets {
                slot.thinned = thinned;
                if let Some(place) = slot.place(theirs, DOCTOR, &received(theirs, &payload)) {
                    prop_assert!(sent.iter().all(|(ours, ..)| *ours != place.number));
                    sent.push((place.number, theirs, payload, place));
                }
            }
            for (ours, theirs, payload, place) in sent.iter().rev().take(400) {
                let origin = slot.origin(*ours as u16).unwrap();
                prop_assert_eq!((origin.source, origin.theirs), (DOCTOR, *theirs));
                let received = received(*theirs, payload);
                let again = slot.went(&origin, &received.parcel, received.picture.as_ref());
                if let Some(again) = again.filter(|again| !again.empty && !place.empty) {
                    prop_assert_eq!(again, *place, "a repair is what was sent");
                }
            }
            if !orderly {
                return Ok(());
            }
            let (mut upper, mut last) = (None, None);
            for (at, (ours, _, payload, place)) in sent.iter().enumerate() {
                prop_assert_eq!(*ours, FIRST + 1 + at as u64);
                let (id, layer, sync) = written(payload, place);
                if let Some(last) = last {
                    prop_assert!(id == last || id == last + 1);
                    prop_assert_eq!(id == last, payload[7] > 0, "whole pictures");
                }
                last = Some(id);
                let original = u16::from_be_bytes([payload[2], payload[3]]);
                if layer > 0 && payload[7] == 0 {
                    // what it is made from is there
                    prop_assert!(sync || upper == Some(original - 2));
                    upper = Some(original);
                }
            }
        }
    }
}
