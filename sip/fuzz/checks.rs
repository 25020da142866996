// What must hold for any bytes. The fuzz targets and `tests/corpus.rs` share this file.

use clinicall_sip::{
    Uri,
    digest::{Answer, Challenge, Credentials, Secret},
    header::{
        CSeq, Contact, ContentType, NameAddr, Params, RAck, Reason, Replaces, RetryAfter,
        SessionExpires, Via,
    },
    message::{Headers, Message},
    sdp::{Sdp, edit},
};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 7] = [
    ("message", message),
    ("uri", uri),
    ("sdp", sdp),
    ("digest", digest),
    ("name_addr", name_addr),
    ("via", via),
    ("headers", headers),
];

pub fn message(bytes: &[u8]) {
    if let Ok(Some(length)) = Message::length_in_stream(bytes) {
        assert!(length > 0 && length <= bytes.len());
    }
    match Message::parse(bytes) {
        Ok(message) => {
            let printed = message.to_bytes();
            let again = Message::parse(&printed).expect("what we print, we read");
            assert_eq!(again.to_bytes(), printed);
            assert_eq!(again.headers().call_id(), message.headers().call_id());
            // what check() promised
            let headers = message.headers();
            assert!(headers.via().is_some() && headers.cseq().is_some());
            assert!(headers.from().is_some() && headers.to().is_some());
            every_view(headers);
        }
        Err(bad) => {
            every_view(&bad.headers);
            if let Some(response) = bad.response() {
                assert!(!response.to_bytes().is_empty());
            }
        }
    }
}

fn every_view(headers: &Headers) {
    for (name, value) in headers.iter() {
        assert!(!value.contains(['\r', '\n']));
        assert!(headers.get(name).is_some());
        assert!(
            headers
                .all(name)
                .all(|one| value.contains(one) || headers.count(name) > 1)
        );
    }
    let _ = (
        headers.contacts(),
        headers.routes("Route"),
        headers.routes("Record-Route"),
    );
    let _ = (
        headers.session_expires(),
        headers.min_se(),
        headers.expires(),
    );
    let _ = (
        headers.rack(),
        headers.rseq(),
        headers.replaces(),
        headers.reasons(),
    );
    let _ = (
        headers.retry_after(),
        headers.content_type(),
        headers.max_forwards(),
    );
    let mut edited = headers.clone();
    let vias = edited.all("Via").count();
    if edited.take_first("Via").is_some() {
        assert_eq!(edited.all("Via").count() + 1, vias.max(1));
    }
    edited.set("Via", "SIP/2.0/WS a.invalid");
    assert_eq!(edited.all("Via").count(), 1);
}

pub fn uri(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(uri) = text.parse::<Uri>() {
        let again: Uri = uri.to_string().parse().expect("what we print, we read");
        assert!(uri.same_as(&again) && again.same_as(&uri));
        assert_eq!(again, uri);
    }
}

pub fn sdp(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(mut sdp) = Sdp::parse(text) else {
        return;
    };
    let printed = sdp.to_string();
    let again = Sdp::parse(&printed).expect("what we print, we read");
    assert_eq!(again, sdp);
    for section in &mut sdp.media {
        let formats = section.formats().len();
        let kept = edit::keep_codecs(section, &|map, fmtp| map.is("opus") || fmtp.is_empty());
        assert!(section.formats().len() == formats || section.formats().len() == kept);
        edit::prefer_codecs(section, &["VP9"]);
        edit::cap_bitrate(section, 64);
        edit::remove_candidates(section, &|one| one.is_tcp());
        edit::set_opus_parameters(
            section,
            &edit::OpusParameters {
                ptime: Some(60),
                usedtx: Some(true),
                ..edit::OpusParameters::default()
            },
        );
        edit::cap_packet_time(section, 40);
        edit::prefer_red(section);
        edit::set_chromium_bitrates(
            section,
            &edit::ChromiumBitrates {
                start: Some(40),
                ..edit::ChromiumBitrates::default()
            },
        );
        edit::limit_picture(
            section,
            &edit::PictureLimits {
                max_fs: Some(300),
                max_fr: None,
            },
        );
        edit::keep_layers(section, &["l", "0"]);
        section.set_direction(section.direction().reversed());
    }
    let mut alone = sdp.clone();
    for section in &mut alone.media {
        edit::remove_simulcast(section);
        edit::remove_red(section);
    }
    assert!(alone.to_string().len() <= sdp.to_string().len());
    let edited = sdp.to_string();
    // an edit may add lines, so only the limits can make it unreadable
    assert!(Sdp::parse(&edited).is_ok() || edited.lines().count() > 1_000 || edited.len() > 60_000);
}

pub fn digest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(challenge) = Challenge::parse(text) {
        assert_eq!(
            Challenge::parse(&challenge.to_string()).as_ref(),
            Some(&challenge)
        );
        let credentials = Credentials {
            user: "2".to_owned(),
            secret: Secret::Password("tea".to_owned()),
        };
        let value = challenge.answer(&credentials, "REGISTER", "sip:clinic.example", 1, "c");
        let answer = value.as_deref().and_then(Answer::parse);
        let answer = answer.expect("what we answer, we read");
        assert!(answer.is_made_with(&credentials.secret, "REGISTER"));
    }
    if let Some(answer) = Answer::parse(text) {
        let secret = Secret::Password(String::new());
        let _ = answer.is_made_with(&secret, "REGISTER");
        let _ = answer.is_for(&Uri::sip("", "clinic.example"));
    }
}

pub fn name_addr(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(contact) = Contact::parse(text) {
        assert_eq!(
            Contact::parse(&contact.to_string()).as_ref(),
            Some(&contact)
        );
        if let Some(addr) = contact.into_addr() {
            let _ = (
                addr.tag(),
                addr.q(),
                addr.expires(),
                addr.instance(),
                addr.reg_id(),
            );
            assert_eq!(NameAddr::parse(&addr.to_string()), Some(addr));
        }
    }
}

pub fn via(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(via) = Via::parse(text) {
        let _ = (via.has_magic_cookie(), via.rport(), via.received());
        assert_eq!(Via::parse(&via.to_string()), Some(via));
    }
}

/// The small headers: what prints reads alike.
pub fn headers(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(it) = CSeq::parse(text) {
        assert_eq!(CSeq::parse(&it.to_string()), Some(it));
    }
    if let Some(it) = RAck::parse(text) {
        assert_eq!(RAck::parse(&it.to_string()), Some(it));
    }
    if let Some(it) = Reason::parse(text) {
        assert_eq!(Reason::parse(&it.to_string()), Some(it));
    }
    if let Some(it) = Replaces::parse(text) {
        assert_eq!(Replaces::parse(&it.to_string()), Some(it));
    }
    if let Some(it) = RetryAfter::parse(text) {
        assert_eq!(RetryAfter::parse(&it.to_string()), Some(it));
    }
    if let Some(it) = SessionExpires::parse(text) {
        assert_eq!(SessionExpires::parse(&it.to_string()), Some(it));
    }
    if let Some(it) = ContentType::parse(text) {
        assert_eq!(ContentType::parse(&it.to_string()), Some(it));
    }
    if let Some(mut it) = Params::parse(text) {
        assert_eq!(Params::parse(&it.to_string()).as_ref(), Some(&it));
        it.set("tag", "new");
        assert_eq!(it.get("tag"), Some("new"));
        it.remove("tag");
        assert!(!it.contains("tag"));
    }
    let mut made = Headers::new();
    made.push("X-Page", text);
    assert!(
        made.get("X-Page")
            .is_some_and(|value| !value.contains(['\r', '\n']))
    );
}
