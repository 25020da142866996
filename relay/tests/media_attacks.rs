//! What strangers and broken members try, and that a visit goes on.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "media_support/caller.rs"]
mod caller;

use std::{
    net::UdpSocket,
    sync::Arc,
    time::{Duration, Instant},
};

use caller::{Caller, Papers, offer};
use clinicall_relay::media::{Config, Event, Media, MemberId, RoomId, srtp::Profile};

const PATIENCE: Duration = Duration::from_secs(10);

fn config() -> Config {
    Config {
        bind: [127, 0, 0, 1].into(),
        port: 0,
        public: vec![[127, 0, 0, 1].into()],
        tcp_port: None,
        udp: true,
        workers: 1,
    }
}

fn join(media: &Media, room: RoomId, papers: &Arc<Papers>, ssrc: u32) -> (Caller, MemberId) {
    let (member, answer) = media
        .join_by_offer(room, &offer(&papers.fingerprint, "sendrecv", ssrc))
        .unwrap();
    media.admit(member);
    (Caller::new(papers, &answer, ssrc), member)
}

fn metric(media: &Media, name: &str) -> u64 {
    let name = format!("clinicall_media_{name}");
    media.metrics().iter().find(|row| row.0 == name).unwrap().2
}

fn visit(media: &Media, profile: Profile) -> (Caller, Caller) {
    let papers = Arc::new(Papers::new(profile));
    let room = media.open_room();
    let (mut doctor, _) = join(media, room, &papers, 100);
    let (mut patient, _) = join(media, room, &papers, 200);
    assert!(doctor.connect(PATIENCE) && patient.connect(PATIENCE));
    (doctor, patient)
}

/// The patient speaks and the doctor hears it.
fn still_talking(patient: &mut Caller, doctor: &mut Caller, from: u16) {
    for sequence in from..from + 20 {
        patient.say(
            false,
            sequence,
            &[b"where does it hurt".as_slice(), &sequence.to_be_bytes()].concat(),
        );
    }
    let heard = doctor.listen(Duration::from_millis(500));
    for sequence in from..from + 20 {
        let want = [b"where does it hurt".as_slice(), &sequence.to_be_bytes()].concat();
        assert!(heard.contains(&want), "{sequence} of {} heard", heard.len());
    }
}

#[test]
fn both_srtp_profiles_carry_a_visit() {
    for profile in [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80] {
        let (media, _events) = Media::start(config()).unwrap();
        let (mut doctor, mut patient) = visit(&media, profile);
        still_talking(&mut patient, &mut doctor, 1);
        still_talking(&mut doctor, &mut patient, 1);
        assert_eq!(metric(&media, "bad_tags_total"), 0, "{profile:?}");
        media.stop();
    }
}

#[test]
fn a_thousand_strangers_saying_hello_during_set_up_lose_no_call() {
    let (media, _events) = Media::start(config()).unwrap();
    let papers = Arc::new(Papers::new(Profile::AeadAes128Gcm));
    let room = media.open_room();
    let (mut doctor, _) = join(&media, room, &papers, 100);
    let relay = doctor.relay;
    // a ClientHello that asks for nothing we know (the race of CVE-2023-51443), from each of them
    let mut hello = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54];
    hello.extend([1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd]);
    hello.extend([9; 32]);
    hello.extend([0, 0, 0, 2, 0, 0x2f, 1, 0]);
    let spray = std::thread::spawn(move || {
        for _ in 0..1_000 {
            let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
            stranger.send_to(&hello, relay).unwrap();
            std::thread::sleep(Duration::from_micros(200));
        }
    });
    let mut callers = vec![];
    assert!(doctor.connect(PATIENCE));
    for ssrc in 2..12 {
        let (mut caller, _) = join(&media, room, &papers, ssrc * 100);
        assert!(caller.connect(PATIENCE), "call {ssrc} was lost");
        callers.push(caller);
    }
    spray.join().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(metric(&media, "handshakes_total"), 11);
    assert_eq!(metric(&media, "dtls_failures_total"), 0);
    assert!(metric(&media, "garbage_total") >= 900, "the spray arrived");
    media.stop();
}

#[test]
fn a_flood_of_forged_media_neither_hangs_up_nor_is_heard() {
    let (media, events) = Media::start(config()).unwrap();
    let (mut doctor, mut patient) = visit(&media, Profile::AeadAes128Gcm);
    still_talking(&mut patient, &mut doctor, 1);
    // from the patient's own address, as a spoofer would
    let mut forged = [0x55; 200];
    forged[..2].copy_from_slice(&[0x80, 111]);
    let mut rtcp = [0x55; 60];
    rtcp[..4].copy_from_slice(&[0x80, 200, 0, 6]);
    for count in 0..20_000_u32 {
        forged[2..4].copy_from_slice(&(count as u16).to_be_bytes());
        patient.socket.send_to(&forged, patient.relay).unwrap();
        patient.socket.send_to(&rtcp, patient.relay).unwrap();
        if count % 50 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    still_talking(&mut patient, &mut doctor, 21);
    assert!(metric(&media, "bad_tags_total") > 20_000);
    assert!(
        events
            .try_iter()
            .all(|event| matches!(event, Event::Connected { .. }))
    );
    media.stop();
}

#[test]
fn media_from_an_address_without_a_path_goes_nowhere() {
    let (media, _events) = Media::start(config()).unwrap();
    let (mut doctor, mut patient) = visit(&media, Profile::AeadAes128Gcm);
    still_talking(&mut patient, &mut doctor, 1);
    // a genuine packet, but from elsewhere: no check came from there
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    elsewhere
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut buffer = [0; 2048];
    let len = patient.seal(&mut buffer, false, 50, 1, b"from elsewhere");
    elsewhere.send_to(&buffer[..len], patient.relay).unwrap();
    assert!(doctor.listen(Duration::from_millis(200)).is_empty());
    assert!(
        elsewhere.recv(&mut buffer).is_err(),
        "and nothing is sent there"
    );
    // after a check it may
    patient.socket = elsewhere;
    patient.check();
    still_talking(&mut patient, &mut doctor, 60);
    still_talking(&mut doctor, &mut patient, 1);
    media.stop();
}

#[test]
fn garbage_of_every_kind_is_counted_and_never_answered() {
    let (media, _events) = Media::start(config()).unwrap();
    let (mut doctor, mut patient) = visit(&media, Profile::Aes128CmSha1_80);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let relay = patient.relay;
    let mut seed = 1_u64;
    let mut random = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u8
    };
    for round in 0..3_000_usize {
        // empty, tiny, oversize; every first byte
        let len = [0, 1, 3, 12, 20, 60, 1_200, 2_048, 2_049, 9_000][round % 10];
        let mut junk: Vec<u8> = (0..len).map(|_| random()).collect();
        if let Some(first) = junk.first_mut() {
            *first = (round / 10) as u8;
        }
        stranger.send_to(&junk, relay).unwrap();
        // the same from a member: what DTLS and SRTP make of it must not end the call
        if round % 3 == 0 {
            patient.socket.send_to(&junk, relay).unwrap();
        }
        if round % 50 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    stranger
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut buffer = [0; 2048];
    assert!(
        stranger.recv(&mut buffer).is_err(),
        "a stranger got an answer"
    );
    still_talking(&mut patient, &mut doctor, 1);
    assert!(metric(&media, "garbage_total") > 2_000);
    media.stop();
}

#[test]
fn a_caller_with_another_certificate_than_its_description_names_is_refused() {
    let (media, events) = Media::start(config()).unwrap();
    let room = media.open_room();
    let named = Papers::new(Profile::AeadAes128Gcm);
    let (member, answer) = media
        .join_by_offer(room, &offer(&named.fingerprint, "sendrecv", 100))
        .unwrap();
    media.admit(member);
    let impostor = Arc::new(Papers::new(Profile::AeadAes128Gcm));
    let mut caller = Caller::new(&impostor, &answer, 100);
    caller.connect(Duration::from_secs(2));
    match events.recv_timeout(PATIENCE).unwrap() {
        Event::Lost { member: lost, why } => {
            assert_eq!(lost, member);
            assert!(why.contains("certificate"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(metric(&media, "handshakes_total"), 0);
    media.stop();
}

#[test]
fn before_a_path_is_proven_the_relay_sends_less_than_three_times_what_it_got() {
    let (media, _events) = Media::start(config()).unwrap();
    let papers = Arc::new(Papers::new(Profile::AeadAes128Gcm));
    let (mut caller, _) = join(&media, media.open_room(), &papers, 100);
    caller.check();
    let mut buffer = [0; 2048];
    caller
        .socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let answer = caller.socket.recv(&mut buffer).unwrap();
    // username 15, priority, role, nomination, integrity, fingerprint
    let check = 20 + 20 + 8 + 12 + 4 + 24 + 8;
    assert!(answer <= 3 * check, "{answer}");
    // and nothing more follows until the caller speaks
    caller
        .socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert!(caller.socket.recv(&mut buffer).is_err());
    media.stop();
}

#[test]
fn a_path_that_never_comes_is_told_once_and_the_member_may_leave() {
    let (media, events) = Media::start(config()).unwrap();
    let papers = Arc::new(Papers::new(Profile::AeadAes128Gcm));
    let room = media.open_room();
    let (_caller, member) = join(&media, room, &papers, 100);
    let began = Instant::now();
    assert!(
        events.recv_timeout(Duration::from_secs(2)).is_err(),
        "nobody gives up that early"
    );
    media.leave(member);
    media.close_room(room);
    media.leave(member);
    let (late, _) = (
        media.join_by_offer(room, &offer(&papers.fingerprint, "sendrecv", 1)),
        began,
    );
    assert!(late.is_err(), "the room is closed");
    media.stop();
}
