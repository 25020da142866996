//! Pictures in two temporal layers: who has a narrow link gets every other frame.

use std::collections::BTreeSet;

use clinicall_relay::media::{
    MemberId,
    downlink::Limits,
    rtcp::Block,
    time::{middle, ntp},
    vp8::Descriptor,
};

use crate::clinic::*;

/// As Chromium makes `L1T2`: base and upper layer in turn, and of the upper every other picture
/// needs the base alone.
struct Camera {
    clinic: Clinic,
    turn: u64,
    /// What it was told to send of a picture at most, kbit/s.
    told: u64,
    wish: u64,
    tl0: u8,
    /// How often it was asked for a keyframe.
    asked: usize,
}

impl Camera {
    fn before(people: &[MemberId], wish: u64) -> Self {
        Self {
            clinic: Clinic::with(people),
            turn: 0,
            told: u64::MAX,
            wish,
            tl0: 0,
            asked: 0,
        }
    }

    /// The next picture, 40 ms after the one before; the base takes six tenths of the bytes.
    fn picture(&mut self) -> Vec<u8> {
        let kbps = self.wish.min(self.told) as usize;
        let person = self.clinic.people.get_mut(&DOCTOR).unwrap();
        person.picture = person.picture.wrapping_add(1) & 0x7fff;
        let [high, low] = (person.picture | 0x8000).to_be_bytes();
        let upper = self.turn % 2 == 1;
        let sync = self.turn % 4 == 1;
        self.tl0 = self.tl0.wrapping_add(u8::from(!upper));
        let layer = u8::from(upper) << 6 | u8::from(sync) << 5;
        let key = u8::from(self.turn > 0);
        self.turn += 1;
        let mut payload = vec![0x90, 0xe0, high, low, self.tl0, layer, key];
        let share = if upper { 4 } else { 6 };
        payload.resize(kbps * share, 7);
        self.clinic.video(DOCTOR, &payload)
    }

    fn shows(&mut self) {
        let picture = self.picture();
        self.clinic.sends(DOCTOR, &picture);
        for told in self.clinic.told(DOCTOR) {
            match told {
                // of which speech takes its part
                Told::Remb { bitrate } => self.told = (bitrate / 1_000).saturating_sub(32),
                Told::Pli { .. } => {
                    self.asked += 1;
                    // a keyframe is next, and of the base layer
                    self.turn = 0;
                }
                _ => {}
            }
        }
    }

    /// 25 pictures a second, and speech.
    fn goes_on(&mut self, seconds: u64) {
        for _ in 0..seconds * 25 {
            self.shows();
            for _ in 0..2 {
                self.clinic.speaks(DOCTOR, 0x80 | 20, &[1; 30]);
                self.clinic.run(20);
            }
        }
    }

    fn limit(&mut self, who: MemberId, kbps: u64) {
        let limits = Limits {
            audio: Some(40_000),
            video: Some(kbps * 1_000),
        };
        self.clinic.room.limit(who, limits, self.clinic.now);
    }

    /// What somebody sees since the last look: that its numbers follow each other is made sure of.
    fn seen(&mut self, who: MemberId) -> Vec<Descriptor> {
        let seen = self.clinic.seen(who);
        for pair in seen.windows(2) {
            let [before, after] = pair else {
                unreachable!()
            };
            assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        }
        let pictures: Vec<_> = seen
            .iter()
            .map(|got| Descriptor::parse(&got.payload).unwrap())
            .collect();
        let id = |picture: &Descriptor| picture.picture_id.unwrap().value;
        for pair in pictures.windows(2) {
            let [before, after] = pair else {
                unreachable!()
            };
            assert_eq!(id(after), (id(before) + 1) & 0x7fff);
            let ((tl0, _), (next, _)) = (before.tl0.unwrap(), after.tl0.unwrap());
            assert_eq!(next, tl0.wrapping_add(u8::from(after.layer == 0)));
        }
        pictures
    }
}

fn layer(got: &Got) -> u8 {
    Descriptor::parse(&got.payload).unwrap().layer
}

fn upper(pictures: &[Descriptor]) -> usize {
    pictures.iter().filter(|picture| picture.layer > 0).count()
}

#[test]
fn a_listener_on_a_village_link_gets_every_other_frame_and_the_others_all_of_them() {
    let mut camera = Camera::before(&[DOCTOR, PATIENT, INTERPRETER], 300);
    camera.limit(PATIENT, 60);
    camera.goes_on(20);
    camera.seen(PATIENT);
    camera.seen(INTERPRETER);
    let asked = camera.asked;
    camera.goes_on(10);
    let (village, town) = (camera.seen(PATIENT), camera.seen(INTERPRETER));
    assert_eq!((village.len(), upper(&village)), (125, 0));
    assert_eq!((town.len(), upper(&town)), (250, 125));
    // the base of what it is told to send is what the village link takes
    assert!((75..90).contains(&camera.told), "{}", camera.told);
    assert_eq!(camera.asked, asked, "nothing was begun anew");
}

#[test]
fn a_listener_alone_gets_all_frames_of_a_smaller_picture() {
    let mut camera = Camera::before(&[DOCTOR, PATIENT], 300);
    camera.limit(PATIENT, 60);
    camera.goes_on(12);
    camera.seen(PATIENT);
    camera.goes_on(10);
    let seen = camera.seen(PATIENT);
    assert_eq!((seen.len(), upper(&seen)), (250, 125));
    assert!(camera.told < 60, "{}", camera.told);
}

#[test]
fn who_has_room_again_gets_all_frames_without_a_keyframe() {
    let mut camera = Camera::before(&[DOCTOR, PATIENT, INTERPRETER], 90);
    camera.limit(PATIENT, 60);
    camera.goes_on(20);
    camera.limit(PATIENT, 300);
    camera.seen(PATIENT);
    camera.goes_on(10);
    let seen = camera.seen(PATIENT);
    let first = seen.iter().position(|picture| picture.layer > 0).unwrap();
    assert!(first < 4 && seen[first].sync, "after {first}");
    assert_eq!(upper(&seen[first..]), (seen.len() - first).div_ceil(2));
    assert_eq!(camera.asked, 0);
}

#[test]
fn of_a_thinned_picture_the_right_packet_is_sent_again() {
    let mut camera = Camera::before(&[DOCTOR, PATIENT, INTERPRETER], 90);
    camera.limit(PATIENT, 60);
    camera.goes_on(20);
    let seen = camera.clinic.seen(PATIENT);
    for lost in &seen[seen.len() - 5..] {
        camera.clinic.got(PATIENT);
        camera.clinic.reports(PATIENT, |writer| {
            writer.nack(1, video_slot(PATIENT), [lost.sequence]);
        });
        let repair = camera.clinic.got(PATIENT).pop().unwrap();
        assert_eq!(repair.payload[..2], lost.sequence.to_be_bytes());
        assert_eq!(repair.payload[2..], lost.payload);
        assert_eq!(repair.timestamp, lost.timestamp);
    }
}

#[test]
fn a_frame_that_is_left_out_is_not_sent_when_it_comes_late_and_not_asked_for() {
    let mut camera = Camera::before(&[DOCTOR, PATIENT, INTERPRETER], 90);
    camera.limit(PATIENT, 60);
    camera.goes_on(20);
    camera.clinic.seen(PATIENT);
    let late = loop {
        let picture = camera.picture();
        if camera.turn.is_multiple_of(2) {
            break picture;
        }
        camera.clinic.sends(DOCTOR, &picture);
        camera.clinic.run(40);
    };
    camera.shows();
    camera.clinic.run(40);
    camera.clinic.sends(DOCTOR, &late);
    for _ in 0..2 {
        camera.shows();
        camera.clinic.run(40);
    }
    let seen = camera.clinic.seen(PATIENT);
    let [.., before, lost, next] = &seen[..] else {
        panic!("three at least")
    };
    // its number was not free any more: it goes out with nothing
    assert_eq!(lost.payload, [0; 0]);
    assert_eq!(
        [before, next].map(|got| got.sequence - lost.sequence),
        [1, 2]
    );
    assert!(!before.payload.is_empty() && !next.payload.is_empty());
    camera.clinic.got(PATIENT);
    camera.clinic.reports(PATIENT, |writer| {
        writer.nack(1, video_slot(PATIENT), [lost.sequence]);
    });
    let repair = camera.clinic.got(PATIENT).pop().unwrap();
    assert_eq!(repair.payload, lost.sequence.to_be_bytes());
}

#[test]
fn an_upper_frame_that_could_not_be_shown_any_more_is_not_sent_again() {
    let mut camera = Camera::before(&[DOCTOR, PATIENT], 20);
    camera.goes_on(2);
    camera.clinic.seen(PATIENT);
    let mut frames = |count: usize| {
        for _ in 0..count {
            camera.shows();
            camera.clinic.run(40);
        }
        camera.clinic.seen(PATIENT)
    };
    let lost = frames(2);
    let layers = |got: &[Got]| got.iter().map(layer).collect::<Vec<_>>();
    assert_eq!(layers(&lost), [0, 1]);
    let asks = |camera: &mut Camera| {
        camera.clinic.reports(PATIENT, |writer| {
            writer.nack(1, video_slot(PATIENT), lost.iter().map(|got| got.sequence));
        });
        let again = camera.clinic.got(PATIENT).into_iter();
        again
            .map(|got| {
                layer(&Got {
                    payload: got.payload[2..].to_vec(),
                    ..got
                })
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(asks(&mut camera), [0, 1]);
    camera.clinic.run(300);
    assert_eq!(asks(&mut camera), [0]);
}

#[test]
fn from_a_far_doctor_only_the_base_is_asked_for_again() {
    let mut camera = Camera::before(&[DOCTOR, PATIENT], 20);
    camera.goes_on(2);
    let asked = |camera: &mut Camera, rtt: u64| {
        let block = Block {
            ssrc: video_slot(DOCTOR),
            last_report: middle(ntp(camera.clinic.now - rtt * MS)),
            ..Block::default()
        };
        camera
            .clinic
            .reports(DOCTOR, |writer| writer.receiver_report(1, &[block]));
        camera.clinic.told(DOCTOR);
        for turn in 0..40 {
            let picture = camera.picture();
            // one of each layer, and one of each together
            if ![8, 17, 28, 29].contains(&turn) {
                camera.clinic.sends(DOCTOR, &picture);
            }
            camera.clinic.run(40);
        }
        let told = camera.clinic.told(DOCTOR).into_iter();
        told.filter_map(|told| match told {
            Told::Nack { lost, .. } => Some(lost),
            _ => None,
        })
        .flatten()
        .collect::<BTreeSet<_>>()
        .len()
    };
    assert_eq!(asked(&mut camera, 50), 4, "it will be there in time");
    camera.goes_on(1);
    assert_eq!(asked(&mut camera, 400), 3);
}

#[test]
fn behind_a_keyframe_that_takes_long_the_upper_layer_is_left_out() {
    let mut camera = Camera::before(&[DOCTOR, PATIENT], 100);
    camera.limit(PATIENT, 110);
    camera.goes_on(4);
    camera.seen(PATIENT);
    // 8 kB at 157 kbit/s
    let person = camera.clinic.people.get_mut(&DOCTOR).unwrap();
    person.picture = person.picture.wrapping_add(1) & 0x7fff;
    let [high, low] = (person.picture | 0x8000).to_be_bytes();
    camera.tl0 = camera.tl0.wrapping_add(1);
    for part in 0..8 {
        let start = 0x80 | u8::from(part == 0) << 4;
        let mut payload = vec![start, 0xe0, high, low, camera.tl0, 0, 0];
        payload.resize(1_000, 7);
        let mut packet = camera.clinic.video(DOCTOR, &payload);
        if part < 7 {
            packet[1] &= 0x7f;
        }
        camera.clinic.sends(DOCTOR, &packet);
    }
    camera.turn = 1;
    camera.goes_on(1);
    let busy = camera.clinic.seen(PATIENT);
    let pictures: Vec<_> = busy[8..]
        .iter()
        .map(|got| Descriptor::parse(&got.payload).unwrap())
        .collect();
    assert!(
        pictures.len() - upper(&pictures) >= 11,
        "{}",
        pictures.len()
    );
    assert!(upper(&pictures) <= 8, "{}", upper(&pictures));
    camera.goes_on(2);
    camera.seen(PATIENT);
    camera.goes_on(4);
    let seen = camera.seen(PATIENT);
    assert_eq!((seen.len(), upper(&seen)), (100, 50), "it has caught up");
    assert_eq!(camera.asked, 0);
}

#[test]
fn where_repairs_are_the_very_same_bytes_nothing_is_left_out() {
    let mut camera = Camera::before(&[DOCTOR, INTERPRETER], 90);
    let mut old = negotiated(PATIENT);
    let track = old.video.as_mut().unwrap();
    (track.rtx, track.local_rtx_ssrc) = (None, None);
    camera.clinic.joins(PATIENT, old);
    camera.clinic.admits(PATIENT);
    camera.limit(PATIENT, 60);
    camera.goes_on(12);
    let seen = camera.seen(PATIENT);
    assert!(seen.windows(2).all(|pair| pair[0].layer != pair[1].layer));
    assert!(camera.told < 60, "{}", camera.told);
}
