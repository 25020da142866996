//! The signature by which the clinic's server knows that a webhook is ours and recent.

use std::fmt::Write as _;

use ring::hmac;

use crate::config::Secret;

/// The header's value: `t=1790000000,v1=<hex of HMAC-SHA-256 of "1790000000." and the body>`. The time
/// is part of what is signed, so that an old request cannot be sent again as a new one.
#[must_use]
pub fn header(secret: &Secret, unix_seconds: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.0.as_bytes());
    let mut signed = hmac::Context::with_key(&key);
    signed.update(unix_seconds.to_string().as_bytes());
    signed.update(b".");
    signed.update(body);
    let mut header = format!("t={unix_seconds},v1=");
    for byte in signed.sign().as_ref() {
        write!(header, "{byte:02x}").expect("writing to a String does not fail");
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_any_language_computes() {
        // printf '1790000000.{"id":1}' | openssl dgst -sha256 -hmac 'a secret of the clinic'
        let secret = Secret("a secret of the clinic".to_owned());
        assert_eq!(
            header(&secret, 1_790_000_000, b"{\"id\":1}"),
            "t=1790000000,v1=fcaba1a678179e42214ceb811c457c0741c49e3b5af9523d5f5097f7ae83c725"
        );
    }
}
