//! Sentences that people say over a link, and how much of them is understood at the other end.
//!
//! What is said was read by a person: five sentences of a public domain recording (LibriVox, "Sense and
//! Sensibility") in Debian's `pocketsphinx-testdata`, 16 kHz, half a second between them, 27 s in all. The doctor and the patient
//! say them in different order, so that neither is an echo of the other. What is heard is judged by
//! `tests/py/intelligible.py`, which tells what its figures mean and what they do not.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    clinic::scratch,
    repo::{self, command, run_quietly},
    story::Person,
    tools::{say, setup},
};

/// Where Debian keeps the recordings.
const RECORDINGS: &str = "/usr/share/pocketsphinx/test/data/librivox";
const PACKAGE: &str = "pocketsphinx-testdata";
const SENTENCES: [&str; 5] = ["0870", "0880", "0890", "0920", "0930"];

/// What is needed from PyPI, each with what it builds against before it.
const PACKAGES: [&[&str]; 2] = [&["numpy", "scipy", "pystoi==0.4.1"], &["pesq==0.0.4"]];

/// What was heard of what was said, from 0 to 1 but for PESQ's 1 to 4.6.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct Score {
    pub stoi: f64,
    pub estoi: f64,
    pub pesq: f64,
    /// Share of seconds of speech that are lost.
    pub missed: f64,
    /// Seconds looked at, every half second one.
    pub windows: u32,
}

impl Score {
    /// Nothing was understood.
    pub const NOTHING: Self = Self {
        stoi: 0.0,
        estoi: 0.0,
        pesq: 1.0,
        missed: 1.0,
        windows: 0,
    };
}

/// What a page has recorded.
#[derive(Clone, Debug, Deserialize)]
pub struct Recording {
    /// 16-bit samples at 16 kHz, base64.
    pub sound: String,
    /// How much later what is seen was sent than what is heard with it, in milliseconds; `None` where there is no
    /// picture or the browser does not say.
    pub offset: Option<f64>,
}

/// Sentences for two, and somebody who judges what became of them.
#[derive(Debug)]
pub struct Judge {
    python: PathBuf,
    folder: PathBuf,
    /// What the doctor and the patient say.
    pub said: [PathBuf; 2],
}

impl Judge {
    /// Installs what is missing: the recordings from Debian, pystoi and pesq from PyPI into a folder of our own.
    pub fn come() -> Result<Self> {
        setup::programs(&[("ffmpeg", "ffmpeg"), ("python3", "python3")])?;
        if !Path::new(RECORDINGS).exists() {
            setup::apt(&[PACKAGE])?;
        }
        let folder = scratch("speech")?;
        let mut order = SENTENCES;
        let doctor = speech(&folder.join("doctor.wav"), &order)?;
        order.rotate_left(2);
        let patient = speech(&folder.join("patient.wav"), &order)?;
        Ok(Self {
            python: python()?,
            folder,
            said: [doctor, patient],
        })
    }

    /// The doctor and the patient speak from now on, in every call.
    pub fn speak(&self, doctor: &Person, patient: &Person) -> Result<()> {
        for (person, said) in [doctor, patient].into_iter().zip(&self.said) {
            let encoded = run_quietly(command("base64").arg("-w0").arg(said))?;
            person.does("await speak(arg)", json!(encoded.trim()))?;
        }
        Ok(())
    }

    /// Begins to record for so many seconds, in both pages.
    pub fn listen(doctor: &Person, patient: &Person, seconds: u64) -> Result<()> {
        [doctor, patient]
            .into_iter()
            .try_for_each(|person| person.does("globalThis.recorded = record(arg)", json!(seconds)))
    }

    /// What was recorded at the doctor and at the patient, when it is.
    pub fn recorded(doctor: &Person, patient: &Person) -> Result<[Recording; 2]> {
        let code = "return await recorded";
        Ok([
            doctor.asks(code, Value::Null)?,
            patient.asks(code, Value::Null)?,
        ])
    }

    /// What the doctor understood, and the patient.
    pub fn scores(&self, recorded: &[Recording; 2]) -> Result<[Score; 2]> {
        let mut judge = self.script("tests/py/intelligible.py");
        let theirs = self.said.iter().rev();
        for ((number, recording), said) in recorded.iter().enumerate().zip(theirs) {
            let text = self.folder.join(format!("heard-{number}.txt"));
            let raw = text.with_extension("raw");
            fs::write(&text, &recording.sound)?;
            let sound = command("base64").arg("-d").arg(&text).output()?;
            ensure!(sound.status.success(), "a recording that is not base64");
            fs::File::create(&raw)?.write_all(&sound.stdout)?;
            judge.arg(said).arg(raw);
        }
        let said = run_quietly(&mut judge)?;
        let scores: Vec<Score> = said
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .with_context(|| format!("no scores: {said}"))?;
        scores
            .try_into()
            .map_err(|scores| anyhow::anyhow!("not two scores: {scores:?}"))
    }

    /// The judge's own examination: known degradations of the doctor's sentences.
    pub fn examined(&self) -> Result<String> {
        run_quietly(
            self.script("tests/py/test_intelligible.py")
                .arg(&self.said[0]),
        )
    }

    fn script(&self, path: &str) -> std::process::Command {
        let mut judge = command(&self.python);
        judge.arg(repo::path(path));
        judge
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Sentences after each other in one WAV file, half a second between them.
fn speech(path: &Path, sentences: &[&str]) -> Result<PathBuf> {
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-loglevel", "error", "-y"]);
    let (mut pauses, mut row) = (String::new(), String::new());
    for (number, sentence) in sentences.iter().enumerate() {
        let name = format!("{RECORDINGS}/sense_and_sensibility_01_austen_64kb-{sentence}.wav");
        ffmpeg.arg("-i").arg(name);
        pauses += &format!("[{number}:a]apad=pad_dur=0.5[{number}];");
        row += &format!("[{number}]");
    }
    let together = format!("{pauses}{row}concat=n={}:v=0:a=1", sentences.len());
    run_quietly(
        ffmpeg
            .args(["-filter_complex", &together, "-ar", "16000", "-ac", "1"])
            .arg(path),
    )?;
    Ok(path.to_owned())
}

/// A Python of our own with the packages that judge speech; made once.
fn python() -> Result<PathBuf> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(|| make_python().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

fn make_python() -> Result<PathBuf> {
    let home = repo::path("tests/artifacts/python");
    let (python, ready) = (home.join("bin/python"), home.join("ready"));
    if ready.exists() {
        return Ok(python);
    }
    setup::programs(&[("gcc", "gcc")])?;
    say("installing pystoi and pesq from PyPI");
    let venv = || {
        run_quietly(
            command(setup::PYTHON)
                .args(["-m", "venv", "--clear"])
                .arg(&home),
        )
    };
    if venv().is_err() {
        setup::apt(&["python3-venv", "python3-dev"])?;
        venv()?;
    }
    for packages in PACKAGES {
        let mut pip = command(&python);
        pip.args(["-m", "pip", "install", "-q", "--retries", "3"]);
        run_quietly(pip.args(packages)).context("PyPI does not give what judges speech")?;
    }
    fs::write(ready, "")?;
    Ok(python)
}
