//! What the clinic is told of who speaks, and who has been silent for long.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    story::{Person, Story, talk},
};
use serde_json::{Value, json};

use crate::login::{clinic, site, visitor};

/// When they last spoke, unix milliseconds: the doctor and the patient.
fn spoke(room: &str, people: [&Person; 2]) -> Result<[Option<u64>; 2]> {
    let members = site("GET", &format!("/rooms/{room}/members"), &Value::Null)?;
    let of = |person: &Person| -> Result<Option<u64>> {
        let mut members = members.as_array().context("members")?.iter();
        let member = members.find(|member| member["user"] == json!(person.user));
        Ok(member.context("in the room")?["last_talking"].as_u64())
    };
    Ok([of(people[0])?, of(people[1])?])
}

/// Waits until both have spoken since.
fn both_speak(room: &str, people: [&Person; 2], since: u64) -> Result<[u64; 2]> {
    let begun = Instant::now();
    loop {
        if let [Some(doctor), Some(patient)] = spoke(room, people)?
            && doctor.min(patient) > since
        {
            return Ok([doctor, patient]);
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "they are not heard: {:?}, {since}",
            spoke(room, people)?
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether packets of speech tell how loud they are: as the browser said, and as it was told.
fn tells_levels(person: &Person) -> Result<[bool; 2]> {
    person.asks(
        "const { connections } = await import('./flow.mjs');
         const { localDescription, remoteDescription } = connections.at(-1);
         return [localDescription, remoteDescription].map(({ sdp }) => sdp.includes('ssrc-audio-level'));",
        Value::Null,
    )
}

/// On a narrow link no packet says how loud it is. That silence is not sent tells who speaks.
fn a_patient_on_a_narrow_link_speaks_and_is_silent(kind: Kind) -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        let doctor = story.person("doctor", Chromium)?;
        let patient = visitor(story, "patient", kind)?;
        patient.login(&json!({ "bandwidth": "64k" }))?;
        let people = [&doctor, &patient];
        let room = format!("consultation-{}", patient.user);
        for person in people {
            let invitation = json!({ "user": person.user });
            site("POST", &format!("/rooms/{room}/invitations"), &invitation)?;
            person.until("incoming")?;
            person.answer()?;
            person.until("connected")?;
        }
        talk(&doctor, &patient)?;
        ensure!(tells_levels(&doctor)? == [true; 2] && tells_levels(&patient)? == [false; 2]);

        both_speak(&room, people, 0)?;
        patient.does("stage.mute({ audio: true })", Value::Null)?;
        std::thread::sleep(Duration::from_secs(4));
        let [before, silent] = spoke(&room, people)?.map(Option::unwrap_or_default);
        std::thread::sleep(Duration::from_secs(4));
        let [after, still] = spoke(&room, people)?.map(Option::unwrap_or_default);
        // told as time that has passed, and rounded
        ensure!(
            still < silent + 100,
            "silence counts as speech: {silent}, {still}"
        );
        ensure!(after > before + 1_000, "the doctor is not heard");
        patient.does("stage.mute({ audio: false })", Value::Null)?;
        both_speak(&room, people, after + 1_000)?;
        Ok(())
    })
}

#[test]
fn the_clinic_sees_who_spoke_over_a_narrow_link_in_chromium() -> Result<()> {
    a_patient_on_a_narrow_link_speaks_and_is_silent(Chromium)
}

#[test]
fn the_clinic_sees_who_spoke_over_a_narrow_link_in_firefox() -> Result<()> {
    a_patient_on_a_narrow_link_speaks_and_is_silent(Firefox)
}
