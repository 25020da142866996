//! What happened between a member and us, for those who ask.

use super::member::Member;

/// Counters only rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub received_packets: u64,
    /// At IP level.
    pub received_bytes: u64,
    /// On the way to us, after repair by nobody: as reported to the member.
    pub received_lost: u64,
    /// Lost packets that came after we asked.
    pub repaired: u64,
    pub sent_packets: u64,
    /// RTP payload.
    pub sent_bytes: u64,
    /// On the way to the member, as it reports them.
    pub sent_lost: u64,
    /// Of 256, from the last report.
    pub sent_fraction_lost: u8,
    pub resent: u64,
    /// Microseconds.
    pub rtt: Option<u64>,
    /// Packets we asked the member for.
    pub nacks_sent: u64,
    pub nacks_received: u64,
    /// PLI and FIR.
    pub keyframes_asked: u64,
    pub keyframes_wanted: u64,
    /// The member's estimate of what it can receive (REMB), bit/s; 0: it says nothing.
    pub remb: u64,
    /// From its transport-wide feedback.
    pub feedback_came: u64,
    pub feedback_lost: u64,
    /// Malformed, or of no payload type we know.
    pub refused: u64,
}

impl Member {
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            rtt: self.rtt,
            ..self.stats
        };
        for lane in &self.lanes {
            stats.received_packets += lane.source.meter.packets;
            stats.received_bytes += lane.source.meter.total;
            stats.received_lost += lane.source.reception.lost();
            stats.repaired += lane.source.repaired;
            if let Some(slot) = &lane.slot {
                stats.sent_lost += u64::from(slot.reported.lost);
                let worst = stats.sent_fraction_lost.max(slot.reported.fraction_lost);
                stats.sent_fraction_lost = worst;
            }
        }
        stats
    }
}
