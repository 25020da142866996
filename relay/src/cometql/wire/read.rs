//! Reading the fields of a packet. Every length is checked against what is there; nothing is
//! allocated for a length that only was claimed.

/// The packet ended in the middle of a field, or a field is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packet is malformed")]
pub struct Malformed;

/// A place in a packet.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = tail;
        Ok(*head)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length-encoded integer.
    pub fn lenenc(&mut self) -> Result<u64, Malformed> {
        Ok(match self.u8()? {
            small @ 0..=250 => u64::from(small),
            0xFC => u64::from(self.u16()?),
            0xFD => {
                let [a, b, c] = self.array()?;
                u64::from(u32::from_le_bytes([a, b, c, 0]))
            }
            0xFE => self.u64()?,
            // 0xFB is NULL, 0xFF an error: neither is a number
            _ => return Err(Malformed),
        })
    }

    /// Bytes after their length-encoded length.
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.lenenc()?).map_err(|_| Malformed)?;
        self.take(length)
    }

    /// Bytes up to a NUL, which is taken too; a packet may leave out the last NUL.
    pub fn until_nul(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| byte == 0);
        let head = &self.0[..end.unwrap_or(self.0.len())];
        self.0 = &self.0[end.map_or(self.0.len(), |end| end + 1)..];
        head
    }

    /// As [`Self::until_nul`], for text.
    pub fn text_until_nul(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.until_nul()).map_err(|_| Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_length_is_never_believed() {
        for bytes in [
            &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1][..],
            &[0xFE, 0, 0, 0, 0, 0, 0, 0, 0x80],
            &[0xFD, 0xFF, 0xFF, 0xFF, 1],
            &[5, b'a'],
            &[0xFC, 1],
            &[0xFB],
            &[0xFF],
            &[],
        ] {
            assert_eq!(
                Reader::new(bytes).lenenc_bytes(),
                Err(Malformed),
                "{bytes:?}"
            );
        }
        assert_eq!(
            Reader::new(&[2, b'a', b'b', b'c']).lenenc_bytes(),
            Ok(&b"ab"[..])
        );
    }

    #[test]
    fn text_may_end_with_the_packet() {
        let mut reader = Reader::new(b"root\0db");
        assert_eq!(reader.text_until_nul(), Ok("root"));
        assert_eq!(reader.text_until_nul(), Ok("db"));
        assert_eq!(reader.text_until_nul(), Ok(""));
    }
}
