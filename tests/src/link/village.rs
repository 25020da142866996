//! A clinic at the near end of a wire and patients at its far end, with whole browsers.
//!
//! The doctor's browser and the relay are in the near network, the patient's browser in the far one;
//! nothing else is in either, so that whatever is on the wire is of the visit. Pages are loaded
//! while the link is still good: what a slow link makes of a call is measured, not of a page.

use std::{
    ops::{Deref, Range},
    path::PathBuf,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Link,
    capture::{Content, Heading, Station},
    wire::{NEAR, Wire},
};
use crate::{
    browser::{Browser, Kind},
    clinic::{Clinic, End, Plan},
    story::{Person, Phone, Sort, Story, plan},
};

const SECOND: u64 = 1_000_000;

/// After so long the relay closes the connections by which a page was loaded: half a dozen packets for each of five.
const IDLE: Duration = Duration::from_millis(10_500);

/// How long somebody on a link of 16 kbit/s waits for something.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Village {
    // browsers go before the wire they use
    near: Vec<(Kind, Browser)>,
    far: Vec<(Kind, Browser)>,
    clinic: Clinic,
    binary: Option<PathBuf>,
    pub wire: Wire,
    /// Frames a second of Chromium's camera.
    pub fps: u32,
}

impl Village {
    /// The one that all stories share, one after the other: two visits at once would make each other's links worse.
    pub fn shared() -> Result<MutexGuard<'static, Self>> {
        static VILLAGE: OnceLock<Result<Mutex<Village>, String>> = OnceLock::new();
        let village = VILLAGE.get_or_init(|| {
            Self::open(None)
                .map(Mutex::new)
                .map_err(|error| format!("{error:#}"))
        });
        match village {
            Ok(village) => Ok(village.lock().unwrap_or_else(PoisonError::into_inner)),
            Err(error) => Err(anyhow::Error::msg(error.clone())),
        }
    }

    /// With this relay, if one is given.
    pub fn open(binary: Option<PathBuf>) -> Result<Self> {
        let wire = Wire::lay(Link::good())?;
        let clinic = Clinic::open(&plan_at(&wire, binary.as_ref())?)?;
        Ok(Self {
            near: Vec::new(),
            far: Vec::new(),
            clinic,
            binary,
            wire,
            fps: 15,
        })
    }

    /// A doctor near the relay and a patient far from it, both with this phone and logged in with
    /// these options. The link is good until the story says otherwise, and again afterwards.
    pub fn visit<T>(
        &mut self,
        phone: Phone,
        browsers: (Kind, Kind),
        options: (&Value, &Value),
        tale: impl FnOnce(&Visit<'_>) -> Result<T>,
    ) -> Result<T> {
        self.visit_over(Link::good(), phone, browsers, options, tale)
    }

    /// The same over this link from the patient's login on, when the page is loaded: TCP, which has got to know a
    /// good link, would take a slow one's answers for lost and repeat everything several times.
    pub fn visit_over<T>(
        &mut self,
        link: Link,
        phone: Phone,
        (doctor, patient): (Kind, Kind),
        options: (&Value, &Value),
        tale: impl FnOnce(&Visit<'_>) -> Result<T>,
    ) -> Result<T> {
        self.wire.becomes(Link::good());
        let near = self.browser(doctor, true)?;
        let far = self.browser(patient, false)?;
        let told = Story::tell_in(&self.clinic, |story| {
            let doctor = story.visitor(phone, "doctor", &near)?;
            let patient = story.visitor(phone, "patient", &far)?;
            // of the page, and not of the visit: on 16 kbit/s speech waits half a second for it
            std::thread::sleep(IDLE);
            doctor.login(options.0)?;
            self.wire.becomes(link);
            patient.login(options.1)?;
            let visit = Visit {
                wire: &self.wire,
                relay: (&self.clinic, self.binary.as_ref()),
                doctor,
                patient: Patient {
                    person: patient,
                    wire: &self.wire,
                },
            };
            let told = tale(&visit);
            self.wire.becomes(Link::good());
            told
        });
        self.wire.becomes(Link::good());
        told
    }

    /// A patient who has never been here, in a browser with nothing in its cache: the page comes over this link, and is
    /// one with a call button. The doctor is there already.
    pub fn first_visit_over<T>(
        &mut self,
        link: Link,
        patient: Kind,
        tale: impl FnOnce(&Visit<'_>) -> Result<T>,
    ) -> Result<T> {
        let near = self.browser(Kind::Chromium, true)?;
        let far = self.launch(patient, false)?;
        let told = Story::tell_in(&self.clinic, |story| {
            let doctor = story.person_with(Phone::Clinicall, "doctor", &near)?;
            self.wire.becomes(link);
            let person = story.visitor(Phone::Button, "patient", &far)?;
            let wire = &self.wire;
            tale(&Visit {
                wire,
                relay: (&self.clinic, self.binary.as_ref()),
                doctor,
                patient: Patient { person, wire },
            })
        });
        self.wire.becomes(Link::good());
        told
    }

    fn browser(&mut self, kind: Kind, near: bool) -> Result<Browser> {
        let held = if near { &self.near } else { &self.far };
        if let Some((_, browser)) = held.iter().find(|(held, _)| *held == kind) {
            return Ok(browser.clone());
        }
        let browser = self.launch(kind, near)?;
        let held = if near { &mut self.near } else { &mut self.far };
        held.push((kind, browser.clone()));
        Ok(browser)
    }

    fn launch(&self, kind: Kind, near: bool) -> Result<Browser> {
        let net = if near {
            self.wire.near()
        } else {
            self.wire.far()
        };
        let address = self.clinic.address();
        let with = json!({ "secure": address.trim_end_matches('/'), "fps": self.fps });
        Browser::launch_with(kind, Some(net), &with)
    }
}

/// A clinic at the near end.
fn plan_at<'a>(wire: &'a Wire, binary: Option<&PathBuf>) -> Result<Plan<'a>> {
    let mut plan = plan(Sort::Ordinary)?;
    plan.net = Some(wire.near());
    plan.address = Some(NEAR);
    plan.binary = binary.cloned();
    Ok(plan)
}

/// Who is at the far end.
#[derive(Debug)]
pub struct Patient<'a> {
    person: Person,
    wire: &'a Wire,
}

impl Patient<'_> {
    /// From now on the patient's link is like this.
    pub fn on(&self, link: Link) {
        self.wire.becomes(link);
    }
}

impl Deref for Patient<'_> {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.person
    }
}

#[derive(Debug)]
pub struct Visit<'a> {
    pub wire: &'a Wire,
    relay: (&'a Clinic, Option<&'a PathBuf>),
    pub doctor: Person,
    pub patient: Patient<'a>,
}

/// What people waited for, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beginning {
    /// The patient, after pressing the button.
    pub audio: f64,
    /// `None`: no picture within the patience given.
    pub frame: Option<f64>,
    /// Whoever waited longer, from the acceptance.
    pub accepted_audio: f64,
    pub accepted_frame: Option<f64>,
    /// Bytes at IP level, both ways, from the button to the first sound at both: of signalling (TCP), and of all.
    pub signalling: u64,
    pub bytes: u64,
}

/// Sentences of `onQuality`: the doctor's and the patient's.
pub type Told = (Vec<String>, Vec<String>);

/// What `getStats` says over a while, of one side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// Share of audio that was made up and could be heard.
    pub concealed: f64,
    /// Share that was made up, pauses included.
    pub made_up: f64,
    pub audio_packets: u64,
    /// Energy of what was heard, in the units of `totalAudioEnergy`.
    pub energy: f64,
    pub fps: f64,
    pub width: u32,
    pub height: u32,
    pub freezes: u64,
    /// Seconds.
    pub frozen: f64,
}

/// A while of a visit.
#[derive(Clone, Debug)]
pub struct While {
    pub doctor: Heard,
    pub patient: Heard,
    pub during: Range<u64>,
    /// Bytes at IP level handed to the link in each second.
    pub up: Vec<u64>,
    pub down: Vec<u64>,
}

impl While {
    /// Share of seconds above a budget in kbit/s, of both directions together.
    #[must_use]
    pub fn above(&self, kbps: u32) -> f64 {
        let windows = || self.up.iter().chain(&self.down);
        let above = windows().filter(|bytes| **bytes * 8 > u64::from(kbps) * 1_000);
        above.count() as f64 / windows().count().max(1) as f64
    }

    /// Mean kbit/s handed to the link: up and down.
    #[must_use]
    pub fn kbps(&self) -> (f64, f64) {
        let mean = |windows: &[u64]| {
            windows.iter().sum::<u64>() as f64 * 8.0 / 1_000.0 / windows.len().max(1) as f64
        };
        (mean(&self.up), mean(&self.down))
    }
}

impl std::fmt::Display for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            fps, width, height, ..
        } = self;
        let (concealed, made_up) = (self.concealed * 100.0, self.made_up * 100.0);
        write!(
            f,
            "{concealed:.1} % concealed ({made_up:.1} with pauses), {fps:.1} fps of {width}x{height}, \
             {} freezes ({:.1} s)",
            self.freezes, self.frozen
        )
    }
}

impl std::fmt::Display for While {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (up, down) = self.kbps();
        let most = |windows: &[u64]| {
            windows
                .iter()
                .max()
                .map_or(0.0, |most| *most as f64 / 125.0)
        };
        write!(
            f,
            "doctor: {}; patient: {}; up {up:.1} kbit/s (at most {:.1}), down {down:.1} (at most {:.1})",
            self.doctor,
            self.patient,
            most(&self.up),
            most(&self.down)
        )
    }
}

/// The counters of `quality()` in `tests/pages/flow.mjs`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counters {
    at: f64,
    samples: f64,
    concealed: f64,
    silent: f64,
    energy: f64,
    audio_packets: f64,
    frames: f64,
    width: u32,
    height: u32,
    freezes: f64,
    frozen: f64,
}

impl Counters {
    fn of(person: &Person) -> Result<Self> {
        person.asks("return await quality()", Value::Null)
    }

    fn since(&self, before: &Self) -> Heard {
        // Firefox begins to count anew: a picture that was paused for a while, sound whose packets have become others
        let rise =
            |of: fn(&Self) -> f64, anew: bool| of(self) - if anew { 0.0 } else { of(before) };
        let heard_anew = self.samples < before.samples;
        let heard = |of| rise(of, heard_anew);
        let samples = heard(|counters| counters.samples).max(1.0);
        let concealed = heard(|counters| counters.concealed);
        let silent = heard(|counters| counters.silent);
        let frames = rise(|counters| counters.frames, self.frames < before.frames);
        Heard {
            concealed: (concealed - silent).max(0.0) / samples,
            made_up: concealed / samples,
            audio_packets: heard(|counters| counters.audio_packets) as u64,
            energy: heard(|counters| counters.energy),
            fps: frames / (self.at - before.at) * 1_000.0,
            width: self.width,
            height: self.height,
            freezes: (self.freezes - before.freezes) as u64,
            frozen: self.frozen - before.frozen,
        }
    }
}

impl Visit<'_> {
    /// The patient rings, the doctor answers at once; what they waited for. Without a picture within `frame`
    /// there is none.
    pub fn begin(&self, video: bool, frame: Duration) -> Result<Beginning> {
        self.begin_within(PATIENCE, video, frame)
    }

    /// The same for people of another patience.
    pub fn begin_within(
        &self,
        patience: Duration,
        video: bool,
        frame: Duration,
    ) -> Result<Beginning> {
        let both = [&self.doctor, &*self.patient];
        for person in both {
            person.does("stage.arm()", Value::Null)?;
        }
        self.doctor.does("stage.answerAtOnce(arg)", json!(video))?;
        let arg = json!({ "to": self.doctor.user, "video": video });
        let (begun, from) = (Instant::now(), self.wire.now());
        self.patient
            .does("await stage.ring(arg.to, arg.video)", arg)?;
        for person in [&*self.patient, &self.doctor] {
            person.until_within(patience.saturating_sub(begun.elapsed()), "firstAudio")?;
        }
        let (signalling, bytes) = self.carried(&(from..self.wire.now()));
        if video {
            while begun.elapsed() < frame
                && !(self.patient.was_told("firstFrame")? && self.doctor.was_told("firstFrame")?)
            {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let [doctor, patient] =
            both.map(|person| -> Result<Notes> { person.asks("return stage.notes", Value::Null) });
        let (doctor, patient) = (doctor?, patient?);
        let since = |from: Option<f64>| move |at: f64| (at - from.unwrap_or(at)) / 1_000.0;
        let later = |one: Option<f64>, other: Option<f64>| Some(one?.max(other?));
        let audio = later(doctor.first_audio, patient.first_audio);
        let seen = later(doctor.first_frame, patient.first_frame);
        Ok(Beginning {
            audio: patient.first_audio.map_or(f64::NAN, since(patient.ring)),
            frame: patient.first_frame.map(since(patient.ring)),
            accepted_audio: audio.map_or(f64::NAN, since(doctor.accept)),
            accepted_frame: seen.map(since(doctor.accept)),
            signalling,
            bytes,
        })
    }

    /// The relay ends and another is started in its place.
    pub fn relay_restarts(&self, end: End) -> Result<()> {
        let (clinic, binary) = self.relay;
        clinic.restart(&plan_at(self.wire, binary)?, end)
    }

    /// Bytes handed to the link both ways in that while: of TCP, and of all.
    fn carried(&self, during: &Range<u64>) -> (u64, u64) {
        let ways = [Heading::Up, Heading::Down];
        let contents = ways.map(|heading| {
            self.wire
                .capture(|capture| capture.contents(heading, Station::Sent, during))
        });
        let of = |wanted: fn(&Content) -> bool| {
            let each = contents.iter().flatten();
            each.filter(|(content, _)| wanted(content))
                .map(|(_, (_, bytes))| bytes)
                .sum()
        };
        (of(|content| *content == Content::Tcp), of(|_| true))
    }

    /// Looks on for a while.
    pub fn watch(&self, lasting: Duration) -> Result<While> {
        let before = (Counters::of(&self.doctor)?, Counters::of(&self.patient)?);
        let from = self.wire.now();
        std::thread::sleep(lasting);
        let to = self.wire.now();
        let after = (Counters::of(&self.doctor)?, Counters::of(&self.patient)?);
        let windows = |heading| {
            self.wire
                .capture(|capture| capture.windows(heading, Station::Sent, from..to, SECOND))
        };
        Ok(While {
            doctor: after.0.since(&before.0),
            patient: after.1.since(&before.1),
            during: from..to,
            up: windows(Heading::Up),
            down: windows(Heading::Down),
        })
    }

    /// What was sent each way in that while, by content: packets and bytes.
    #[must_use]
    pub fn contents(&self, seen: &While) -> String {
        self.contents_of(&seen.during)
    }

    fn contents_of(&self, during: &Range<u64>) -> String {
        let each = [Heading::Up, Heading::Down].map(|heading| {
            let contents = |capture: &super::capture::Capture| {
                capture.contents(heading, Station::Sent, during)
            };
            format!("{heading:?}: {:?}", self.wire.capture(contents))
        });
        each.join("; ")
    }

    /// What the pages were told about the link.
    pub fn told(&self) -> Result<Told> {
        let code =
            "return stage.events.filter(({ what }) => what === 'quality').map(({ text }) => text)";
        Ok((
            self.doctor.asks(code, Value::Null)?,
            self.patient.asks(code, Value::Null)?,
        ))
    }

    /// Waits until both hear the other's voice again: seconds of it.
    pub fn until_heard(&self, patience: Duration) -> Result<f64> {
        let (begun, from) = (Instant::now(), self.wire.now());
        let mut before = [Counters::of(&self.doctor)?, Counters::of(&self.patient)?];
        let mut heard = [false; 2];
        while heard != [true; 2] {
            ensure!(
                begun.elapsed() < patience,
                "no speech within {patience:?}: doctor, patient hear: {heard:?}; {}",
                self.contents_of(&(from..self.wire.now()))
            );
            std::thread::sleep(Duration::from_millis(100));
            for (at, person) in [&self.doctor, &*self.patient].into_iter().enumerate() {
                let now = Counters::of(person)?;
                heard[at] |= now.audio_packets > before[at].audio_packets + 2.0;
                if now.at > before[at].at + 1_000.0 {
                    before[at] = now;
                }
            }
        }
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Waits until both see the other move again: seconds of it.
    pub fn until_seen(&self, patience: Duration) -> Result<f64> {
        let begun = Instant::now();
        let mut seen = [None; 2];
        while seen.contains(&None) {
            ensure!(begun.elapsed() < patience, "no picture: {seen:?}");
            let now = self.watch(Duration::from_secs(1))?;
            for (seen, heard) in seen.iter_mut().zip([now.doctor, now.patient]) {
                if heard.fps > 0.0 {
                    seen.get_or_insert(begun.elapsed().as_secs_f64());
                }
            }
        }
        println!("the doctor, the patient see the other again: {seen:.1?} s");
        Ok(seen.into_iter().flatten().fold(0.0, f64::max))
    }

    pub fn end(&self) -> Result<()> {
        self.patient.hang_up()?;
        self.patient.until("hangup")?;
        self.doctor.until_within(PATIENCE, "hangup").map(drop)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notes {
    ring: Option<f64>,
    accept: Option<f64>,
    first_frame: Option<f64>,
    first_audio: Option<f64>,
}
