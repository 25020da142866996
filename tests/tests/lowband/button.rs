//! A page over a slow link: its call button works before the phone is there.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    link::{
        Link,
        village::{PATIENCE, Village, Visit},
    },
    story::talk,
};
use serde_json::{Value, json};

/// The module as it is, 240 kB, takes eight seconds here.
fn link() -> Link {
    Link::cell(256, 0.0, 100)
}

fn opened(visit: &Visit<'_>, state: &str) -> Result<()> {
    let tracks: Vec<String> = visit.patient.asks("return stage.opened()", Value::Null)?;
    ensure!(tracks.len() == 2, "{tracks:?}");
    ensure!(tracks.iter().all(|track| track == state), "{tracks:?}");
    Ok(())
}

/// The patient's page is there, and has a button for the doctor.
fn has_a_button(visit: &Visit<'_>, load: &str) -> Result<()> {
    let options = visit.patient.options(&json!({ "bandwidth": "256k" }));
    let arg = json!({ "options": options, "to": visit.doctor.user, "load": load });
    visit.patient.does("stage.button(arg)", arg)
}

fn press(visit: &Visit<'_>) -> Result<()> {
    visit.patient.does("stage.press()", Value::Null)
}

fn a_patient_presses_the_button_before_the_phone_is_there(patient: Kind) -> Result<()> {
    Village::shared()?.first_visit_over(link(), patient, |visit| {
        visit.doctor.does("stage.answerAtOnce(true)", Value::Null)?;
        has_a_button(visit, "press")?;
        press(visit)?;
        let loaded = visit.patient.until("loaded")?.at;
        let preview = visit.patient.until("preview")?.at;
        let fetched: bool = visit.patient.asks("return stage.fetched()", Value::Null)?;
        ensure!(!fetched, "the phone was there before the patient's picture");
        opened(visit, "live")?;
        let placed = visit.patient.until_within(PATIENCE, "placed")?.at;
        println!("the button after {loaded:.0} ms, the own picture after {preview:.0}, the call after {placed:.0}");
        opened(visit, "ended")?;
        visit.patient.until_within(PATIENCE, "connected")?;
        talk(&visit.patient, &visit.doctor)?;
        press(visit)?;
        ensure!(visit.doctor.until_hangup()? == "Hangup");
        Ok(())
    })
}

#[test]
fn a_patient_presses_the_button_before_the_phone_is_there_in_chromium() -> Result<()> {
    a_patient_presses_the_button_before_the_phone_is_there(Chromium)
}

#[test]
fn a_patient_presses_the_button_before_the_phone_is_there_in_firefox() -> Result<()> {
    a_patient_presses_the_button_before_the_phone_is_there(Firefox)
}

#[test]
fn a_patient_takes_the_press_back_and_nobody_is_rung() -> Result<()> {
    Village::shared()?.first_visit_over(link(), Chromium, |visit| {
        // as a page has it that nobody has pressed anything on: the phone comes by itself
        has_a_button(visit, "idle")?;
        press(visit)?;
        visit.patient.until("preview")?;
        press(visit)?;
        opened(visit, "ended")?;
        let come = "while (!stage.fetched()) await new Promise((done) => setTimeout(done, 100))";
        visit.patient.does(come, Value::Null)?;
        // a call that was placed all the same would be there after a login and a few round trips
        std::thread::sleep(std::time::Duration::from_secs(4));
        ensure!(!visit.patient.was_told("placed")? && !visit.doctor.was_told("incoming")?);

        // what the browser refuses is told, and the button is as it was
        let refuses = "navigator.mediaDevices.getUserMedia = async () => {
            throw new DOMException('no', 'NotAllowedError');
        }";
        visit.patient.does(refuses, Value::Null)?;
        press(visit)?;
        ensure!(visit.patient.until("error")?.cause == "MediaDenied");
        visit
            .patient
            .does("delete navigator.mediaDevices.getUserMedia", Value::Null)?;
        press(visit)?;
        visit.patient.until("placed")?;
        visit.doctor.until("incoming")?;
        Ok(())
    })
}
