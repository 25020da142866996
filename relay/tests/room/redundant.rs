//! Speech on lossy links: carried along by the next packets (RFC 2198) to and from who loses some.

use clinicall_relay::media::{
    MemberId, downlink::Limits, lane::Kind, red::Bundle, rtcp::Block, rtp::Packet,
};

use crate::clinic::*;

const SECOND: u64 = 1_000;
/// Milliseconds of speech in a packet of the clinic's people.
const FRAME: u64 = 20;

/// Everybody understands RED.
fn clinic(people: &[MemberId]) -> Clinic {
    let mut clinic = Clinic::with(&[]);
    for who in people {
        let mut negotiated = negotiated(*who);
        if let Some(track) = &mut negotiated.audio {
            track.red = Some(60 + who.0 as u8);
        }
        clinic.joins(*who, negotiated);
        clinic.admits(*who);
    }
    clinic
}

fn said(turn: u64) -> Vec<u8> {
    let mut payload = vec![0x55; 20];
    payload[..8].copy_from_slice(&turn.to_be_bytes());
    payload
}

/// The listener tells what it lost of speech, of 256.
fn loses(clinic: &mut Clinic, who: MemberId, fraction_lost: u8) {
    clinic.reports(who, |writer| {
        let block = Block {
            ssrc: audio_slot(who),
            fraction_lost,
            ..Block::default()
        };
        writer.receiver_report(audio_ssrc(who), &[block]);
    });
}

/// The doctor speaks for a while; what comes out for somebody.
fn heard_of_doctor(clinic: &mut Clinic, who: MemberId, turns: std::ops::Range<u64>) -> Vec<Got> {
    for turn in turns {
        clinic.speaks(DOCTOR, 30, &said(turn));
        clinic.run(FRAME);
    }
    let mut got = clinic.got(who);
    got.retain(|got| got.ssrc == audio_slot(who));
    got
}

/// The redundant ones of these packets.
fn bundles(who: MemberId, got: &[Got]) -> usize {
    got.iter()
        .filter(|got| got.payload_type == 60 + who.0 as u8)
        .count()
}

/// What of these turns reaches somebody who loses every nth packet.
fn understood(who: MemberId, got: &[Got], lost: impl Fn(usize) -> bool) -> Vec<u64> {
    let codec = negotiated(who).audio.unwrap().payload_type;
    let turn = |payload: &[u8]| u64::from_be_bytes(*payload.first_chunk().unwrap());
    let mut turns: Vec<u64> = Vec::new();
    for (_, got) in got.iter().enumerate().filter(|(at, _)| !lost(*at)) {
        if got.payload_type == codec {
            turns.push(turn(&got.payload));
            continue;
        }
        let bundle = Bundle::of(&got.payload, codec).unwrap();
        turns.extend(bundle.older.iter().flatten().map(|(_, older)| turn(older)));
        turns.push(turn(bundle.newest));
    }
    turns.sort_unstable();
    turns.dedup();
    turns
}

#[test]
fn a_patient_who_loses_packets_hears_every_word_and_the_interpreter_pays_nothing_for_it() {
    let mut clinic = clinic(&[DOCTOR, PATIENT, INTERPRETER]);
    heard_of_doctor(&mut clinic, PATIENT, 0..10);
    loses(&mut clinic, PATIENT, 13);
    loses(&mut clinic, PATIENT, 13);
    loses(&mut clinic, INTERPRETER, 0);
    clinic.got(INTERPRETER);
    let patient = heard_of_doctor(&mut clinic, PATIENT, 10..60);
    // the first packets have nothing behind them that the relay kept
    assert!(
        bundles(PATIENT, &patient) >= 48,
        "{}",
        bundles(PATIENT, &patient)
    );
    let heard = understood(PATIENT, &patient, |at| at % 5 == 4);
    assert_eq!(
        heard,
        (10..59).collect::<Vec<_>>(),
        "the last one was lost, and no other"
    );
    let interpreter = clinic.got(INTERPRETER);
    let interpreter: Vec<Got> = interpreter
        .into_iter()
        .filter(|got| got.ssrc == audio_slot(INTERPRETER))
        .collect();
    assert_eq!(bundles(INTERPRETER, &interpreter), 0);
    assert_eq!(interpreter.len(), 50);
}

#[test]
fn two_lost_in_a_row_are_heard_where_much_is_lost() {
    let mut clinic = clinic(&[DOCTOR, PATIENT]);
    for _ in 0..3 {
        loses(&mut clinic, PATIENT, 51);
    }
    let got = heard_of_doctor(&mut clinic, PATIENT, 0..60);
    let heard = understood(PATIENT, &got, |at| matches!(at % 7, 4 | 5));
    assert_eq!(heard.len(), 60, "{heard:?}");
}

#[test]
fn a_link_that_has_become_good_gets_each_word_once_again() {
    let mut clinic = clinic(&[DOCTOR, PATIENT]);
    loses(&mut clinic, PATIENT, 26);
    assert!(bundles(PATIENT, &heard_of_doctor(&mut clinic, PATIENT, 0..50)) > 40);
    for _ in 0..8 {
        loses(&mut clinic, PATIENT, 0);
        clinic.run(5 * SECOND);
    }
    assert_eq!(
        bundles(PATIENT, &heard_of_doctor(&mut clinic, PATIENT, 50..99)),
        0
    );
}

#[test]
fn nothing_is_carried_along_beyond_the_budget_and_the_doctor_is_asked_for_less() {
    let mut clinic = clinic(&[DOCTOR, PATIENT]);
    let limits = |kbps: u64| Limits {
        audio: Some(kbps * 1_000),
        video: Some(0),
    };
    // 20 bytes of speech each 20 ms are 31 kbit/s, and 40 kbit/s twice
    clinic.room.limit(PATIENT, limits(34), clinic.now);
    loses(&mut clinic, PATIENT, 26);
    assert_eq!(
        bundles(PATIENT, &heard_of_doctor(&mut clinic, PATIENT, 0..50)),
        0
    );
    let carried = clinic.room.news().expect("the doctor is to send less");
    assert_eq!(carried.0, PATIENT);
    let share = carried.1.audio.unwrap();
    assert!((15_000..25_000).contains(&share), "{share}");
    clinic.room.limit(PATIENT, limits(44), clinic.now);
    assert!(bundles(PATIENT, &heard_of_doctor(&mut clinic, PATIENT, 50..99)) > 40);
}

#[test]
fn who_does_not_understand_red_and_who_never_lost_anything_get_plain_speech() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    loses(&mut clinic, PATIENT, 51);
    loses(&mut clinic, PATIENT, 51);
    let got = heard_of_doctor(&mut clinic, PATIENT, 0..50);
    let codec = negotiated(PATIENT).audio.unwrap().payload_type;
    assert!(got.len() == 50 && got.iter().all(|got| got.payload_type == codec));
}

/// What the patient's browser sends: this turn's speech with the one before.
fn redundant(clinic: &mut Clinic, turn: u64) -> Vec<u8> {
    let packet = clinic.speech(PATIENT, 30, &said(turn));
    let own = Packet::parse(&packet).unwrap();
    let codec = own.payload_type;
    let mut bytes = packet[..packet.len() - own.payload.len()].to_vec();
    bytes[1] = bytes[1] & 0x80 | (60 + PATIENT.0 as u8);
    let before = said(turn - 1);
    bytes.extend((u32::from(0x80 | codec) << 24 | 960 << 10 | before.len() as u32).to_be_bytes());
    bytes.push(codec);
    bytes.extend(before);
    bytes.extend(said(turn));
    bytes
}

#[test]
fn what_a_patient_lost_on_the_way_up_is_taken_out_of_the_next_packet() {
    let mut clinic = clinic(&[DOCTOR, PATIENT]);
    for turn in 1..100 {
        let packet = redundant(&mut clinic, turn);
        if turn % 6 != 3 {
            clinic.sends(PATIENT, &packet);
        }
        clinic.run(FRAME);
    }
    let mut got = clinic.got(DOCTOR);
    got.retain(|got| got.ssrc == audio_slot(DOCTOR));
    assert_eq!(bundles(DOCTOR, &got), 0, "a good link gets plain speech");
    let heard = understood(DOCTOR, &got, |_| false);
    // the last of all is lost, and nothing comes after it
    assert_eq!(heard, (1..99).collect::<Vec<_>>());
    let steps = got.windows(2).map(|pair| {
        (
            pair[1].sequence.wrapping_sub(pair[0].sequence),
            pair[1].timestamp.wrapping_sub(pair[0].timestamp),
        )
    });
    assert!(
        steps.into_iter().all(|step| step == (1, 960)),
        "in order, without a hole"
    );
    // and yet the patient hears that a sixth is lost, for it is by that that it carries anything along
    let stats = clinic.room.stats(PATIENT).unwrap();
    assert!((14..=17).contains(&stats.received_lost), "{stats:?}");
}

#[test]
fn what_is_lost_between_the_patient_and_us_is_not_held_against_the_doctors_link() {
    let mut clinic = clinic(&[DOCTOR, PATIENT]);
    for turn in 0..200 {
        let packet = clinic.speech(PATIENT, 30, &said(turn));
        if turn % 5 > 0 {
            clinic.sends(PATIENT, &packet);
        }
        clinic.run(FRAME);
        // the doctor's browser sees the holes, and counts them
        if turn % 50 == 49 {
            loses(&mut clinic, DOCTOR, 51);
        }
    }
    let mut got = clinic.got(DOCTOR);
    got.retain(|got| got.ssrc == audio_slot(DOCTOR));
    assert_eq!(bundles(DOCTOR, &got), 0);
    assert_eq!(
        clinic.room.news(),
        None,
        "the patient is not asked for less"
    );
}

#[test]
fn nobody_hears_what_was_said_while_the_door_was_closed() {
    let mut clinic = clinic(&[DOCTOR, PATIENT]);
    for turn in 1..10 {
        let packet = redundant(&mut clinic, turn);
        clinic.room.mute(PATIENT, Kind::Audio, turn < 9, clinic.now);
        // the eighth is lost and comes along with the ninth
        if turn != 8 {
            clinic.sends(PATIENT, &packet);
        }
        clinic.run(FRAME);
    }
    let heard = understood(DOCTOR, &clinic.got(DOCTOR), |_| false);
    assert_eq!(heard, [9]);
}
