//! What a receiver sees of sources that come, go, and lose packets.

use proptest::prelude::*;

use super::*;

const DOCTOR: MemberId = MemberId(1);
const PATIENT: MemberId = MemberId(2);

fn packet(number: u64, payload: &[u8]) -> Received<'_> {
    let parcel = Parcel {
        number,
        timestamp: number as u32 * 3_000,
        marker: true,
        level: None,
        orientation: None,
        payload,
    };
    Received {
        parcel,
        picture: None,
        begins: true,
        epoch: 1,
        clock_rate: 90_000,
        woke: false,
        older: None,
    }
}

fn place(slot: &mut Slot, source: MemberId, number: u64) -> Option<u64> {
    slot.place(number, source, &packet(number, b"x"))
        .map(|place| place.number - FIRST)
}

#[test]
fn padding_leaves_no_hole() {
    let mut slot = Slot::new(0);
    assert_eq!(place(&mut slot, DOCTOR, 500), Some(1));
    assert_eq!(place(&mut slot, DOCTOR, 501), Some(2));
    assert_eq!(slot.place(0, DOCTOR, &packet(502, b"")), None);
    assert_eq!(slot.place(0, DOCTOR, &packet(503, b"")), None);
    assert_eq!(place(&mut slot, DOCTOR, 504), Some(3));
    assert_eq!(place(&mut slot, DOCTOR, 506), Some(5));
    assert_eq!(place(&mut slot, DOCTOR, 505), Some(4));
    let theirs = |ours: u64| {
        slot.origin((FIRST + ours) as u16)
            .map(|origin| origin.theirs)
    };
    assert_eq!(
        [1, 2, 3, 4, 5].map(theirs),
        [500, 501, 504, 505, 506].map(Some)
    );
    assert_eq!(theirs(6), None);
    assert_eq!(theirs(0), None);
}

#[test]
fn padding_that_comes_late_is_sent_empty_for_its_number_is_taken() {
    let mut slot = Slot::new(0);
    place(&mut slot, DOCTOR, 500);
    place(&mut slot, DOCTOR, 502);
    let late = slot.place(0, DOCTOR, &packet(501, b""));
    assert_eq!(late.map(|place| place.number - FIRST), Some(2));
}

#[test]
fn what_drowned_before_a_pause_is_not_blamed_on_the_link_after_it() {
    let mut slot = Slot::new(0);
    let send = |slot: &mut Slot, now: u64, numbers: std::ops::Range<u64>| {
        for number in numbers {
            assert!(slot.place(now, DOCTOR, &packet(number, b"x")).is_some());
        }
    };
    let report = |slot: &mut Slot, highest: u64, fraction_lost| {
        let block = Block {
            highest: (FIRST + highest) as u32,
            fraction_lost,
            ..Block::default()
        };
        slot.reported(0, &block);
        slot.reported.fraction_lost
    };
    send(&mut slot, 0, 500..510);
    assert_eq!(report(&mut slot, 10, 0), 0);
    send(&mut slot, 1, 510..520);
    slot.restart();
    send(&mut slot, 3 * SECOND, 520..530);
    assert_eq!(report(&mut slot, 30, 128), 0, "the last ten of before");
    send(&mut slot, 3 * SECOND, 530..540);
    assert_eq!(report(&mut slot, 40, 77), 77, "that is now");
}

#[test]
fn a_late_packet_of_the_one_before_is_not_sent() {
    let mut slot = Slot::new(0);
    slot.assign(Some(DOCTOR));
    place(&mut slot, DOCTOR, 500);
    slot.assign(Some(PATIENT));
    assert_eq!(place(&mut slot, PATIENT, 90), Some(2));
    assert_eq!(place(&mut slot, PATIENT, 89), None, "from before it began");
    assert_eq!(slot.origin((FIRST + 1) as u16).unwrap().source, DOCTOR);
}

#[test]
fn time_goes_on_across_a_change() {
    let mut slot = Slot::new(0);
    let at = |slot: &mut Slot, now: u64, source, number: u64| {
        slot.place(now, source, &packet(number, b"x"))
            .unwrap()
            .timestamp
    };
    let before = at(&mut slot, 1_000_000, DOCTOR, 500);
    slot.restart();
    assert_eq!(at(&mut slot, 1_100_000, PATIENT, 7_000), before + 9_000);
    assert_eq!(at(&mut slot, 1_133_333, PATIENT, 7_001), before + 12_000);
}

/// A packet of a picture as libwebrtc makes them in two layers: of the upper every other one needs
/// the base alone.
fn layered(picture: u16, part: u8) -> Vec<u8> {
    let [high, low] = (picture | 0x8000).to_be_bytes();
    let (upper, sync) = (picture & 1, picture % 4 == 1);
    let layer = (upper << 6) as u8 | u8::from(sync) << 5;
    let start = u8::from(part == 0) << 4;
    let key = u8::from(picture > 0);
    vec![
        0x80 | start,
        0xe0,
        high,
        low,
        (picture / 2) as u8,
        layer,
        key,
        part,
    ]
}

fn received(number: u64, payload: &[u8]) -> Received<'_> {
    let picture = vp8::Descriptor::parse(payload).filter(|_| !payload.is_empty());
    Received {
        begins: picture.is_some_and(|picture| picture.keyframe_start),
        picture,
        ..packet(number, payload)
    }
}

/// What is written into a payload at its place: picture id, layer, sync.
fn written(payload: &[u8], place: &Place) -> (u16, u8, bool) {
    let (mut copy, picture) = (payload.to_vec(), vp8::Descriptor::parse(payload).unwrap());
    place.shift.apply(&picture, &mut copy);
    let written = vp8::Descriptor::parse(&copy).unwrap();
    (
        written.picture_id.unwrap().value,
        written.layer,
        written.sync,
    )
}

#[test]
fn a_lost_packet_of_an_upper_layer_that_comes_late_fills_its_number_with_nothing() {
    let mut slot = Slot::new(0);
    slot.thinned = true;
    let mut send = |number: u64| {
        let payload = layered(number as u16 - 500, 0);
        let place = slot.place(0, DOCTOR, &received(number, &payload))?;
        Some((place.number - FIRST, place.empty))
    };
    assert_eq!(send(500), Some((1, false)));
    assert_eq!(send(501), None);
    assert_eq!(send(502), Some((2, false)));
    assert_eq!(send(504), Some((4, false)));
    assert_eq!(send(503), Some((3, true)));
    let origin = slot.origin((FIRST + 3) as u16).unwrap();
    let payload = layered(3, 0);
    let late = received(503, &payload);
    let again = slot.went(&origin, &late.parcel, late.picture.as_ref());
    assert!(again.unwrap().empty, "nor is it repaired");
}

proptest! {
    /// Pictures of one to three packets, padding between some of them, packets that come late or
    /// not at all, and a link that has room for all of it, or not, from one moment to the next.
    #[test]
    fn whatever_is_left_out_numbers_and_pictures_follow_each_other(
        turns in proptest::collection::vec((1_u8..4, 0_u8..12, any::<bool>()), 1..200),
        orderly: bool,
    ) {
        let mut slot = Slot::new(0);
        let (mut packets, mut number) = (Vec::new(), 65_536);
        for (picture, (parts, fate, thinned)) in turns.iter().enumerate() {
            for part in 0..*parts {
                packets.push((number, layered(picture as u16, part), *thinned));
                number += 1;
            }
            if *fate == 0 {
                packets.push((number, Vec::new(), *thinned));
                number += 1;
            }
        }
        if !orderly {
            for (at, (_, fate, _)) in turns.iter().enumerate().skip(3) {
                let last = packets.len() - 1;
                match fate {
                    1 => packets.swap((at + 1).min(last), (at + 3).min(last)),
                    2 => drop(packets.remove(at.min(last))),
                    _ => {}
                }
            }
        }
        let mut sent: Vec<(u64, u64, Vec<u8>, Place)> = Vec::new();
        for (theirs, payload, thinned) in packets {
            slot.thinned = thinned;
            if let Some(place) = slot.place(theirs, DOCTOR, &received(theirs, &payload)) {
                prop_assert!(sent.iter().all(|(ours, ..)| *ours != place.number));
                sent.push((place.number, theirs, payload, place));
            }
        }
        for (ours, theirs, payload, place) in sent.iter().rev().take(400) {
            let origin = slot.origin(*ours as u16).unwrap();
            prop_assert_eq!((origin.source, origin.theirs), (DOCTOR, *theirs));
            let received = received(*theirs, payload);
            let again = slot.went(&origin, &received.parcel, received.picture.as_ref());
            if let Some(again) = again.filter(|again| !again.empty && !place.empty) {
                prop_assert_eq!(again, *place, "a repair is what was sent");
            }
        }
        if !orderly {
            return Ok(());
        }
        let (mut upper, mut last) = (None, None);
        for (at, (ours, _, payload, place)) in sent.iter().enumerate() {
            prop_assert_eq!(*ours, FIRST + 1 + at as u64);
            let (id, layer, sync) = written(payload, place);
            if let Some(last) = last {
                prop_assert!(id == last || id == last + 1);
                prop_assert_eq!(id == last, payload[7] > 0, "whole pictures");
            }
            last = Some(id);
            let original = u16::from_be_bytes([payload[2], payload[3]]);
            if layer > 0 && payload[7] == 0 {
                // what it is made from is there
                prop_assert!(sync || upper == Some(original - 2));
                upper = Some(original);
            }
        }
    }
}
