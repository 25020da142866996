//! The examples of RFC 7692, a bomb, and that each message comes back as it was.

use proptest::prelude::*;

use super::{super::frame::Decoder, *};
use crate::ws::frame::Message;

const LIMIT: usize = 65_536;

fn agreed(offer: &str) -> Agreed {
    negotiate([offer]).expect("an offer we can keep")
}

fn inflate() -> Inflate {
    Inflate::new(agreed("permessage-deflate"))
}

/// What a browser would have of it: its own context, kept as ours is.
fn browser(offer: &str) -> Inflate {
    let agreed = agreed(offer);
    Inflate {
        history: History::new(agreed.server_bits, agreed.server_takeover),
    }
}

#[test]
fn the_examples_of_the_rfc_are_inflated() {
    let first = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let mut page = inflate();
    // section 7.2.3.1, and 7.2.3.2: the same again is shorter
    assert_eq!(page.message(&first, LIMIT).unwrap(), b"Hello");
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(page.message(&again, LIMIT).unwrap(), b"Hello");
    for (section, bytes) in [
        (
            "7.2.3.3, not compressed",
            &b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"[..],
        ),
        (
            "7.2.3.4, a final block",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        ),
        (
            "7.2.3.5, two blocks",
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        ),
    ] {
        assert_eq!(
            inflate().message(bytes, LIMIT).unwrap(),
            b"Hello",
            "{section}"
        );
    }
}

#[test]
fn a_compressed_message_is_read_from_its_frames() {
    let decoder = || Decoder::new(LIMIT, Some(Box::new(inflate())));
    let hello = b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00";
    let two = b"\x41\x83\0\0\0\0\xf2\x48\xcd\x80\x84\0\0\0\0\xc9\xc9\x07\x00";
    for mut frames in [&hello[..], two] {
        let heard = decoder().read(&mut frames);
        assert_eq!(heard, Ok(Some(Message::Text("Hello".to_owned()))));
    }
    // the bit belongs to the first frame, and to none that controls (section 6.1)
    for mut frames in [
        &b"\x41\x83\0\0\0\0\xf2\x48\xcd\xc0\x84\0\0\0\0\xc9\xc9\x07\x00"[..],
        b"\xc9\x80\0\0\0\0",
    ] {
        assert_eq!(decoder().read(&mut frames).unwrap_err().code(), 1002);
    }
}

fn zeros(count: usize) -> Vec<u8> {
    let mut relay = Deflate::new(agreed("permessage-deflate; server_no_context_takeover"));
    relay.message(&vec![0; count]).expect("zeros compress")
}

#[test]
fn a_bomb_is_not_inflated_beyond_the_limit() {
    let bomb = zeros(5_000_000);
    assert!(bomb.len() < LIMIT, "it passes as a message");
    assert_eq!(inflate().message(&bomb, LIMIT), Err(Violation::TooBig));
    assert_eq!(
        inflate().message(&zeros(LIMIT), LIMIT).unwrap().len(),
        LIMIT
    );
    let one_more = zeros(LIMIT + 1);
    assert_eq!(inflate().message(&one_more, LIMIT), Err(Violation::TooBig));
}

#[test]
fn what_is_no_deflate_is_refused() {
    for bytes in [
        // a block of a kind that does not exist; a distance before the beginning
        &[0x07][..],
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        // a thousand streams in one message
        &[0x03, 0x00].repeat(1_000),
    ] {
        let refused = inflate().message(bytes, LIMIT).unwrap_err();
        assert_eq!(refused.code(), 1007, "{bytes:?}");
    }
}

/// Not to be guessed, not to be compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 7_u32;
    let next = |_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    (0..length).map(next).collect()
}

#[test]
fn no_more_is_kept_than_the_window() {
    let offer = "permessage-deflate; server_max_window_bits=9";
    let (mut relay, mut page) = (Deflate::new(agreed(offer)), browser(offer));
    for length in [300, 400, 5_000, 60_000] {
        let message = noise(length).repeat(2);
        if let Some(compressed) = relay.message(&message) {
            assert_eq!(page.message(&compressed, 2 * LIMIT).unwrap(), message);
        }
        assert!(relay.history.said.len() <= 512 && relay.history.said.capacity() <= 1_024);
    }
}

#[test]
fn what_would_not_be_shorter_goes_as_it_is() {
    let mut relay = Deflate::new(agreed("permessage-deflate"));
    assert_eq!(relay.message(&noise(5_000)), None);
    assert_eq!(relay.message(b"{\"re\":1}"), None);
    // and is no context of what follows: the page never saw it compressed
    assert!(relay.history.said.is_empty());
}

#[test]
fn the_second_invite_costs_a_fraction_of_the_first() {
    let invite = |branch: &str| {
        let mut text = format!(
            "INVITE sip:3@clinic.example SIP/2.0\r\nVia: SIP/2.0/WSS a;branch={branch}\r\n"
        );
        for payload in 96..120 {
            text += &format!(
                "a=rtpmap:{payload} codec{}/90000\r\na=rtcp-fb:{payload} nack pli\r\n",
                payload * 37 % 101
            );
        }
        text.into_bytes()
    };
    let mut relay = Deflate::new(agreed("permessage-deflate"));
    let first = relay.message(&invite("z9hG4bK1")).unwrap().len();
    let second = relay.message(&invite("z9hG4bK2")).unwrap().len();
    assert!(second * 5 < first, "{first} and then {second} bytes");
    let mut forgetful = Deflate::new(agreed("permessage-deflate; server_no_context_takeover"));
    for _ in 0..2 {
        assert_eq!(forgetful.message(&invite("z9hG4bK1")).unwrap().len(), first);
    }
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "INVITE ",
        "sip:2@clinic ",
        "\r\na=rtpmap:96 ",
        "Д",
        "0",
    ]);
    prop_oneof![
        3 => prop::collection::vec(words, 0..2_000).prop_map(|words| words.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..4_000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn each_message_comes_back_as_it_was(
        messages in prop::collection::vec(message(), 1..12),
        offer in prop::sample::select(vec![
            "permessage-deflate",
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=11",
            "permessage-deflate; server_no_context_takeover",
        ]),
    ) {
        let (mut relay, mut page) = (Deflate::new(agreed(offer)), browser(offer));
        for message in messages {
            if let Some(compressed) = relay.message(&message) {
                prop_assert!(compressed.len() < message.len());
                prop_assert_eq!(page.message(&compressed, LIMIT).unwrap(), message);
            }
        }
    }

    #[test]
    fn any_bytes_are_inflated_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        limit in 0..500_usize,
    ) {
        if let Ok(message) = inflate().message(&bytes, limit) {
            prop_assert!(message.len() <= limit);
        }
    }
}
