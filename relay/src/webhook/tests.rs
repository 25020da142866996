//! Policy on virtual time. The tasks and HTTP are tried in `tests/webhooks.rs`.

use proptest::prelude::*;

use super::{
    Filter,
    schedule::{Item, Policy, Schedule, Verdict},
};

const MINUTE: u64 = 60_000;

fn item(number: u64, lane: &str) -> Item {
    Item {
        number,
        lane: lane.to_owned(),
        kind: "call.ended".to_owned(),
        event: number,
        since: 0,
        attempts: 0,
        not_before: 0,
    }
}

fn ready(schedule: &mut Schedule, now: u64) -> Vec<u64> {
    std::iter::from_fn(|| schedule.next(now).map(|item| item.number)).collect()
}

#[test]
fn events_of_one_room_go_one_after_the_other() {
    let mut schedule = Schedule::new(Policy::default());
    for (number, lane) in [(1, "room 1"), (2, "room 1"), (3, "room 2"), (4, "room 1")] {
        schedule.add(item(number, lane));
    }
    assert_eq!(ready(&mut schedule, 0), [1, 3]);
    schedule.settle(3, Verdict::Done);
    assert!(ready(&mut schedule, 0).is_empty());
    // the second waits for the first however long that takes
    schedule.settle(1, Verdict::Retry { at: 1000 });
    assert!(ready(&mut schedule, 999).is_empty());
    assert_eq!(schedule.wake_at(), Some(1000));
    assert_eq!(ready(&mut schedule, 1000), [1]);
    schedule.settle(1, Verdict::Done);
    assert_eq!(ready(&mut schedule, 1000), [2]);
    // one that was given up holds up nobody
    schedule.settle(2, Verdict::Bury);
    assert_eq!(ready(&mut schedule, 1000), [4]);
    schedule.settle(4, Verdict::Done);
    assert!(schedule.is_empty());
    assert_eq!(schedule.wake_at(), None);
}

#[test]
fn waits_double_with_jitter_up_to_ten_minutes() {
    let policy = Policy::default();
    let wait = |attempts, roll| {
        let failed = Item {
            attempts,
            ..item(1, "room 1")
        };
        match policy.verdict(0, &failed, None, roll) {
            Verdict::Retry { at } => at,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((wait(0, 0), wait(0, u32::MAX)), (500, 1000));
    assert_eq!((wait(3, 0), wait(3, u32::MAX)), (4000, 8000));
    assert_eq!((wait(60, 0), wait(60, u32::MAX)), (5 * MINUTE, 10 * MINUTE));
}

#[test]
fn a_receivers_own_wish_is_heard_for_an_hour_at_most() {
    let policy = Policy::default();
    let asked = |ms| policy.verdict(0, &item(1, "room 1"), Some(ms), 0);
    assert_eq!(asked(120_000), Verdict::Retry { at: 120_000 });
    assert_eq!(asked(0), Verdict::Retry { at: 500 });
    assert_eq!(asked(u64::MAX), Verdict::Retry { at: 60 * MINUTE });
}

#[test]
fn after_a_day_an_event_is_given_up_with_a_last_try_at_its_end() {
    let policy = Policy::default();
    let day = policy.give_up_ms;
    let old = Item {
        attempts: 20,
        ..item(1, "room 1")
    };
    let verdict = policy.verdict(day - 1000, &old, None, u32::MAX);
    assert_eq!(verdict, Verdict::Retry { at: day });
    assert_eq!(policy.verdict(day, &old, None, 0), Verdict::Bury);
    assert!(policy.is_too_old(day, &old) && !policy.is_too_old(day - 1, &old));
}

#[test]
fn a_receiver_that_is_down_is_only_probed() {
    let mut schedule = Schedule::new(Policy::default());
    for number in 1..=20 {
        schedule.add(item(number, &format!("room {number}")));
    }
    let first = ready(&mut schedule, 0);
    assert_eq!(first.len(), 8);
    for number in &first {
        schedule.settle(*number, Verdict::Retry { at: 5000 });
    }
    assert_eq!(ready(&mut schedule, 100), [9]);
    schedule.settle(9, Verdict::Retry { at: 5000 });
    assert_eq!(ready(&mut schedule, 200), [10]);
    // it is back
    schedule.settle(10, Verdict::Done);
    assert_eq!(ready(&mut schedule, 300).len(), 8);
}

#[test]
fn a_webhook_hears_what_it_asked_for() {
    let filter = |events: &[&str]| Filter {
        url: String::new(),
        events: events.iter().map(|kind| (*kind).to_owned()).collect(),
    };
    assert!(filter(&[]).wants("user.online"));
    assert!(filter(&["call.*"]).wants("call.ended"));
    assert!(!filter(&["call.*", "user.online"]).wants("user.offline"));
}

proptest! {
    /// Whatever fails and however long: each lane in its order, never too many at a time, and in
    /// the end nothing is left.
    #[test]
    fn every_lane_keeps_its_order(
        lanes in proptest::collection::vec(0_u8..6, 1..60),
        fates in proptest::collection::vec((0_u8..10, 0_u64..3000, any::<u32>()), 400),
    ) {
        let policy = Policy { concurrent: 3, give_up_ms: MINUTE, ..Policy::default() };
        let mut schedule = Schedule::new(policy);
        for (number, lane) in (1..).zip(&lanes) {
            schedule.add(item(number, &format!("room {lane}")));
        }
        let mut fates = fates.into_iter().cycle();
        let (mut now, mut settled, mut steps) = (0, Vec::new(), 0);
        let mut under_way: Vec<Item> = Vec::new();
        while !schedule.is_empty() {
            steps += 1;
            prop_assert!(steps < 100_000, "it never ends");
            while let Some(item) = schedule.next(now) {
                prop_assert!(under_way.iter().all(|other| other.lane != item.lane));
                under_way.push(item);
            }
            prop_assert!(under_way.len() <= policy.concurrent);
            if under_way.is_empty() {
                let wake = schedule.wake_at();
                prop_assert!(wake.is_some_and(|at| at > now), "it sleeps for ever");
                now = wake.unwrap_or(now);
                continue;
            }
            let (luck, took, roll) = fates.next().unwrap_or_default();
            let item = under_way.remove(usize::from(luck) % under_way.len());
            now += took;
            let verdict = match luck {
                0..6 => policy.verdict(now, &item, None, roll),
                _ => Verdict::Done,
            };
            schedule.settle(item.number, verdict);
            if !matches!(verdict, Verdict::Retry { .. }) {
                settled.push(item);
            }
        }
        for lane in 0..6_u8 {
            let name = format!("room {lane}");
            let order: Vec<u64> =
                settled.iter().filter(|item| item.lane == name).map(|item| item.number).collect();
            prop_assert!(order.is_sorted());
        }
        prop_assert_eq!(settled.len(), lanes.len());
    }
}
