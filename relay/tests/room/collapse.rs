//! A patient's link that gets worse and better, with a patient's browser that tells what comes.

use std::collections::VecDeque;

use clinicall_relay::media::{
    estimate::probe::Probe,
    lane::Kind,
    member::Member,
    rtcp::{Block, Writer},
    time,
    twcc::Recorder,
};

use crate::clinic::*;

/// The way from the relay to the patient, and back.
struct Link {
    kbps: u64,
    busy: u64,
    /// What is on its way: when it arrives, and its transport-wide number.
    under_way: VecDeque<(u64, Option<u16>)>,
    recorder: Recorder,
    told: u64,
    reports: VecDeque<(u64, Vec<u8>)>,
}

const DELAY: u64 = 100 * MS;

/// What the patient had of a while.
#[derive(Debug, Default)]
struct Had {
    words: u64,
    /// The longest a word waited for the line, in milliseconds.
    late: u64,
    pictures: u64,
    padding: u64,
    /// Bytes at IP level.
    bytes: u64,
    /// When the first picture was sent, in milliseconds.
    first_picture: Option<u64>,
}

struct Visit {
    clinic: Clinic,
    link: Link,
    /// What the doctor's browser was told to send at most, kbit/s.
    told: u64,
    wish: u64,
    turn: u64,
}

impl Visit {
    fn over(kbps: u64, wish: u64) -> Self {
        let mut clinic = Clinic::default();
        for who in [DOCTOR, PATIENT] {
            let mut negotiated = negotiated(who);
            // as our client has it: feedback on the picture alone
            let audio = negotiated.audio.as_mut().unwrap();
            audio.extensions.transport_cc = None;
            clinic.joins(who, negotiated);
            clinic.admits(who);
        }
        Self {
            clinic,
            link: Link {
                kbps,
                busy: 0,
                under_way: VecDeque::new(),
                recorder: Recorder::default(),
                told: 0,
                reports: VecDeque::new(),
            },
            told: u64::MAX,
            wish,
            turn: 0,
        }
    }

    /// The doctor speaks at 15 kbit/s and shows 20 pictures a second.
    fn goes_on(&mut self, seconds: u64) -> Had {
        let mut had = Had::default();
        let began = self.clinic.now;
        for _ in 0..seconds * 20 {
            let kbps = self.wish.min(self.told.saturating_sub(15));
            let asked = self.clinic.told(DOCTOR);
            let key = asked.iter().any(|told| matches!(told, Told::Pli { .. }));
            for told in asked {
                if let Told::Remb { bitrate } = told {
                    self.told = bitrate / 1_000;
                }
            }
            let size = kbps as usize * 1_000 / 8 / 20 * if key { 4 } else { 1 };
            let picture = self.clinic.picture(DOCTOR, key, &vec![7; size.min(1_150)]);
            self.clinic.sends(DOCTOR, &picture);
            for _ in 0..50 {
                self.turn += 1;
                if self.turn.is_multiple_of(60) {
                    self.clinic.speaks(DOCTOR, 0x80 | 20, &[1; 60]);
                }
                self.carry(&mut had, began);
                self.clinic.run(1);
            }
        }
        had
    }

    /// What was found out of room for a picture.
    fn news(&mut self) -> Vec<Option<u64>> {
        let mut news = Vec::new();
        while let Some((who, limits)) = self.clinic.room.news() {
            assert_eq!(who, PATIENT);
            news.push(limits.video);
        }
        news
    }

    fn carry(&mut self, had: &mut Had, began: u64) {
        let (now, link) = (self.clinic.now, &mut self.link);
        for got in self.clinic.got(PATIENT) {
            let (word, padding) = (got.ssrc == audio_slot(PATIENT), got.payload.is_empty());
            let payload = if padding { 255 } else { got.payload.len() };
            let size = payload as u64 + 58;
            let waits = link.busy.saturating_sub(now);
            had.bytes += size;
            had.words += u64::from(word);
            had.padding += u64::from(padding);
            if word {
                had.late = had.late.max(waits / MS);
            } else if !padding {
                had.pictures += 1;
                had.first_picture.get_or_insert((now - began) / MS);
            }
            // 3,000 bytes wait at most
            if link.kbps == 0 || waits * link.kbps / 8_000 > 3_000 {
                continue;
            }
            link.busy = link.busy.max(now) + size * 8_000 / link.kbps;
            link.under_way
                .push_back((link.busy + DELAY, got.transport_cc));
        }
        while let Some((at, number)) = link.under_way.front().copied()
            && at <= now
        {
            link.under_way.pop_front();
            if let Some(number) = number {
                link.recorder.came(at, number);
            }
        }
        if now >= link.told + 200 * MS {
            link.told = now;
            let mut writer = Writer::default();
            link.recorder.tell(now, 1, video_slot(PATIENT), &mut writer);
            if !writer.is_empty() && link.kbps > 0 {
                link.reports
                    .push_back((now + DELAY, writer.bytes().to_vec()));
            }
        }
        while let Some((at, _)) = link.reports.front()
            && *at <= now
        {
            let (_, report) = link.reports.pop_front().unwrap();
            self.clinic.sends_rtcp(PATIENT, &report);
        }
    }
}

#[test]
fn a_link_with_room_is_left_alone() {
    let mut visit = Visit::over(400, 120);
    let had = visit.goes_on(20);
    assert_eq!((had.words, had.padding), (333, 0), "{had:?}");
    assert!(had.pictures >= 399 && had.late < 40, "{had:?}");
    assert_eq!(visit.told, u64::MAX);
}

#[test]
fn a_link_collapses_and_speech_goes_on_until_the_picture_is_back() {
    let mut visit = Visit::over(150, 110);
    visit.goes_on(5);
    visit.link.kbps = 20;
    let falling = visit.goes_on(2);
    let low = visit.goes_on(8);
    println!("falling {falling:?}\nlow {low:?}");
    assert_eq!(low.pictures, 0, "{low:?}");
    let gone = visit.news();
    assert_eq!(gone.last(), Some(&Some(0)), "both sides are told: {gone:?}");
    assert!((132..=135).contains(&low.words), "{low:?}");
    let settled = visit.goes_on(3);
    assert!(settled.late < 500, "{settled:?}");
    visit.link.kbps = 150;
    let back = visit.goes_on(10);
    println!("back {back:?}");
    assert!(back.first_picture.is_some_and(|at| at < 7_000), "{back:?}");
    assert!(back.late < 400, "{back:?}");
    let there = visit.news();
    let last = there.last().copied().flatten();
    assert!(last.is_some_and(|room| room > 30_000), "{there:?}");
    let later = visit.goes_on(20);
    println!("later {later:?}, told {}", visit.told);
    assert!(later.pictures > 380 && later.late < 400, "{later:?}");
    assert!(later.bytes * 8 / 20_000 > 80, "{later:?}");
}

#[test]
fn a_link_dies_for_two_seconds_and_the_picture_is_back_soon_after() {
    let mut visit = Visit::over(150, 60);
    visit.goes_on(5);
    visit.link.kbps = 0;
    let dead = visit.goes_on(2);
    assert!(dead.pictures < 40, "pictures stop: {dead:?}");
    visit.link.kbps = 150;
    let back = visit.goes_on(5);
    assert!(back.first_picture.is_some_and(|at| at < 2_500), "{back:?}");
    assert!(back.pictures > 50, "{back:?}");
}

#[test]
fn a_patient_who_has_left_a_bad_network_has_the_picture_as_at_the_beginning() {
    let stay = |leaves: bool| {
        let mut visit = Visit::over(150, 110);
        visit.goes_on(5);
        visit.link.kbps = 20;
        let low = visit.goes_on(10);
        assert_eq!(visit.news().last(), Some(&Some(0)), "{low:?}");
        visit.link.kbps = 150;
        if leaves {
            let now = visit.clinic.now;
            visit.clinic.room.moved(PATIENT, now);
            let told = visit.news();
            assert!(told.last() != Some(&Some(0)), "both sides: {told:?}");
        }
        let first = visit.goes_on(10).first_picture.expect("a picture");
        let later = visit.goes_on(20);
        assert!(later.pictures > 380 && later.late < 400, "{later:?}");
        first
    };
    let (stayed, left) = (stay(false), stay(true));
    println!("first picture after {stayed} ms, and {left} of who has left");
    assert!(left < 500 && left < stayed, "{stayed}, {left}");
}

#[test]
fn a_narrow_link_has_a_picture_that_fits_and_no_word_waits_long() {
    let mut visit = Visit::over(64, 300);
    visit.goes_on(15);
    let had = visit.goes_on(30);
    println!("{had:?}, told {}", visit.told);
    assert!((499..=501).contains(&had.words), "{had:?}");
    assert!(had.late < 450, "{had:?}");
    assert!(had.pictures > 300, "{had:?}");
    assert!(had.bytes * 8 / 30_000 <= 66, "{had:?}");
}

#[test]
fn speech_that_fills_a_link_by_itself_is_asked_to_be_less() {
    let mut patient = Member::new(PATIENT, negotiated(PATIENT), 0);
    let report = |patient: &mut Member, at: u64, rtt: u64, fraction_lost| {
        let block = Block {
            ssrc: audio_slot(PATIENT),
            fraction_lost,
            last_report: time::middle(time::ntp((at - rtt) * MS)),
            ..Block::default()
        };
        patient.reported(at * MS, &block);
        patient.carried().audio
    };
    report(&mut patient, 1_000, 300, 0);
    assert!(patient.downlink.narrowed(2_000 * MS, 0));
    patient.probe = Some(Probe::begin(2_000 * MS, false));
    let picture = report(&mut patient, 3_000, 1_400, 60);
    assert_eq!(picture, None, "that was the picture");
    assert_eq!(report(&mut patient, 5_000, 1_400, 0), None, "it fits");
    assert_eq!(
        report(&mut patient, 6_000, 300, 60),
        None,
        "it is a radio link"
    );
    assert_eq!(report(&mut patient, 7_000, 1_400, 60), Some(15_000));
}

#[test]
fn what_was_lost_between_two_networks_says_nothing_of_the_second() {
    let mut patient = Member::new(PATIENT, negotiated(PATIENT), 0);
    let lost = |patient: &mut Member, at: u64| {
        let block = Block {
            ssrc: audio_slot(PATIENT),
            fraction_lost: 200,
            ..Block::default()
        };
        patient.reported(at * MS, &block);
        let slot = patient.lane(Kind::Audio).slot.as_ref().unwrap();
        slot.reported.fraction_lost
    };
    assert_eq!(lost(&mut patient, 1_000), 200);
    patient.moved(2_000 * MS);
    assert_eq!(lost(&mut patient, 3_000), 0, "that was the gap");
    assert_eq!(lost(&mut patient, 6_000), 200, "and this is the link");
}
