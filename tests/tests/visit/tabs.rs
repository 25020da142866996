//! One person, two tabs: both ring, the first to answer has the call.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    story::{Sort, Story, talk},
};

fn answered_in_one_of_two_tabs(patient: Kind) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, patient)?;
        let second = story.second_tab(&patient)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        second.until("incoming")?;
        second.answer()?;
        ensure!(patient.until_hangup()? == "AnsweredElsewhere");
        doctor.until("connected")?;
        talk(&doctor, &second)?;
        ensure!(
            !second.was_told("hangup")?,
            "the tab that answered lost the call"
        );
        doctor.hang_up()?;
        ensure!(second.until_hangup()? == "Hangup");
        Ok(())
    })
}

#[test]
fn the_other_tab_in_chromium_is_told() -> Result<()> {
    answered_in_one_of_two_tabs(Chromium)
}

#[test]
fn the_other_tab_in_firefox_is_told() -> Result<()> {
    answered_in_one_of_two_tabs(Firefox)
}

#[test]
fn closing_one_tab_leaves_the_other_ringing() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, Chromium)?;
        let second = story.second_tab(&patient)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        second.until("incoming")?;
        patient.close_tab()?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        ensure!(
            !doctor.was_told("hangup")?,
            "the call ended with one of two tabs"
        );
        second.answer()?;
        talk(&doctor, &second)?;
        Ok(())
    })
}

#[test]
fn three_devices_ring_and_the_third_answers() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Firefox, Chromium)?;
        let second = story.second_tab(&patient)?;
        let third = story.another_tab(&patient, "third")?;
        doctor.ring(&patient)?;
        for tab in [&patient, &second, &third] {
            tab.until("incoming")?;
        }
        third.answer()?;
        for tab in [&patient, &second] {
            ensure!(tab.until_hangup()? == "AnsweredElsewhere");
        }
        doctor.until("connected")?;
        talk(&doctor, &third)?;
        third.hang_up()?;
        ensure!(doctor.until_hangup()? == "Hangup");
        Ok(())
    })
}

#[test]
fn a_decline_on_one_device_stops_all() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, Chromium)?;
        let second = story.second_tab(&patient)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        second.until("incoming")?;
        patient.decline()?;
        ensure!(doctor.until_hangup()? == "Rejected");
        second.until("hangup")?;
        Ok(())
    })
}

/// One tab talks, another call comes: the tab that is free rings.
#[test]
fn both_tabs_talk_with_different_doctors() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, Chromium)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.answer()?;
        talk(&doctor, &patient)?;
        let second = story.second_tab(&patient)?;
        let colleague = story.person("colleague", Chromium)?;
        colleague.ring(&patient)?;
        second.until("incoming")?;
        second.answer()?;
        talk(&colleague, &second)?;
        talk(&doctor, &patient)?;
        colleague.hang_up()?;
        ensure!(second.until_hangup()? == "Hangup");
        ensure!(!patient.was_told("hangup")?, "the other visit goes on");
        Ok(())
    })
}
