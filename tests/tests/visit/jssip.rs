//! JsSIP, as it is on npm, at our relay and with our client at the other end.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    story::{Phone, Sort, Story, browser, talk, visit},
};

fn jssip_rings_us(theirs: Kind, ours: Kind) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person_with(Phone::JsSip, "doctor", browser(theirs)?)?;
        let patient = story.person("patient", ours)?;
        visit(&doctor, &patient)?;
        patient.hang_up()?;
        ensure!(doctor.until_hangup()? == "Terminated");
        Ok(())
    })
}

fn we_ring_jssip(ours: Kind, theirs: Kind) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person("doctor", ours)?;
        let patient = story.person_with(Phone::JsSip, "patient", browser(theirs)?)?;
        visit(&doctor, &patient)?;
        patient.hang_up()?;
        ensure!(doctor.until_hangup()? == "Hangup");
        Ok(())
    })
}

#[test]
fn jssip_in_chromium_rings_us() -> Result<()> {
    jssip_rings_us(Chromium, Firefox)
}

#[test]
fn jssip_in_firefox_rings_us() -> Result<()> {
    jssip_rings_us(Firefox, Chromium)
}

#[test]
fn we_ring_jssip_in_chromium() -> Result<()> {
    we_ring_jssip(Chromium, Chromium)
}

#[test]
fn we_ring_jssip_in_firefox() -> Result<()> {
    we_ring_jssip(Chromium, Firefox)
}

#[test]
fn two_jssip_pages_talk_over_our_relay() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person_with(Phone::JsSip, "doctor", browser(Chromium)?)?;
        let patient = story.person_with(Phone::JsSip, "patient", browser(Chromium)?)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.answer()?;
        doctor.until("connected")?;
        talk(&doctor, &patient)?;
        doctor.hang_up()?;
        ensure!(patient.until_hangup()? == "Terminated");
        Ok(())
    })
}

#[test]
fn jssip_is_declined_by_us() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person_with(Phone::JsSip, "doctor", browser(Chromium)?)?;
        let patient = story.person("patient", Chromium)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.decline()?;
        ensure!(doctor.until_hangup()? == "Rejected");
        Ok(())
    })
}
