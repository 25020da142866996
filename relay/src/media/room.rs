//! A room: who is in it, and what of one member goes to the others.
//!
//! Pure: plaintext packets and the time in (microseconds on the worker's monotonic clock), packets
//! out through a [`Sink`]. The worker encrypts, sends and wakes the room.

use super::{MemberId, negotiated::Negotiated};

/// Where a room's packets go; the worker seals and batches them.
pub trait Sink {
    /// One RTP packet. `header` is the whole RTP header with its extensions, `payload` what
    /// follows. A pair of SSRC and sequence number must never be sent twice with different bytes:
    /// it would repeat the nonce of AES-GCM.
    fn rtp(&mut self, to: MemberId, header: &[u8], payload: &[u8]);
    /// One compound (or reduced-size) RTCP packet in plaintext.
    fn rtcp(&mut self, to: MemberId, packet: &[u8]);
}

#[derive(Debug, Default)]
pub struct Room {}

impl Room {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// The member is there, its path need not be up yet. Nothing flows before [`Room::admit`].
    pub fn join(&mut self, _member: MemberId, _negotiated: Negotiated, _now: u64) {}
    pub fn renegotiate(&mut self, _member: MemberId, _negotiated: Negotiated, _now: u64) {}
    pub fn admit(&mut self, _member: MemberId, _now: u64) {}
    pub fn leave(&mut self, _member: MemberId, _now: u64) {}
    /// An authenticated RTP packet, header included.
    pub fn rtp(&mut self, _now: u64, _from: MemberId, _packet: &[u8], _sink: &mut impl Sink) {}
    /// An authenticated RTCP packet, compound or reduced-size.
    pub fn rtcp(&mut self, _now: u64, _from: MemberId, _packet: &[u8], _sink: &mut impl Sink) {}
    /// Timers that are due.
    pub fn tick(&mut self, _now: u64, _sink: &mut impl Sink) {}
    /// When [`Room::tick`] wants to be called next.
    #[must_use]
    pub fn next_wake(&self) -> Option<u64> {
        None
    }
}
