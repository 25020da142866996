//! The two transforms, with session keys derived from a master key.

use aes::{
    Aes128,
    cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCore, StreamCipherCoreWrapper},
};
use ctr::CtrCore;
use ring::{aead, hmac};

use super::{Bad, Profile, be32};

const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;
/// Says "encrypted" in front of the SRTCP index.
const E: u32 = 0x8000_0000;

/// One direction of RTP or of RTCP.
pub enum Cipher {
    Gcm {
        key: Box<aead::LessSafeKey>,
        salt: [u8; 12],
    },
    Cm {
        key: Box<Aes128>,
        salt: [u8; 14],
        auth: hmac::Key,
    },
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gcm { .. } => "Gcm",
            Self::Cm { .. } => "Cm",
        })
    }
}

impl Cipher {
    /// `first_label`: 0 for RTP, 3 for RTCP (RFC 3711 section 4.3.2).
    pub fn derive(
        profile: Profile,
        master: &[u8; 16],
        salt: &[u8],
        first_label: u8,
    ) -> Option<Self> {
        let mut key = [0; 16];
        prf(master, salt, first_label, &mut key);
        match profile {
            Profile::AeadAes128Gcm => {
                let mut session_salt = [0; 12];
                prf(master, salt, first_label + 2, &mut session_salt);
                Self::gcm(&key, session_salt)
            }
            Profile::Aes128CmSha1_80 => {
                let (mut auth, mut session_salt) = ([0; 20], [0; 14]);
                prf(master, salt, first_label + 1, &mut auth);
                prf(master, salt, first_label + 2, &mut session_salt);
                Some(Self::Cm {
                    key: Box::new(Aes128::new(&key.into())),
                    salt: session_salt,
                    auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth),
                })
            }
        }
    }

    /// With session keys as they are (the vectors of RFC 7714 give those).
    pub fn gcm(key: &[u8; 16], salt: [u8; 12]) -> Option<Self> {
        let key = aead::UnboundKey::new(&aead::AES_128_GCM, key).ok()?;
        Some(Self::Gcm {
            key: Box::new(aead::LessSafeKey::new(key)),
            salt,
        })
    }

    pub fn seal_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        len: usize,
        ssrc: u32,
        index: u64,
    ) -> usize {
        match self {
            Self::Gcm { key, salt } => {
                let nonce = gcm_rtp_nonce(salt, ssrc, index);
                let (clear, rest) = packet.split_at_mut(header);
                let (text, tag) = rest.split_at_mut(len - header);
                gcm_seal(key, nonce, clear, text, tag);
                len + GCM_TAG
            }
            Self::Cm { key, salt, auth } => {
                cm_xor(key, salt, ssrc, index, &mut packet[header..len]);
                let tag = cm_rtp_tag(auth, &packet[..len], index);
                packet[len..len + SHA1_TAG].copy_from_slice(&tag.as_ref()[..SHA1_TAG]);
                len + SHA1_TAG
            }
        }
    }

    pub fn open_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Bad> {
        match self {
            Self::Gcm { key, salt } => {
                let nonce = gcm_rtp_nonce(salt, ssrc, index);
                let (clear, sealed) = packet.split_at_mut(header);
                let text = key
                    .open_in_place(nonce, aead::Aad::from(&*clear), sealed)
                    .map_err(|_| Bad::Forged)?;
                Ok(header + text.len())
            }
            Self::Cm { key, salt, auth } => {
                let len = packet.len().checked_sub(SHA1_TAG).ok_or(Bad::Malformed)?;
                if len < header {
                    return Err(Bad::Malformed);
                }
                let tag = cm_rtp_tag(auth, &packet[..len], index);
                same(&tag.as_ref()[..SHA1_TAG], &packet[len..])?;
                cm_xor(key, salt, ssrc, index, &mut packet[header..len]);
                Ok(len)
            }
        }
    }

    pub fn seal_rtcp(&self, packet: &mut [u8], len: usize, ssrc: u32, index: u32) -> usize {
        let word = (E | index).to_be_bytes();
        match self {
            Self::Gcm { key, salt } => {
                let nonce = gcm_rtcp_nonce(salt, ssrc, index);
                let (clear, rest) = packet.split_at_mut(8);
                let (text, tail) = rest.split_at_mut(len - 8);
                let aad = gcm_rtcp_aad(clear, word);
                gcm_seal(key, nonce, &aad, text, tail);
                tail[GCM_TAG..GCM_TAG + 4].copy_from_slice(&word);
                len + GCM_TAG + 4
            }
            Self::Cm { key, salt, auth } => {
                cm_xor(key, salt, ssrc, u64::from(index), &mut packet[8..len]);
                packet[len..len + 4].copy_from_slice(&word);
                let tag = hmac::sign(auth, &packet[..len + 4]);
                packet[len + 4..len + 4 + SHA1_TAG].copy_from_slice(&tag.as_ref()[..SHA1_TAG]);
                len + 4 + SHA1_TAG
            }
        }
    }

    /// The SRTCP index, before it is authenticated.
    pub fn rtcp_index(&self, packet: &[u8]) -> Option<u32> {
        let word_at = match self {
            Self::Gcm { .. } => packet
                .len()
                .checked_sub(4)
                .filter(|at| *at >= 8 + GCM_TAG)?,
            Self::Cm { .. } => packet
                .len()
                .checked_sub(4 + SHA1_TAG)
                .filter(|at| *at >= 8)?,
        };
        Some(be32(packet, word_at) & !E)
    }

    pub fn open_rtcp(&self, packet: &mut [u8], ssrc: u32) -> Result<usize, Bad> {
        let index = self.rtcp_index(packet).ok_or(Bad::Malformed)?;
        match self {
            Self::Gcm { key, salt } => {
                let word_at = packet.len() - 4;
                let word = be32(packet, word_at).to_be_bytes();
                if word[0] & 0x80 == 0 {
                    // RFC 7714 allows authentication alone; nobody who negotiates DTLS sends it
                    return Err(Bad::Malformed);
                }
                let nonce = gcm_rtcp_nonce(salt, ssrc, index);
                let (clear, sealed) = packet[..word_at].split_at_mut(8);
                let aad = gcm_rtcp_aad(clear, word);
                let text = key
                    .open_in_place(nonce, aead::Aad::from(aad), sealed)
                    .map_err(|_| Bad::Forged)?;
                Ok(8 + text.len())
            }
            Self::Cm { key, salt, auth } => {
                let tag_at = packet.len() - SHA1_TAG;
                let tag = hmac::sign(auth, &packet[..tag_at]);
                same(&tag.as_ref()[..SHA1_TAG], &packet[tag_at..])?;
                let len = tag_at - 4;
                if packet[len] & 0x80 != 0 {
                    cm_xor(key, salt, ssrc, u64::from(index), &mut packet[8..len]);
                }
                Ok(len)
            }
        }
    }
}

/// In constant time.
fn same(ours: &[u8], theirs: &[u8]) -> Result<(), Bad> {
    let different = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
    if different == 0 {
        Ok(())
    } else {
        Err(Bad::Forged)
    }
}

fn gcm_seal(
    key: &aead::LessSafeKey,
    nonce: aead::Nonce,
    aad: &[u8],
    text: &mut [u8],
    tag: &mut [u8],
) {
    match key.seal_in_place_separate_tag(nonce, aead::Aad::from(aad), text) {
        Ok(made) => tag[..GCM_TAG].copy_from_slice(made.as_ref()),
        // only for texts of 64 GiB: send nothing readable
        Err(_) => text.fill(0),
    }
}

/// RFC 7714 section 8.1.
fn gcm_rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> aead::Nonce {
    let mut iv = *salt;
    xor(&mut iv[2..6], &ssrc.to_be_bytes());
    xor(&mut iv[6..12], &index.to_be_bytes()[2..]);
    aead::Nonce::assume_unique_for_key(iv)
}

/// RFC 7714 section 9.1.
fn gcm_rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> aead::Nonce {
    let mut iv = *salt;
    xor(&mut iv[2..6], &ssrc.to_be_bytes());
    xor(&mut iv[8..12], &index.to_be_bytes());
    aead::Nonce::assume_unique_for_key(iv)
}

/// RFC 7714 section 9.2: the first eight octets and the word with E and the index.
fn gcm_rtcp_aad(clear: &[u8], word: [u8; 4]) -> [u8; 12] {
    let mut aad = [0; 12];
    aad[..8].copy_from_slice(clear);
    aad[8..].copy_from_slice(&word);
    aad
}

/// RFC 3711 section 4.1.1.
fn cm_xor(key: &Aes128, salt: &[u8; 14], ssrc: u32, index: u64, text: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    xor(&mut iv[4..8], &ssrc.to_be_bytes());
    xor(&mut iv[8..14], &index.to_be_bytes()[2..]);
    keystream(key, &iv, text);
}

fn keystream(key: &Aes128, iv: &[u8; 16], text: &mut [u8]) {
    let core = CtrCore::<&Aes128, ctr::flavors::Ctr128BE>::inner_iv_init(key, iv.into());
    debug_assert!(
        core.remaining_blocks()
            .is_none_or(|blocks| blocks > text.len() / 16)
    );
    StreamCipherCoreWrapper::from_core(core).apply_keystream(text);
}

/// RFC 3711 section 4.2: over the packet and the roll-over counter.
fn cm_rtp_tag(auth: &hmac::Key, packet: &[u8], index: u64) -> hmac::Tag {
    let mut context = hmac::Context::with_key(auth);
    context.update(packet);
    context.update(&index.to_be_bytes()[2..6]);
    context.sign()
}

/// AES-CM as the key derivation function (RFC 3711 section 4.3.3). GCM's 96-bit salt counts as a
/// 112-bit one with 16 zero bits behind (RFC 7714 section 11).
fn prf(master: &[u8; 16], salt: &[u8], label: u8, out: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..salt.len()].copy_from_slice(salt);
    iv[7] ^= label;
    out.fill(0);
    keystream(&Aes128::new(master.into()), &iv, out);
}

fn xor(into: &mut [u8], mask: &[u8]) {
    for (byte, mask) in into.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keystream_is_that_of_rfc_3711_appendix_b_2() {
        let key = 0x2B7E_1516_28AE_D2A6_ABF7_1588_09CF_4F3C_u128.to_be_bytes();
        let mut iv = [0; 16];
        iv[..14]
            .copy_from_slice(&0xF0F1_F2F3_F4F5_F6F7_F8F9_FAFB_FCFD_0000_u128.to_be_bytes()[..14]);
        let mut stream = [0; 32];
        keystream(&Aes128::new(&key.into()), &iv, &mut stream);
        assert_eq!(
            stream[..16],
            0xE03E_AD09_35C9_5E80_E166_B16D_D92B_4EB4_u128.to_be_bytes()
        );
        assert_eq!(
            stream[16..],
            0xD235_1316_2B02_D0F7_2A43_A2FE_4A5F_97AB_u128.to_be_bytes()
        );
    }

    #[test]
    fn the_session_keys_are_those_of_rfc_3711_appendix_b_3() {
        let master = 0xE1F9_7A0D_3E01_8BE0_D64F_A32C_06DE_4139_u128.to_be_bytes();
        let salt = &0x0EC6_75AD_498A_FEEB_B696_0B3A_ABE6_0000_u128.to_be_bytes()[..14];
        let (mut key, mut auth, mut session_salt) = ([0; 16], [0; 20], [0; 14]);
        prf(&master, salt, 0, &mut key);
        prf(&master, salt, 1, &mut auth);
        prf(&master, salt, 2, &mut session_salt);
        assert_eq!(
            key,
            0xC61E_7A93_744F_39EE_1073_4AFE_3FF7_A087_u128.to_be_bytes()
        );
        assert_eq!(
            auth[..16],
            0xCEBE_321F_6FF7_716B_6FD4_AB49_AF25_6A15_u128.to_be_bytes()
        );
        assert_eq!(auth[16..], 0x6D38_BAA4_u32.to_be_bytes());
        assert_eq!(
            session_salt,
            0x30CB_BC08_863D_8C85_D49D_B34A_9AE1_0000_u128.to_be_bytes()[..14]
        );
    }
}
