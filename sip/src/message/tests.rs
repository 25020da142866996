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
