//! From ringing to a picture and a voice: our client beside JsSIP, at the same relay.
//!
//! The figures are times on the machine's own clock, which all pages share: from the press of the
//! button to the first decoded frame at the caller, when the callee accepts at once; from the INVITE
//! to the same (a client that gathers first starts this clock late); and from the callee's
//! acceptance after a moment of ringing to the first sound at the caller. Then all again with a STUN
//! server that never answers.
//!
//! Caller and callee have a browser each, as two people do. In one browser the callee would find
//! the caller's camera running, and one of two tabs would be in the background, where browsers slow
//! down timers to one a second. At last the times with the callee 100 ms of round trip away from the
//! relay, which is what the Internet is like and where waiting for each other costs.
//!
//! Bytes of signalling are those between the caller and the relay from the INVITE to the first sound, both
//! ways: as they pass over TCP, and what they are before the socket compresses them.

mod tap;

use std::{net::UdpSocket, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Row, median};
use crate::{
    browser::{Browser, Kind},
    clinic::{BINARY, Clinic},
    link::{Link, Way, village::Village},
    repo,
    story::{Person, Phone, Sort, Story, plan},
    tools::say,
};
use tap::Tap;

/// Runs of each figure; the median counts.
const RUNS: usize = 5;
/// Runs where each of JsSIP's costs the browser's own limits for gathering four times: 40 s and more.
const SLOW_RUNS: usize = 1;

/// How long it rings before the callee accepts, where the acceptance is timed.
const RINGING: Duration = Duration::from_millis(1500);

/// The longest that a call may take to bring sound and a picture.
const PATIENCE: Duration = Duration::from_secs(100);

/// Milliseconds to a callee and back.
const AWAY: u64 = 100;

/// Loopback has no round trips to speak of: what remains is the browser's work. From `replaceTrack`
/// to the first packet Chromium needs 55 ms, to the first decoded frame 110 ms.
const GOAL_FRAME: f64 = 500.0;
const GOAL_AUDIO: f64 = 100.0;
/// The limit of a set-up over 16 kbit/s.
const GOAL_BYTES: f64 = 6_000.0;

pub fn rows() -> Result<Vec<Row>> {
    let binary = match std::env::var_os(BINARY) {
        Some(binary) => binary.into(),
        None => {
            say("building the relay with optimisation");
            let what = [
                "--release",
                "--package",
                "clinicall-relay",
                "--bin",
                "clinicall",
            ];
            repo::made(&repo::build(&what)?, "clinicall")?
        }
    };
    let mut plan = plan(Sort::Ordinary)?;
    plan.binary = Some(binary.clone());
    let clinic = Clinic::open(&plan)?;
    let tap = Tap::to(clinic.http())?;
    // Packets to it are taken and nobody ever answers.
    let silent = UdpSocket::bind("127.0.0.1:0")?;
    let stun = format!("stun:{}", silent.local_addr()?);
    let mut rows = Vec::new();
    for kind in [Kind::Chromium, Kind::Firefox] {
        let browsers = [Browser::launch(kind)?, Browser::launch(kind)?];
        let series = |phone, options: Value, runs| -> Result<Figures> {
            say(format_args!("{kind}, {phone:?}, {options}"));
            Story::tell_in(&clinic, |story| {
                let [callers, callees] = &browsers;
                let caller = story.visitor_by(&tap.http(), phone, "caller", callers)?;
                let callee = story.visitor(phone, "callee", callees)?;
                for person in [&caller, &callee] {
                    person.login(&options)?;
                }
                measure(&caller, &callee, Some(&tap), runs)
            })
        };
        let (ours, jssip) = (
            series(Phone::Clinicall, json!({}), RUNS)?,
            series(Phone::JsSip, json!({}), RUNS)?,
        );
        rows.extend(beside(&kind.to_string(), &ours, &jssip));
        let bytes = format!("signalling of a call at the caller, {kind}");
        rows.push(Row::less(bytes, "bytes", ours.wire, jssip.wire).goal(GOAL_BYTES));
        let bytes = format!("the same before compression, {kind}");
        rows.push(Row::less(bytes, "bytes", ours.bytes, jssip.bytes));
        let dead = json!({ "iceServers": [{ "urls": stun }] });
        let (ours, jssip) = (
            series(Phone::Clinicall, dead.clone(), RUNS)?,
            series(Phone::JsSip, dead, SLOW_RUNS)?,
        );
        let place = format!("{kind}, dead STUN server");
        rows.extend(beside(&place, &ours, &jssip));
    }
    rows.extend(far_away(binary)?);
    Ok(rows)
}

/// The callee is far from the relay; none where one may not make networks.
fn far_away(binary: PathBuf) -> Result<Vec<Row>> {
    let mut village = match Village::open(Some(binary)) {
        Ok(village) => village,
        Err(error) => {
            say(format_args!("no rows from afar: {error:#}"));
            return Ok(Vec::new());
        }
    };
    let mut series = |phone| -> Result<Figures> {
        say(format_args!("chromium from afar, {phone:?}"));
        let kinds = (Kind::Chromium, Kind::Chromium);
        let options = json!({});
        village.visit(phone, kinds, (&options, &options), |visit| {
            visit.patient.on(Link::both(Way::good().delay(AWAY / 2)));
            measure(&visit.doctor, &visit.patient, None, RUNS)
        })
    };
    let (ours, jssip) = (series(Phone::Clinicall)?, series(Phone::JsSip)?);
    let place = format!("chromium, callee {AWAY} ms of round trip away");
    Ok(beside(&place, &ours, &jssip).into())
}

/// The times of both clients at the same place.
fn beside(place: &str, ours: &Figures, jssip: &Figures) -> [Row; 4] {
    let row = |what: &str, figure: fn(&Figures) -> f64, goal| {
        Row::less(
            format!("{what}, {place}"),
            "ms",
            figure(ours),
            figure(jssip),
        )
        .goal(goal)
    };
    [
        row(
            "ring to first decoded remote frame",
            |of| of.ring,
            GOAL_FRAME,
        ),
        row(
            "INVITE to first decoded remote frame",
            |of| of.frame,
            GOAL_FRAME,
        ),
        row("accept to first audio", |of| of.audio, GOAL_AUDIO),
        row(
            "accept to first decoded remote frame",
            |of| of.seen,
            GOAL_FRAME,
        ),
    ]
}

/// Medians.
#[derive(Debug)]
struct Figures {
    ring: f64,
    frame: f64,
    audio: f64,
    /// From the acceptance after a moment of ringing to the caller's first frame.
    seen: f64,
    bytes: f64,
    /// The same as they passed the wire; 0 where nobody counted.
    wire: f64,
}

/// What a page has noted of a call, in milliseconds on the machine's clock and in bytes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notes {
    ring: Option<f64>,
    invite: Option<f64>,
    accept: Option<f64>,
    first_frame: Option<f64>,
    first_audio: Option<f64>,
    bytes: f64,
}

fn measure(caller: &Person, callee: &Person, tap: Option<&Tap>, runs: usize) -> Result<Figures> {
    let mut taken: [Vec<f64>; 6] = Default::default();
    // The first call warms both pages up and is not counted; where a call takes half a minute that
    // would be lost on it.
    for run in usize::from(runs == SLOW_RUNS)..=runs {
        let (here, _) = call(caller, callee, Duration::ZERO)?;
        let (there, accepted) = call(caller, callee, RINGING)?;
        let since = |then: Option<f64>, from: Option<f64>| {
            let both = then
                .zip(from)
                .context("a call without a picture or a sound");
            both.map(|(then, from)| then - from)
        };
        let wire = tap.zip(here.invite).zip(here.first_audio);
        let wire = wire.map_or(0.0, |((tap, from), to)| tap.bytes(from, to));
        let figures = [
            since(here.first_frame, here.ring)?,
            since(here.first_frame, here.invite)?,
            since(there.first_audio, accepted.accept)?,
            since(there.first_frame, accepted.accept)?,
            here.bytes,
            wire,
        ];
        if run > 0 {
            for (all, figure) in taken.iter_mut().zip(figures) {
                all.push(figure);
            }
        }
    }
    let [ring, frame, audio, seen, bytes, wire] = taken.map(median);
    let figures = Figures {
        ring,
        frame,
        audio,
        seen,
        bytes,
        wire,
    };
    say(format_args!("{figures:?}"));
    Ok(figures)
}

/// One call: the caller's notes and the callee's.
fn call(caller: &Person, callee: &Person, ringing: Duration) -> Result<(Notes, Notes)> {
    for person in [caller, callee] {
        person.does("stage.arm()", Value::Null)?;
    }
    if ringing.is_zero() {
        callee.does("stage.answerAtOnce()", Value::Null)?;
        caller.ring(callee)?;
    } else {
        caller.ring(callee)?;
        callee.until_within(PATIENCE, "incoming")?;
        std::thread::sleep(ringing);
        callee.answer()?;
    }
    for person in [caller, callee] {
        person.until_within(PATIENCE, "firstFrame")?;
        person.until_within(PATIENCE, "firstAudio")?;
    }
    let notes = |person: &Person| person.asks::<Notes>("return stage.notes", Value::Null);
    let notes = (notes(caller)?, notes(callee)?);
    caller.hang_up()?;
    for person in [caller, callee] {
        person.until("hangup")?;
    }
    Ok(notes)
}
