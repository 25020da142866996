use super::*;

const INVITE: &str = "INVITE sip:3@Clinic.example;transport=ws SIP/2.0\r\n\
    v: SIP/2.0/WS a1.invalid;branch=z9hG4bK1\r\n\
    Via: SIP/2.0/UDP p1 ,\r\n\tSIP/2.0/TCP p2\r\n\
    f:\"Petrova, Anna\" <sip:2@clinic.example>;tag=x\r\n\
    TO   : <sip:3@clinic.example>\r\n\
    i: 7\r\n\
    CSeq: 1 INVITE\r\n\
    X-Odd:   spaces  stay \r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 5\r\n\
    \r\n\
    hello";

fn parse(text: &str) -> Message {
    Message::parse(text.as_bytes()).unwrap()
}

#[test]
fn an_untouched_message_prints_as_it_came() {
    let bytes = parse(INVITE).to_bytes();
    assert_eq!(String::from_utf8(bytes).unwrap(), INVITE);
    let bare = INVITE.replace("\r\n", "\n");
    assert_eq!(parse(&bare).to_bytes(), bare.as_bytes());
}

#[test]
fn names_compare_without_case_and_compact() {
    let message = parse(INVITE);
    let headers = message.headers();
    assert_eq!(headers.get("call-id"), Some("7"));
    assert_eq!(headers.get("To"), Some("<sip:3@clinic.example>"));
    assert_eq!(headers.from().unwrap().name, "Petrova, Anna");
    let vias: Vec<_> = headers.all("VIA").collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/WS a1.invalid;branch=z9hG4bK1",
            "SIP/2.0/UDP p1",
            "SIP/2.0/TCP p2"
        ]
    );
    assert_eq!(headers.get("x-odd"), Some("spaces  stay"));
}

#[test]
fn a_changed_body_changes_only_its_length() {
    let Message::Request(mut request) = parse(INVITE) else {
        panic!()
    };
    request.body = b"goodbye".to_vec();
    let expected = INVITE
        .replace("hello", "goodbye")
        .replace("Length: 5", "Length: 7");
    assert_eq!(String::from_utf8(request.to_bytes()).unwrap(), expected);
}

#[test]
fn a_frame_without_content_length_is_all_body() {
    let text = INVITE.replace("Content-Length: 5\r\n", "");
    let message = parse(&text);
    assert_eq!(message.body(), b"hello");
    let printed = String::from_utf8(message.to_bytes()).unwrap();
    assert!(
        printed.ends_with("text/plain\r\nContent-Length: 5\r\n\r\nhello"),
        "{printed}"
    );
}

#[test]
fn lists_are_edited_by_value() {
    let Message::Request(mut request) = parse(INVITE) else {
        panic!()
    };
    let headers = &mut request.headers;
    assert_eq!(
        headers.take_first("Via").unwrap(),
        "SIP/2.0/WS a1.invalid;branch=z9hG4bK1"
    );
    headers.set_first("Via", "SIP/2.0/UDP p1;received=192.0.2.1");
    let vias: Vec<_> = headers.all("Via").collect();
    assert_eq!(
        vias,
        ["SIP/2.0/UDP p1;received=192.0.2.1", "SIP/2.0/TCP p2"]
    );
    headers.set("Subject", "first");
    headers.set("s", "second");
    assert_eq!(headers.all("Subject").collect::<Vec<_>>(), ["second"]);
    assert_eq!(headers.remove("via"), 2);
    assert_eq!(headers.get("Via"), None);
}

#[test]
fn a_page_cannot_smuggle_a_header() {
    let mut headers = Headers::new();
    headers.push("X-Visit", "7\r\nRoute: <sip:evil.example>");
    headers.push("X-A: b\r\nX-C", "d");
    assert_eq!(headers.len(), 1);
    assert_eq!(headers.get("X-Visit"), Some("7  Route: <sip:evil.example>"));
}

#[test]
fn a_bad_request_is_answered_from_what_was_readable() {
    let text = INVITE.replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    let bad = Message::parse(text.as_bytes()).unwrap_err();
    assert_eq!(bad.status, Some(Status(400)));
    let response = bad.response().unwrap();
    assert_eq!(response.headers.all("Via").count(), 3);
    assert_eq!(response.headers.call_id(), Some("7"));
    let printed = String::from_utf8(response.to_bytes()).unwrap();
    assert!(printed.starts_with("SIP/2.0 400 Bad Request: CSeq names another method\r\n"));
}

#[test]
fn credentials_stay_out_of_logs() {
    let mut headers = Headers::new();
    headers.push("Authorization", "Digest response=\"secret\"");
    headers.push("Subject", "visit");
    let shown = format!("{headers:?}");
    assert!(
        shown.contains("visit") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn a_stream_is_cut_into_messages() {
    let two = format!("\r\n\r\n{INVITE}{INVITE}");
    let bytes = two.as_bytes();
    let first = 4 + INVITE.len();
    for there in 0..first {
        assert_eq!(
            Message::length_in_stream(&bytes[..there]),
            Ok(None),
            "{there}"
        );
    }
    assert_eq!(Message::length_in_stream(&bytes[..first]), Ok(Some(first)));
    assert_eq!(Message::length_in_stream(bytes), Ok(Some(first)));
    assert_eq!(
        Message::parse(&bytes[..first]),
        Message::parse(INVITE.as_bytes())
    );
    for bad in [
        INVITE.replace("Content-Length: 5\r\n", ""),
        INVITE.replace("Length: 5", "Length: 65536"),
        INVITE.replace("Length: 5", "Length: -5"),
        "X: y\r\n".repeat(11_000),
    ] {
        assert!(Message::length_in_stream(bad.as_bytes()).is_err());
    }
}

#[test]
fn too_much_is_refused_and_answered_where_possible() {
    let long = INVITE.replace("hello", &"x".repeat(MAX_MESSAGE));
    let bad = Message::parse(long.as_bytes()).unwrap_err();
    assert_eq!(bad.response().unwrap().status, Status(513));
    let status = |text: String| Message::parse(text.as_bytes()).unwrap_err().status;
    let with = |field: String| INVITE.replace("X-Odd:", &format!("{field}\r\nX-Odd:"));
    assert_eq!(
        status(with(format!("X-Long: {}", "x".repeat(MAX_LINE)))),
        Some(Status(400))
    );
    assert_eq!(
        status(with("X-Many: x\r\n".repeat(MAX_FIELDS) + "X: y")),
        Some(Status(400))
    );
    assert_eq!(
        status(with("X-Stray: a\rRoute: b".to_owned())),
        Some(Status(400))
    );
    assert_eq!(status(with("no colon".to_owned())), Some(Status(400)));
    let ack = INVITE.replace("INVITE", "ACK").replace("f:", "x:");
    assert_eq!(status(ack), None);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()), None);
    assert_eq!(status("\r\n\r\n".to_owned()), None);
}

#[test]
fn other_encodings_are_taken_with_a_broken_letter() {
    let latin1 = INVITE.replace("Anna", "Ann\u{0}").into_bytes();
    let latin1: Vec<u8> = latin1
        .into_iter()
        .map(|b| if b == 0 { 0xe9 } else { b })
        .collect();
    let message = Message::parse(&latin1).unwrap();
    assert_eq!(
        message.headers().from().unwrap().name,
        "Petrova, Ann\u{fffd}"
    );
    assert_eq!(Message::parse(&message.to_bytes()).unwrap(), message);
}

/// RFC 5118: torture for IPv6.
#[test]
fn addresses_of_the_new_kind() {
    let request = |uri: &str, via: &str| {
        let text = format!(
            "REGISTER {uri} SIP/2.0\r\nTo: sip:user@example.com\r\n\
             From: sip:user@example.com;tag=81x2\r\nVia: {via}\r\nCall-ID: 1\r\n\
             CSeq: 98176 REGISTER\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes())
    };
    let via = "SIP/2.0/UDP [2001:db8::9:1]:6050;received=[2001:db8::9:255];branch=z9hG4bKas3-111";
    // 4.1 a bracketed address is good, 4.2 a bare one is not
    let Message::Request(good) = request("sip:[2001:db8::10]", via).unwrap() else {
        panic!()
    };
    assert_eq!(good.uri.host, "[2001:db8::10]");
    assert_eq!(
        request("sip:2001:db8::10", via).unwrap_err().status,
        Some(Status(400))
    );
    // 4.3 the port belongs to whom the brackets say
    let port = |uri: &str| uri.parse::<Uri>().unwrap().port;
    assert_eq!(port("sip:[2001:db8::10:5070]"), None);
    assert_eq!(port("sip:[2001:db8::10]:5070"), Some(5070));
    // 4.5 received comes with and without brackets
    assert_eq!(
        good.headers.via().unwrap().received(),
        Some("[2001:db8::9:255]")
    );
    let bare = via.replace("[2001:db8::9:255]", "2001:db8::9:255");
    let Message::Request(bare) = request("sip:a.example", &bare).unwrap() else {
        panic!()
    };
    assert_eq!(
        bare.headers.via().unwrap().received(),
        Some("2001:db8::9:255")
    );
    // 4.10 IPv4-mapped
    assert_eq!(port("sip:user@[::ffff:192.0.2.10]:19823"), Some(19823));
}
