//! The test vectors of RFC 5769 and what an attacker may do with a check.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|c| char::from(c).to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// RFC 5769 section 2.1. (The username is padded with blanks there, which any reader accepts.)
fn sample_request() -> Vec<u8> {
    hex("00010058 2112a442 b7e7a701 bc34d686 fa87dfae
         80220010 5354554e 20746573 7420636c 69656e74
         00240004 6e0001ff
         80290008 932ff9b1 51263b36
         00060009 6576746a 3a683676 59202020
         00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
         80280004 e57a3bcf")
}

#[test]
fn the_sample_request_of_rfc_5769_reads_and_authenticates() {
    let bytes = sample_request();
    let message = Message::parse(&bytes).expect("a request");
    assert_eq!(message.kind, Kind::Request);
    assert_eq!(message.username, Some(&b"evtj:h6vY"[..]));
    assert_eq!(message.local_ufrag(), Some(&b"evtj"[..]));
    assert_eq!(message.priority, Some(0x6e00_01ff));
    assert_eq!(message.role, Some(Role::Controlled));
    assert!(message.authentic(&key(PASSWORD)));
    assert!(!message.authentic(&key("VOkJxbRl1RmTxUk/WvJxBu")));
}

#[test]
fn the_sample_responses_of_rfc_5769_authenticate_and_ours_carry_the_same_address() {
    // sections 2.2 (IPv4) and 2.3 (IPv6)
    let v4 = hex("0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
         8022000b 74657374 20766563 746f7220
         00200008 0001a147 e112a643
         00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
         80280004 c07d4c96");
    let v6 = hex("01010048 2112a442 b7e7a701 bc34d686 fa87dfae
         8022000b 74657374 20766563 746f7220
         00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
         00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
         80280004 c8fb0b4c");
    for (sample, address) in [
        (v4, "192.0.2.1:32853"),
        (v6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let message = Message::parse(&sample).expect("a response");
        assert_eq!(message.kind, Kind::Success);
        assert!(message.authentic(&key(PASSWORD)));
        let ours = success(
            message.transaction,
            address.parse().unwrap(),
            &key(PASSWORD),
        );
        let attribute = |bytes: &[u8]| {
            let at = bytes
                .windows(2)
                .position(|pair| pair == [0x00, 0x20])
                .unwrap();
            bytes[at..at + 4 + usize::from(bytes[at + 3])].to_vec()
        };
        assert_eq!(attribute(ours.as_bytes()), attribute(&sample));
        let reread = Message::parse(ours.as_bytes()).expect("ours reads back");
        assert!(reread.authentic(&key(PASSWORD)));
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let bytes = sample_request();
    // FINGERPRINT itself, the last 8 bytes, is not covered and proves nothing
    for at in 0..(bytes.len() - 8) * 8 {
        let mut forged = bytes.clone();
        forged[at / 8] ^= 1 << (at % 8);
        let believed = Message::parse(&forged).is_some_and(|m| m.authentic(&key(PASSWORD)));
        assert!(!believed, "bit {at}");
    }
}

#[test]
fn a_cut_or_grown_datagram_is_no_message() {
    let bytes = sample_request();
    for len in 0..bytes.len() {
        assert!(Message::parse(&bytes[..len]).is_none(), "{len}");
    }
    let mut grown = bytes;
    grown.extend([0; 4]);
    assert!(Message::parse(&grown).is_none());
}

#[test]
fn an_answer_is_never_three_times_its_question() {
    // The shortest authenticated check: username of 1 + 1 + 1, priority, integrity.
    let shortest = HEADER + 8 + 8 + 24;
    let address = "[2001:db8::1]:9".parse().unwrap();
    for answer in [
        success([0; 12], address, &key(PASSWORD)),
        error([0; 12], 487, &key(PASSWORD)),
        error([0; 12], 420, &key(PASSWORD)),
    ] {
        assert!(answer.as_bytes().len() <= 3 * shortest);
    }
}
