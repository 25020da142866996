//! What forwarding costs: one publisher, N receivers, real ICE, DTLS and SRTP over loopback.
//!
//! `cargo run --release -p clinicall-relay --example media_bench -- --json` prints one object as
//! its last line. The relay is a child process on the first core, the load this process on the
//! second, both before all others where the system allows it (`chrt`, `taskset`). The load is a
//! call's: 130 video packets a second of 1,100 bytes in bursts of four, 50 of speech; a
//! multiple of it to saturate; and many calls of two at once. Beside stands what AES-GCM and the
//! send call cost alone, measured in the same run on the same machine, since both move with the
//! machine's neighbours, and Janus with the same publisher and receivers where it is installed.
//!
//! `... --example media_bench -- play 200 7 10` plays seven times a call's rate to 200 receivers for
//! ten seconds and prints what it cost: something to hold a profiler at, or to try a change with.
//! `calls 300 1 10` does so with 300 calls of two, `janus 50 1 10` with Janus.
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot measure should say where"
)]

#[path = "media_bench/bare.rs"]
mod bare;
#[path = "../tests/media_support/caller.rs"]
mod caller;
#[path = "media_bench/janus.rs"]
mod janus;
#[path = "media_bench/load.rs"]
mod load;
#[path = "media_bench/relay.rs"]
mod relay;
#[path = "media_bench/report.rs"]
mod report;
#[path = "media_bench/stage.rs"]
mod stage;

use std::{process::Command, time::Duration};

use janus::Janus;
use relay::Relay;
use report::{Run, Theirs};
use serde_json::json;
use stage::{Scene, Stage};

/// Each figure is the median of so many runs.
const RUNS: usize = 3;
const AUDIENCES: [u32; 3] = [10, 50, 200];
/// Multiples of a call's rate: 144,000 to 720,000 packets a second at 200 receivers.
const STEPS: [u32; 9] = [4, 7, 8, 9, 10, 11, 12, 14, 20];
const JANUS_STEPS: [u32; 5] = [1, 2, 3, 4, 5];
/// Calls of two at once.
const CALLS: u32 = 200;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.first() == Some(&"serve") {
        relay::serve();
        return;
    }
    prefer_me();
    if let [scene @ ("play" | "calls" | "janus"), numbers @ ..] = &words[..] {
        let numbers: Vec<u32> = numbers.iter().map(|word| word.parse().unwrap()).collect();
        let [many, times, seconds] = numbers[..] else {
            panic!("{scene} MANY TIMES SECONDS");
        };
        let length = Duration::from_secs(seconds.into());
        let scene = match *scene {
            "play" => played(Stage::broadcast(Relay::start(), many), times, length),
            "calls" => played(Stage::calls(Relay::start(), many), times, length),
            _ => played(
                Stage::broadcast(Janus::start(1).unwrap(), many),
                times,
                length,
            ),
        };
        println!("{scene}");
        return;
    }
    let mut runs: Vec<Run> = Vec::new();
    for number in 1..=RUNS {
        eprintln!("run {number} of {RUNS}");
        runs.push(run());
    }
    let rows = report::rows(&runs);
    if words.contains(&"--json") {
        println!("{}", json!({ "bench": "media", "rows": rows }));
    } else {
        for row in &rows {
            println!("{row}");
        }
    }
}

fn played<F: stage::Forwarder>(mut stage: Stage<F>, times: u32, length: Duration) -> Scene {
    stage.measure(times, Duration::from_millis(700));
    stage.measure(times, length)
}

/// To the second core, and in front of what else runs there.
fn prefer_me() {
    let pid = std::process::id().to_string();
    drop(Command::new("taskset").args(["-cp", "1", &pid]).output());
    drop(Command::new("chrt").args(["-r", "-p", "10", &pid]).output());
}

fn run() -> Run {
    let bare_us = [1, 4].map(bare::microseconds_per_packet);
    let mut scenes = Vec::new();
    let mut last = None;
    for audience in AUDIENCES {
        // the one before ends first
        drop(last.take());
        let stage = last.insert(Stage::broadcast(Relay::start(), audience));
        scenes.push(stage.scene());
    }
    let mut stage = last.unwrap();
    let member_kib = stage.member_kib();
    let (saturated, clean) = stage.saturate(&STEPS);
    let (join_cpu_ms, connect_ms) = (stage.join_cpu_ms, stage.connect_ms);
    drop(stage);
    let mut calls = Stage::calls(Relay::start(), CALLS);
    let call_kib = calls.member_kib();
    let calls = calls.scene();
    Run {
        bare_us,
        scenes,
        join_cpu_ms,
        connect_ms,
        member_kib,
        saturated,
        clean,
        calls,
        call_kib,
        janus: theirs(),
    }
}

/// The same with Janus, where it is to be had.
fn theirs() -> Option<Theirs> {
    let mut scenes = Vec::new();
    let mut last = None;
    for audience in AUDIENCES {
        drop(last.take());
        let janus = match Janus::start(1) {
            Ok(janus) => janus,
            Err(why) => {
                eprintln!("Janus is not to be had here: {}", why.0);
                return None;
            }
        };
        let stage = last.insert(Stage::broadcast(janus, audience));
        scenes.push(stage.scene());
    }
    let mut stage = last?;
    let member_kib = stage.member_kib();
    let (saturated, clean) = stage.saturate(&JANUS_STEPS);
    Some(Theirs {
        scenes,
        join_cpu_ms: stage.join_cpu_ms,
        connect_ms: stage.connect_ms,
        member_kib,
        saturated,
        clean,
    })
}
