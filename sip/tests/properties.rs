//! Whatever bytes come: no panic, and what was read prints to something that reads alike.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use clinicall_sip::{
    Uri,
    digest::{Answer, Challenge},
    header::{Contact, ContentType, NameAddr, Params, Reason, Via},
    message::{Headers, Message},
    sdp::Sdp,
};
use proptest::prelude::*;

/// Pieces that parsers look for, so that random text gets past the first check.
fn soup(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces).prop_map(str::to_owned),
        1 => "[ -~é\r\n\t\\x00]{0,4}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const SIP: &[&str] = &[
    "INVITE sip:3@clinic.example SIP/2.0\r\n",
    "SIP/2.0 200 OK\r\n",
    "SIP/2.0 ",
    "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n",
    "v: SIP/2.0/UDP b, SIP/2.0/TCP c\n",
    "From: \"A, B\" <sip:2@clinic.example>;tag=1\r\n",
    "f: sip:2@clinic.example;tag=1\r\n",
    "To: <sip:3@clinic.example>\r\n",
    "Call-ID: 7\r\n",
    "CSeq: 1 INVITE\r\n",
    "Contact: *\r\n",
    "Contact: <sip:a@b>;expires=1, <tel:1>\r\n",
    "Max-Forwards: 70\r\n",
    "Content-Length: 2\r\n",
    "Content-Length: 0\r\n",
    "l:",
    " ",
    "\t",
    ":",
    "\"",
    "\\",
    ",",
    ";",
    "<",
    ">",
    "\r\n",
    "\n",
    "\r",
];

const SDP: &[&str] = &[
    "v=0\r\n",
    "v=0\n",
    "s=-\r\n",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n",
    "m=video 0 RTP/AVP 96",
    "a=rtpmap:111 opus/48000/2\r\n",
    "a=fmtp:111 useinbandfec=1\n",
    "a=mid:0\r\n",
    "a=sendonly\r\n",
    "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n",
    "b=AS:1\r\n",
    "=",
    "\r\n",
    "\n",
    "\r",
];

const HEADER: &[&str] = &[
    "sip:",
    "sips:",
    "tel:+7",
    "a",
    "@",
    "clinic.example",
    "[::1]",
    ":5060",
    ";",
    "tag",
    "=",
    "1",
    "\"",
    "\\",
    "<",
    ">",
    ",",
    " ",
    "?",
    "%41",
    "%00",
    "%",
    "*",
    "SIP/2.0/",
    "WS",
    "/",
    "Digest ",
    "realm=",
    "nonce=",
    "qop=\"auth\"",
    "username=",
    "uri=",
    "response=",
    "nc=00000001",
    "cnonce=",
    "algorithm=",
    "MD5",
    "é",
];

/// A message that should be taken, with odd but good values.
fn good_message() -> impl Strategy<Value = String> {
    let extra = prop_oneof![
        Just("X-A: 1\r\n"),
        Just("Subject:\r\n"),
        Just("s: folded\r\n  \t value\r\n"),
        Just("v: SIP/2.0/UDP [::1]:9;rport , SIP/2.0/TCP b\n"),
        Just("Contact: \"a\\\"b\" <sip:%61@B.example;X=Y;lr?q=1>;q=0.1\r\n"),
        Just("ALLOW : INVITE,,ACK\r\n"),
        Just("Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n"),
    ];
    let extras = proptest::collection::vec(extra, 0..8);
    let uri = proptest::sample::select(vec![
        "sip:3@clinic.example",
        "sip:%33@Clinic.EXAMPLE:5060;TRANSPORT=ws;ob",
        "sips:clinic.example",
        "tel:+7-495",
        "sip:a:b@c;d=e",
    ]);
    (uri, extras, "[a-z]{0,20}").prop_map(|(uri, extras, body)| {
        let extras = extras.concat();
        format!(
            "MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n\
             From: sip:2@clinic.example;tag=1\r\n{extras}To: <sip:3@clinic.example>\r\n\
             Call-ID: 7\r\nCSeq: 1 MESSAGE\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    })
}

/// Headers without memory of how they were written.
fn forget(message: &mut Message) {
    let mut fresh = Headers::new();
    fresh.extend(message.headers());
    match message {
        Message::Request(request) => request.headers = fresh,
        Message::Response(response) => response.headers = fresh,
    }
}

fn message_survives(bytes: &[u8]) -> Result<(), TestCaseError> {
    match Message::parse(bytes) {
        Ok(mut message) => {
            let printed = message.to_bytes();
            let again = Message::parse(&printed).unwrap();
            prop_assert_eq!(again.to_bytes(), printed);
            forget(&mut message);
            let anew = Message::parse(&message.to_bytes());
            prop_assert!(anew.is_ok(), "{:?}", anew);
            for (name, _) in message.headers().iter() {
                prop_assert!(message.headers().get(name).is_some());
            }
        }
        Err(bad) => {
            if let Some(response) = bad.response() {
                prop_assert!(Message::parse(&response.to_bytes()).is_ok() || bad.status.is_some());
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        // a failing input becomes a file in the fuzz corpus, by hand
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_as_a_message(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        message_survives(&bytes)?;
    }

    #[test]
    fn sip_soup_as_a_message(text in soup(SIP)) {
        message_survives(text.as_bytes())?;
    }

    #[test]
    fn a_good_message_with_a_broken_byte(
        text in good_message(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        message_survives(&bytes)?;
    }

    #[test]
    fn a_good_message_prints_as_it_came(text in good_message()) {
        let mut message = Message::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(String::from_utf8(message.to_bytes()).unwrap(), text);
        let whole = message.clone();
        forget(&mut message);
        prop_assert_eq!(Message::parse(&message.to_bytes()).unwrap(), whole);
    }

    #[test]
    fn any_text_as_a_description(text in "\\PC{0,200}") {
        prop_assert!(Sdp::parse(&text).is_err() || text.starts_with("v=0"));
    }

    #[test]
    fn sdp_soup_as_a_description(text in soup(SDP)) {
        if let Ok(sdp) = Sdp::parse(&text) {
            let printed = sdp.to_string();
            let mixed = text.contains("\r\n") && text.replace("\r\n", "").contains('\n');
            prop_assert!(mixed || printed == text, "{:?} became {:?}", text, printed);
            prop_assert_eq!(Sdp::parse(&printed).unwrap(), sdp.clone());
            for section in sdp.media.iter().chain([&sdp.session]) {
                let _ = (section.rtpmaps(), section.extmaps(), section.candidates().count());
                let mut edited = section.clone();
                edited.set_direction(section.direction());
                edited.set_port(section.port());
                edited.set_fmtp_parameter(111, "stereo", "0");
                prop_assert_eq!(edited.fmtp_parameter(111, "stereo"), Some("0"));
                prop_assert_eq!(edited.direction(), section.direction());
                prop_assert_eq!(edited.formats(), section.formats());
            }
        }
    }

    #[test]
    fn header_soup_in_every_view(text in soup(HEADER)) {
        if let Ok(uri) = text.parse::<Uri>() {
            let again: Uri = uri.to_string().parse().unwrap();
            prop_assert!(uri.same_as(&again));
            prop_assert_eq!(again, uri);
        }
        if let Some(addr) = NameAddr::parse(&text) {
            prop_assert_eq!(NameAddr::parse(&addr.to_string()), Some(addr));
        }
        if let Some(via) = Via::parse(&text) {
            prop_assert_eq!(Via::parse(&via.to_string()), Some(via));
        }
        if let Some(contact) = Contact::parse(&text) {
            prop_assert_eq!(Contact::parse(&contact.to_string()), Some(contact));
        }
        if let Some(kind) = ContentType::parse(&text) {
            prop_assert_eq!(ContentType::parse(&kind.to_string()), Some(kind));
        }
        if let Some(reason) = Reason::parse(&text) {
            prop_assert_eq!(Reason::parse(&reason.to_string()), Some(reason));
        }
        if let Some(mut params) = Params::parse(&text) {
            prop_assert_eq!(Params::parse(&params.to_string()), Some(params.clone()));
            params.set("tag", "new");
            prop_assert_eq!(params.get("tag"), Some("new"));
        }
        if let Some(challenge) = Challenge::parse(&text) {
            prop_assert_eq!(Challenge::parse(&challenge.to_string()), Some(challenge));
        }
        let _ = Answer::parse(&text);
    }

    #[test]
    fn names_and_users_of_any_letters_survive(name in "\\PC{0,30}", user in "\\PC{1,30}") {
        let mut addr = NameAddr::new(Uri::sip(&user, "clinic.example"));
        addr.name = name;
        prop_assert_eq!(NameAddr::parse(&addr.to_string()), Some(addr));
    }
}
