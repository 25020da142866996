//! Who may come in, and who can be called.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{Chromium, Firefox},
    story::{Person, Phone, Sort, Story, browser},
};
use serde_json::{Value, json};

/// Logs in and expects to fail: the cause and the sentence the page gets.
fn refused(visitor: &Person, with: &Value) -> Result<(String, String)> {
    let (cause, text): (String, String) = visitor.asks(
        "try { await stage.login(arg); return ['logged in', '']; }
         catch (error) { return [String(error.cause), String(error.message ?? error.text)]; }",
        visitor.options(with),
    )?;
    ensure!(
        cause != "logged in",
        "the relay let somebody in with {with}"
    );
    Ok((cause, text))
}

#[test]
fn a_wrong_password_is_told_at_login() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        for kind in [Chromium, Firefox] {
            let visitor = story.visitor(Phone::Clinicall, "visitor", browser(kind)?)?;
            let (cause, text) = refused(&visitor, &json!({ "password": "wrong" }))?;
            ensure!(
                cause == "AuthenticationFailed" && !text.is_empty(),
                "{cause}: {text}"
            );
        }
        Ok(())
    })
}

/// The same words as for a wrong password: who is a patient here is nobody's business.
#[test]
fn an_unknown_user_cannot_be_told_from_a_wrong_password() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let visitor = story.visitor(Phone::Clinicall, "visitor", browser(Chromium)?)?;
        let (cause, _) = refused(&visitor, &json!({ "user": "nobody" }))?;
        ensure!(cause == "AuthenticationFailed", "{cause}");
        Ok(())
    })
}

#[test]
fn a_server_that_is_not_there_is_told_at_login() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let visitor = story.visitor(Phone::Clinicall, "visitor", browser(Chromium)?)?;
        let (cause, _) = refused(&visitor, &json!({ "server": "ws://127.0.0.1:9/sip" }))?;
        ensure!(cause == "ConnectionFailed", "{cause}");
        Ok(())
    })
}

#[test]
fn ringing_somebody_unknown() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person("doctor", Chromium)?;
        doctor.ring_user("nobody")?;
        let end = doctor.until("hangup")?;
        ensure!(
            end.cause == "NotFound" && end.status == Some(404),
            "{end:?}"
        );
        Ok(())
    })
}

#[test]
fn ringing_somebody_who_is_not_there() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person("doctor", Firefox)?;
        let absent = story.visitor(Phone::Clinicall, "absent", browser(Chromium)?)?;
        doctor.ring(&absent)?;
        let end = doctor.until("hangup")?;
        ensure!(
            end.cause == "Unavailable" && end.status == Some(480),
            "{end:?}"
        );
        Ok(())
    })
}

#[test]
fn whoever_closed_the_tab_is_not_there_any_more() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, Chromium)?;
        patient.close_tab()?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        doctor.ring(&patient)?;
        ensure!(doctor.until_hangup()? == "Unavailable");
        Ok(())
    })
}
