//! One rings, the other answers, they see and hear each other, one hangs up.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    story::{Sort, Story, talk, visit},
};

#[derive(Clone, Copy, PartialEq)]
enum Hangs {
    Caller,
    Callee,
}

fn a_visit(doctor: Kind, patient: Kind, hangs: Hangs) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(doctor, patient)?;
        let (incoming, flow) = visit(&doctor, &patient)?;
        ensure!(
            incoming.from.contains(&doctor.user),
            "the patient sees `{}` ring",
            incoming.from
        );
        ensure!(
            flow.protocol.as_deref() == Some("udp"),
            "not over UDP: {flow:?}"
        );
        let (leaves, stays) = if hangs == Hangs::Caller {
            (&doctor, &patient)
        } else {
            (&patient, &doctor)
        };
        leaves.hang_up()?;
        ensure!(stays.until_hangup()? == "Hangup");
        ensure!(leaves.until_hangup()? == "Hangup");
        Ok(())
    })
}

#[test]
fn chromium_rings_chromium_and_the_doctor_hangs_up() -> Result<()> {
    a_visit(Chromium, Chromium, Hangs::Caller)
}

#[test]
fn firefox_rings_firefox_and_the_patient_hangs_up() -> Result<()> {
    a_visit(Firefox, Firefox, Hangs::Callee)
}

#[test]
fn chromium_rings_firefox_and_the_patient_hangs_up() -> Result<()> {
    a_visit(Chromium, Firefox, Hangs::Callee)
}

#[test]
fn firefox_rings_chromium_and_the_doctor_hangs_up() -> Result<()> {
    a_visit(Firefox, Chromium, Hangs::Caller)
}

/// The media paths are up while it rings, and not a packet passes before the answer.
fn nothing_passes_before_the_answer(doctor: Kind, patient: Kind) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(doctor, patient)?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        for person in [&doctor, &patient] {
            person.until_flow("connected while it rings", |flow| flow.state == "connected")?;
        }
        std::thread::sleep(std::time::Duration::from_millis(1500));
        for person in [&doctor, &patient] {
            let flow = person.flow()?;
            ensure!(
                (flow.frames_decoded, flow.video_packets, flow.audio_packets) == (0, 0, 0),
                "something passed before the answer: {flow:?}"
            );
            ensure!(
                !person.was_told("connected")?,
                "told `connected` before the answer"
            );
        }
        patient.answer()?;
        talk(&doctor, &patient)?;
        Ok(())
    })
}

#[test]
fn nothing_passes_before_the_answer_in_chromium() -> Result<()> {
    nothing_passes_before_the_answer(Chromium, Chromium)
}

#[test]
fn nothing_passes_before_the_answer_in_firefox() -> Result<()> {
    nothing_passes_before_the_answer(Firefox, Firefox)
}

#[test]
fn they_talk_again_after_hanging_up() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = story.pair(Chromium, Firefox)?;
        for (caller, callee) in [(&doctor, &patient), (&patient, &doctor)] {
            for person in [caller, callee] {
                person.does("stage.events.length = 0", serde_json::Value::Null)?;
            }
            caller.ring(callee)?;
            callee.until("incoming")?;
            callee.answer()?;
            caller.until("connected")?;
            talk(caller, callee)?;
            caller.hang_up()?;
            callee.until("hangup")?;
            caller.until("hangup")?;
        }
        Ok(())
    })
}
