//! As much DER (X.690) as a public key needs.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;

/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A public key, in the parts `ring` takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Public<'a> {
    Rsa { n: &'a [u8], e: &'a [u8] },
    P256(&'a [u8]),
    Ed25519(&'a [u8]),
}

/// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7): what `BEGIN PUBLIC KEY` holds.
pub(super) fn public_key(der: &[u8]) -> Option<Public<'_>> {
    let mut all = Reader(der);
    let mut info = Reader(all.read(SEQUENCE)?);
    let mut algorithm = Reader(info.read(SEQUENCE)?);
    let object = algorithm.read(OBJECT)?;
    let bits = info.read(BIT_STRING)?;
    if !all.0.is_empty() || !info.0.is_empty() {
        return None;
    }
    // no key ends within a byte
    let bits = bits.strip_prefix(&[0])?;
    match object {
        RSA => rsa_public_key(bits),
        EC if algorithm.read(OBJECT)? == P256 => Some(Public::P256(bits)),
        ED25519 => Some(Public::Ed25519(bits)),
        _ => None,
    }
}

/// An RSAPublicKey (RFC 8017 appendix A.1.1).
fn rsa_public_key(der: &[u8]) -> Option<Public<'_>> {
    let mut all = Reader(der);
    let mut key = Reader(all.read(SEQUENCE)?);
    let (n, e) = (key.unsigned()?, key.unsigned()?);
    (all.0.is_empty() && key.0.is_empty()).then_some(Public::Rsa { n, e })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element, which has to have that tag.
    fn read(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, short], mut rest) = self.0.split_first_chunk::<2>()?;
        if found != tag {
            return None;
        }
        let length = match short {
            0..=0x7f => usize::from(short),
            // keys are shorter than 64 KiB
            0x81 | 0x82 => {
                let (bytes, after) = rest.split_at_checked(usize::from(short & 0x0f))?;
                rest = after;
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    /// An INTEGER that is not negative, without leading zeros.
    fn unsigned(&mut self) -> Option<&'a [u8]> {
        let mut bytes = self.read(INTEGER)?;
        if bytes.first().is_none_or(|first| first & 0x80 != 0) {
            return None;
        }
        while let Some(rest) = bytes.strip_prefix(&[0]) {
            bytes = rest;
        }
        Some(bytes)
    }
}
