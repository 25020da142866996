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

/// Runs remembered: one lasts until the source changes or begins anew. NACKs reach back a second
/// and a half at most.
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
    /// Numbers up to there that nothing was sent under.
    holes: u64,
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
        let newest = FIRST + u64::from(ssrc & 0xfff);
        Self {
            source: None,
            ssrc,
            synced: false,
            answered: Answered::default(),
            meter: Meter::default(),
            limiter: Limiter::default(),
            reported: Reported::since(newest),
            packets: 0,
            octets: 0,
            thinned: false,
            hurried: false,
            acknowledged: false,
            running: false,
            runs: Vec::new(),
            newest,
            holes: 0,
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
        let numbered = Numbered {
            newest: self.newest,
            holes: self.holes,
        };
        self.reported.block(now, numbered, block);
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
            self.holes = self.holes.saturating_sub(1);
        } else {
            self.holes += place.number - self.newest - 1;
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
            self.holes += self.newest.saturating_sub(heard);
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
mod tests;
