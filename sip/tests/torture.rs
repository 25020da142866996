//! The torture messages of RFC 4475, one file each, with the verdict we give.
//!
//! Some verdicts are the agent's and not the parser's (an unknown scheme, an extension, a media
//! type): such a message must be readable, and readable is what the agent needs to see. The binary
//! part of mpart01 is a stand-in: the RFC's is a signature of a certificate long gone.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use clinicall_sip::{
    header::Contact,
    message::{BadMessage, Headers, Message, Method, Status},
};

fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/torture/{name}.dat", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn parse(name: &str) -> Message {
    Message::parse(&read(name)).unwrap_or_else(|bad| panic!("{name}: {bad}"))
}

fn refused(name: &str) -> BadMessage {
    Message::parse(&read(name)).expect_err(name)
}

/// Every file and whether it is taken (`Ok`) or refused, and then with what answer.
const VERDICTS: [(&str, Result<(), Option<u16>>); 49] = [
    // 3.1.1 valid messages
    ("wsinv", Ok(())),
    ("intmeth", Ok(())),
    ("esc01", Ok(())),
    ("escnull", Ok(())),
    ("esc02", Ok(())),
    ("lwsdisp", Ok(())),
    ("longreq", Ok(())),
    ("dblreq", Ok(())),
    ("semiuri", Ok(())),
    ("transports", Ok(())),
    ("mpart01", Ok(())),
    ("unreason", Ok(())),
    ("noreason", Ok(())),
    // 3.1.2 invalid messages
    ("badinv01", Err(Some(400))),
    ("clerr", Err(Some(400))),
    ("ncl", Err(Some(400))),
    ("scalar02", Err(Some(400))),
    ("scalarlg", Err(None)),
    ("quotbal", Err(Some(400))),
    ("ltgtruri", Err(Some(400))),
    ("lwsruri", Err(Some(400))),
    ("lwsstart", Err(Some(400))),
    ("trws", Err(Some(400))),
    ("escruri", Err(Some(400))),
    // the date is wrong, but we do not use it ("an element uninterested in it may ignore it")
    ("baddate", Ok(())),
    ("regbadct", Err(Some(400))),
    ("badaspec", Err(Some(400))),
    ("baddn", Err(Some(400))),
    ("badvers", Err(Some(505))),
    ("mismatch01", Err(Some(400))),
    ("mismatch02", Err(Some(400))),
    ("bigcode", Err(None)),
    // 3.2 transaction layer
    ("badbranch", Ok(())),
    // 3.3 application layer
    ("insuf", Err(Some(400))),
    ("unkscm", Ok(())),
    ("novelsc", Ok(())),
    ("unksm2", Ok(())),
    ("bext01", Ok(())),
    ("invut", Ok(())),
    ("regaut01", Ok(())),
    ("multi01", Err(Some(400))),
    ("mcl01", Err(Some(400))),
    ("bcast", Ok(())),
    ("zeromf", Ok(())),
    ("cparam01", Ok(())),
    ("cparam02", Ok(())),
    ("regescrt", Ok(())),
    ("sdp01", Ok(())),
    // 3.4 backward compatibility
    ("inv2543", Ok(())),
];

#[test]
fn every_message_gets_its_verdict() {
    for (name, verdict) in VERDICTS {
        let got = match Message::parse(&read(name)) {
            Ok(_) => Ok(()),
            Err(bad) => Err(bad.status.map(|status| status.0)),
        };
        assert_eq!(got, verdict, "{name}");
    }
}

#[test]
fn no_file_is_without_a_verdict() {
    let folder = format!("{}/tests/torture", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(VERDICTS.iter().any(|(name, _)| *name == stem), "{stem}");
    }
}

#[test]
fn what_is_taken_is_printed_as_it_came() {
    for (name, _) in VERDICTS.iter().filter(|(_, verdict)| verdict.is_ok()) {
        let bytes = read(name);
        let mut expected = bytes.clone();
        match *name {
            // the second message in the datagram is dropped
            "dblreq" => expected.truncate(expected.len() - 448),
            // Content-Length is added
            "inv2543" => {
                let at = expected.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 2;
                expected.splice(at..at, *b"Content-Length: 105\r\n");
            }
            _ => {}
        }
        assert_eq!(parse(name).to_bytes(), expected, "{name}");
    }
}

#[test]
fn what_is_printed_anew_reads_alike() {
    for (name, _) in VERDICTS.iter().filter(|(_, verdict)| verdict.is_ok()) {
        let mut message = parse(name);
        // headers made here do not remember how anything was written
        let mut fresh = Headers::new();
        fresh.extend(message.headers());
        match &mut message {
            Message::Request(request) => request.headers = fresh,
            Message::Response(response) => response.headers = fresh,
        }
        let again = Message::parse(&message.to_bytes()).unwrap();
        if *name == "inv2543" {
            assert_eq!(again.headers().get("Content-Length"), Some("105"));
        } else {
            assert_eq!(again, message, "{name}");
        }
    }
}

#[test]
fn refused_requests_can_be_answered_when_enough_is_readable() {
    for (name, verdict) in VERDICTS {
        let Err(Some(status)) = verdict else { continue };
        let response = refused(name).response();
        // insuf lacks From, To and Call-ID, so there is nobody to answer
        assert_eq!(response.is_some(), name != "insuf", "{name}");
        if let Some(response) = response {
            assert_eq!(response.status, Status(status), "{name}");
        }
    }
}

// --- what was understood ---------------------------------------------------------------------

fn request(name: &str) -> clinicall_sip::Request {
    match parse(name) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("{name} is a response"),
    }
}

#[test]
fn wsinv_folds_everywhere() {
    let invite = request("wsinv");
    let headers = &invite.headers;
    assert_eq!(invite.method, Method::Invite);
    assert_eq!(invite.uri.param("unknownparam"), Some(""));
    assert_eq!(headers.to().unwrap().tag(), Some("1918181833n"));
    let from = headers.from().unwrap();
    assert_eq!(from.name, "J Rosenberg \\\"");
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(headers.max_forwards(), Some(68));
    assert_eq!(headers.cseq().unwrap().number, 9);
    assert_eq!(headers.get("Subject"), Some(""));
    assert_eq!(
        headers.get("NewFangledHeader"),
        Some("newfangled value continued newfangled value")
    );
    assert_eq!(
        headers
            .all("UnknownHeaderWithUnusualValue")
            .collect::<Vec<_>>(),
        [";;,,;;,;"]
    );
    let vias: Vec<_> = headers
        .all("Via")
        .map(|via| clinicall_sip::header::Via::parse(via).unwrap())
        .collect();
    let seen: Vec<_> = vias
        .iter()
        .map(|via| {
            (
                via.transport.as_str(),
                via.host.as_str(),
                via.branch().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("UDP", "192.0.2.2", "390skdjuw"),
            ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
            ("UDP", "192.168.255.111", "z9hG4bK30239"),
        ]
    );
    assert!(!vias[0].has_magic_cookie() && vias[1].has_magic_cookie());
    let route = &headers.routes("Route")[0];
    assert_eq!(route.uri.param("lr"), Some(""));
    assert_eq!(route.uri.param("unknownwith"), Some("value"));
    let contact = headers.contact().and_then(Contact::into_addr).unwrap();
    assert_eq!(contact.name, "Quoted string \"\"");
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    assert_eq!(contact.params.get("secondparam"), Some(""));
    assert_eq!(contact.q(), 330);
    assert_eq!(invite.body.len(), 150);
}

#[test]
fn intmeth_uses_every_character() {
    let strange = request("intmeth");
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(strange.method, Method::Other(method.to_owned()));
    assert_eq!(
        strange.uri.user,
        "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    );
    assert_eq!(
        strange.uri.password.as_deref(),
        Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
    );
    let headers = &strange.headers;
    assert_eq!(headers.to().unwrap().name, "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    let from = headers.from().unwrap();
    assert_eq!(from.name, "token1~` token2'+_ token3*%!.-");
    assert_eq!(from.params.get("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(headers.via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
    assert_eq!(
        headers.call_id(),
        Some("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{")
    );
    assert_eq!(
        headers.get("extensionheader-!.%*+_`'~"),
        Some("\u{feff}大停電")
    );
}

#[test]
fn escapes_are_resolved_once_and_only_in_uris() {
    let esc01 = request("esc01");
    assert_eq!(esc01.uri.user, "sips:user@example.com");
    assert_eq!(esc01.headers.to().unwrap().uri.user, "user");
    assert_eq!(esc01.headers.from().unwrap().uri.user, "I have spaces");
    let contact = esc01
        .headers
        .contact()
        .and_then(Contact::into_addr)
        .unwrap();
    assert_eq!(contact.uri.user, "caller");

    let esc02 = request("esc02");
    assert_eq!(esc02.method.as_str(), "RE%47IST%45R");
    assert_eq!(esc02.headers.from().unwrap().name, "%Z%45");
    assert_eq!(esc02.headers.contacts().len(), 2);

    let escnull = request("escnull");
    assert_eq!(escnull.headers.to().unwrap().uri.user, "null-\0-null");
    let users: Vec<_> = escnull
        .headers
        .contacts()
        .into_iter()
        .map(|contact| contact.into_addr().unwrap().uri.user)
        .collect();
    assert_eq!(users, ["\0", "\0\0"]);

    let semiuri = request("semiuri");
    assert_eq!(semiuri.uri.user, "user;par=u@example.net");
    assert_eq!(semiuri.uri.host, "example.com");
    assert!(semiuri.uri.params.is_empty());
    assert_eq!(semiuri.headers.all("Accept").count(), 6);
}

#[test]
fn parameters_belong_to_the_header_without_brackets_and_to_the_uri_within() {
    let contact = |name| {
        let contact = request(name).headers.contact();
        contact.and_then(Contact::into_addr).unwrap()
    };
    let bare = contact("cparam01");
    assert_eq!(bare.params.get("unknownparam"), Some(""));
    assert_eq!(bare.uri.param("unknownparam"), None);
    let bracketed = contact("cparam02");
    assert_eq!(bracketed.params.get("unknownparam"), None);
    assert_eq!(bracketed.uri.param("unknownparam"), Some(""));
    assert_eq!(
        contact("regescrt").uri.headers.as_deref(),
        Some("Route=%3Csip:sip.example.com%3E")
    );
    assert_eq!(
        request("inv2543").headers.from().unwrap().uri.param("user"),
        Some("phone")
    );
    assert_eq!(
        request("inv2543").headers.to().unwrap().params.get("user"),
        Some("phone")
    );
}

#[test]
fn long_and_many_are_no_trouble() {
    let longreq = request("longreq");
    assert_eq!(longreq.headers.all("Via").count(), 34);
    assert_eq!(longreq.headers.from().unwrap().uri.user.len(), 115);
    assert_eq!(request("transports").headers.all("Via").count(), 5);
    let mpart = request("mpart01");
    let kind = mpart.headers.content_type().unwrap();
    assert_eq!(kind.media, "multipart/mixed");
    assert_eq!(kind.params.get("boundary"), Some("7a9cbec02ceef655"));
    assert!(mpart.body.ends_with(b"--7a9cbec02ceef655--\r\n"));
    assert!(request("dblreq").body.is_empty());
}

#[test]
fn reasons_may_be_odd_or_absent() {
    let response = |name| match parse(name) {
        Message::Response(response) => response,
        Message::Request(_) => panic!("{name} is a request"),
    };
    let unreason = response("unreason");
    assert_eq!(unreason.status, Status(200));
    assert_eq!(
        unreason.reason,
        "= 2**3 * 5**2 но сто девяносто девять - простое"
    );
    assert_eq!(response("noreason").reason, "");
    // a user agent drops a response with two Vias: it was not sent to it (the agent's part)
    assert_eq!(response("bcast").headers.all("Via").count(), 2);
}

#[test]
fn what_the_agent_answers_from_is_there() {
    // 416
    assert_eq!(request("unkscm").uri.scheme, "nobodyknowsthisscheme");
    let soap = request("novelsc").uri;
    assert!(!soap.is_sip());
    assert_eq!(soap.to_string(), "soap.beep://192.0.2.103:3002");
    assert_eq!(
        request("unksm2").headers.to().unwrap().uri.to_string(),
        "isbn:2983792873"
    );
    // 420
    let unknown = request("bext01")
        .headers
        .required_beyond(&["100rel"])
        .to_string();
    assert_eq!(unknown, "nothingSupportsThis, nothingSupportsThisEither");
    // 415
    assert!(!request("invut").headers.content_type().unwrap().is_sdp());
    // 401 again
    let credentials = request("regaut01")
        .headers
        .get("Authorization")
        .map(str::to_owned);
    assert!(clinicall_sip::digest::Answer::parse(&credentials.unwrap()).is_none());
    // 483
    assert_eq!(request("zeromf").headers.max_forwards(), Some(0));
    // 406
    assert!(!request("sdp01").headers.lists("Accept", "application/sdp"));
    // matched as RFC 2543 does
    assert!(
        !request("badbranch")
            .headers
            .via()
            .unwrap()
            .has_magic_cookie()
    );
    assert_eq!(request("inv2543").headers.via().unwrap().branch(), None);
}
