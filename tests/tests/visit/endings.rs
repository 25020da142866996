//! Calls that nobody answers, and calls that end in other ways than by hanging up.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{Chromium, Firefox},
    story::{SHORT_RING, Sort, Story, talk},
};
use serde_json::Value;

#[test]
fn the_patient_declines() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, Firefox)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.decline()?;
        let end = doctor.until("hangup")?;
        ensure!(end.cause == "Rejected", "{end:?}");
        ensure!(!end.text.is_empty(), "no sentence to show: {end:?}");
        patient.until("hangup")?;
        Ok(())
    })
}

#[test]
fn the_patient_is_busy() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, Chromium)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.does("await stage.busy()", Value::Null)?;
        let end = doctor.until("hangup")?;
        ensure!(end.cause == "Busy" && end.status == Some(486), "{end:?}");
        Ok(())
    })
}

#[test]
fn nobody_answers() -> Result<()> {
    Story::tell(Sort::Impatient, |story| {
        let (doctor, patient) = story.pair(Chromium, Firefox)?;
        doctor.ring(&patient)?;
        let rang = patient.until("incoming")?;
        let end = doctor.until("hangup")?;
        ensure!(end.cause == "NoAnswer", "{end:?}");
        let stopped = patient.until("hangup")?;
        let milliseconds = stopped.at - rang.at;
        let expected = SHORT_RING.as_millis() as f64;
        ensure!(
            (expected - 500.0..expected + 3000.0).contains(&milliseconds),
            "it rang for {milliseconds} ms, not for {expected}"
        );
        Ok(())
    })
}

#[test]
fn the_doctor_changes_her_mind_while_it_rings() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Firefox, Chromium)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        doctor.until("ringing")?;
        doctor.hang_up()?;
        ensure!(patient.until_hangup()? == "Canceled");
        doctor.until("hangup")?;
        Ok(())
    })
}

#[test]
fn the_doctor_closes_her_tab_while_it_rings() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, Chromium)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        doctor.close_tab()?;
        patient.until("hangup")?;
        Ok(())
    })
}

#[test]
fn the_doctor_closes_her_tab_in_the_visit() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Firefox, Chromium)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.answer()?;
        talk(&doctor, &patient)?;
        doctor.close_tab()?;
        patient.until("hangup")?;
        Ok(())
    })
}

#[test]
fn the_patient_closes_the_tab_in_the_visit() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Firefox, Chromium)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.answer()?;
        talk(&doctor, &patient)?;
        patient.close_tab()?;
        doctor.until("hangup")?;
        Ok(())
    })
}
