use std::collections::VecDeque;

use super::*;
use crate::media::{
    rtcp::{Item, Writer, items},
    twcc::Recorder,
};

/// A line and a member at its end who tells what came.
struct Line {
    kbps: u64,
    /// Bytes that may wait.
    longest: u64,
    /// Lost of every hundred packets, whatever is sent.
    lossy: u64,
    busy: u64,
    packets: u64,
    under_way: VecDeque<(u64, u16)>,
    recorder: Recorder,
    told: u64,
    estimator: Estimator,
    now: u64,
    /// What was sent in the last look.
    sent: u64,
    changes: Vec<Change>,
}

const RTT: u64 = 200 * MILLISECOND;

impl Line {
    fn of(kbps: u64) -> Self {
        Self {
            kbps,
            longest: 400 * kbps / 8,
            lossy: 0,
            busy: 0,
            packets: 0,
            under_way: VecDeque::new(),
            recorder: Recorder::default(),
            told: 0,
            estimator: Estimator::default(),
            now: 1_000 * SECOND,
            sent: 0,
            changes: Vec::new(),
        }
    }

    /// Pictures of so many kbit/s, 20 a second, as long as this; the sender obeys the estimate.
    fn carries(&mut self, seconds: u64, wish: u64) {
        let end = self.now + seconds * SECOND;
        while self.now < end {
            let kbps = self
                .estimator
                .estimate()
                .map_or(wish, |it| wish.min(it / 1_000));
            let mut picture = kbps * 1_000 / 8 / 20;
            while picture > 0 {
                let size = picture.min(1_200);
                picture -= size;
                self.send(size);
            }
            for _ in 0..50 {
                self.now += MILLISECOND;
                self.hear();
            }
        }
    }

    fn send(&mut self, size: u64) {
        self.packets += 1;
        self.sent += size;
        let number = self.packets as u16;
        self.estimator.sent(self.now, number, size as usize);
        let waits = self.busy.saturating_sub(self.now) * self.kbps / 8_000;
        if self.kbps == 0 || waits > self.longest {
            return;
        }
        self.busy = self.busy.max(self.now) + size * 8_000 / self.kbps;
        if self.packets * 37 % 100 >= self.lossy {
            self.under_way.push_back((self.busy + RTT / 2, number));
        }
    }

    fn hear(&mut self) {
        while let Some((at, number)) = self.under_way.front().copied()
            && at <= self.now
        {
            self.under_way.pop_front();
            self.recorder.came(at + 777 * SECOND, number);
        }
        if self.now >= self.told + SECOND / 5 {
            self.told = self.now;
            let mut writer = Writer::default();
            self.recorder.tell(self.now, 1, 2, &mut writer);
            for item in items(writer.bytes()) {
                let Item::TransportCc(feedback) = item else {
                    panic!("feedback")
                };
                let change = self.estimator.feedback(self.now, RTT, 0, &feedback);
                self.changes.push(change);
            }
        }
    }

    fn kbps(&self) -> Option<u64> {
        Some(self.estimator.estimate()? / 1_000)
    }
}

#[test]
fn a_link_with_room_for_everything_has_no_limit() {
    let mut line = Line::of(1_000);
    line.carries(30, 300);
    assert_eq!(line.kbps(), None);
}

#[test]
fn a_narrow_link_is_found_and_kept_to() {
    for kbps in [50, 64, 100, 300, 1_000] {
        let mut line = Line::of(kbps);
        line.carries(20, 2 * kbps);
        line.sent = 0;
        line.carries(40, 2 * kbps);
        let used = line.sent * 8 / 40_000 * 100 / kbps;
        assert!((70..=101).contains(&used), "{kbps} kbit/s: {used} % used");
    }
}

#[test]
fn a_collapse_is_noticed_within_two_seconds_and_the_link_won_back() {
    let mut line = Line::of(150);
    line.carries(10, 120);
    assert_eq!(line.kbps(), None);
    (line.kbps, line.longest) = (20, 3_000);
    line.carries(2, 120);
    let low = line.kbps().unwrap();
    assert!(low < 40, "{low}");
    line.carries(8, 120);
    assert!(line.kbps().unwrap() <= 22, "{:?}", line.kbps());
    (line.kbps, line.longest) = (150, 7_500);
    line.carries(20, 120);
    assert!(
        line.kbps().is_none_or(|kbps| kbps > 70),
        "{:?}",
        line.kbps()
    );
}

#[test]
fn loss_that_is_always_there_is_no_congestion() {
    let mut line = Line::of(200);
    line.lossy = 20;
    line.carries(30, 100);
    assert!(
        line.kbps().is_none_or(|kbps| kbps >= 95),
        "{:?}",
        line.kbps()
    );
}

#[test]
fn a_link_without_a_queue_is_found_by_its_losses() {
    let mut line = Line::of(100);
    line.longest = 1_500;
    line.carries(30, 250);
    let found = line.kbps().unwrap();
    assert!((50..150).contains(&found), "{found}");
}

#[test]
fn silence_is_noticed_only_while_something_is_under_way() {
    let mut line = Line::of(100);
    assert_eq!(line.estimator.dead_from(RTT), None);
    line.carries(3, 50);
    let calm = line.estimator.held_from(RTT);
    assert!(calm.is_none_or(|held| held > line.now));
    line.kbps = 0;
    line.carries(2, 50);
    assert!(line.estimator.dead_from(RTT).unwrap() < line.now);
    line.estimator.died(line.now);
    assert_eq!(line.estimator.dead_from(RTT), None);
    line.now += 10 * SECOND;
    line.kbps = 100;
    line.send(300);
    assert!(line.estimator.held_from(RTT).unwrap() > line.now);
}

#[test]
fn feedback_about_what_was_never_sent_changes_nothing() {
    let mut estimator = Estimator::default();
    let mut recorder = Recorder::default();
    for number in 0..300 {
        recorder.came(number, number as u16 * 3);
    }
    let mut writer = Writer::default();
    recorder.tell(0, 1, 2, &mut writer);
    let Some(Item::TransportCc(feedback)) = items(writer.bytes()).next() else {
        panic!("feedback")
    };
    assert_eq!(estimator.feedback(0, RTT, 0, &feedback), Change::Nothing);
    assert!(!estimator.is_fed());
    assert_eq!(estimator.estimate(), None);
}
