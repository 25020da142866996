//! What forwarding costs: one publisher, N receivers, real ICE, DTLS and SRTP over loopback.
//!
//! `cargo run --release -p clinicall-relay --example media_bench -- --json` prints one object as
//! its last line. The relay is a child process on the first core, the load this process on the
//! second, both before all others where the system allows it (`chrt`, `taskset`). The load is a
//! call's: 130 video packets a second of 1,100 bytes in bursts of four, 50 of speech; a
//! multiple of it to saturate. Beside stands what AES-GCM and the send call cost alone, measured
//! in the same run on the same machine, since both move with the machine's neighbours.
//!
//! `... --example media_bench -- play 200 7 10` plays seven times a call's rate to 200 receivers for
//! ten seconds and prints what it cost: something to hold a profiler at, or to try a change with.
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot measure should say where"
)]

#[path = "media_bench/bare.rs"]
mod bare;
#[path = "../tests/media_support/caller.rs"]
mod caller;
#[path = "media_bench/load.rs"]
mod load;
#[path = "media_bench/relay.rs"]
mod relay;

use std::{process::Command, sync::Arc, time::Duration};

use caller::{Caller, Papers, offer};
use clinicall_relay::media::srtp::Profile;
use load::{Fleet, Publisher};
use relay::Relay;
use serde_json::{Value, json};

/// Each figure is the median of so many runs.
const RUNS: usize = 3;
const WARM_UP: Duration = Duration::from_millis(700);
const MEASURED: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(1_500);
/// Multiples of a call's rate: 144,000 to 720,000 packets a second at 200 receivers.
const STEPS: [u32; 9] = [4, 7, 8, 9, 10, 11, 12, 14, 20];
/// Milliseconds: the design's limit for forwarding at the highest rate.
const SOON_ENOUGH: f64 = 10.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "serve") {
        relay::serve();
        return;
    }
    prefer_me();
    if let [play, numbers @ ..] = &words[..]
        && play == "play"
    {
        let numbers: Vec<u32> = numbers.iter().map(|word| word.parse().unwrap()).collect();
        let [receivers, times, seconds] = numbers[..] else {
            panic!("play RECEIVERS TIMES SECONDS");
        };
        play_only(receivers, times, Duration::from_secs(seconds.into()));
        return;
    }
    let runs: Vec<Run> = (0..RUNS).map(|_| run()).collect();
    let rows = rows(&runs);
    if words.iter().any(|word| word == "--json") {
        println!("{}", json!({ "bench": "media", "rows": rows }));
    } else {
        for row in &rows {
            println!("{row}");
        }
    }
}

fn play_only(receivers: u32, times: u32, length: Duration) {
    let mut stage = Stage::open(receivers);
    stage.publisher.play(times, WARM_UP);
    stage.fleet.forget();
    let (cpu, user, out, came) = (
        stage.relay.cpu(),
        stage.relay.user(),
        stage.relay.packets_out(),
        stage.fleet.came(),
    );
    let (sent, took) = stage.publisher.play(times, length);
    let packets = stage.relay.packets_out() - out;
    let wanted = sent * f64::from(receivers);
    let cpu = stage.relay.cpu() - cpu;
    println!(
        "{:.0}/s of {:.0}/s wanted ({:.2} % missing, at the receivers {:.2} %), {:.2} us CPU each ({:.2} user), {:.0} % of a core, p99 {:.2} ms",
        packets / took,
        wanted / took,
        100.0 * (1.0 - packets / wanted),
        100.0 * (1.0 - (stage.fleet.came() - came) / wanted),
        cpu * 1e6 / packets,
        (stage.relay.user() - user) * 1e6 / packets,
        100.0 * cpu / took,
        percentile(stage.fleet.delays(), 0.99),
    );
}

/// To the second core, and in front of what else runs there.
fn prefer_me() {
    let pid = std::process::id().to_string();
    drop(Command::new("taskset").args(["-cp", "1", &pid]).output());
    drop(Command::new("chrt").args(["-r", "-p", "10", &pid]).output());
}

struct Scene {
    receivers: u32,
    cpu_us: f64,
    user_us: f64,
    p99_ms: f64,
}

struct Run {
    bare_us: f64,
    scenes: Vec<Scene>,
    join_cpu_ms: f64,
    connect_ms: f64,
    member_kib: f64,
    saturated: f64,
    clean: f64,
}

fn run() -> Run {
    let bare_us = bare::microseconds_per_packet();
    let mut scenes = Vec::new();
    for receivers in [10, 50] {
        let mut stage = Stage::open(receivers);
        scenes.push(stage.scene());
    }
    let mut stage = Stage::open(200);
    scenes.push(stage.scene());
    let member_kib = stage.member_kib();
    let (saturated, clean) = stage.saturate();
    Run {
        bare_us,
        scenes,
        join_cpu_ms: stage.join_cpu_ms,
        connect_ms: stage.connect_ms,
        member_kib,
        saturated,
        clean,
    }
}

/// A relay with one room in it, a publisher and its receivers.
struct Stage {
    relay: Relay,
    publisher: Publisher,
    fleet: Fleet,
    receivers: u32,
    empty_kib: f64,
    join_cpu_ms: f64,
    connect_ms: f64,
}

impl Stage {
    fn open(receivers: u32) -> Self {
        let mut relay = Relay::start();
        let papers = Arc::new(Papers::new(Profile::AeadAes128Gcm));
        let publisher = relay.join(&papers, "sendonly", 1);
        let empty_kib = relay.memory_kib();
        let before = relay.cpu();
        let mut callers = Vec::new();
        let mut times = Vec::new();
        for number in 1..=receivers {
            let began = std::time::Instant::now();
            callers.push(relay.join(&papers, "recvonly", number * 10));
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let join_cpu_ms = (relay.cpu() - before) * 1e3 / f64::from(receivers);
        Self {
            relay,
            publisher: Publisher::new(publisher),
            fleet: Fleet::listen(callers),
            receivers,
            empty_kib,
            join_cpu_ms,
            connect_ms: percentile(times, 0.99),
        }
    }

    fn scene(&mut self) -> Scene {
        self.publisher.play(1, WARM_UP);
        self.fleet.forget();
        let (cpu, user, out) = (
            self.relay.cpu(),
            self.relay.user(),
            self.relay.packets_out(),
        );
        self.publisher.play(1, MEASURED);
        let packets = self.relay.packets_out() - out;
        Scene {
            receivers: self.receivers,
            cpu_us: (self.relay.cpu() - cpu) * 1e6 / packets,
            user_us: (self.relay.user() - user) * 1e6 / packets,
            p99_ms: percentile(self.fleet.delays(), 0.99),
        }
    }

    fn member_kib(&self) -> f64 {
        (self.relay.memory_kib() - self.empty_kib) / f64::from(self.receivers)
    }

    /// The most packets a second that left, and the most while less than one in a thousand of
    /// those wanted was missing and no more than one in a hundred was late.
    fn saturate(&mut self) -> (f64, f64) {
        let (mut most, mut clean) = (0.0_f64, 0.0_f64);
        for step in STEPS {
            self.fleet.forget();
            let before = self.relay.packets_out();
            let (sent, took) = self.publisher.play(step, STEP);
            let out = self.relay.packets_out() - before;
            let rate = out / took;
            most = most.max(rate);
            let soon = percentile(self.fleet.delays(), 0.99) <= SOON_ENOUGH;
            if soon && out >= 0.999 * sent * f64::from(self.receivers) {
                clean = clean.max(rate);
            }
        }
        (most, clean)
    }
}

impl Relay {
    fn join(&mut self, papers: &Arc<Papers>, direction: &str, ssrc: u32) -> Caller {
        let answer = self.ask(&offer(&papers.fingerprint, direction, ssrc));
        let mut caller = Caller::new(papers, &answer, ssrc);
        assert!(
            caller.connect(Duration::from_secs(10)),
            "a caller did not get through"
        );
        caller
    }
}

fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

fn rows(runs: &[Run]) -> Vec<Value> {
    let median = |value: &dyn Fn(&Run) -> f64| {
        let middle = percentile(runs.iter().map(value).collect(), 0.5);
        (middle * 1_000.0).round() / 1_000.0
    };
    let row = |name: String, unit: &str, better: &str, ours: f64, beside: Value, goal: Value| {
        let mut row = json!({ "row": name, "unit": unit, "better": better, "ours": ours });
        for (key, value) in [("beside", beside), ("goal", goal)] {
            if !value.is_null() {
                row[key] = value;
            }
        }
        row
    };
    let bare = median(&|run| run.bare_us);
    let beside = json!({ "bare AES-GCM + sendmmsg": bare });
    let mut rows = Vec::new();
    for (at, scene) in runs[0].scenes.iter().enumerate() {
        let name = |what: &str| format!("{what}, {} receivers", scene.receivers);
        let large = scene.receivers == 200;
        let cpu = median(&|run| run.scenes[at].cpu_us);
        let user = median(&|run| run.scenes[at].user_us);
        let p99 = median(&|run| run.scenes[at].p99_ms);
        rows.push(row(
            name("CPU per forwarded packet"),
            "us",
            "lower",
            cpu,
            beside.clone(),
            Value::Null,
        ));
        let goal = if large { json!(1.0) } else { Value::Null };
        rows.push(row(
            name("of it in user space"),
            "us",
            "lower",
            user,
            Value::Null,
            goal,
        ));
        let goal = match scene.receivers {
            10 => json!(3.0),
            200 => json!(6.0),
            _ => Value::Null,
        };
        rows.push(row(
            name("delay added, p99"),
            "ms",
            "lower",
            p99,
            Value::Null,
            goal,
        ));
    }
    let saturated = median(&|run| run.saturated);
    let limit = (1e6 / bare).round();
    let ratio = median(&|run| run.saturated * run.bare_us / 1e6);
    let alone = json!({ "bare AES-GCM + sendmmsg": limit });
    let whole = |value: f64| value.round();
    rows.push(row(
        "packets a second on one core, 200 receivers".to_owned(),
        "1/s",
        "higher",
        whole(saturated),
        alone,
        json!(250_000),
    ));
    rows.push(row(
        "the same with less than 0.1 % missing and p99 below 10 ms".to_owned(),
        "1/s",
        "higher",
        whole(median(&|run| run.clean)),
        Value::Null,
        json!(250_000),
    ));
    rows.push(row(
        "share of the bare limit".to_owned(),
        "ratio",
        "higher",
        ratio,
        Value::Null,
        json!(0.7),
    ));
    rows.push(row(
        "memory per member, after load".to_owned(),
        "KiB",
        "lower",
        median(&|run| run.member_kib),
        Value::Null,
        json!(64),
    ));
    rows.push(row(
        "CPU per join".to_owned(),
        "ms",
        "lower",
        median(&|run| run.join_cpu_ms),
        Value::Null,
        json!(3),
    ));
    rows.push(row(
        "offer to keys, p99".to_owned(),
        "ms",
        "lower",
        median(&|run| run.connect_ms),
        Value::Null,
        json!(50),
    ));
    rows
}
