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
