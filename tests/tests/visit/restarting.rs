//! The relay ends in the middle of a visit, and another is started in its place.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    clinic::{Clinic, End},
    story::{Person, Sort, Story, plan, talk, visit},
};
use serde_json::Value;

/// The page has made a connection after the first one, and sound comes over it.
fn is_back(person: &Person) -> Result<bool> {
    let code = "return connections.length > 1 && (await flow()).audioPackets > 0";
    person.asks(code, Value::Null)
}

/// What the person looks at is the new picture, and nothing of the old one is left.
fn looks_at_it(person: &Person) -> Result<()> {
    let tracks: Vec<String> = person.asks(
        "return document.querySelector('#remote').srcObject.getTracks()
            .map((track) => `${track.kind} ${track.readyState}`).sort()",
        Value::Null,
    )?;
    ensure!(tracks == ["audio live", "video live"], "{tracks:?}");
    let played: f64 = person.asks(
        "const video = document.querySelector('#remote'), from = video.currentTime;
        await new Promise((done) => setTimeout(done, 500));
        return video.currentTime - from",
        Value::Null,
    )?;
    ensure!(played > 0.1, "the video element stands still");
    Ok(())
}

fn the_relay_is_restarted(end: End, doctor: Kind, patient: Kind) -> Result<()> {
    let plan = plan(Sort::Ordinary)?;
    let clinic = Clinic::open(&plan)?;
    Story::tell_in(&clinic, |story| {
        let (doctor, patient) = story.pair(doctor, patient)?;
        visit(&patient, &doctor)?;
        patient.does("stage.mute({ video: true })", Value::Null)?;
        let ended = Instant::now();
        clinic.restart(&plan, end)?;
        let listens = ended.elapsed().as_secs_f64();
        let mut back = [false; 2];
        while back != [true; 2] {
            for (back, person) in back.iter_mut().zip([&doctor, &patient]) {
                *back = *back || is_back(person)?;
            }
            // 0.5 to 1.0 s seen; the machine may be busy
            let waited = ended.elapsed();
            ensure!(waited < Duration::from_secs(15), "back: {back:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        let heard = ended.elapsed().as_secs_f64();
        println!("{end:?}: a relay after {listens:.1} s, sound after {heard:.1} s");
        patient.does("stage.mute({ video: false })", Value::Null)?;
        talk(&doctor, &patient)?;
        for person in [&doctor, &patient] {
            looks_at_it(person)?;
            let state: String = person.asks("return stage.state()", Value::Null)?;
            ensure!(state == "connected", "{state}");
            let connected: u32 = person.asks(
                "return stage.events.filter(({ what }) => what === 'connected').length",
                Value::Null,
            )?;
            ensure!(connected == 1, "the page was told of {connected} calls");
            ensure!(!person.was_told("hangup")?, "the call is over");
        }
        patient.hang_up()?;
        ensure!(doctor.until_hangup()? == "Hangup");
        Ok(())
    })
}

#[test]
fn a_relay_that_is_killed_and_started_anew() -> Result<()> {
    the_relay_is_restarted(End::Killed, Chromium, Firefox)
}

#[test]
fn a_relay_that_is_stopped_and_started_anew() -> Result<()> {
    the_relay_is_restarted(End::Stopped, Firefox, Chromium)
}

#[test]
fn somebody_who_does_not_come_back_after_the_restart() -> Result<()> {
    let plan = plan(Sort::Impatient)?;
    let clinic = Clinic::open(&plan)?;
    Story::tell_in(&clinic, |story| {
        let (doctor, patient) = story.pair(Chromium, Chromium)?;
        let tablet = story.second_tab(&patient)?;
        visit(&doctor, &patient)?;
        // the battery is empty in this very moment
        let off = "globalThis.WebSocket = class { constructor() { throw new Error('no power') } }";
        patient.does(off, Value::Null)?;
        clinic.restart(&plan, End::Killed)?;
        let end = doctor.until("hangup")?;
        ensure!(end.cause == "PeerVanished", "{end:?}");
        let rang: u32 = tablet.asks(
            "return stage.events.filter(({ what }) => what === 'incoming').length",
            Value::Null,
        )?;
        ensure!(rang == 1, "the patient's tablet rings again");
        Ok(())
    })
}
