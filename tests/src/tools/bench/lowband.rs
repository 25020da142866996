//! Visits over slow links: our client beside JsSIP, through the same relay over the same link.
//!
//! A doctor near the relay, a patient behind an emulated link, both in Chromium; the patient rings, the doctor
//! answers at once. Both speak sentences (espeak-ng) over and over. What is counted is counted at the link, every IP packet
//! handed to it; what is heard is recorded in the page and laid beside what was said (STOI and PESQ, see
//! `tests/py/intelligible.py`). Ours knows the profile of the patient's link at the patient's side alone; JsSIP
//! knows nothing of links. On 16 kbit/s both speak without a camera.
//!
//! The relay is the development build: it has a few dozen packets a second to forward.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Row;
use crate::{
    browser::Kind::Chromium,
    clinic::scratch,
    link::{
        Link, probe,
        village::{PATIENCE, Village, Visit, While},
    },
    repo::{self, command, run_quietly},
    story::{Person, Phone},
    tools::{say, setup},
};

const RTT: u64 = 300;
/// The link, the profile for it, and whether there is a picture.
const LINKS: [(u32, &str, bool); 3] = [(16, "16k", false), (64, "64k", true), (150, "150k", true)];
const LOSSES: [f64; 3] = [0.0, 5.0, 20.0];

/// From the set-up's end to where the budget has to be kept.
const SETTLE: Duration = Duration::from_secs(3);
const WATCH: u64 = 14;

const GOAL_ABOVE: f64 = 1.0;
const GOAL_FPS: f64 = 12.0;
const GOAL_AUDIO: f64 = 4.0;

const SENTENCES: &str = "Good morning. How did you sleep? Take one tablet in the evening, after the meal. \
    Does it hurt when I press here? Please show me your left hand. Drink enough water, and call again on Thursday.";

pub fn rows() -> Result<Vec<Row>> {
    setup::stories()?;
    setup::programs(&[("espeak-ng", "espeak-ng")])?;
    let python = python()?;
    let folder = scratch("lowband")?;
    let said = speak(&folder)?;

    let mut rows = Vec::new();
    for kbps in [16, 150] {
        let error = probe::measure(kbps, Duration::from_millis(RTT / 2))?;
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
    let mut village = Village::open(None, Some(said.clone()))?;
    for (kbps, profile, video) in LINKS {
        for loss in LOSSES {
            let cell = Cell { kbps, loss, video };
            let mut measure = |phone, patient: Value| {
                say(format_args!(
                    "{phone:?}, {kbps} kbit/s, {loss} % loss, {RTT} ms"
                ));
                let options = (&json!({}), &patient);
                let judge =
                    |person: &str, heard: &str| judge(&python, &said, &folder, person, heard);
                let figures = village
                    .visit(phone, (Chromium, Chromium), options, |visit| {
                        cell.measure(visit, judge)
                    })
                    .unwrap_or_else(|error| {
                        say(format_args!("no visit: {error:#}"));
                        Figures::NONE
                    });
                say(format_args!("{figures:?}"));
                figures
            };
            let ours = measure(Phone::Clinicall, json!({ "bandwidth": profile }));
            let jssip = measure(Phone::JsSip, json!({}));
            rows.extend(cell.rows(&ours, &jssip));
        }
    }
    drop(village);
    fs::remove_dir_all(folder)?;
    Ok(rows)
}

#[derive(Clone, Copy)]
struct Cell {
    kbps: u32,
    loss: f64,
    video: bool,
}

#[derive(Clone, Copy, Debug)]
struct Figures {
    /// Seconds from ringing.
    audio: f64,
    frame: f64,
    /// Per cent of 1 s windows above the budget, both ways together.
    above: f64,
    up: f64,
    down: f64,
    /// Per cent, the worse of both sides; so are the following.
    concealed: f64,
    stoi: f64,
    pesq: f64,
    fps: f64,
}

impl Figures {
    /// Of a visit that did not come about: the limits.
    const NONE: Self = Self {
        audio: PATIENCE.as_secs() as f64,
        frame: PATIENCE.as_secs() as f64,
        above: 100.0,
        up: 0.0,
        down: 0.0,
        concealed: 100.0,
        stoi: 0.0,
        pesq: 1.0,
        fps: 0.0,
    };
}

impl Cell {
    fn measure(
        self,
        visit: &Visit<'_>,
        judge: impl Fn(&str, &str) -> Result<Score>,
    ) -> Result<Figures> {
        visit.patient.on(Link::cell(self.kbps, self.loss, RTT));
        let beginning = visit.begin(self.video, PATIENCE / 2)?;
        std::thread::sleep(SETTLE);
        for person in [&visit.doctor, &*visit.patient] {
            let code = "globalThis.recorded = record(arg)";
            person.does(code, json!(WATCH - 1))?;
        }
        let seen: While = visit.watch(Duration::from_secs(WATCH))?;
        let recorded = |person: &Person| -> Result<String> {
            person.asks("return await recorded", Value::Null)
        };
        let scores = [
            judge("doctor", &recorded(&visit.doctor)?)?,
            judge("patient", &recorded(&visit.patient)?)?,
        ];
        say(format_args!("{seen}"));
        let _ = visit.end();
        let (up, down) = seen.kbps();
        let worst = |of: fn(&Score) -> f64| scores.iter().map(of).fold(f64::MAX, f64::min);
        Ok(Figures {
            audio: beginning.audio,
            frame: beginning.frame.unwrap_or(PATIENCE.as_secs_f64()),
            above: seen.above(self.kbps) * 100.0,
            up,
            down,
            concealed: seen.doctor.concealed.max(seen.patient.concealed) * 100.0,
            stoi: worst(|score| score.stoi),
            pesq: worst(|score| score.pesq),
            fps: seen.doctor.fps.min(seen.patient.fps),
        })
    }

    fn rows(self, ours: &Figures, jssip: &Figures) -> Vec<Row> {
        let name = |what: &str| {
            let Self { kbps, loss, .. } = self;
            format!("{kbps} kbit/s, {loss} % loss, {RTT} ms: {what}")
        };
        let tenth = |figure: f64| (figure * 10.0).round() / 10.0;
        let hundredth = |figure: f64| (figure * 100.0).round() / 100.0;
        let less = |what, unit, of: fn(&Figures) -> f64| {
            Row::less(name(what), unit, tenth(of(ours)), tenth(of(jssip)))
        };
        let more = |what, unit, of: fn(&Figures) -> f64| {
            Row::more(name(what), unit, hundredth(of(ours)), hundredth(of(jssip)))
        };
        let mut rows = vec![
            less("first audio after ringing", "s", |it| it.audio).goal(GOAL_AUDIO),
            less("seconds above the budget", "%", |it| it.above).goal(GOAL_ABOVE),
            less("sent up", "kbit/s", |it| it.up),
            less("sent down", "kbit/s", |it| it.down),
            less("concealed speech", "%", |it| it.concealed),
            more("STOI", "of 1", |it| it.stoi),
            more("PESQ", "MOS", |it| it.pesq),
        ];
        if self.video {
            rows.push(less("first frame after ringing", "s", |it| it.frame));
            rows.push(more("frame rate", "fps", |it| it.fps).goal(GOAL_FPS));
        }
        rows
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Score {
    stoi: f64,
    pesq: f64,
}

/// A WAV file of the sentences, 16 kHz mono.
fn speak(folder: &Path) -> Result<PathBuf> {
    let (spoken, said) = (folder.join("spoken.wav"), folder.join("said.wav"));
    run_quietly(
        command("espeak-ng")
            .args(["-v", "en-us", "-s", "150", "-w"])
            .arg(&spoken)
            .arg(SENTENCES),
    )?;
    setup::programs(&[("ffmpeg", "ffmpeg")])?;
    run_quietly(
        command("ffmpeg")
            .args(["-loglevel", "error", "-y", "-i"])
            .arg(&spoken)
            .args(["-ar", "16000", "-ac", "1"])
            .arg(&said),
    )?;
    Ok(said)
}

/// A Python of our own with the packages that judge speech.
fn python() -> Result<PathBuf> {
    let home = repo::path("tests/artifacts/python");
    let python = home.join("bin/python");
    if !home.join("ready").exists() {
        setup::programs(&[("python3", "python3"), ("gcc", "gcc")])?;
        say("installing pystoi and pesq from PyPI");
        if run_quietly(command("python3").args(["-m", "venv"]).arg(&home)).is_err() {
            run_quietly(command("apt-get").args(["install", "-y", "python3-venv", "python3-dev"]))?;
            run_quietly(command("python3").args(["-m", "venv"]).arg(&home))?;
        }
        // the second builds against what the first brings
        for packages in [&["numpy", "scipy", "pystoi==0.4.1"][..], &["pesq==0.0.4"]] {
            run_quietly(
                command(&python)
                    .args(["-m", "pip", "install", "-q"])
                    .args(packages),
            )?;
        }
        fs::write(home.join("ready"), "")?;
    }
    Ok(python)
}

fn judge(python: &Path, said: &Path, folder: &Path, person: &str, heard: &str) -> Result<Score> {
    let (text, raw) = (
        folder.join("heard.txt"),
        folder.join(format!("{person}.raw")),
    );
    fs::write(&text, heard)?;
    run_quietly(
        command("sh")
            .args(["-c", "base64 -d \"$1\" > \"$2\"", "sh"])
            .args([&text, &raw]),
    )?;
    let script = repo::path("tests/py/intelligible.py");
    let score = run_quietly(command(python).arg(script).arg(said).arg(&raw))?;
    serde_json::from_str(score.trim()).context("no score")
}
