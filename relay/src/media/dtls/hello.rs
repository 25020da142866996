//! A look into the first ClientHello: does the peer know AEAD_AES_128_GCM?
//!
//! The hello may come in several datagrams (Chromium's with a post-quantum key share does), in
//! several records of one datagram, in any order, repeated.

/// The longest hello put together; a real one with a post-quantum share has 1.5 kB.
const LONGEST: usize = 8 * 1024;
/// Datagrams kept until it is whole.
const KEPT: usize = 8;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const HANDSHAKE_HEADER: usize = 12;
/// `use_srtp` (RFC 5764 section 4.1.1).
const USE_SRTP: u16 = 14;
/// `SRTP_AEAD_AES_128_GCM` (RFC 7714 section 14.2).
const AEAD_AES_128_GCM: u16 = 7;

#[derive(Debug, Default)]
pub struct Hello {
    body: Vec<u8>,
    have: Vec<bool>,
    datagrams: Vec<Vec<u8>>,
}

impl Hello {
    /// Takes a datagram; true when the hello is whole. What is no part of a first ClientHello is
    /// ignored.
    pub fn take(&mut self, datagram: &[u8]) -> bool {
        if self.datagrams.len() >= KEPT {
            // none of them made a hello: begin anew
            *self = Self::default();
        }
        let mut useful = false;
        let mut rest = datagram;
        while let Some((content, tail)) = record(rest) {
            useful |= self.fragment(content);
            rest = tail;
        }
        if useful {
            self.datagrams.push(datagram.to_vec());
        }
        useful && self.have.iter().all(|have| *have)
    }

    fn fragment(&mut self, content: &[u8]) -> bool {
        let Some((header, text)) = content.split_at_checked(HANDSHAKE_HEADER) else {
            return false;
        };
        let be24 = |at: usize| {
            usize::from(header[at]) << 16
                | usize::from(header[at + 1]) << 8
                | usize::from(header[at + 2])
        };
        let (total, offset, len) = (be24(1), be24(6), be24(9));
        // type, message number 0, and sizes that agree
        let first = header[0] == CLIENT_HELLO && header[4..6] == [0, 0];
        if !first || len != text.len() || total > LONGEST || total == 0 || offset + len > total {
            return false;
        }
        if self.body.len() != total {
            self.body = vec![0; total];
            self.have = vec![false; total];
        }
        self.body[offset..offset + len].copy_from_slice(text);
        self.have[offset..offset + len].fill(true);
        true
    }

    /// Whether the whole hello's `use_srtp` lists AEAD_AES_128_GCM.
    pub fn offers_gcm(&self) -> bool {
        extensions(&self.body).is_some_and(|extensions| {
            let mut rest = extensions;
            while let Some((header, tail)) = rest.split_at_checked(4) {
                let name = u16::from_be_bytes([header[0], header[1]]);
                let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
                let Some((value, tail)) = tail.split_at_checked(len) else {
                    return false;
                };
                if name == USE_SRTP && value.len() >= 2 {
                    let list = usize::from(u16::from_be_bytes([value[0], value[1]]));
                    return value[2..]
                        .chunks_exact(2)
                        .take(list / 2)
                        .any(|pair| u16::from_be_bytes([pair[0], pair[1]]) == AEAD_AES_128_GCM);
                }
                rest = tail;
            }
            false
        })
    }

    /// What was taken, to be read again by who understands it.
    pub fn datagrams(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.datagrams)
    }
}

/// The content of the first record if it is a handshake record of epoch 0, and what follows.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, content, rest) = super::record(bytes)?;
    (header[0] == HANDSHAKE && header[3..5] == [0, 0]).then_some((content, rest))
}

/// version(2) random(32) session<..255> cookie<..255> suites<..65535> compression<..255>, then
/// extensions<..65535> (RFC 6347 section 4.2.1).
fn extensions(body: &[u8]) -> Option<&[u8]> {
    let skip8 = |bytes: &mut &[u8]| {
        let len = usize::from(*bytes.first()?);
        *bytes = bytes.get(1 + len..)?;
        Some(())
    };
    let mut rest = body.get(34..)?;
    skip8(&mut rest)?;
    skip8(&mut rest)?;
    let suites = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    rest = rest.get(2 + suites..)?;
    skip8(&mut rest)?;
    rest.get(2..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(profiles: &[u16], padding: usize) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        let mut extensions = vec![0, 21];
        extensions.extend((padding as u16).to_be_bytes());
        extensions.extend(vec![0; padding]);
        extensions.extend([0, 14]);
        extensions.extend((2 + 2 * profiles.len() as u16 + 1).to_be_bytes());
        extensions.extend((2 * profiles.len() as u16).to_be_bytes());
        extensions.extend(profiles.iter().flat_map(|profile| profile.to_be_bytes()));
        extensions.push(0);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    fn datagram(body: &[u8], offset: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend((12 + len as u16).to_be_bytes());
        bytes.push(1);
        bytes.extend(&(body.len() as u32).to_be_bytes()[1..]);
        bytes.extend([0, 0]);
        bytes.extend(&(offset as u32).to_be_bytes()[1..]);
        bytes.extend(&(len as u32).to_be_bytes()[1..]);
        bytes.extend(&body[offset..offset + len]);
        bytes
    }

    #[test]
    fn chromiums_list_with_gcm_last_is_seen_and_a_list_without_it_too() {
        for (profiles, gcm) in [
            (&[1, 8, 7][..], true),
            (&[1, 2][..], false),
            (&[][..], false),
        ] {
            let body = hello(profiles, 0);
            let mut peek = Hello::default();
            assert!(peek.take(&datagram(&body, 0, body.len())));
            assert_eq!(peek.offers_gcm(), gcm, "{profiles:?}");
            assert_eq!(peek.datagrams().len(), 1);
        }
    }

    #[test]
    fn a_post_quantum_hello_in_two_swapped_datagrams_is_put_together() {
        let body = hello(&[1, 7], 1_300);
        let mut peek = Hello::default();
        assert!(!peek.take(&datagram(&body, 1_000, body.len() - 1_000)));
        assert!(
            !peek.take(&datagram(&body, 1_000, body.len() - 1_000)),
            "a repetition"
        );
        assert!(peek.take(&datagram(&body, 0, 1_000)));
        assert!(peek.offers_gcm());
        assert_eq!(peek.datagrams().len(), 3);
    }

    #[test]
    fn garbage_is_not_kept() {
        let body = hello(&[7], 0);
        let good = datagram(&body, 0, body.len());
        let mut peek = Hello::default();
        for len in 0..good.len() {
            assert!(!peek.take(&good[..len]));
        }
        assert!(!peek.take(&[22; 1_200]));
        assert_eq!(peek.datagrams().len(), 0);
        assert!(peek.take(&good));
    }
}
