//! Max-Forwards (RFC 3261 section 20.22).

use super::grammar::number;
use crate::message::Headers;

impl Headers {
    /// `Some(0)` means: not one hop further. Absent in messages of RFC 2543 peers.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        number(self.get("Max-Forwards")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_counted_to_255() {
        let mut headers = Headers::new();
        assert_eq!(headers.max_forwards(), None);
        headers.set("Max-Forwards", "0070");
        assert_eq!(headers.max_forwards(), Some(70));
        headers.set("Max-Forwards", "256");
        assert_eq!(headers.max_forwards(), None);
    }
}
