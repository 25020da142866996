//! What a page may say, what a stranger may not, and that it does not matter how the network cuts it.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1_000;
const MASK_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client writes it, from its first byte (FIN, reserved bits, opcode).
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write(&mut frame, Opcode::Text, false, payload);
    frame[0] = first;
    frame[1] |= MASK;
    let start = frame.len() - payload.len();
    let hidden = frame.split_off(start);
    frame.extend(MASK_KEY);
    let keys = MASK_KEY.iter().cycle();
    frame.extend(hidden.iter().zip(keys).map(|(byte, key)| byte ^ key));
    frame
}

fn read_all(decoder: &mut Decoder, mut input: &[u8]) -> (Vec<Message>, Option<Violation>) {
    let mut messages = Vec::new();
    loop {
        match decoder.read(&mut input) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(violation) => return (messages, Some(violation)),
        }
    }
}

fn heard(frames: &[Vec<u8>]) -> (Vec<Message>, Option<Violation>) {
    read_all(&mut Decoder::new(LIMIT, None), &frames.concat())
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

/// The codes of section 7.4.1, for a connection that says this.
fn refused(frames: &[Vec<u8>]) -> u16 {
    let (messages, violation) = heard(frames);
    assert_eq!(messages, [], "nothing of it counts");
    violation.expect("it is refused").code()
}

#[test]
fn the_frames_of_the_rfc_are_read() {
    // section 5.7
    let hello = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    assert_eq!(heard(&[hello.to_vec()]), (vec![text("Hello")], None));
    let pieces = [masked(0x01, b"Hel"), masked(0x80, b"lo")];
    assert_eq!(heard(&pieces), (vec![text("Hello")], None));
    let ping = Message::Ping(b"Hello".to_vec());
    assert_eq!(heard(&[masked(0x89, b"Hello")]), (vec![ping], None));
    let long = masked(0x82, &[7; 256]);
    assert_eq!(long[..4], [0x82, 0xfe, 0x01, 0x00]);
    assert_eq!(heard(&[long]), (vec![Message::Binary(vec![7; 256])], None));
}

#[test]
fn a_ping_within_a_message_is_heard_first() {
    let (frames, violation) = heard(&[
        masked(0x01, b"sl"),
        masked(0x89, b"?"),
        masked(0x00, b"o"),
        masked(0x8a, b""),
        masked(0x80, b"w"),
    ]);
    let ping = Message::Ping(b"?".to_vec());
    assert_eq!(frames, [ping, Message::Pong, text("slow")]);
    assert_eq!(violation, None);
}

#[test]
fn a_giant_frame_is_refused_before_it_comes() {
    let mut promise = vec![0x82, 0xff];
    promise.extend((u64::MAX >> 1).to_be_bytes());
    promise.extend(MASK_KEY);
    assert_eq!(refused(&[promise]), 1009);
    assert_eq!(refused(&[masked(0x81, &[b'x'; LIMIT + 1])]), 1009);
    let pieces = [masked(0x01, &[b'x'; LIMIT]), masked(0x80, b"y")];
    assert_eq!(refused(&pieces), 1009);
    let most = "x".repeat(LIMIT);
    assert_eq!(heard(&[masked(0x81, most.as_bytes())]).0, [text(&most)]);
}

#[test]
fn what_was_promised_and_has_not_come_takes_no_memory() {
    let mut decoder = Decoder::new(1 << 30, None);
    let mut head = vec![0x82, 0xff];
    head.extend((1_u64 << 29).to_be_bytes());
    head.extend(MASK_KEY);
    head.extend([0; 100]);
    assert_eq!(read_all(&mut decoder, &head), (vec![], None));
    assert_eq!(decoder.message.unwrap().bytes.capacity(), 100);
}

#[test]
fn thousands_of_tiny_pieces_are_refused() {
    let pieces = |count: u16| {
        let mut frames = vec![masked(0x01, b"")];
        frames.extend((1..count).map(|_| masked(0x00, b"")));
        frames
    };
    assert_eq!(heard(&pieces(MAX_FRAGMENTS)), (vec![], None));
    assert_eq!(refused(&pieces(MAX_FRAGMENTS + 1)), 1009);
}

#[test]
fn what_the_rfc_forbids_is_refused() {
    for (why, frames) in [
        ("not masked (5.1)", vec![vec![0x81, 0x01, b'x']]),
        ("RSV1 without an extension (5.2)", vec![masked(0xc1, b"x")]),
        ("RSV2", vec![masked(0xa1, b"x")]),
        ("RSV3", vec![masked(0x91, b"x")]),
        ("opcode 3", vec![masked(0x83, b"")]),
        ("opcode 15", vec![masked(0x8f, b"")]),
        ("126 bytes of ping (5.5)", vec![masked(0x89, &[0; 126])]),
        ("a ping in pieces (5.5)", vec![masked(0x09, b"")]),
        ("a continuation of nothing (5.4)", vec![masked(0x80, b"x")]),
        (
            "a text within a text",
            vec![masked(0x01, b"x"), masked(0x81, b"y")],
        ),
        ("one byte of Close (5.5.1)", vec![masked(0x88, b"x")]),
        (
            "a Close with 1005 (7.4.1)",
            vec![masked(0x88, &1005_u16.to_be_bytes())],
        ),
        (
            "a Close with 999",
            vec![masked(0x88, &999_u16.to_be_bytes())],
        ),
    ] {
        assert_eq!(refused(&frames), 1002, "{why}");
    }
    // five bytes in the form for 126 and more
    let long = [0x81, 0xfe, 0, 5, 0, 0, 0, 0, b'H', b'e', b'l', b'l', b'o'];
    assert_eq!(refused(&[long.to_vec()]), 1002);
}

#[test]
fn what_is_not_utf8_is_refused() {
    assert_eq!(refused(&[masked(0x81, b"\xff")]), 1007);
    assert_eq!(refused(&[masked(0x88, b"\x03\xe8\xff")]), 1007);
    // cut within a letter is no fault
    let pieces = [masked(0x01, b"\xd0"), masked(0x80, b"\x94")];
    assert_eq!(heard(&pieces).0, [text("Д")]);
}

#[test]
fn goodbyes_are_understood() {
    assert_eq!(heard(&[masked(0x88, b"")]).0, [Message::Close(None)]);
    let left = masked(0x88, b"\x03\xe9the page is left");
    assert_eq!(heard(&[left]).0, [Message::Close(Some(1001))]);
}

#[test]
fn a_long_reason_is_cut_between_letters() {
    let mut out = Vec::new();
    write_close(&mut out, Some(1008), &"Д".repeat(100));
    assert_eq!(out[..4], [0x88, 124, 0x03, 0xf0]);
    assert_eq!(str::from_utf8(&out[4..]).unwrap(), "Д".repeat(61));
}

#[test]
fn our_frames_have_the_shortest_heads() {
    for (length, head) in [
        (0, vec![0x81, 0]),
        (125, vec![0x81, 125]),
        (126, vec![0x81, 126, 0, 126]),
        (65_535, vec![0x81, 126, 0xff, 0xff]),
        (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut out = Vec::new();
        write(&mut out, Opcode::Text, false, &vec![b'x'; length]);
        assert!(out.starts_with(&head) && out.len() == head.len() + length);
    }
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    (first, prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(first, payload)| masked(first, &payload))
}

proptest! {
    #[test]
    fn it_does_not_matter_how_the_network_cuts(
        frames in prop::collection::vec(frame(), 0..12),
        cuts in prop::collection::vec(1..64_usize, 1..40),
    ) {
        let bytes = frames.concat();
        let whole = heard(&frames);
        let mut decoder = Decoder::new(LIMIT, None);
        let (mut messages, mut violation) = (Vec::new(), None);
        let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() && violation.is_none() {
            let (now, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            let more = read_all(&mut decoder, now);
            messages.extend(more.0);
            violation = more.1;
            rest = later;
        }
        prop_assert_eq!((messages, violation), whole);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (messages, _) = heard(std::slice::from_ref(&bytes));
        prop_assert!(messages.len() <= bytes.len() / 6);
    }
}
