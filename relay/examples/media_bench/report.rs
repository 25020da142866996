//! Figures into rows.

use std::fmt;

use serde_json::{Value, json};

use super::{
    AUDIENCES,
    stage::{Scene, percentile},
};

/// Forwarded packets a second of a call of two: 130 of video and 50 of speech each way.
const CALL: f64 = 360.0;

pub struct Run {
    /// One datagram a message, and four in one.
    pub bare_us: [f64; 2],
    /// By audience.
    pub scenes: Vec<Scene>,
    pub join_cpu_ms: f64,
    pub connect_ms: f64,
    pub member_kib: f64,
    pub saturated: f64,
    pub clean: f64,
    pub calls: Scene,
    pub call_kib: f64,
    pub janus: Option<Theirs>,
}

pub struct Theirs {
    pub scenes: Vec<Scene>,
    pub join_cpu_ms: f64,
    pub connect_ms: f64,
    pub member_kib: f64,
    pub saturated: f64,
    pub clean: f64,
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s, {:.2} % missing, {:.2} us CPU each ({:.2} user), {:.0} % of a core, p99 {:.2} ms",
            self.rate,
            100.0 * self.missing,
            self.cpu_us,
            self.user_us,
            100.0 * self.cores,
            self.p99_ms,
        )
    }
}

/// A row that is still being filled.
struct Row(Value);

impl Row {
    fn new(name: impl Into<String>, unit: &str, better: &str, ours: f64) -> Self {
        let name: String = name.into();
        Self(
            json!({ "row": name, "unit": unit, "better": better, "ours": round(ours),
            "beside": {} }),
        )
    }

    fn beside(mut self, who: &str, figure: Option<f64>) -> Self {
        self.0["beside"][who] = figure.map_or(Value::Null, |figure| json!(round(figure)));
        self
    }

    fn goal(mut self, goal: f64) -> Self {
        self.0["goal"] = json!(goal);
        self
    }
}

fn round(figure: f64) -> f64 {
    if figure.abs() >= 1_000.0 {
        figure.round()
    } else {
        (figure * 1_000.0).round() / 1_000.0
    }
}

/// Not a number when there are none.
fn mean(figures: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = figures.fold((0.0, 0.0), |(sum, count), figure| {
        (sum + figure, count + 1.0)
    });
    sum / count
}

/// One row for each figure, each the median over the runs.
pub fn rows(runs: &[Run]) -> Vec<Value> {
    let median = |figure: &dyn Fn(&Run) -> f64| percentile(runs.iter().map(figure).collect(), 0.5);
    // `None` where Janus is not to be had
    let janus = |figure: &dyn Fn(&Theirs) -> f64| {
        let figures: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.janus.as_ref().map(figure))
            .collect();
        (!figures.is_empty()).then(|| percentile(figures, 0.5))
    };
    let mut rows = Vec::new();
    // of the design's prototype, and its limits
    let prototype = [12.4, 6.8, 5.0];
    let late = [Some(3.0), None, Some(6.0)];
    for (at, audience) in AUDIENCES.into_iter().enumerate() {
        let name = |what: &str| format!("{what}, {audience} receivers");
        let cpu = median(&|run| run.scenes[at].cpu_us);
        rows.push(
            Row::new(name("CPU per forwarded packet"), "us", "lower", cpu)
                .beside(BARE, Some(median(&|run| run.bare_us[1])))
                .beside("janus", janus(&|run| run.scenes[at].cpu_us))
                .goal(prototype[at]),
        );
        // sampled by a tick of 10 ms: the mean of all runs is better than the middle one
        let user = mean(runs.iter().map(|run| run.scenes[at].user_us));
        let theirs = runs.iter().filter_map(|run| run.janus.as_ref());
        let theirs = mean(theirs.map(|janus| janus.scenes[at].user_us));
        let row = Row::new(name("of it in user space"), "us", "lower", user)
            .beside("janus", Some(theirs).filter(|mean| mean.is_finite()));
        rows.push(if audience == 200 { row.goal(1.0) } else { row });
        let p99 = median(&|run| run.scenes[at].p99_ms);
        let row = Row::new(name("delay added, p99"), "ms", "lower", p99)
            .beside("janus", janus(&|run| run.scenes[at].p99_ms));
        rows.push(match late[at] {
            Some(goal) => row.goal(goal),
            None => row,
        });
        let missing = median(&|run| 100.0 * run.scenes[at].missing);
        rows.push(
            Row::new(name("missing"), "%", "lower", missing)
                .beside("janus", janus(&|run| 100.0 * run.scenes[at].missing)),
        );
    }
    let saturated = median(&|run| run.saturated);
    rows.push(
        Row::new(
            "packets a second on one core, 200 receivers",
            "1/s",
            "higher",
            saturated,
        )
        .beside(BARE_EACH, Some(1e6 / median(&|run| run.bare_us[0])))
        .beside(BARE, Some(1e6 / median(&|run| run.bare_us[1])))
        .beside("janus", janus(&|run| run.saturated))
        .goal(250_000.0),
    );
    let clean = median(&|run| run.clean);
    rows.push(
        Row::new(
            "the same with less than 0.1 % missing and p99 within 10 ms",
            "1/s",
            "higher",
            clean,
        )
        // at none of the rates tried: no figure
        .beside("janus", janus(&|run| run.clean).filter(|rate| *rate > 0.0))
        .goal(250_000.0),
    );
    for (at, limit) in [BARE_EACH, BARE].into_iter().enumerate() {
        let share = median(&|run| run.saturated * run.bare_us[at] / 1e6);
        rows.push(
            Row::new(
                format!("share of the limit, {limit}"),
                "ratio",
                "higher",
                share,
            )
            .goal(0.7),
        );
    }
    let calls = |run: &Run| run.calls.rate / CALL / run.calls.cores;
    rows.push(
        Row::new(
            "calls of two on one core, from the CPU of 200 at once",
            "calls",
            "higher",
            median(&calls),
        )
        .goal(300.0),
    );
    rows.push(Row::new(
        "CPU per forwarded packet, 200 calls of two",
        "us",
        "lower",
        median(&|run| run.calls.cpu_us),
    ));
    rows.push(
        Row::new(
            "memory per member of a call",
            "KiB",
            "lower",
            median(&|run| run.call_kib),
        )
        .goal(64.0),
    );
    rows.push(
        Row::new(
            "memory per receiver",
            "KiB",
            "lower",
            median(&|run| run.member_kib),
        )
        .beside("janus", janus(&|run| run.member_kib))
        .goal(64.0),
    );
    rows.push(
        Row::new(
            "CPU per join",
            "ms",
            "lower",
            median(&|run| run.join_cpu_ms),
        )
        .beside("janus", janus(&|run| run.join_cpu_ms))
        .goal(3.0),
    );
    rows.push(
        Row::new(
            "offer to keys, p99",
            "ms",
            "lower",
            median(&|run| run.connect_ms),
        )
        .beside("janus", janus(&|run| run.connect_ms))
        .goal(50.0),
    );
    rows.into_iter().map(|row| row.0).collect()
}

const BARE_EACH: &str = "bare AES-GCM + sendmmsg";
const BARE: &str = "bare AES-GCM + sendmmsg of four";
