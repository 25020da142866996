//! Random tags, branches, Call-IDs and nonces from a seed the caller gives.

use sha2::{Digest, Sha256};

/// A stream of unguessable bytes: SHA-256 over the caller's seed and a counter.
pub struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy")
    }
}

impl Entropy {
    /// `seed` must come from the operating system or the browser, except in tests.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.counter += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_le_bytes());
        hash.finalize().into()
    }

    /// A token of `len` letters and digits (at most 32), fit for a tag, a branch or a Call-ID.
    pub fn token(&mut self, len: usize) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        self.bytes()
            .iter()
            .take(len)
            .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
            .collect()
    }

    pub fn u32(&mut self) -> u32 {
        let bytes = self.bytes();
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}
