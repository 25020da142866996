//! Who hears and sees whom, and from when on.

use clinicall_relay::media::MemberId;

use crate::clinic::*;

const LOUD: u8 = 0x80 | 20;

#[test]
fn nobody_hears_the_patient_before_the_doctor_accepts() {
    let mut clinic = Clinic::with(&[PATIENT]);
    clinic.joins(DOCTOR, negotiated(DOCTOR));
    clinic.speaks(PATIENT, LOUD, b"anybody there?");
    clinic.shows(PATIENT, true);
    clinic.speaks(DOCTOR, LOUD, b"(to the nurse)");
    clinic.run(3_000);
    assert_eq!(clinic.got(DOCTOR), []);
    assert_eq!(clinic.got(PATIENT), []);

    clinic.admits(DOCTOR);
    assert_eq!(clinic.got(DOCTOR), [], "what was said before stays unsaid");
    clinic.speaks(PATIENT, LOUD, b"hello");
    clinic.speaks(DOCTOR, LOUD, b"good morning");
    assert_eq!(clinic.got(DOCTOR)[0].payload, b"hello");
    assert_eq!(clinic.got(PATIENT)[0].payload, b"good morning");
}

#[test]
fn nothing_reaches_who_was_not_let_in_while_others_talk() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.joins(INTERPRETER, negotiated(INTERPRETER));
    for _ in 0..100 {
        clinic.speaks(PATIENT, LOUD, b"it hurts");
        clinic.shows(PATIENT, true);
        clinic.speaks(INTERPRETER, LOUD, b"let me in");
        clinic.picture(INTERPRETER, false, b"lost, and nobody minds");
        clinic.shows(INTERPRETER, false);
        clinic.run(20);
    }
    assert_eq!(clinic.got(INTERPRETER), []);
    let told = clinic.told(INTERPRETER);
    assert!(
        told.iter()
            .all(|told| matches!(told, Told::Block(_) | Told::Feedback { .. }))
    );
    assert!(
        clinic
            .got(DOCTOR)
            .iter()
            .all(|got| got.payload != b"let me in")
    );
}

#[test]
fn who_waits_outside_takes_nobodys_place() {
    let mut clinic = Clinic::with(&[DOCTOR]);
    clinic.joins(INTERPRETER, negotiated(INTERPRETER));
    clinic.speaks(INTERPRETER, LOUD, b"I am early");
    clinic.joins(PATIENT, negotiated(PATIENT));
    clinic.admits(PATIENT);
    clinic.speaks(INTERPRETER, LOUD, b"hello?");
    clinic.speaks(PATIENT, 127, b"hello");
    let heard: Vec<_> = clinic
        .got(DOCTOR)
        .into_iter()
        .map(|got| got.payload)
        .collect();
    assert_eq!(heard, [b"hello"]);
}

#[test]
fn a_packet_wears_the_receivers_numbers() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.speaks(PATIENT, LOUD, b"hello");
    let got = clinic.got(DOCTOR).remove(0);
    let track = negotiated(DOCTOR).audio.unwrap();
    assert_eq!(
        (got.payload_type, got.ssrc),
        (track.payload_type, audio_slot(DOCTOR))
    );
    assert_eq!((got.mid.as_deref(), got.level), (Some("a"), Some(LOUD)));
    assert_eq!(got.transport_cc, Some(1));
    clinic.speaks(PATIENT, LOUD, b"again");
    let again = clinic.got(DOCTOR).remove(0);
    assert_eq!(again.sequence, got.sequence + 1);
    assert_eq!(again.timestamp, got.timestamp.wrapping_add(960));
    assert_eq!(again.transport_cc, Some(2));
}

#[test]
fn the_mid_is_not_repeated_once_the_receiver_knows_the_stream() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.speaks(PATIENT, LOUD, b"one");
    clinic.reports(DOCTOR, |writer| {
        let block = clinicall_relay::media::rtcp::Block {
            ssrc: audio_slot(DOCTOR),
            ..Default::default()
        };
        writer.receiver_report(audio_ssrc(DOCTOR), &[block]);
    });
    clinic.speaks(PATIENT, LOUD, b"two");
    let mids: Vec<_> = clinic.got(DOCTOR).into_iter().map(|got| got.mid).collect();
    assert_eq!(mids, [Some("a".to_owned()), None]);
}

#[test]
fn the_doctor_sees_the_patient_from_the_first_keyframe() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, false);
    clinic.shows(PATIENT, false);
    assert_eq!(clinic.seen(DOCTOR), []);
    let media = video_ssrc(PATIENT);
    clinic.run(400);
    let told = clinic.told(PATIENT);
    assert_eq!(
        told.iter()
            .filter(|told| **told == Told::Pli { media })
            .count(),
        1,
        "{told:?}"
    );
    clinic.shows(PATIENT, true);
    clinic.shows(PATIENT, false);
    let seen = clinic.seen(DOCTOR);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].sequence, seen[0].sequence + 1);
    clinic.run(5_000);
    assert!(
        !clinic.told(PATIENT).contains(&Told::Pli { media }),
        "it came"
    );
}

#[test]
fn a_phone_that_asks_by_sip_gets_a_keyframe_like_one_that_asks_by_rtcp() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    clinic.run(2_000);
    let plis = |clinic: &mut Clinic| {
        let told = clinic.told(PATIENT);
        told.iter()
            .filter(|told| matches!(told, Told::Pli { .. }))
            .count()
    };
    plis(&mut clinic);
    clinic.shows(PATIENT, false);
    clinic.run(100);
    assert_eq!(plis(&mut clinic), 0);
    let now = clinic.now;
    clinic.room.request_key_frame(DOCTOR, now);
    // nobody shows the patient anything: nothing to ask for
    clinic.room.request_key_frame(PATIENT, now);
    clinic.shows(PATIENT, false);
    clinic.run(100);
    assert_eq!(plis(&mut clinic), 1);
    assert!(
        !clinic
            .told(DOCTOR)
            .iter()
            .any(|told| matches!(told, Told::Pli { .. }))
    );
}

#[test]
fn who_left_is_neither_heard_nor_sent_anything() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.speaks(PATIENT, LOUD, b"hello");
    clinic.leaves(DOCTOR);
    clinic.got(DOCTOR);
    clinic.told(DOCTOR);
    clinic.speaks(PATIENT, LOUD, b"hello?");
    clinic.speaks(DOCTOR, LOUD, b"still here");
    clinic.run(10_000);
    assert_eq!(clinic.got(DOCTOR), []);
    assert_eq!(clinic.told(DOCTOR), []);
    assert_eq!(clinic.got(PATIENT), []);
    clinic.leaves(PATIENT);
    assert!(clinic.room.is_empty());
    assert_eq!(clinic.room.next_wake(), None, "an empty room sleeps");
}

#[test]
fn two_hundred_students_watch_one_operation() {
    let surgeon = MemberId(1);
    let mut clinic = Clinic::with(&[surgeon]);
    for id in 2..202 {
        let mut student = negotiated(MemberId(id));
        for track in [&mut student.audio, &mut student.video]
            .into_iter()
            .flatten()
        {
            track.sends = false;
        }
        clinic.joins(MemberId(id), student);
        clinic.admits(MemberId(id));
    }
    clinic.shows(surgeon, true);
    clinic.speaks(surgeon, LOUD, b"scalpel");
    clinic.shows(surgeon, false);
    for id in 2..202 {
        assert_eq!(clinic.got(MemberId(id)).len(), 3, "student {id}");
    }
    assert_eq!(clinic.got(surgeon), []);
}

#[test]
fn a_call_without_video_on_one_side_is_a_call() {
    let mut clinic = Clinic::with(&[DOCTOR]);
    let mut phone = negotiated(PATIENT);
    phone.video = None;
    clinic.joins(PATIENT, phone);
    clinic.admits(PATIENT);
    clinic.shows(DOCTOR, true);
    clinic.speaks(DOCTOR, LOUD, b"hello");
    assert_eq!(clinic.got(PATIENT).len(), 1);
    clinic.speaks(PATIENT, LOUD, b"hello");
    assert_eq!(clinic.got(DOCTOR).len(), 1);
}

#[test]
fn on_hold_nothing_is_sent_and_after_it_the_picture_begins_anew() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let before = clinic.seen(DOCTOR).remove(0);
    let mut hold = negotiated(DOCTOR);
    for track in [&mut hold.audio, &mut hold.video].into_iter().flatten() {
        track.receives = false;
    }
    clinic.room.renegotiate(DOCTOR, hold, clinic.now);
    clinic.shows(PATIENT, false);
    clinic.speaks(PATIENT, LOUD, b"are you there?");
    assert_eq!(clinic.got(DOCTOR), []);
    clinic.run(10_000);
    clinic.told(PATIENT);

    clinic
        .room
        .renegotiate(DOCTOR, negotiated(DOCTOR), clinic.now);
    clinic.shows(PATIENT, false);
    assert!(clinic.told(PATIENT).contains(&Told::Pli {
        media: video_ssrc(PATIENT)
    }));
    clinic.shows(PATIENT, true);
    let after = clinic.seen(DOCTOR).remove(0);
    assert_eq!(after.sequence, before.sequence + 1);
    assert_eq!(
        after.timestamp.wrapping_sub(before.timestamp),
        900_000,
        "ten seconds"
    );
}
