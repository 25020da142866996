//! The hashes and what digest makes of them.

use sha2::{Digest, Sha256};

use super::{Algorithm, md5::md5};

/// `H(user:realm:password)` in lower-case hex: what a server may store instead of the password.
#[must_use]
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> String {
    hash(algorithm, &[user, realm, password])
}

/// RFC 7616 section 3.4.1. `counted` is `(nc, cnonce)` with `qop=auth`, `None` for the form of
/// RFC 2069.
pub(super) fn response(
    algorithm: Algorithm,
    ha1: &str,
    nonce: &str,
    counted: Option<(&str, &str)>,
    method: &str,
    uri: &str,
) -> String {
    let ha2 = hash(algorithm, &[method, uri]);
    match counted {
        Some((nc, cnonce)) => hash(algorithm, &[ha1, nonce, nc, cnonce, "auth", &ha2]),
        None => hash(algorithm, &[ha1, nonce, &ha2]),
    }
}

/// The hash of the parts joined by colons, in lower-case hex.
fn hash(algorithm: Algorithm, parts: &[&str]) -> String {
    let text = parts.join(":");
    match algorithm {
        Algorithm::Md5 => hex(&md5(text.as_bytes())),
        Algorithm::Sha256 => hex(&Sha256::digest(text)),
        #[cfg(feature = "server")]
        Algorithm::Sha512_256 => hex(&sha2::Sha512_256::digest(text)),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// HMAC-SHA-256 (RFC 2104).
pub(super) fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(pad(0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

/// Are they equal? Takes as long whether they differ at the first byte or the last, so that the
/// time tells nothing about how much of a guess was right. `given` may have upper-case hex.
pub(super) fn same_hex(right: &str, given: &str) -> bool {
    let difference = right
        .bytes()
        .zip(given.bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b.to_ascii_lowercase()));
    right.len() == given.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7616_section_3_9_1() {
        let uri = "/dir/index.html";
        let counted = Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"));
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let answer = |algorithm| {
            let ha1 = ha1(
                algorithm,
                "Mufasa",
                "http-auth@example.org",
                "Circle of Life",
            );
            response(algorithm, &ha1, nonce, counted, "GET", uri)
        };
        assert_eq!(answer(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            answer(Algorithm::Sha256),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn rfc_2617_section_3_5() {
        let ha1 = ha1(
            Algorithm::Md5,
            "Mufasa",
            "testrealm@host.com",
            "Circle Of Life",
        );
        assert_eq!(ha1, "939e7578ed9e3c518a452acee763bce9");
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let counted = Some(("00000001", "0a4f113b"));
        let uri = "/dir/index.html";
        assert_eq!(
            response(Algorithm::Md5, &ha1, nonce, counted, "GET", uri),
            "6629fae49393a05397450978507c4ef1"
        );
        // the same without qop, as RFC 2069 (whose printed example has an error) computes it
        assert_eq!(
            response(Algorithm::Md5, &ha1, nonce, None, "GET", uri),
            "670fd8c2df070c60b045671b8b24ff02"
        );
    }

    #[test]
    fn rfc_4231_test_case_1_and_2() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            hex(&hmac(&key, b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex(&hmac(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn comparing_wants_every_digit() {
        assert!(same_hex("00ff", "00FF"));
        assert!(!same_hex("00ff", "00fe"));
        assert!(!same_hex("00ff", "00f"));
        assert!(!same_hex("00ff", ""));
    }
}
