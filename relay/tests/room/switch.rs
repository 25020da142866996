//! A slot whose source changes: one stream to its receiver.

use clinicall_relay::media::{MemberId, time, vp8::Descriptor};

use crate::clinic::*;

const LOUD: u8 = 0x80 | 20;
const SILENT: u8 = 127;

/// Everybody talks or is silent for a while, with 25 pictures a second; a keyframe follows a PLI.
/// What the doctor was told.
fn talk(clinic: &mut Clinic, milliseconds: u64, speaker: MemberId) -> Vec<Told> {
    let people: Vec<_> = clinic.people.keys().copied().collect();
    let mut doctor = Vec::new();
    for turn in 0..milliseconds / 20 {
        for &who in &people {
            clinic.speaks(
                who,
                if who == speaker { LOUD } else { SILENT },
                &[who.0 as u8; 40],
            );
            let told = clinic.told(who);
            let asked = told.contains(&Told::Pli {
                media: video_ssrc(who),
            });
            if asked || turn % 2 == 0 {
                clinic.shows(who, asked);
            }
            if who == DOCTOR {
                doctor.extend(told);
            }
        }
        clinic.run(20);
    }
    doctor
}

#[test]
fn in_a_round_of_three_everybody_sees_who_speaks() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT, INTERPRETER]);
    talk(&mut clinic, 2_000, PATIENT);
    assert_eq!(clinic.room.speaker(), Some(PATIENT));
    clinic.seen(DOCTOR);
    talk(&mut clinic, 1_000, PATIENT);
    let shown = |got: &Got| got.payload[7];
    assert!(clinic.seen(DOCTOR).iter().all(|got| shown(got) == 2));
    talk(&mut clinic, 3_000, INTERPRETER);
    let seen = clinic.seen(DOCTOR);
    assert_eq!(seen.iter().map(shown).next_back(), Some(3));
    let interpreter = clinic.seen(INTERPRETER);
    assert_eq!(
        interpreter.iter().map(shown).next_back(),
        Some(2),
        "the one before"
    );
}

#[test]
fn who_has_a_narrow_link_and_tells_no_level_is_seen_when_speaking() {
    let mut clinic = Clinic::with(&[DOCTOR, INTERPRETER]);
    let mut narrow = negotiated(PATIENT);
    let audio = narrow.audio.as_mut().unwrap();
    (audio.dtx, audio.extensions.audio_level) = (true, None);
    clinic.joins(PATIENT, narrow);
    clinic.admits(PATIENT);
    talk(&mut clinic, 1_500, INTERPRETER);
    // the patient's packets come all the time: as if the room were noisy
    assert_eq!(clinic.room.speaker(), Some(INTERPRETER));
    talk(&mut clinic, 2_000, PATIENT);
    assert_eq!(clinic.room.speaker(), Some(PATIENT));
    talk(&mut clinic, 2_000, DOCTOR);
    assert_eq!(clinic.room.speaker(), Some(DOCTOR));
}

#[test]
fn the_stream_goes_on_across_a_change_of_speaker() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT, INTERPRETER]);
    for speaker in [PATIENT, INTERPRETER, PATIENT, DOCTOR, INTERPRETER] {
        talk(&mut clinic, 2_500, speaker);
    }
    let seen = clinic.seen(DOCTOR);
    let sources: Vec<_> = seen.iter().map(|got| got.payload[7]).collect();
    let changes = sources.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes >= 3, "the picture changed {changes} times");
    for pair in seen.windows(2) {
        let [before, after] = pair else {
            unreachable!()
        };
        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        let ticks = after.timestamp.wrapping_sub(before.timestamp);
        assert!(
            (1..90_000).contains(&ticks),
            "time goes on, and not too fast: {ticks}"
        );
        let counters = |got: &Got| {
            let descriptor = Descriptor::parse(&got.payload).unwrap();
            (
                descriptor.picture_id.unwrap().value,
                descriptor.tl0.unwrap().0,
            )
        };
        let ((picture, tl0), (next, next_tl0)) = (counters(before), counters(after));
        assert_eq!(
            (next, next_tl0),
            ((picture + 1) & 0x7fff, tl0.wrapping_add(1))
        );
        if before.payload[7] != after.payload[7] {
            assert!(Descriptor::parse(&after.payload).unwrap().keyframe_start);
        }
    }
}

#[test]
fn a_repair_after_the_change_is_of_the_one_before() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT, INTERPRETER]);
    talk(&mut clinic, 2_000, PATIENT);
    clinic.got(DOCTOR);
    let mut seen = Vec::new();
    while seen.last().is_none_or(|got: &Got| got.payload[7] != 3) {
        talk(&mut clinic, 20, INTERPRETER);
        seen.extend(clinic.seen(DOCTOR));
    }
    let [.., last, _] = &seen[..] else {
        panic!("two pictures")
    };
    assert_eq!(last.payload[7], 2);
    clinic.reports(DOCTOR, |writer| {
        writer.nack(1, video_slot(DOCTOR), [last.sequence])
    });
    let repair = clinic.got(DOCTOR).pop().unwrap();
    assert_eq!(repair.payload[..2], last.sequence.to_be_bytes());
    assert_eq!(repair.payload[2..], last.payload);
}

#[test]
fn a_page_that_builds_its_sender_anew_goes_on_in_the_same_stream() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let before = clinic.seen(DOCTOR).pop().unwrap();
    let other = |clinic: &mut Clinic, key| {
        let mut packet = clinic.picture(PATIENT, key, b"other camera");
        packet[8..12].copy_from_slice(&0x0123_4567_u32.to_be_bytes());
        packet[2] = packet[2].wrapping_add(90);
        clinic.sends(PATIENT, &packet);
    };
    other(&mut clinic, true);
    assert_eq!(clinic.seen(DOCTOR), [], "one stream at a time");
    clinic.run(700);
    other(&mut clinic, false);
    let asked = clinic
        .told(PATIENT)
        .contains(&Told::Pli { media: 0x0123_4567 });
    assert!(
        asked,
        "numbers of the old stream mean nothing in the new one"
    );
    other(&mut clinic, true);
    let after = clinic.seen(DOCTOR).pop().unwrap();
    assert_eq!(after.sequence, before.sequence + 1);
}

#[test]
fn a_number_of_the_old_stream_is_not_answered_with_the_new_one() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    let first = clinic.picture(PATIENT, true, b"old stream");
    clinic.sends(PATIENT, &first);
    let old = clinic.seen(DOCTOR).pop().unwrap();
    clinic.run(700);
    let mut second = clinic.picture(PATIENT, true, b"new stream");
    second[2..4].copy_from_slice(&first[2..4]);
    second[8..12].copy_from_slice(&0x0123_4567_u32.to_be_bytes());
    clinic.sends(PATIENT, &second);
    assert!(clinic.seen(DOCTOR)[0].payload.ends_with(b"new stream"));
    clinic.reports(DOCTOR, |writer| {
        writer.nack(1, video_slot(DOCTOR), [old.sequence])
    });
    assert_eq!(clinic.got(DOCTOR), []);
}

#[test]
fn a_colleague_who_joins_sees_the_picture_at_once() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    for _ in 0..20 {
        clinic.shows(PATIENT, false);
        clinic.run(33);
    }
    clinic.told(PATIENT);
    clinic.joins(INTERPRETER, negotiated(INTERPRETER));
    clinic.admits(INTERPRETER);
    clinic.shows(PATIENT, false);
    let seen = clinic.seen(INTERPRETER);
    assert_eq!(seen.len(), 22, "everything since the keyframe");
    assert!(Descriptor::parse(&seen[0].payload).unwrap().keyframe_start);
    assert_eq!(clinic.seen(DOCTOR).len(), 22);
    clinic.run(1_000);
    let plis = clinic
        .told(PATIENT)
        .into_iter()
        .filter(|told| matches!(told, Told::Pli { .. }));
    assert_eq!(plis.count(), 0, "the patient's uplink was spared");
}

/// Where in the sender's time (µs) the receiver places an RTP timestamp, by our last report.
fn placed(told: &[Told], slot: u32, timestamp: u32, clock_rate: u64) -> i64 {
    let last = told.iter().rev().find_map(|told| match told {
        Told::Sent { ssrc, ntp, rtp, .. } if *ssrc == slot => Some((*ntp, *rtp)),
        _ => None,
    });
    let (ntp, rtp) = last.unwrap_or_else(|| panic!("a report about {slot:x}"));
    let ticks = i64::from(timestamp.wrapping_sub(rtp) as i32);
    time::ntp_difference(ntp, 0) + ticks * 1_000_000 / clock_rate as i64
}

#[test]
fn lip_sync_survives_a_switch() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT, INTERPRETER]);
    for speaker in [PATIENT, INTERPRETER, PATIENT] {
        for _ in 0..4 {
            talk(&mut clinic, 500, speaker);
            // browsers report both streams, on wall clocks of their own
            for who in [PATIENT, INTERPRETER] {
                let person = &clinic.people[&who];
                let ntp = time::ntp(clinic.now).wrapping_add(person.clock);
                let (audio, video) = (person.audio_time, person.video_time_at(clinic.now));
                // the camera is 80 ms behind the microphone
                let video = video.wrapping_sub(80 * 90);
                clinic.reports(who, |writer| {
                    writer.sender_report(audio_ssrc(who), ntp, audio, (1, 1), &[]);
                    writer.sender_report(video_ssrc(who), ntp, video, (1, 1), &[]);
                });
            }
        }
        clinic.got(DOCTOR);
        let told = talk(&mut clinic, 1_500, speaker);
        let got = clinic.got(DOCTOR);
        let newest = |slot: u32| {
            let got = got.iter().rev().find(|got| got.ssrc == slot).unwrap();
            assert_eq!(
                *got.payload.last().unwrap(),
                speaker.0 as u8,
                "who is in the slot"
            );
            got.timestamp
        };
        let audio = placed(
            &told,
            audio_slot(DOCTOR),
            newest(audio_slot(DOCTOR)),
            48_000,
        );
        let video = placed(
            &told,
            video_slot(DOCTOR),
            newest(video_slot(DOCTOR)),
            90_000,
        );
        // the last picture is from the turn of the last word or the one before
        let apart = (video - audio) / 1_000;
        assert!(
            (59..=81).contains(&apart),
            "the picture belongs {apart} ms after the voice"
        );
    }
}

#[test]
fn an_iphones_picture_is_replayed_with_its_parameter_sets() {
    use clinicall_relay::media::negotiated::Codec;
    let iphone = |who| {
        let mut negotiated = negotiated(who);
        let fmtp = "packetization-mode=1;profile-level-id=42e01f".to_owned();
        negotiated.video.as_mut().unwrap().codec = Codec::H264 { fmtp };
        negotiated
    };
    let mut clinic = Clinic::with(&[]);
    for who in [DOCTOR, PATIENT] {
        clinic.joins(who, iphone(who));
        clinic.admits(who);
    }
    // parameter sets in a packet of their own, the picture in two fragments, then another picture
    let (sets, first, second) = ([0x67, 1, 2], [0x7c, 0x85, 3], [0x7c, 0x45, 4]);
    for payload in [sets, first, second] {
        let packet = clinic.video(PATIENT, &payload);
        clinic.sends(PATIENT, &packet);
    }
    clinic.run(33);
    let packet = clinic.video(PATIENT, &[0x41, 5, 6]);
    clinic.sends(PATIENT, &packet);
    clinic.joins(INTERPRETER, iphone(INTERPRETER));
    clinic.admits(INTERPRETER);
    clinic.run(33);
    let packet = clinic.video(PATIENT, &[0x41, 7, 8]);
    clinic.sends(PATIENT, &packet);
    let seen: Vec<_> = clinic
        .seen(INTERPRETER)
        .into_iter()
        .map(|got| got.payload)
        .collect();
    assert_eq!(seen, [sets, first, second, [0x41, 5, 6], [0x41, 7, 8]]);
}

#[test]
fn after_a_short_hold_nothing_said_meanwhile_is_replayed() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let mut hold = negotiated(DOCTOR);
    hold.video.as_mut().unwrap().receives = false;
    clinic.room.renegotiate(DOCTOR, hold, clinic.now);
    clinic.run(100);
    clinic.shows(PATIENT, false);
    clinic
        .room
        .renegotiate(DOCTOR, negotiated(DOCTOR), clinic.now);
    clinic.seen(DOCTOR);
    clinic.told(PATIENT);
    clinic.shows(PATIENT, false);
    assert_eq!(clinic.seen(DOCTOR), []);
    clinic.run(50);
    assert!(clinic.told(PATIENT).contains(&Told::Pli {
        media: video_ssrc(PATIENT)
    }));
}

#[test]
fn the_clock_of_a_new_speaker_is_told_at_once() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let ntp = time::ntp(clinic.now);
    let video = clinic.people[&PATIENT].video_time_at(clinic.now);
    clinic.reports(PATIENT, |writer| {
        writer.sender_report(video_ssrc(PATIENT), ntp, video, (1, 1), &[]);
    });
    clinic.run(60);
    let sent = |told: &Told| matches!(told, Told::Sent { ssrc, .. } if *ssrc == video_slot(DOCTOR));
    assert!(clinic.told(DOCTOR).iter().any(sent));

    clinic.joins(INTERPRETER, negotiated(INTERPRETER));
    clinic.admits(INTERPRETER);
    clinic.shows(PATIENT, false);
    clinic.run(60);
    let slot = video_slot(INTERPRETER);
    let told = clinic.told(INTERPRETER);
    assert!(
        told.iter()
            .any(|told| matches!(told, Told::Sent { ssrc, .. } if *ssrc == slot))
    );
}
