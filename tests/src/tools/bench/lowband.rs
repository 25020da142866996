//! Visits over slow links: our client beside JsSIP, through the same relay over the same link.
//!
//! A doctor near the relay, a patient behind an emulated link, a whole browser each; the patient rings, the doctor
//! answers at once. Both say sentences over and over ([`speech`]). What is counted is counted at the link, every IP
//! packet handed to it; what is heard is recorded in the page and laid beside what was said. Ours knows the profile of the patient's
//! link at the patient's side alone; JsSIP knows nothing of links. Below 64 kbit/s both speak without a camera.
//!
//! `--cell 64,5,300` measures that one, `--cell 64,burst,300` with bursts of loss, `--full` all of them, `--brief` six, `--load` the first load
//! of a page and no visit; without any it is the choice of [`cells::chosen`], half an hour. Each figure is of one visit of [`WATCH`] seconds. A visit that does not come about says
//! why and counts as the limits of each figure.
//!
//! The relay is the development build: it has a few dozen packets a second to forward.

mod cells;
mod figures;
mod load;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::Row;
use crate::{
    browser::Kind,
    link::{
        Link, probe,
        speech::Judge,
        village::{Village, Visit},
    },
    story::Phone,
    tools::{say, setup},
};
use cells::Cell;
use figures::Figures;

/// From the first sound to where the budget has to be kept.
const SETTLE: Duration = Duration::from_secs(3);
/// Seconds looked at.
const WATCH: u64 = 12;
/// Frames a second that people's cameras make: more than the 20 aimed at.
const CAMERA: u32 = 25;
/// How long people wait for a voice, and for a picture from the ringing on.
const PATIENCE: Duration = Duration::from_secs(40);
const PATIENCE_FOR_FRAME: Duration = Duration::from_secs(20);

/// Each cell's rows, as they come.
pub fn rows(words: &[&str]) -> Result<Vec<Row>> {
    let cells = match words {
        [] => cells::chosen(),
        ["--full"] => cells::all(),
        ["--brief"] => cells::brief(),
        ["--load"] => Vec::new(),
        ["--cell", wanted @ ..] if !wanted.is_empty() => wanted
            .iter()
            .map(|cell| cell.parse())
            .collect::<Result<_>>()?,
        _ => bail!(
            "`bench lowband` knows --full, --brief, --load and --cell KBPS,LOSS,RTT... (LOSS in %, or `burst`)"
        ),
    };
    setup::stories()?;
    if words == ["--load"] {
        return load::rows();
    }
    let judge = Judge::come()?;
    let mut village = None;
    let mut rows = Vec::new();
    if !matches!(words, ["--cell", ..]) {
        rows.extend(own_error()?);
        rows.extend(load::rows()?);
        rows.extend(no_link(&mut village, &judge));
    }
    let (begun, count) = (Instant::now(), cells.len());
    for (at, cell) in cells.into_iter().enumerate() {
        let minutes = begun.elapsed().as_secs() / 60;
        say(format_args!(
            "cell {} of {count}, {minutes} min: {cell}",
            at + 1
        ));
        let ours = json!({ "bandwidth": cell.profile() });
        let [ours, jssip] =
            [(Phone::Clinicall, ours), (Phone::JsSip, json!({}))].map(|(phone, patient)| {
                let figures = visit(&mut village, &judge, Some(cell), phone, &patient);
                let figures = figures.unwrap_or_else(|error| {
                    // whatever it was, the next visit has browsers of its own
                    village = None;
                    say(format_args!("  {phone:?}: no visit: {error:#}"));
                    Figures::NONE
                });
                say(format_args!("  {phone:?}: {figures}"));
                figures
            });
        rows.extend(figures::rows(cell, &ours, &jssip));
    }
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    say(format_args!("{count} cells in {minutes:.1} min"));
    Ok(rows)
}

/// What the emulator adds to what it is to be like.
fn own_error() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kbps in [16, 150] {
        let error = probe::measure(kbps, Duration::from_millis(150))?;
        let here = format!("the emulator's own error at {kbps} kbit/s");
        let percent = (error.rate.abs() * 1e5).round() / 1e3;
        rows.push(Row::alone(format!("{here}: rate"), "%", percent));
        let millis = error.delay.1 as f64 / 1_000.0;
        rows.push(Row::alone(
            format!("{here}: added delay, p99"),
            "ms",
            millis,
        ));
    }
    Ok(rows)
}

/// What becomes of the profile for 16 kbit/s over a link without any limits: the codec's and this machine's own part.
fn no_link(village: &mut Option<Village>, judge: &Judge) -> Vec<Row> {
    let options = json!({ "bandwidth": "16k" });
    match visit(village, judge, None, Phone::Clinicall, &options) {
        Ok(figures) => {
            say(format_args!("no limits: {figures}"));
            figures::own(&figures)
        }
        Err(error) => {
            say(format_args!("no visit even without a link: {error:#}"));
            *village = None;
            Vec::new()
        }
    }
}

/// A visit over this link, or over none that limits anything.
fn visit(
    village: &mut Option<Village>,
    judge: &Judge,
    cell: Option<Cell>,
    phone: Phone,
    patient: &Value,
) -> Result<Figures> {
    let village = match village {
        Some(village) => village,
        none => none.insert(Village::open(None)?),
    };
    village.fps = CAMERA;
    village.wire.forget();
    let browsers = cell.map_or((Kind::Chromium, Kind::Chromium), Cell::browsers);
    let link = cell.map_or(Link::good(), Cell::link);
    village.visit_over(link, phone, browsers, (&json!({}), patient), |visit| {
        measure(visit, judge, cell)
    })
}

fn measure(visit: &Visit<'_>, judge: &Judge, cell: Option<Cell>) -> Result<Figures> {
    let people = (&visit.doctor, &*visit.patient);
    judge.speak(people.0, people.1)?;
    // what the login left on the line goes first
    std::thread::sleep(SETTLE);
    let video = cell.is_some_and(Cell::video);
    let beginning = visit.begin_within(PATIENCE, video, PATIENCE_FOR_FRAME)?;
    std::thread::sleep(SETTLE);
    Judge::listen(people.0, people.1, WATCH)?;
    let seen = visit.watch(Duration::from_secs(WATCH))?;
    let recorded = Judge::recorded(people.0, people.1)?;
    let _ = visit.end();
    let scores = judge.scores(&recorded)?;
    let kbps = cell.map_or(u32::MAX / 1_000, |cell| cell.kbps);
    Ok(Figures::of(kbps, &beginning, &seen, &recorded, &scores))
}
