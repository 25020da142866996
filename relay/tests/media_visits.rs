//! Visits through the relay's media, with `str0m` at both ends.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "media_support/peer.rs"]
mod peer;

use std::time::{Duration, Instant};

use clinicall_relay::media::{Config, Event, Media, Wants};
use peer::{Peer, config, joined, run};
use str0m::media::{Direction, MediaKind};

#[test]
fn doctor_and_patient_hear_and_see_each_other_once_both_are_let_in() {
    let (media, events) = Media::start(config()).unwrap();
    let room = media.open_room();
    let (mut doctor, doctor_id) = joined(&media, room);
    let (mut patient, patient_id) = joined(&media, room);
    let began = Instant::now();
    assert!(run(&mut [&mut doctor, &mut patient], 10, |peers| peers
        .iter()
        .all(|p| p.connected)));
    println!("connected in {:?}", began.elapsed());
    let told = [events.recv(), events.recv()].map(|event| event.unwrap());
    for member in [doctor_id, patient_id] {
        assert!(told.contains(&Event::Connected { member }), "{told:?}");
    }

    // the gate: media is ready before the people are
    for _ in 0..20 {
        doctor.say(MediaKind::Audio, b"too early");
        patient.say(MediaKind::Audio, b"too early");
        run(&mut [&mut doctor, &mut patient], 1, |_| true);
    }
    media.admit(doctor_id);
    for _ in 0..20 {
        doctor.say(MediaKind::Audio, b"alone");
        patient.say(MediaKind::Audio, b"still waiting");
        run(&mut [&mut doctor, &mut patient], 1, |_| true);
    }
    // the last of it has left the peers and was read by the relay: what arrives after the door
    // opened may be heard
    let read = |peers: &mut [&mut Peer]| {
        let sent = peers.iter().map(|peer| peer.sent).sum::<u64>();
        peers.iter().all(|peer| peer.spoken >= 40) && datagrams_read(&media) >= sent
    };
    assert!(run(&mut [&mut doctor, &mut patient], 20, read));
    assert!(doctor.heard.is_empty() && patient.heard.is_empty());

    media.admit(patient_id);
    // a keyframe of VP8 first, so that the relay lets the picture start
    let keyframe = [
        &[0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, 64, 1, 240, 0][..],
        &[7; 900],
    ]
    .concat();
    let talked = run(&mut [&mut doctor, &mut patient], 10, |peers| {
        for peer in peers.iter_mut() {
            peer.talk(b"good morning", &keyframe);
        }
        peers
            .iter()
            .all(|p| p.heard_of(b"good morning") > 50 && p.heard_of(&keyframe) > 50)
    });
    let heard = |peer: &Peer| {
        let payloads = (peer.heard_of(b"good morning"), peer.heard_of(&keyframe));
        (payloads, peer.heard.len(), peer.keyframes_asked)
    };
    assert!(talked, "{:?} {:?}", heard(&doctor), heard(&patient));
    assert_eq!(
        patient.heard_of(b"too early") + patient.heard_of(b"alone"),
        0
    );

    let metrics = media.metrics();
    let metric = |name: &str| metrics.iter().find(|row| row.0.contains(name)).unwrap().2;
    assert_eq!(metric("handshakes"), 2);
    assert_eq!(metric("bad_tags"), 0);
    assert_eq!((metric("_members"), metric("_rooms")), (2, 1));
    media.leave(patient_id);
    assert!(run(&mut [&mut doctor, &mut patient], 5, |peers| peers[1]
        .closed
        || !peers[1].rtc.is_alive()));
    media.stop();
}

/// The patient's limits are those of a slow link: the relay begins with DTLS, and seals with short tags.
#[test]
fn a_patient_on_a_slow_link_is_connected_and_heard() {
    let (media, _events) = Media::start(config()).unwrap();
    let room = media.open_room();
    let (mut doctor, doctor_id) = joined(&media, room);
    let mut patient = Peer::new();
    let offer = patient.offer(Direction::SendRecv).to_string();
    let limited = offer.replace("\r\na=mid:", "\r\nb=AS:20\r\na=mid:");
    let offer = clinicall_sip::sdp::Sdp::parse(&limited).unwrap();
    let (patient_id, answer) = media.join_by_offer(room, &offer).unwrap();
    assert!(answer.to_string().contains("a=setup:active"), "{answer}");
    patient.accept(&answer);
    assert!(run(&mut [&mut doctor, &mut patient], 10, |peers| peers
        .iter()
        .all(|p| p.connected)));
    media.admit(doctor_id);
    media.admit(patient_id);
    assert!(run(&mut [&mut doctor, &mut patient], 10, |peers| {
        for peer in peers.iter_mut() {
            peer.say(MediaKind::Audio, b"good morning");
        }
        peers.iter().all(|p| p.heard_of(b"good morning") > 20)
    }));
    media.stop();
}

/// By all workers together.
fn datagrams_read(media: &Media) -> u64 {
    let metrics = media.metrics();
    let row = metrics.iter().find(|row| row.0.contains("datagrams_in"));
    row.unwrap().2
}

#[test]
fn the_relay_rings_a_patient_with_an_offer_of_its_own() {
    let (media, events) = Media::start(config()).unwrap();
    let room = media.open_room();
    let (mut doctor, doctor_id) = joined(&media, room);
    media.admit(doctor_id);
    let wants = Wants {
        audio: true,
        video: true,
    };
    let (patient_id, offer) = media.join_by_answer(room, wants).unwrap();
    let mut patient = Peer::new();
    let answer = patient.answer(&offer);
    media.answered(patient_id, &answer).unwrap();
    media.admit(patient_id);
    assert!(run(&mut [&mut doctor, &mut patient], 10, |peers| {
        for peer in peers.iter_mut().filter(|peer| peer.connected) {
            peer.talk(b"hello", &[]);
        }
        peers.iter().all(|p| p.heard_of(b"hello") > 20)
    }));
    assert!(events.try_iter().count() >= 2);
    media.stop();
}

#[test]
fn a_hospital_that_blocks_udp_is_reached_over_tcp_on_any_worker() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (media, _events) = Media::start(Config {
        tcp_port: Some(address.port()),
        udp: false,
        workers: 3,
        ..config()
    })
    .unwrap();
    let door = media.clone();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            door.adopt(stream);
        }
    });
    // rooms land on different workers, connections on whichever is next
    for _ in 0..3 {
        let room = media.open_room();
        let [mut doctor, mut patient] = [(); 2].map(|()| {
            let mut peer = Peer::over_tcp(address);
            let offer = peer.offer(Direction::SendRecv);
            let (member, answer) = media.join_by_offer(room, &offer).unwrap();
            media.admit(member);
            let text = answer.to_string();
            assert!(
                text.contains("tcptype passive") && !text.contains(" udp "),
                "{text}"
            );
            peer.accept(&answer);
            peer
        });
        assert!(run(&mut [&mut doctor, &mut patient], 20, |peers| {
            for peer in peers.iter_mut().filter(|peer| peer.connected) {
                peer.talk(b"through the firewall", &[]);
            }
            peers.iter().all(|peer| peer.heard_of(b"through") > 20)
        }));
    }
    media.stop();
}

#[test]
fn strangers_on_the_tcp_port_are_closed_and_cost_nothing() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (media, _events) = Media::start(config()).unwrap();
    // a frame that is no check, a length no frame has, half a frame and then nothing
    let junk: [&[u8]; 3] = [&[0, 4, 1, 2, 3, 4], &[0xff, 0xff, 0, 0], &[0, 200, 0, 1]];
    let mut strangers: Vec<_> = junk
        .into_iter()
        .map(|bytes| {
            let mut stranger = std::net::TcpStream::connect(address).unwrap();
            media.adopt(listener.accept().unwrap().0);
            stranger.write_all(bytes).unwrap();
            stranger
                .set_read_timeout(Some(Duration::from_secs(15)))
                .unwrap();
            stranger
        })
        .collect();
    let began = Instant::now();
    for stranger in &mut strangers {
        assert_eq!(
            stranger.read(&mut [0; 16]).unwrap_or(0),
            0,
            "closed without a word"
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(14),
        "the silent one after ten seconds"
    );
    media.stop();
}

#[test]
fn hold_resume_and_an_ice_restart_keep_the_keys() {
    let (media, events) = Media::start(config()).unwrap();
    let room = media.open_room();
    let (mut doctor, doctor_id) = joined(&media, room);
    let (mut patient, patient_id) = joined(&media, room);
    media.admit(doctor_id);
    media.admit(patient_id);
    let talk = |doctor: &mut Peer, patient: &mut Peer, words: &'static [u8]| {
        let before = [doctor.heard.len(), patient.heard.len()];
        run(&mut [doctor, patient], 3, |peers| {
            for peer in peers.iter_mut().filter(|peer| peer.connected) {
                peer.talk(words, &[]);
            }
            peers
                .iter()
                .zip(before)
                .all(|(peer, before)| peer.heard.len() > before + 20)
        })
    };
    assert!(talk(&mut doctor, &mut patient, b"hello"));

    // the doctor puts the patient on hold: sends, and takes nothing
    let answer = renegotiated(&media, patient_id, &mut patient, |peer| {
        peer.change(Direction::SendOnly)
    });
    assert!(answer.contains("a=recvonly") && !answer.contains("a=sendrecv"));
    let silence = patient.heard.len();
    assert!(!talk(&mut doctor, &mut patient, b"on hold"));
    assert!(
        patient.heard.len() <= silence + 5,
        "music was not asked for"
    );
    assert!(
        doctor.heard_of(b"on hold") > 20,
        "what the holder sends arrives"
    );
    renegotiated(&media, patient_id, &mut patient, |peer| {
        peer.change(Direction::SendRecv)
    });
    assert!(talk(&mut doctor, &mut patient, b"back again"));

    let before = renegotiated(&media, patient_id, &mut patient, |peer| peer.restart());
    let after = renegotiated(&media, patient_id, &mut patient, |peer| peer.restart());
    let ufrag = |sdp: &str| {
        sdp.lines()
            .find(|line| line.starts_with("a=ice-ufrag"))
            .map(str::to_owned)
    };
    assert_ne!(
        ufrag(&before),
        ufrag(&after),
        "each restart has its own credentials"
    );
    patient.move_to_another_network();
    assert!(talk(&mut doctor, &mut patient, b"on mobile data"));
    assert!(patient.heard_of(b"on mobile data") > 20);
    let handshakes = events
        .try_iter()
        .filter(|e| matches!(e, Event::Connected { .. }))
        .count();
    assert_eq!(handshakes, 2, "DTLS was shaken once for each");
    media.stop();
}

fn renegotiated(
    media: &Media,
    member: clinicall_relay::media::MemberId,
    peer: &mut Peer,
    change: impl FnOnce(&mut Peer) -> clinicall_sip::sdp::Sdp,
) -> String {
    let offer = change(peer);
    let answer = media.renegotiate(member, &offer).unwrap();
    peer.accept(&answer);
    answer.to_string()
}
