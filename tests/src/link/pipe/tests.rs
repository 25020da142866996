//! The pipe on virtual time.

use super::*;
use crate::link::Reordering;

const SECOND: u64 = 1_000_000;
const MILLI: u64 = 1_000;

/// A packet that remembers its number.
fn packet(number: u32, size: usize) -> Vec<u8> {
    let mut packet = vec![0; size];
    packet[..4].copy_from_slice(&number.to_be_bytes());
    packet
}

fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[..4].try_into().unwrap())
}

/// What came of packets sent at these times: arrivals (time, number), the lost, the dropped.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    arrived: Vec<(u64, u32)>,
    lost: Vec<u32>,
    dropped: Vec<u32>,
}

/// Sends `count` packets of `size` bytes every `every` microseconds and waits for the last.
fn send(pipe: &mut Pipe, count: u32, size: usize, every: u64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut next = 0;
    loop {
        let entry = (next < count).then(|| u64::from(next) * every);
        let Some(now) = [entry, pipe.wakes()].into_iter().flatten().min() else {
            return outcome;
        };
        if entry == Some(now) {
            if pipe.enter(now, packet(next, size)) == Fate::Dropped {
                outcome.dropped.push(next);
            }
            next += 1;
        }
        while let Some(out) = pipe.poll(now) {
            match out {
                Out::Arrived(packet) => outcome.arrived.push((now, number(&packet))),
                Out::Lost(packet) => outcome.lost.push(number(&packet)),
            }
        }
    }
}

#[test]
fn a_line_carries_its_rate_to_the_bit() {
    for kbps in [16, 64, 150, 1_000] {
        let mut pipe = Pipe::new(Way::line(kbps, 400), 1);
        // 250 bytes each millisecond are 2 Mbit/s
        let outcome = send(&mut pipe, 20_000, 250, MILLI);
        let (first, last) = (outcome.arrived[0].0, outcome.arrived.last().unwrap().0);
        let bits = (outcome.arrived.len() as u64 - 1) * 250 * 8;
        let spent = bits as f64 * 1_000.0 / f64::from(kbps);
        let error = (last - first) as f64 - spent;
        assert!(error.abs() <= 1.0, "{kbps} kbit/s: {error} us");
        assert_eq!(
            outcome.arrived.len() + outcome.dropped.len(),
            20_000,
            "nothing else is lost"
        );
    }
}

#[test]
fn the_queue_holds_what_it_says_and_no_more() {
    let mut pipe = Pipe::new(Way::line(64, 400), 1);
    for number in 0..100 {
        pipe.enter(0, packet(number, 200));
    }
    // 64 kbit/s for 400 ms are 3,200 bytes
    assert_eq!(pipe.waiting(), 3_200);
    assert_eq!(pipe.wakes(), Some(25 * MILLI));
    assert_eq!(pipe.poll(25 * MILLI - 1), None);
    assert_eq!(pipe.poll(25 * MILLI), Some(Out::Arrived(packet(0, 200))));
}

#[test]
fn a_packet_longer_than_the_queue_passes_an_empty_one() {
    let mut pipe = Pipe::new(Way::line(16, 100), 1);
    assert_eq!(pipe.enter(0, packet(0, 1_200)), Fate::Taken);
    assert_eq!(pipe.enter(0, packet(1, 40)), Fate::Dropped);
    assert_eq!(pipe.wakes(), Some(600 * MILLI));
}

#[test]
fn delay_is_exact_and_jitter_stays_in_its_bounds_and_order() {
    let way = Way::good().delay(150).jitter(40);
    let outcome = send(&mut Pipe::new(way, 5), 10_000, 100, 20 * MILLI);
    let mut late: Vec<u64> = Vec::new();
    for (at, (arrival, number)) in outcome.arrived.iter().enumerate() {
        assert_eq!(at as u32, *number, "order is kept");
        late.push(arrival - u64::from(*number) * 20 * MILLI - 150 * MILLI);
    }
    assert!(late.iter().all(|late| *late <= 40 * MILLI));
    assert!(late.iter().any(|late| *late > 39 * MILLI));
    assert!(late.iter().any(|late| *late < MILLI));
    let plain = send(&mut Pipe::new(Way::good().delay(150), 5), 9, 100, MILLI);
    assert!(
        plain
            .arrived
            .iter()
            .all(|(at, number)| *at == 150 * MILLI + u64::from(*number) * MILLI)
    );
}

#[test]
fn random_loss_is_what_it_says() {
    for share in [0.02, 0.05, 0.2] {
        let way = Way::good().loss(Loss::Random(share));
        let outcome = send(&mut Pipe::new(way, 9), 50_000, 60, MILLI);
        let lost = outcome.lost.len() as f64 / 50_000.0;
        // three standard deviations
        let bound = 3.0 * (share * (1.0 - share) / 50_000.0_f64).sqrt();
        assert!((lost - share).abs() < bound, "{lost} for {share}");
    }
}

#[test]
fn bursts_are_as_long_and_as_many_as_they_say() {
    let loss = Loss::Bursts {
        enter: 0.01,
        leave: 0.25,
        good: 0.0,
        bad: 1.0,
    };
    let count = 200_000;
    let outcome = send(&mut Pipe::new(Way::good().loss(loss), 4), count, 60, MILLI);
    let share = outcome.lost.len() as f64 / f64::from(count);
    assert!((share - loss.mean()).abs() < 0.003, "{share}");
    let bursts = 1 + outcome
        .lost
        .windows(2)
        .filter(|pair| pair[1] != pair[0] + 1)
        .count();
    let length = outcome.lost.len() as f64 / bursts as f64;
    assert!((length - 4.0).abs() < 0.2, "mean burst {length}");
}

#[test]
fn held_back_packets_are_overtaken() {
    let way = Way::good().delay(50).reordering(0.1, 30);
    let outcome = send(&mut Pipe::new(way, 2), 10_000, 60, 10 * MILLI);
    let late = outcome
        .arrived
        .iter()
        .filter(|(at, number)| at - u64::from(*number) * 10 * MILLI == 80 * MILLI)
        .count();
    assert!(late.abs_diff(1_000) < 90, "{late}");
    let overtaken = outcome
        .arrived
        .windows(2)
        .filter(|pair| pair[1].1 < pair[0].1)
        .count();
    assert!(overtaken.abs_diff(late) < late / 5, "{overtaken} of {late}");
    assert_eq!(Way::good().reordering, Reordering::NONE);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let way = Way::line(100, 300)
        .delay(40)
        .jitter(25)
        .loss(Loss::Random(0.1))
        .reordering(0.05, 60);
    let run = |seed| send(&mut Pipe::new(way, seed), 5_000, 300, 20 * MILLI);
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

#[test]
fn a_link_collapses_and_recovers_with_what_was_on_the_line() {
    let mut pipe = Pipe::new(Way::line(80, 1_000), 1);
    pipe.enter(0, packet(0, 1_000));
    pipe.enter(0, packet(1, 1_000));
    // half of the first has gone by now; the other half takes ten times as long
    pipe.change(50 * MILLI, Way::line(8, 10_000));
    assert_eq!(pipe.wakes(), Some(550 * MILLI));
    assert_eq!(pipe.poll(549 * MILLI), None);
    assert!(pipe.poll(550 * MILLI).is_some());
    pipe.change(550 * MILLI, Way::line(80, 1_000));
    assert_eq!(pipe.wakes(), Some(650 * MILLI));
}

#[test]
fn nothing_moves_over_a_dead_link_and_its_queue_fills() {
    let mut pipe = Pipe::new(Way::line(80, 400), 1);
    pipe.change(
        SECOND,
        Way {
            kbps: Some(0),
            ..Way::line(80, 400)
        },
    );
    for at in 0..100 {
        pipe.enter(SECOND + at * 20 * MILLI, packet(at as u32, 100));
    }
    assert_eq!(pipe.waiting(), 4_000);
    assert_eq!((pipe.wakes(), pipe.poll(9 * SECOND)), (None, None));
    pipe.change(9 * SECOND, Way::line(80, 400));
    assert_eq!(pipe.wakes(), Some(9 * SECOND + 10 * MILLI));
    // a line that woke up late has not sent what it slept through
    assert_eq!(pipe.poll(9 * SECOND), None);
}

#[test]
fn a_late_thread_costs_no_bandwidth() {
    // The shell wakes up when the machine lets it; the line went on meanwhile.
    let mut pipe = Pipe::new(Way::line(80, 1_000), 1);
    for at in 0..10 {
        pipe.enter(0, packet(at, 100));
    }
    let mut arrived = 0;
    while pipe.poll(95 * MILLI).is_some() {
        arrived += 1;
    }
    assert_eq!(arrived, 9);
}
