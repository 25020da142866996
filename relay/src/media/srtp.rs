//! SRTP and SRTCP in place: AEAD_AES_128_GCM (RFC 7714) and AES_CM_128_HMAC_SHA1_80 (RFC 3711).
//!
//! One [`Outbound`] and one [`Inbound`] per member; state is per SSRC. Nothing allocates once a
//! stream is known.

mod cipher;
mod window;

use cipher::Cipher;
use window::Window;

/// The most any profile adds to a packet: GCM's tag and the SRTCP index.
pub const OVERHEAD: usize = 16 + 4;
/// Streams one member may send: audio, three simulcast layers and their retransmissions are 7; a
/// browser that replaces tracks leaves old ones behind.
const STREAMS: usize = 32;

/// The protection profile DTLS agreed on (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    AeadAes128Gcm,
    Aes128CmSha1_80,
}

impl Profile {
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 12,
            Self::Aes128CmSha1_80 => 14,
        }
    }
    /// How many bytes DTLS must export: two keys, two salts.
    #[must_use]
    pub const fn material_len(self) -> usize {
        2 * (16 + self.salt_len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    #[error("not an RTP or RTCP packet")]
    Malformed,
    #[error("already received, or too old to tell")]
    Replayed,
    #[error("the authentication tag is wrong")]
    Forged,
    #[error("more streams than a member may send")]
    TooManyStreams,
}

/// Both directions' contexts from the exported keying material (RFC 5764 section 4.2):
/// `client_key | server_key | client_salt | server_salt`.
#[must_use]
pub fn contexts(
    profile: Profile,
    material: &[u8],
    we_are_client: bool,
) -> Option<(Outbound, Inbound)> {
    if material.len() != profile.material_len() {
        return None;
    }
    let (keys, salts) = material.split_at(32);
    let (client_salt, server_salt) = salts.split_at(profile.salt_len());
    let client = Keys::derive(profile, &keys[..16], client_salt)?;
    let server = Keys::derive(profile, &keys[16..], server_salt)?;
    let (out, inb) = if we_are_client {
        (client, server)
    } else {
        (server, client)
    };
    Some((
        Outbound {
            keys: out,
            streams: Vec::new(),
            rtcp_index: 0,
        },
        Inbound {
            keys: inb,
            rtp: Vec::new(),
            rtcp: Vec::new(),
        },
    ))
}

#[derive(Debug)]
struct Keys {
    rtp: Cipher,
    rtcp: Cipher,
}

impl Keys {
    fn derive(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Self> {
        let key: &[u8; 16] = key.try_into().ok()?;
        Some(Self {
            rtp: Cipher::derive(profile, key, salt, 0)?,
            rtcp: Cipher::derive(profile, key, salt, 3)?,
        })
    }
}

/// What we send to a member.
#[derive(Debug)]
pub struct Outbound {
    keys: Keys,
    /// SSRC and the highest packet index sent.
    streams: Vec<(u32, u64)>,
    rtcp_index: u32,
}

impl Outbound {
    /// Seals `packet[..len]`, whose header takes `header` bytes. `packet` needs [`OVERHEAD`] more
    /// bytes than `len`. Returns the length on the wire.
    pub fn protect_rtp(&mut self, packet: &mut [u8], header: usize, len: usize) -> Option<usize> {
        if header < 12 || header > len || packet.len() < len + OVERHEAD {
            return None;
        }
        let (sequence, ssrc) = (be16(packet, 2), be32(packet, 8));
        let index = match self.streams.iter_mut().find(|(known, _)| *known == ssrc) {
            Some((_, highest)) => {
                let index = guess(*highest, sequence);
                *highest = index.max(*highest);
                index
            }
            None => {
                // ours to choose, so bounded by how many slots a member has
                self.streams.push((ssrc, u64::from(sequence)));
                u64::from(sequence)
            }
        };
        Some(self.keys.rtp.seal_rtp(packet, header, len, ssrc, index))
    }

    /// The same for a compound RTCP packet.
    pub fn protect_rtcp(&mut self, packet: &mut [u8], len: usize) -> Option<usize> {
        if len < 8 || packet.len() < len + OVERHEAD {
            return None;
        }
        let index = self.rtcp_index;
        self.rtcp_index = (index + 1) & 0x7fff_ffff;
        let ssrc = be32(packet, 4);
        Some(self.keys.rtcp.seal_rtcp(packet, len, ssrc, index))
    }
}

/// What a member sends to us.
#[derive(Debug)]
pub struct Inbound {
    keys: Keys,
    rtp: Vec<(u32, Window)>,
    rtcp: Vec<(u32, Window)>,
}

impl Inbound {
    /// Checks and opens a packet; the plaintext is `packet[..returned]`. A packet that fails
    /// changes nothing in the context, though its bytes are no longer meaningful.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Bad> {
        let header = header_len(packet).ok_or(Bad::Malformed)?;
        let (sequence, ssrc) = (be16(packet, 2), be32(packet, 8));
        let known = self.rtp.iter().position(|(known, _)| *known == ssrc);
        let index = match known {
            Some(at) => guess(self.rtp[at].1.highest(), sequence),
            None if self.rtp.len() >= STREAMS => return Err(Bad::TooManyStreams),
            None => u64::from(sequence),
        };
        if known.is_some_and(|at| !self.rtp[at].1.fresh(index)) {
            return Err(Bad::Replayed);
        }
        let len = self.keys.rtp.open_rtp(packet, header, ssrc, index)?;
        match known {
            Some(at) => self.rtp[at].1.accept(index),
            None => self.rtp.push((ssrc, Window::starting_at(index))),
        }
        Ok(len)
    }

    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Bad> {
        if packet.len() < 12 || packet[0] >> 6 != 2 {
            return Err(Bad::Malformed);
        }
        let ssrc = be32(packet, 4);
        let index = self.keys.rtcp.rtcp_index(packet).ok_or(Bad::Malformed)?;
        let known = self.rtcp.iter().position(|(known, _)| *known == ssrc);
        match known {
            Some(at) if !self.rtcp[at].1.fresh(u64::from(index)) => return Err(Bad::Replayed),
            None if self.rtcp.len() >= STREAMS => return Err(Bad::TooManyStreams),
            _ => {}
        }
        let len = self.keys.rtcp.open_rtcp(packet, ssrc)?;
        match known {
            Some(at) => self.rtcp[at].1.accept(u64::from(index)),
            None => self
                .rtcp
                .push((ssrc, Window::starting_at(u64::from(index)))),
        }
        Ok(len)
    }
}

/// The RTP header's length with CSRCs and extension (RFC 3550 section 5.1), if the packet holds it.
#[must_use]
pub fn header_len(packet: &[u8]) -> Option<usize> {
    if packet.len() < 12 || packet[0] >> 6 != 2 {
        return None;
    }
    let mut len = 12 + 4 * usize::from(packet[0] & 0x0f);
    if packet[0] & 0x10 != 0 {
        let words = packet.get(len + 2..len + 4)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (len <= packet.len()).then_some(len)
}

/// The packet index nearest to the highest one so far (RFC 3711 section 3.3.1).
fn guess(highest: u64, sequence: u16) -> u64 {
    let roll_over = highest >> 16;
    let last = (highest & 0xffff) as i32;
    let difference = i32::from(sequence) - last;
    let roll_over = if difference < -0x8000 {
        roll_over + 1
    } else if difference > 0x8000 {
        // before the first roll-over there is nothing older
        roll_over.saturating_sub(1)
    } else {
        roll_over
    };
    // the roll-over counter has 32 bits
    ((roll_over & 0xffff_ffff) << 16) | u64::from(sequence)
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests;
