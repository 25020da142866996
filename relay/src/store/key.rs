//! Keys made of parts, sorted part by part.

/// Names first, numbers last. A name ends with a zero byte, so `ann` and `anna` never mix, and a
/// zero byte within a name is written as `00 ff`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self::default().and(name)
    }

    #[must_use]
    pub fn at(number: u64) -> Self {
        Self::default().number(number)
    }

    #[must_use]
    pub fn and(mut self, name: &str) -> Self {
        for byte in name.bytes() {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xff);
            }
        }
        self.0.push(0);
        self
    }

    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// The first key that does not begin with this one; `None`: there is none.
    #[must_use]
    pub fn end(&self) -> Option<Self> {
        let mut end = self.0.clone();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return Some(Self(end));
            }
        }
        None
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Takes a key apart again.
#[derive(Debug)]
pub struct Parts<'k>(pub &'k [u8]);

impl Parts<'_> {
    pub fn name(&mut self) -> Option<String> {
        let mut name = Vec::new();
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            if *byte == 0 {
                if self.0.first() != Some(&0xff) {
                    return String::from_utf8(name).ok();
                }
                self.0 = &self.0[1..];
            }
            name.push(*byte);
        }
    }

    pub fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ann_and_anna_have_queues_of_their_own() {
        let ann = Key::of("ann");
        let annas = Key::of("anna").number(1);
        assert!(!annas.starts_with(&ann));
        assert!(*annas >= *ann.end().unwrap());
        assert!(Key::of("ann").number(255).starts_with(&ann));
        assert!(*Key::of("ann").number(255) < *Key::of("ann").number(256));
        let odd = Key::of("a\0b").and("ü").number(7);
        let mut parts = Parts(&odd);
        assert_eq!(parts.name().as_deref(), Some("a\0b"));
        assert_eq!(parts.name().as_deref(), Some("ü"));
        assert_eq!(parts.number(), Some(7));
        assert_eq!(parts.number(), None);
        assert_eq!(Parts(b"no end").name(), None);
    }
}
