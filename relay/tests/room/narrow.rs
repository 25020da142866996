//! Links too narrow for a picture.

use clinicall_relay::media::{downlink::Limits, rtcp::Block};

use crate::clinic::*;

const LOUD: u8 = 0x80 | 20;

/// The doctor speaks, and shows a picture of so many kbit/s, for so many seconds.
fn goes_on(clinic: &mut Clinic, seconds: u64, kbps: usize) {
    for turn in 0..seconds * 50 {
        clinic.speaks(DOCTOR, LOUD, &[1; 30]);
        // 25 pictures a second, of 50 bytes around
        if turn % 2 == 0 {
            let picture = clinic.picture(DOCTOR, turn % 100 == 0, &vec![7; kbps * 5 - 50]);
            clinic.sends(DOCTOR, &picture);
        }
        clinic.run(20);
    }
}

/// Pictures and words that came through since the last look.
fn came(clinic: &mut Clinic, who: clinicall_relay::media::MemberId) -> (usize, usize) {
    let got = clinic.got(who);
    let pictures = got.iter().filter(|got| got.ssrc == video_slot(who)).count();
    let words = got.iter().filter(|got| got.ssrc == audio_slot(who)).count();
    (pictures, words)
}

#[test]
fn who_wants_no_picture_hears_the_doctor_all_the_same() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    let speech = Limits {
        audio: Some(15_000),
        video: Some(0),
    };
    clinic.room.limit(PATIENT, speech, clinic.now);
    goes_on(&mut clinic, 4, 100);
    assert_eq!(came(&mut clinic, PATIENT), (0, 200));
    // the link is better now: the picture begins with a keyframe
    clinic.room.limit(PATIENT, Limits::default(), clinic.now);
    goes_on(&mut clinic, 4, 100);
    let seen = clinic.seen(PATIENT);
    assert!(seen.len() > 20, "{}", seen.len());
    assert_eq!(seen[0].payload[6], 0, "VP8: the first is a keyframe");
}

#[test]
fn a_publisher_that_does_not_listen_is_paused_and_asked_for_less() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT, INTERPRETER]);
    let slow = Limits {
        audio: Some(40_000),
        video: Some(60_000),
    };
    clinic.room.limit(PATIENT, slow, clinic.now);
    goes_on(&mut clinic, 6, 400);
    came(&mut clinic, PATIENT);
    came(&mut clinic, INTERPRETER);
    let asked = clinic.told(DOCTOR);
    assert!(
        asked
            .iter()
            .any(|told| matches!(told, Told::Remb { bitrate } if *bitrate < 120_000)),
        "{asked:?}"
    );
    goes_on(&mut clinic, 4, 400);
    assert_eq!(came(&mut clinic, PATIENT), (0, 200));
    assert_eq!(came(&mut clinic, INTERPRETER).0, 100, "the others see");
    // it listens at last
    goes_on(&mut clinic, 10, 50);
    assert!(came(&mut clinic, PATIENT).0 > 50);
}

#[test]
fn a_link_that_loses_most_of_it_carries_speech() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    for _ in 0..6 {
        goes_on(&mut clinic, 1, 400);
        clinic.reports(PATIENT, |writer| {
            let block = |ssrc| Block {
                ssrc,
                fraction_lost: 170,
                ..Block::default()
            };
            writer.receiver_report(9, &[block(audio_slot(PATIENT)), block(video_slot(PATIENT))]);
        });
    }
    came(&mut clinic, PATIENT);
    goes_on(&mut clinic, 2, 400);
    let (pictures, words) = came(&mut clinic, PATIENT);
    assert_eq!((pictures, words), (0, 100));
}

#[test]
fn who_sends_no_reports_is_not_taken_for_dead() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    goes_on(&mut clinic, 10, 400);
    assert_eq!(came(&mut clinic, PATIENT).0, 250);
}

#[test]
fn a_picture_that_comes_late_while_the_link_is_busy_is_sent_once_and_nothing_with_it() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    let slow = Limits {
        audio: Some(40_000),
        video: Some(60_000),
    };
    clinic.room.limit(PATIENT, slow, clinic.now);
    clinic.shows(DOCTOR, true);
    clinic.run(100);
    let late = clinic.picture(DOCTOR, false, &[7; 500]);
    for _ in 0..3 {
        clinic.shows(DOCTOR, false);
        clinic.run(100);
    }
    // the line is busy with this one
    let large = clinic.picture(DOCTOR, false, &[7; 1_000]);
    clinic.sends(DOCTOR, &large);
    clinic.sends(DOCTOR, &late);
    clinic.run(500);
    // the wire itself asserts that equal numbers are equal bytes
    let sequences: Vec<_> = clinic
        .seen(PATIENT)
        .iter()
        .map(|got| got.sequence)
        .collect();
    let first = sequences[0];
    let order: Vec<_> = sequences.iter().map(|sequence| sequence - first).collect();
    assert_eq!(order, [0, 2, 3, 4, 5, 1]);
}
