//! Visits through the relay's media, with `str0m` at both ends.

#[path = "media_support/peer.rs"]
mod peer;

use std::time::{Duration, Instant};

use clinicall_relay::media::{Event, Media, Wants};
use peer::{Peer, config, joined, run};
use str0m::media::MediaKind;

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
    std::thread::sleep(Duration::from_millis(50));
    run(&mut [&mut doctor, &mut patient], 1, |_| true);
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
