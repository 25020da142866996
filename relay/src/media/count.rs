//! Counters: plain numbers on the worker's thread, published once a turn.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($name:ident, $metric:literal, $help:literal;)*) => {
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Counts { $(pub $name: u64,)* }

        /// What other threads see.
        #[derive(Debug, Default)]
        pub struct Published { $($name: AtomicU64,)* }

        impl Published {
            pub fn store(&self, counts: &Counts) {
                $(self.$name.store(counts.$name, Relaxed);)*
            }
            /// Adds this worker's values to the sums in `into`.
            pub fn add_to(&self, into: &mut Counts) {
                $(into.$name += self.$name.load(Relaxed);)*
            }
        }

        impl Counts {
            pub fn rows(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$(($metric, $help, self.$name),)*]
            }
        }
    };
}

counters! {
    datagrams_in, "clinicall_media_datagrams_in_total", "Datagrams and TCP frames received.";
    bytes_in, "clinicall_media_bytes_in_total", "Bytes of those.";
    packets_in, "clinicall_media_packets_in_total", "RTP and RTCP packets received and believed.";
    packets_out, "clinicall_media_packets_out_total", "Datagrams and TCP frames sent.";
    bytes_out, "clinicall_media_bytes_out_total", "Bytes of those.";
    dropped, "clinicall_media_dropped_total", "Packets the system or a slow connection did not take.";
    members, "clinicall_media_members", "Members now.";
    rooms, "clinicall_media_rooms", "Rooms now.";
    handshakes, "clinicall_media_handshakes_total", "DTLS handshakes completed.";
    failures, "clinicall_media_dtls_failures_total", "DTLS associations that failed or were closed.";
    bad_tags, "clinicall_media_bad_tags_total", "SRTP and SRTCP packets whose tag was wrong.";
    replayed, "clinicall_media_replayed_total", "SRTP and SRTCP packets received twice.";
    bad_checks, "clinicall_media_bad_checks_total", "ICE checks with a wrong password.";
    garbage, "clinicall_media_garbage_total", "Datagrams from strangers or of no known kind.";
    nacks, "clinicall_media_nacks_in_total", "Generic NACK messages received.";
    plis, "clinicall_media_plis_in_total", "Picture loss and full intra requests received.";
}

/// Counts the feedback messages of a compound packet (RFC 4585 section 6.1).
pub fn feedback(mut packet: &[u8], counts: &mut Counts) {
    while let [first, kind, high, low, ..] = *packet {
        match (kind, first & 0x1f) {
            (205, 1) => counts.nacks += 1,
            (206, 1 | 4) => counts.plis += 1,
            _ => {}
        }
        let len = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        packet = packet.get(len..).unwrap_or_default();
    }
}
