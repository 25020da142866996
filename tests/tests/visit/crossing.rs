//! Both press the button in the same moment.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    story::{Person, Phone, Sort, Story, browser, talk},
};
use serde_json::json;

/// Both pages ring at the same instant of the machine's clock.
fn ring_at_once(one: &Person, other: &Person) -> Result<()> {
    let now: f64 = one.asks("return Date.now()", serde_json::Value::Null)?;
    for (caller, callee) in [(one, other), (other, one)] {
        caller.does(
            "setTimeout(() => stage.ring(arg.to), arg.at - Date.now())",
            json!({ "to": callee.user, "at": now + 500.0 }),
        )?;
    }
    Ok(())
}

fn they_ring_each_other(one: &Person, other: &Person) -> Result<()> {
    ring_at_once(one, other)?;
    one.until("connected")?;
    other.until("connected")?;
    talk(one, other)?;
    one.hang_up()?;
    other.until("hangup")?;
    Ok(())
}

fn ours(one: Kind, other: Kind) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(one, other)?;
        they_ring_each_other(&doctor, &patient)
    })
}

#[test]
fn both_ring_in_chromium() -> Result<()> {
    ours(Chromium, Chromium)
}

#[test]
fn both_ring_in_chromium_and_firefox() -> Result<()> {
    ours(Chromium, Firefox)
}

#[test]
fn one_of_the_two_rings_with_jssip() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person_with(Phone::JsSip, "doctor", browser(Chromium)?)?;
        let patient = story.person("patient", Chromium)?;
        // JsSIP gathers before its INVITE leaves, so it rings back while it is rung
        doctor.ring(&patient)?;
        patient.ring(&doctor)?;
        doctor.until("connected")?;
        patient.until("connected")?;
        talk(&doctor, &patient)?;
        ensure!(!patient.was_told("hangup")?);
        Ok(())
    })
}
