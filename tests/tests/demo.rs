//! `cargo xtask demo`, as two people find it: the page in a Chromium and in a Firefox.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::{Browser, Kind, Page},
    clinic::{Clinic, relay_binary},
    tools::page,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// Presses the first button that says this, as soon as there is one.
fn press(page: &Page, says: &str) -> Result<()> {
    let press = "const button = [...document.querySelectorAll('button')]
            .find((button) => button.innerText.includes(arg) && !button.disabled);
        button?.click();
        return Boolean(button);";
    until(page, &format!("a button `{says}`"), || {
        page.eval(press, json!(says))
    })
}

fn sees(page: &Page, words: &str) -> Result<()> {
    let says = "return document.body.innerText.includes(arg)";
    until(page, words, || page.eval(says, json!(words)))
}

/// Both pictures move.
fn sees_pictures(page: &Page) -> Result<()> {
    let move_on = "const videos = [...document.querySelectorAll('video')];
        return videos.length === 2 && videos.every((video) => video.videoWidth > 0 && video.currentTime > 1);";
    until(page, "two moving pictures", || {
        page.eval(move_on, Value::Null)
    })
}

fn until(page: &Page, what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !holds()? {
        let shown = || page.eval::<String>("return document.body.innerText", Value::Null);
        ensure!(
            Instant::now() < end,
            "no {what} in {}, which shows:\n{}",
            page.browser.kind,
            shown()?
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn doctor_and_patient_talk_on_the_demo_page() -> Result<()> {
    let clinic = Clinic::demo(&relay_binary()?, &page::make()?, false)?;
    let (chromium, firefox) = (
        Browser::launch(Kind::Chromium)?,
        Browser::launch(Kind::Firefox)?,
    );
    let doctor = chromium.open(&clinic.address())?;
    let patient = firefox.open(&clinic.address())?;
    press(&doctor, "Doctor Ivanova")?;
    press(&patient, "Patient Petrov")?;
    sees(&doctor, "Here now")?;
    press(&doctor, "Video")?;
    sees(&patient, "Doctor Ivanova is calling")?;
    press(&patient, "Answer with video")?;
    for person in [&doctor, &patient] {
        sees(person, "Connected")?;
        sees_pictures(person)?;
    }
    press(&doctor, "Hang up")?;
    sees(&patient, "Doctor Ivanova ended the call")?;
    sees(&doctor, "Call ended")
}
