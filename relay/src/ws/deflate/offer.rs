//! What the two sides agree upon (RFC 7692 section 7.1).

use super::{BITS, WINDOW_BITS};

/// The parameters of a connection that compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// log2 of our window, and whether it goes on from message to message.
    pub server_bits: u8,
    pub server_takeover: bool,
    /// The peer's.
    pub client_bits: u8,
    pub client_takeover: bool,
    /// The parameters to be told, in the order of the sections.
    told: Told,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<u8>,
    client_bits: Option<u8>,
}

impl Agreed {
    /// The value of our `Sec-WebSocket-Extensions`.
    #[must_use]
    pub fn header(&self) -> String {
        let mut out = String::from("permessage-deflate");
        if self.told.server_no_takeover {
            out.push_str("; server_no_context_takeover");
        }
        if self.told.client_no_takeover {
            out.push_str("; client_no_context_takeover");
        }
        if let Some(bits) = self.told.server_bits {
            out.push_str(&format!("; server_max_window_bits={bits}"));
        }
        if let Some(bits) = self.told.client_bits {
            out.push_str(&format!("; client_max_window_bits={bits}"));
        }
        out
    }
}

/// The first of the peer's offers that we can keep. `offers` is a `Sec-WebSocket-Extensions` header;
/// several of them are one after the other.
#[must_use]
pub fn negotiate<'a>(offers: impl IntoIterator<Item = &'a str>) -> Option<Agreed> {
    let offers = offers.into_iter().flat_map(|header| header.split(','));
    offers.filter_map(accept).next()
}

fn accept(offer: &str) -> Option<Agreed> {
    let mut parts = offer.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") {
        return None;
    }
    let mut told = Told::default();
    let mut asked_of_us = None;
    let mut asks_us = None;
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (part, None),
        };
        // section 7.1: an unknown parameter, a wrong value or a repetition declines the offer
        let new = match (name, value) {
            ("server_no_context_takeover", None) => {
                !std::mem::replace(&mut told.server_no_takeover, true)
            }
            ("client_no_context_takeover", None) => {
                !std::mem::replace(&mut told.client_no_takeover, true)
            }
            ("server_max_window_bits", Some(value)) => asked_of_us.replace(bits(value)?).is_none(),
            ("client_max_window_bits", None) => asks_us.replace(*BITS.end()).is_none(),
            ("client_max_window_bits", Some(value)) => asks_us.replace(bits(value)?).is_none(),
            _ => false,
        };
        if !new {
            return None;
        }
    }
    let server_bits = asked_of_us.unwrap_or(WINDOW_BITS).min(WINDOW_BITS);
    if !BITS.contains(&server_bits) {
        return None;
    }
    told.server_bits = asked_of_us.map(|_| server_bits);
    // who does not offer to be told may use all of the window there is
    told.client_bits = asks_us.map(|most| most.min(WINDOW_BITS));
    Some(Agreed {
        server_bits,
        server_takeover: !told.server_no_takeover,
        client_bits: told.client_bits.unwrap_or(*BITS.end()),
        client_takeover: !told.client_no_takeover,
        told,
    })
}

/// `8` to `15`, in quotes or not, without leading zeros.
fn bits(value: &str) -> Option<u8> {
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    if value.starts_with('0') || value.starts_with('+') {
        return None;
    }
    value.parse().ok().filter(|bits| (8..=15).contains(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offer: &str) -> Option<String> {
        negotiate([offer]).map(|agreed| agreed.header())
    }

    #[test]
    fn chromium_and_firefox_are_answered() {
        let chromium = negotiate(["permessage-deflate; client_max_window_bits"]).unwrap();
        assert_eq!(
            chromium.header(),
            "permessage-deflate; client_max_window_bits=13"
        );
        assert_eq!((chromium.server_bits, chromium.client_bits), (13, 13));
        assert!(chromium.server_takeover && chromium.client_takeover);
        let firefox = negotiate(["permessage-deflate"]).unwrap();
        assert_eq!(firefox.header(), "permessage-deflate");
        assert_eq!((firefox.server_bits, firefox.client_bits), (13, 15));
    }

    #[test]
    fn what_the_peer_asks_of_us_is_kept() {
        let all = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                   server_max_window_bits=\"10\"; client_max_window_bits=8";
        assert_eq!(
            answer(all).as_deref(),
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10; client_max_window_bits=8"
            )
        );
        let agreed = negotiate([all]).unwrap();
        assert!(!agreed.server_takeover && !agreed.client_takeover);
        assert_eq!((agreed.server_bits, agreed.client_bits), (10, 8));
    }

    #[test]
    fn the_first_offer_that_can_be_kept_counts() {
        // zlib does not compress with a window of 256 bytes
        let offers = "permessage-deflate; server_max_window_bits=8, \
                      x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=15";
        let kept = Some("permessage-deflate; server_max_window_bits=13".to_owned());
        assert_eq!(answer(offers), kept);
        let two = ["permessage-bzip2", "permessage-deflate"];
        assert!(negotiate(two).is_some());
    }

    #[test]
    fn an_offer_that_says_something_else_is_declined() {
        for offer in [
            "",
            "permessage-deflate; mode=fast",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; server_max_window_bits=+10",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate;",
        ] {
            assert_eq!(answer(offer), None, "{offer}");
        }
    }
}
