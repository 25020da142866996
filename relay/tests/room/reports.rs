//! What members are told over RTCP, and what it costs them.

use clinicall_relay::media::{
    rtcp::Block,
    time::{self, middle},
};

use crate::clinic::*;

const LOUD: u8 = 0x80 | 20;

fn report(clinic: &mut Clinic, who: clinicall_relay::media::MemberId) {
    let person = &clinic.people[&who];
    let ntp = time::ntp(clinic.now).wrapping_add(person.clock);
    let (audio, video) = (person.audio_time, person.video_time_at(clinic.now));
    clinic.reports(who, |writer| {
        writer.sender_report(audio_ssrc(who), ntp, audio, (9, 9), &[]);
        writer.sender_report(video_ssrc(who), ntp, video, (9, 9), &[]);
    });
}

#[test]
fn the_patient_learns_how_much_of_it_arrives() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    for turn in 0..100 {
        let packet = clinic.speech(PATIENT, LOUD, b"word");
        if turn % 10 != 3 {
            clinic.sends(PATIENT, &packet);
        }
        if turn == 10 {
            report(&mut clinic, PATIENT);
        }
        clinic.run(20);
    }
    clinic.run(4_000);
    let told = clinic.told(PATIENT);
    let blocks: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            Told::Block(block) if block.ssrc == audio_ssrc(PATIENT) => Some(block),
            _ => None,
        })
        .collect();
    let last = blocks.last().unwrap();
    assert_eq!(last.lost, 10);
    assert!(
        blocks
            .iter()
            .any(|block| (20..40).contains(&block.fraction_lost))
    );
    assert!(blocks.iter().all(|block| block.jitter < 48), "{blocks:?}");
    let ntp = time::ntp(3_600_200 * MS).wrapping_add(clinic.people[&PATIENT].clock);
    assert_eq!(last.last_report, middle(ntp));
    assert!(last.delay > 65_536, "more than a second ago");

    let (came, lost) = told.iter().fold((0, 0), |sum, told| match told {
        Told::Feedback { came, lost } => (sum.0 + came, sum.1 + lost),
        _ => sum,
    });
    assert_eq!(
        (came, lost),
        (90, 10),
        "transport-wide feedback tells the same"
    );
}

#[test]
fn reports_about_speech_alone_stay_below_half_a_kilobit() {
    let mut clinic = Clinic::with(&[DOCTOR]);
    let mut slow = negotiated(PATIENT);
    slow.video = None;
    slow.audio.as_mut().unwrap().extensions.transport_cc = None;
    clinic.joins(PATIENT, slow);
    clinic.admits(PATIENT);
    let seconds = 60;
    for turn in 0..seconds * 50 {
        clinic.speaks(PATIENT, LOUD, &[1; 20]);
        clinic.speaks(DOCTOR, LOUD, &[1; 20]);
        if turn % 250 == 10 {
            let (audio, ntp) = (clinic.people[&DOCTOR].audio_time, time::ntp(clinic.now));
            clinic.reports(DOCTOR, |writer| {
                writer.sender_report(audio_ssrc(DOCTOR), ntp, audio, (1, 1), &[]);
            });
        }
        clinic.run(20);
    }
    let (packets, bytes) = clinic.rtcp_size(PATIENT);
    // IP, UDP, SRTCP index and tag
    let rate = (bytes + packets * (28 + 4 + 10)) * 8 / seconds;
    assert!(rate < 500, "{rate} bit/s in {packets} packets");
    assert!(packets >= 10);
}

/// Whether it is worth saying everything twice.
#[test]
fn a_patient_learns_at_once_that_its_speech_is_lost_and_is_not_told_on_and_on() {
    let mut clinic = Clinic::with(&[DOCTOR]);
    let mut slow = negotiated(PATIENT);
    slow.video = None;
    clinic.joins(PATIENT, slow);
    clinic.admits(PATIENT);
    let mut lossy = |from: u64, to: u64| {
        for turn in from..to {
            let packet = clinic.speech(PATIENT, LOUD, &[1; 20]);
            // the first half second is heard, and reported as such
            if turn < 30 || turn % 5 != 3 {
                clinic.sends(PATIENT, &packet);
            }
            clinic.run(20);
        }
        let told = clinic.told(PATIENT).into_iter();
        told.filter(|told| matches!(told, Told::Block(block) if block.fraction_lost > 25))
            .count()
    };
    assert_eq!(lossy(0, 140), 2, "in less than three seconds");
    assert_eq!(lossy(140, 390), 2, "in five more");
}

#[test]
fn feedback_about_a_small_picture_takes_a_small_part_of_the_link() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    let mut sent = 0;
    // 64 kbit/s
    for turn in 0..1_000_u32 {
        clinic.speaks(PATIENT, LOUD, &[1; 20]);
        if turn.is_multiple_of(4) {
            let picture = clinic.picture(PATIENT, turn == 0, &[1; 300]);
            sent += picture.len() + 38;
            clinic.sends(PATIENT, &picture);
        }
        sent += 20 + 12 + 38;
        clinic.run(20);
    }
    let (packets, bytes) = clinic.rtcp_size(PATIENT);
    let cost = bytes + packets * 42;
    assert!(cost * 100 / sent < 9, "{cost} bytes about {sent}");
    assert!(packets > 60, "several times a second: {packets}");
}

#[test]
fn the_relay_knows_how_far_the_doctor_is_and_what_he_lost() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    report(&mut clinic, PATIENT);
    clinic.run(1_000);
    let sent = clinic.told(DOCTOR).into_iter().find_map(|told| match told {
        Told::Sent { ssrc, ntp, .. } if ssrc == video_slot(DOCTOR) => Some(ntp),
        _ => None,
    });
    let sent = sent.unwrap();
    let sent_at = clinic.now - time::ntp_difference(time::ntp(clinic.now), sent) as u64;
    clinic.run(300);
    let waited = clinic.now - sent_at - 120 * MS;
    clinic.reports(DOCTOR, |writer| {
        let block = Block {
            ssrc: video_slot(DOCTOR),
            fraction_lost: 64,
            lost: 17,
            last_report: middle(sent),
            delay: time::to_middle(waited),
            ..Block::default()
        };
        writer.receiver_report(1, &[block]);
    });
    let stats = clinic.room.stats(DOCTOR).unwrap();
    assert!(stats.rtt.unwrap().abs_diff(120 * MS) < 100, "{stats:?}");
    assert_eq!(
        (
            stats.sent_lost,
            stats.sent_fraction_lost,
            stats.sent_packets
        ),
        (17, 64, 1)
    );
    let stats = clinic.room.stats(PATIENT).unwrap();
    assert_eq!((stats.received_packets, stats.received_lost), (1, 0));
}

#[test]
fn a_room_full_of_impatient_receivers_asks_the_patient_twice_a_second() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT, INTERPRETER]);
    clinic.shows(PATIENT, true);
    clinic.run(2_000);
    clinic.told(PATIENT);
    for turn in 0..100 {
        for who in [DOCTOR, INTERPRETER] {
            clinic.reports(who, |writer| writer.pli(1, video_slot(who)));
            clinic.reports(who, |writer| writer.fir(1, video_slot(who), turn));
        }
        clinic.shows(PATIENT, false);
        clinic.run(20);
    }
    let told = clinic.told(PATIENT);
    let asked = told
        .iter()
        .filter(|told| matches!(told, Told::Pli { .. }))
        .count();
    assert!((3..=5).contains(&asked), "{asked} in two seconds");
    assert!(clinic.room.stats(DOCTOR).unwrap().keyframes_wanted == 200);
}

#[test]
fn a_silent_room_wakes_seldom() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    clinic.speaks(DOCTOR, LOUD, b"goodbye");
    clinic.run(10_000);
    let (mut wakes, end) = (0, clinic.now + 10_000 * MS);
    while clinic.room.next_wake().is_some_and(|wake| wake < end) {
        let wake = clinic.room.next_wake().unwrap();
        clinic.run((wake - clinic.now).div_ceil(MS).max(1));
        wakes += 1;
    }
    assert!(wakes <= 20, "{wakes} in ten seconds");
}

#[test]
fn the_doctor_sends_no_more_than_the_patient_can_take() {
    let mut clinic = Clinic::with(&[DOCTOR]);
    let mut village = negotiated(PATIENT);
    village.video.as_mut().unwrap().bandwidth = Some(256_000);
    clinic.joins(PATIENT, village);
    clinic.admits(PATIENT);
    let mut rembs: Vec<(u32, u64)> = Vec::new();
    for turn in 0..3_000_u32 {
        clinic.speaks(DOCTOR, LOUD, &[1; 30]);
        // the doctor's browser takes what it is given, and counts no header extensions
        let most = rembs.last().map_or(400_000, |(_, most)| *most);
        let size = most.saturating_sub(32_000) as usize / 8 / 50 + 8;
        let body = vec![1; size.clamp(20, 1_000)];
        let picture = clinic.picture(DOCTOR, turn == 0, &body);
        clinic.sends(DOCTOR, &picture);
        if turn.is_multiple_of(50) {
            // from the tenth second to the twentieth a third is lost
            let lossy = (500..1_000).contains(&turn);
            clinic.reports(PATIENT, |writer| {
                let fraction_lost = if lossy { 85 } else { 0 };
                let ssrc = video_slot(PATIENT);
                writer.receiver_report(
                    1,
                    &[Block {
                        ssrc,
                        fraction_lost,
                        ..Block::default()
                    }],
                );
            });
        }
        clinic.run(20);
        rembs.extend(
            clinic
                .told(DOCTOR)
                .into_iter()
                .filter_map(|told| match told {
                    Told::Remb { bitrate } => Some((turn / 50, bitrate)),
                    _ => None,
                }),
        );
    }
    let at = |second: u32| {
        rembs
            .iter()
            .rev()
            .find(|(turn, _)| *turn <= second)
            .unwrap()
            .1
    };
    // speech of 32 kbit/s beside the picture
    assert!(
        (256_000..300_000).contains(&at(9)),
        "what its page asked for: {rembs:?}"
    );
    assert!((50_000..90_000).contains(&at(19)), "{rembs:?}");
    assert!((256_000..300_000).contains(&at(59)), "and back: {rembs:?}");
    assert!(rembs.len() < 60);
}
