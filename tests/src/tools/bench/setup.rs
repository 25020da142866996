//! From ringing to a picture and a voice: our client beside JsSIP, at the same relay.
//!
//! The figures are times on the machine's own clock, which all pages of a browser share: from the
//! INVITE leaving the caller's page to the first decoded frame there, when the callee accepts at
//! once (and from ringing to the same, since a client may gather before it invites); and from the callee's acceptance after a moment of ringing to the first sound at the
//! caller. Then both again with a STUN server that never answers.

use std::{net::UdpSocket, time::Duration};

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Row, median};
use crate::{
    browser::{Browser, Kind},
    clinic::Clinic,
    repo,
    story::{Person, Phone, Sort, Story, plan},
    tools::say,
};

/// Runs of each figure; the median counts.
const RUNS: usize = 5;
/// Runs where every one of JsSIP's costs the browser's own limits for gathering, twice.
const SLOW_RUNS: usize = 2;

/// How long it rings before the callee accepts, where the acceptance is timed.
const RINGING: Duration = Duration::from_millis(1500);

/// The longest that a call may take to bring sound and a picture.
const PATIENCE: Duration = Duration::from_secs(100);

/// Loopback has no round trips to speak of: what remains is the browser's work. From `replaceTrack`
/// to the first packet Chromium needs 55 ms, to the first decoded frame 110 ms.
const GOAL_FRAME: f64 = 500.0;
const GOAL_AUDIO: f64 = 100.0;
/// The limit of a set-up over 16 kbit/s.
const GOAL_BYTES: f64 = 6_000.0;

pub fn rows() -> Result<Vec<Row>> {
    say("building the relay with optimisation");
    let files = repo::build(&[
        "--release",
        "--package",
        "clinicall-relay",
        "--bin",
        "clinicall",
    ])?;
    let mut plan = plan(Sort::Ordinary)?;
    plan.binary = Some(repo::made(&files, "clinicall")?);
    let clinic = Clinic::open(&plan)?;
    // Packets to it are taken and nobody ever answers.
    let silent = UdpSocket::bind("127.0.0.1:0")?;
    let stun = format!("stun:{}", silent.local_addr()?);
    let mut rows = Vec::new();
    for kind in [Kind::Chromium, Kind::Firefox] {
        let browser = Browser::launch(kind)?;
        let series = |phone, options: Value, runs| -> Result<Figures> {
            say(format_args!("{kind}, {phone:?}, {options}"));
            Story::tell_in(&clinic, |story| {
                measure(story, &browser, phone, &options, runs)
            })
        };
        let plain = json!({});
        let dead = json!({ "iceServers": [{ "urls": stun }] });
        let (ours, jssip) = (
            series(Phone::Clinicall, plain.clone(), RUNS)?,
            series(Phone::JsSip, plain, RUNS)?,
        );
        let frame = format!("INVITE to first decoded remote frame, {kind}");
        let audio = format!("accept to first audio, {kind}");
        let ring = format!("ring to first decoded remote frame, {kind}");
        rows.push(Row::less(&ring, "ms", ours.ring, jssip.ring).goal(GOAL_FRAME));
        rows.push(Row::less(&frame, "ms", ours.frame, jssip.frame).goal(GOAL_FRAME));
        rows.push(Row::less(&audio, "ms", ours.audio, jssip.audio).goal(GOAL_AUDIO));
        let bytes = format!("signalling of a call at the caller, uncompressed, {kind}");
        rows.push(Row::less(bytes, "bytes", ours.bytes, jssip.bytes).goal(GOAL_BYTES));
        // What a dead server may add is nothing, so the goal is the figure without one.
        let (ours, jssip) = (
            series(Phone::Clinicall, dead.clone(), RUNS)?,
            series(Phone::JsSip, dead, SLOW_RUNS)?,
        );
        let dead = ", dead STUN server";
        rows.push(Row::less(ring + dead, "ms", ours.ring, jssip.ring).goal(GOAL_FRAME));
        rows.push(Row::less(frame + dead, "ms", ours.frame, jssip.frame).goal(GOAL_FRAME));
        rows.push(Row::less(audio + dead, "ms", ours.audio, jssip.audio).goal(GOAL_AUDIO));
    }
    Ok(rows)
}

/// Medians.
#[derive(Debug)]
struct Figures {
    ring: f64,
    frame: f64,
    audio: f64,
    bytes: f64,
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

fn measure(
    story: &Story<'_>,
    browser: &Browser,
    phone: Phone,
    options: &Value,
    runs: usize,
) -> Result<Figures> {
    let caller = story.visitor(phone, "caller", browser)?;
    let callee = story.visitor(phone, "callee", browser)?;
    for person in [&caller, &callee] {
        person.login(options)?;
    }
    let (mut ring, mut frame) = (Vec::new(), Vec::new());
    let (mut audio, mut bytes) = (Vec::new(), Vec::new());
    // The first call warms both pages up and is not counted; where a call takes half a minute that
    // would be lost on it.
    for run in usize::from(runs == SLOW_RUNS)..=runs {
        let (here, _) = call(&caller, &callee, Duration::ZERO)?;
        let (there, accepted) = call(&caller, &callee, RINGING)?;
        if run > 0 {
            ring.extend(
                here.first_frame
                    .zip(here.ring)
                    .map(|(seen, rang)| seen - rang),
            );
            frame.extend(
                here.first_frame
                    .zip(here.invite)
                    .map(|(seen, sent)| seen - sent),
            );
            audio.extend(
                there
                    .first_audio
                    .zip(accepted.accept)
                    .map(|(heard, at)| heard - at),
            );
            bytes.push(here.bytes);
        }
    }
    ensure!(
        frame.len() == runs && audio.len() == runs,
        "a call without a picture or a sound"
    );
    let figures = Figures {
        ring: median(ring),
        frame: median(frame),
        audio: median(audio),
        bytes: median(bytes),
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
