//! SIP.js, as it is on npm, at our relay and with our client at the other end.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    story::{Phone, Sort, Story, browser, talk, visit},
};
use serde_json::{Value, json};

fn sipjs_rings_us(theirs: Kind, ours: Kind) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person_with(Phone::SipJs, "doctor", browser(theirs)?)?;
        let patient = story.person("patient", ours)?;
        let (incoming, _) = visit(&doctor, &patient)?;
        ensure!(incoming.from == doctor.user, "{incoming:?}");
        doctor.hang_up()?;
        ensure!(patient.until_hangup()? == "Hangup");
        Ok(())
    })
}

fn we_ring_sipjs(ours: Kind, theirs: Kind) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person("doctor", ours)?;
        let patient = story.person_with(Phone::SipJs, "patient", browser(theirs)?)?;
        visit(&doctor, &patient)?;
        doctor.hang_up()?;
        ensure!(patient.until_hangup()? == "Terminated");
        Ok(())
    })
}

#[test]
fn sipjs_in_chromium_rings_us() -> Result<()> {
    sipjs_rings_us(Chromium, Firefox)
}

#[test]
fn sipjs_in_firefox_rings_us() -> Result<()> {
    sipjs_rings_us(Firefox, Chromium)
}

#[test]
fn we_ring_sipjs_in_chromium() -> Result<()> {
    we_ring_sipjs(Firefox, Chromium)
}

#[test]
fn we_ring_sipjs_in_firefox() -> Result<()> {
    we_ring_sipjs(Chromium, Firefox)
}

#[test]
fn sipjs_hears_that_we_decline() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person_with(Phone::SipJs, "doctor", browser(Chromium)?)?;
        let patient = story.person("patient", Chromium)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.decline()?;
        ensure!(doctor.until_hangup()? == "Terminated");
        Ok(())
    })
}

/// A re-INVITE that leaves the offer to the relay (RFC 3261 section 14.2); they talk on after it.
#[test]
fn sipjs_asks_for_an_offer_in_the_visit() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person_with(Phone::SipJs, "doctor", browser(Chromium)?)?;
        let patient = story.person("patient", Chromium)?;
        for (caller, callee) in [(&doctor, &patient), (&patient, &doctor)] {
            for person in [caller, callee] {
                person.does("stage.events.length = 0", Value::Null)?;
            }
            caller.ring(callee)?;
            callee.until("incoming")?;
            callee.answer()?;
            caller.until("connected")?;
            callee.until("connected")?;
            talk(&doctor, &patient)?;
            doctor.does("await stage.asksForAnOffer()", Value::Null)?;
            talk(&doctor, &patient)?;
            patient.hang_up()?;
            doctor.until("hangup")?;
        }
        Ok(())
    })
}

#[test]
fn a_line_of_text_finds_its_reader() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let doctor = story.person_with(Phone::SipJs, "doctor", browser(Chromium)?)?;
        let patient = story.person_with(Phone::SipJs, "patient", browser(Firefox)?)?;
        let writes = "try { await stage.writes(arg.to, arg.text); return 'read'; }
            catch (error) { return error.message; }";
        let send = |to: &str| -> Result<String> {
            let text =
                "Please come at noon \u{2014} \u{0434}\u{043e}\u{043a}\u{0442}\u{043e}\u{0440}";
            doctor.asks(writes, json!({ "to": to, "text": text }))
        };
        ensure!(send(&patient.user)? == "read");
        let message = patient.until("message")?;
        ensure!(message.from == doctor.user, "{message:?}");
        ensure!(message.text.ends_with('\u{0440}'), "{message:?}");
        ensure!(send("nobody")?.starts_with("404"));
        patient.close_tab()?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        ensure!(send(&patient.user)?.starts_with("480"));
        Ok(())
    })
}
