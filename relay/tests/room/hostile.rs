//! Members whose packets are authentic and evil.

use clinicall_relay::media::{MemberId, rtcp::Writer};
use proptest::prelude::*;

use crate::clinic::*;

#[derive(Clone, Debug)]
enum Act {
    Rtp(Vec<u8>),
    /// An ordinary packet with some bytes changed.
    Bent {
        video: bool,
        key: bool,
        at: Vec<(usize, u8)>,
        cut: usize,
    },
    Rtcp(Vec<u8>),
    Nack(Vec<u16>),
    /// A well-formed RTCP header before anything.
    Item {
        kind: u8,
        count: u8,
        body: Vec<u8>,
    },
    Wait(u64),
    Leave,
    Come {
        audio: bool,
        video: bool,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..120);
    prop_oneof![
        2 => bytes().prop_map(Act::Rtp),
        8 => (any::<bool>(), any::<bool>(),
              proptest::collection::vec((0_usize..40, any::<u8>()), 0..3), 0_usize..50)
            .prop_map(|(video, key, at, cut)| Act::Bent { video, key, at, cut }),
        2 => bytes().prop_map(Act::Rtcp),
        2 => proptest::collection::vec(any::<u16>(), 0..40).prop_map(Act::Nack),
        4 => (200_u8..208, 0_u8..32, bytes())
            .prop_map(|(kind, count, body)| Act::Item { kind, count, body }),
        3 => (0_u64..700).prop_map(Act::Wait),
        1 => Just(Act::Leave),
        2 => any::<(bool, bool)>().prop_map(|(audio, video)| Act::Come { audio, video }),
    ]
}

fn perform(clinic: &mut Clinic, who: MemberId, act: Act) {
    match act {
        Act::Rtp(bytes) => clinic.sends(who, &bytes),
        Act::Bent {
            video,
            key,
            at,
            cut,
        } => {
            let mut packet = if video {
                clinic.picture(who, key, b"picture")
            } else {
                clinic.speech(who, 20, b"word")
            };
            for (at, value) in at {
                if let Some(byte) = packet.get_mut(at) {
                    *byte = value;
                }
            }
            packet.truncate(packet.len() - cut.saturating_sub(30).min(packet.len()));
            clinic.sends(who, &packet);
        }
        Act::Rtcp(bytes) => clinic.sends_rtcp(who, &bytes),
        Act::Nack(lost) => {
            clinic.reports(who, |writer: &mut Writer| {
                writer.nack(1, video_slot(who), lost)
            });
        }
        Act::Item {
            kind,
            count,
            mut body,
        } => {
            body.resize(body.len().next_multiple_of(4), 0);
            let mut packet = vec![0x80 | count, kind, 0, (body.len() / 4) as u8];
            packet.extend(body);
            clinic.sends_rtcp(who, &packet);
        }
        Act::Wait(milliseconds) => clinic.run(milliseconds),
        Act::Leave => clinic.leaves(who),
        Act::Come { audio, video } => {
            // whoever comes back is a new member in life; here the streams must go on
            let mut negotiated = negotiated(who);
            if !video {
                negotiated.video = None;
            }
            if !audio {
                negotiated.audio = None;
            }
            clinic.room.renegotiate(who, negotiated, clinic.now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// The wire asserts that no nonce is used twice and the clock that the room does not spin.
    #[test]
    fn nobody_makes_the_room_panic(
        acts in proptest::collection::vec((1_u64..4, act()), 1..150),
    ) {
        let mut clinic = Clinic::with(&[DOCTOR, PATIENT, INTERPRETER]);
        for (who, act) in acts {
            perform(&mut clinic, MemberId(who), act);
        }
        clinic.run(3_000);
    }
}

#[test]
fn a_thousand_streams_of_one_member_are_one_stream() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    clinic.seen(DOCTOR);
    for ssrc in 0..1_000_u32 {
        let mut packet = clinic.picture(PATIENT, true, b"another");
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        clinic.sends(PATIENT, &packet);
    }
    assert_eq!(clinic.got(DOCTOR), []);
}

#[test]
fn an_oversize_packet_is_passed_on_and_not_kept() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let huge = clinic.picture(PATIENT, false, &[7; 60_000]);
    clinic.sends(PATIENT, &huge);
    let got = clinic.seen(DOCTOR).pop().unwrap();
    assert_eq!(got.payload.len(), 60_007);
    clinic.reports(DOCTOR, |writer| {
        writer.nack(1, video_slot(DOCTOR), [got.sequence])
    });
    assert_eq!(clinic.got(DOCTOR), []);
}

#[test]
fn asking_for_everything_again_and_again_is_answered_in_measure() {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    clinic.shows(PATIENT, true);
    let mut sent = 0;
    let mut repaired = 0;
    for _ in 0..500 {
        clinic.shows(PATIENT, false);
        let newest = clinic.got(DOCTOR).last().unwrap().sequence;
        sent += 1;
        clinic.reports(DOCTOR, |writer| {
            writer.nack(
                1,
                video_slot(DOCTOR),
                (0..100).map(|ago| newest.wrapping_sub(ago)),
            );
        });
        repaired += clinic.got(DOCTOR).len();
        clinic.run(33);
    }
    assert!(repaired <= sent / 2 + 130, "{repaired} for {sent}");
}
