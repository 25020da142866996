//! Lost packets, on the way to us and on the way from us.

use clinicall_relay::media::rtcp::Block;

use crate::clinic::*;

#[test]
fn a_lost_packet_is_asked_for_once_and_repaired() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let lost = clinic.picture(PATIENT, false, b"lost");
    clinic.shows(PATIENT, false);
    clinic.told(PATIENT);
    clinic.run(50);
    let asked: Vec<_> = clinic.told(PATIENT);
    let sequence = u16::from_be_bytes([lost[2], lost[3]]);
    let nack = Told::Nack {
        media: video_ssrc(PATIENT),
        lost: vec![sequence],
    };
    assert_eq!(
        asked.iter().filter(|told| **told == nack).count(),
        1,
        "{asked:?}"
    );

    clinic.repairs(PATIENT, &lost, 1);
    clinic.repairs(PATIENT, &lost, 2);
    let seen = clinic.seen(DOCTOR);
    let numbers: Vec<_> = seen
        .iter()
        .map(|got| got.sequence - seen[0].sequence)
        .collect();
    assert_eq!(numbers, [0, 2, 1], "late, once, and where it was missing");
    assert!(seen[2].payload.ends_with(b"lost"));
    clinic.run(2_000);
    assert!(
        clinic
            .told(PATIENT)
            .iter()
            .all(|told| !matches!(told, Told::Nack { .. }))
    );
}

#[test]
fn a_packet_that_took_another_way_is_not_asked_for() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let late = clinic.picture(PATIENT, false, b"late");
    clinic.shows(PATIENT, false);
    clinic.run(5);
    clinic.sends(PATIENT, &late);
    clinic.sends(PATIENT, &late);
    clinic.run(1_000);
    assert_eq!(clinic.seen(DOCTOR).len(), 3);
    assert!(
        clinic
            .told(PATIENT)
            .iter()
            .all(|told| !matches!(told, Told::Nack { .. }))
    );
}

#[test]
fn a_publisher_that_cannot_repair_is_asked_ten_times_and_no_more() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    clinic.picture(PATIENT, false, b"lost for good");
    for _ in 0..100 {
        clinic.shows(PATIENT, false);
        clinic.run(33);
    }
    let told = clinic.told(PATIENT);
    let asked = told
        .iter()
        .filter(|told| matches!(told, Told::Nack { .. }))
        .count();
    assert!((5..=10).contains(&asked), "{asked}");
}

#[test]
fn a_keyframe_ends_the_search_for_what_was_before() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    clinic.run(33);
    clinic.picture(PATIENT, false, b"lost");
    clinic.shows(PATIENT, true);
    clinic.run(2_000);
    assert!(
        clinic
            .told(PATIENT)
            .iter()
            .all(|told| !matches!(told, Told::Nack { .. }))
    );
}

#[test]
fn the_doctor_asks_again_and_gets_it_from_the_relay() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    clinic.shows(PATIENT, false);
    let lost = clinic.seen(DOCTOR).pop().unwrap();
    clinic.told(PATIENT);
    let ask = |clinic: &mut Clinic| {
        clinic.reports(DOCTOR, |writer| {
            writer.nack(1, video_slot(DOCTOR), [lost.sequence])
        });
    };
    ask(&mut clinic);
    let repair = clinic.got(DOCTOR);
    let track = negotiated(DOCTOR).video.unwrap();
    assert_eq!(repair.len(), 1);
    assert_eq!(Some(repair[0].payload_type), track.rtx);
    assert_eq!(Some(repair[0].ssrc), track.local_rtx_ssrc);
    assert_eq!(
        (repair[0].timestamp, repair[0].marker),
        (lost.timestamp, lost.marker)
    );
    assert_eq!(repair[0].payload[..2], lost.sequence.to_be_bytes());
    assert_eq!(repair[0].payload[2..], lost.payload);

    ask(&mut clinic);
    assert_eq!(
        clinic.got(DOCTOR),
        [],
        "the first answer is still under way"
    );
    for _ in 0..10 {
        clinic.run(150);
        clinic.shows(PATIENT, false);
        ask(&mut clinic);
    }
    let again = clinic
        .got(DOCTOR)
        .into_iter()
        .filter(|got| Some(got.payload_type) == track.rtx);
    let sequences: Vec<_> = again.map(|got| got.sequence - repair[0].sequence).collect();
    assert!(
        sequences == [1] || sequences == [1, 2],
        "three times at most: {sequences:?}"
    );
    assert!(
        clinic
            .told(PATIENT)
            .iter()
            .all(|told| !matches!(told, Told::Nack { .. })),
        "the patient has nothing to do with it"
    );
}

#[test]
fn without_a_repair_stream_the_very_same_bytes_are_sent_again() {
    let mut clinic = Clinic::with(&[PATIENT]);
    let mut old = negotiated(DOCTOR);
    let track = old.video.as_mut().unwrap();
    (track.rtx, track.local_rtx_ssrc) = (None, None);
    clinic.joins(DOCTOR, old);
    clinic.admits(DOCTOR);
    clinic.shows(PATIENT, true);
    clinic.shows(PATIENT, false);
    let lost = clinic.seen(DOCTOR).pop().unwrap();
    clinic.speaks(PATIENT, 20, b"meanwhile the transport-wide numbers go on");
    clinic.run(3);
    clinic.reports(DOCTOR, |writer| {
        let block = Block {
            ssrc: video_slot(DOCTOR),
            ..Block::default()
        };
        writer.receiver_report(1, &[block]);
        writer.nack(1, video_slot(DOCTOR), [lost.sequence]);
    });
    // the wire itself asserts that equal numbers are equal bytes
    assert_eq!(clinic.seen(DOCTOR), [lost]);
}

#[test]
fn what_was_never_sent_or_is_long_gone_is_not_answered() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let first = clinic.seen(DOCTOR).pop().unwrap();
    for _ in 0..300 {
        clinic.run(33);
        let big = clinic.picture(PATIENT, false, &[1; 1_000]);
        clinic.sends(PATIENT, &big);
    }
    let last = clinic.seen(DOCTOR).pop().unwrap();
    let ask = [
        first.sequence - 1,
        first.sequence,
        last.sequence + 1,
        last.sequence + 9,
    ];
    clinic.reports(DOCTOR, |writer| {
        writer.nack(1, video_slot(DOCTOR), ask);
        writer.nack(1, audio_slot(DOCTOR), [1, 2, 3]);
        writer.nack(1, 0xdead, [last.sequence]);
    });
    assert_eq!(clinic.got(DOCTOR), []);
}

#[test]
fn padding_to_probe_the_link_is_not_passed_on_and_leaves_no_hole() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    for _ in 0..3 {
        let mut padding = clinic.video(PATIENT, &[0, 0, 0, 4]);
        padding[0] |= 0x20;
        clinic.sends(PATIENT, &padding);
    }
    clinic.shows(PATIENT, false);
    let seen = clinic.seen(DOCTOR);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].sequence, seen[0].sequence + 1);
    clinic.reports(DOCTOR, |writer| {
        writer.nack(1, video_slot(DOCTOR), [seen[1].sequence])
    });
    let repair = clinic.got(DOCTOR).pop().unwrap();
    assert_eq!(repair.payload[2..], seen[1].payload);
}

#[test]
fn a_repair_that_runs_ahead_of_its_packet_does_no_harm() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let next = clinic.picture(PATIENT, false, b"in time");
    // libwebrtc probes the link with copies; one may overtake its original
    clinic.repairs(PATIENT, &next, 1);
    clinic.sends(PATIENT, &next);
    let seen = clinic.seen(DOCTOR);
    assert_eq!(seen.len(), 2);
    assert!(seen[1].payload.ends_with(b"in time"));
}

#[test]
fn packets_from_before_a_new_description_are_not_sent_again_in_a_new_dress() {
    let mut clinic = Clinic::with(&[PATIENT]);
    let mut old = negotiated(DOCTOR);
    let track = old.video.as_mut().unwrap();
    (track.rtx, track.local_rtx_ssrc) = (None, None);
    clinic.joins(DOCTOR, old.clone());
    clinic.admits(DOCTOR);
    clinic.shows(PATIENT, true);
    let lost = clinic.seen(DOCTOR).pop().unwrap();
    let track = old.video.as_mut().unwrap();
    track.payload_type = 120;
    clinic.room.renegotiate(DOCTOR, old.clone(), clinic.now);
    clinic.people.get_mut(&DOCTOR).unwrap().negotiated = old;
    clinic.reports(DOCTOR, |writer| {
        writer.nack(1, video_slot(DOCTOR), [lost.sequence])
    });
    assert_eq!(clinic.seen(DOCTOR), []);
    clinic.shows(PATIENT, true);
    let seen = clinic.seen(DOCTOR).pop().unwrap();
    assert_eq!((seen.payload_type, seen.sequence), (120, lost.sequence + 1));
}

/// What is sent again over a link that loses most of what is sent is lost as well, and so is the speech in whose place
/// it goes.
#[test]
fn nothing_is_asked_for_over_a_flooded_link_and_a_keyframe_when_that_is_over() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let floods = |clinic: &mut Clinic, times: usize| {
        for _ in 0..times {
            for _ in 0..7 {
                clinic.picture(PATIENT, false, b"lost");
            }
            clinic.shows(PATIENT, false);
            clinic.run(100);
        }
        let told = clinic.told(PATIENT);
        let asks = |told: &&Told| matches!(told, Told::Nack { .. } | Told::Pli { .. });
        told.iter().filter(asks).count()
    };
    assert!(floods(&mut clinic, 3) > 0, "so far it may be a bad moment");
    assert_eq!(floods(&mut clinic, 20), 0);
    for _ in 0..20 {
        clinic.shows(PATIENT, false);
        clinic.run(60);
    }
    let told = clinic.told(PATIENT);
    assert!(
        told.iter().any(|told| matches!(told, Told::Pli { .. })),
        "{told:?}"
    );
}
