//! What happens while they talk: mute, a reload, a path that never comes.

use std::time::Duration;

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    story::{Person, Sort, Story, talk},
};
use serde_json::{Value, json};

fn in_a_visit(story: &Story<'_>, doctor: Kind, patient: Kind) -> Result<(Person, Person)> {
    let (doctor, patient) = story.pair(doctor, patient)?;
    doctor.ring(&patient)?;
    patient.until("incoming")?;
    patient.answer()?;
    for person in [&doctor, &patient] {
        person.until("connected")?;
        person.until("media")?;
    }
    talk(&doctor, &patient)?;
    Ok((doctor, patient))
}

/// Waits for a second in which nothing is heard.
fn hears_silence(person: &Person) -> Result<()> {
    for _ in 0..20 {
        let before = person.flow()?.audio_energy;
        std::thread::sleep(Duration::from_secs(1));
        let gained = person.flow()?.audio_energy - before;
        // silence is coded too, and not as nothing at all
        if gained < 1e-6 {
            return Ok(());
        }
    }
    anyhow::bail!("the other side is still heard");
}

fn muting(doctor: Kind, patient: Kind) -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = in_a_visit(story, doctor, patient)?;
        doctor.does("stage.mute({ audio: true })", Value::Null)?;
        hears_silence(&patient)?;
        let muted: Value = doctor.asks("return stage.muted()", Value::Null)?;
        ensure!(muted == json!({ "audio": true, "video": false }), "{muted}");
        // the other direction, and the picture, go on
        doctor.sees_and_hears()?;
        let frames = patient.flow()?.frames_decoded;
        patient.until_flow("a moving picture", |flow| flow.frames_decoded > frames + 5)?;
        doctor.does("stage.mute({ audio: false })", Value::Null)?;
        talk(&doctor, &patient)?;
        Ok(())
    })
}

#[test]
fn the_doctor_mutes_herself_in_chromium() -> Result<()> {
    muting(Chromium, Firefox)
}

#[test]
fn the_doctor_mutes_herself_in_firefox() -> Result<()> {
    muting(Firefox, Chromium)
}

/// What the other side shows of a muted camera is black.
#[test]
fn the_doctor_covers_her_camera() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = in_a_visit(story, Chromium, Chromium)?;
        let brightness = "const video = document.querySelector('#remote');
            const canvas = new OffscreenCanvas(16, 12);
            const context = canvas.getContext('2d');
            context.drawImage(video, 0, 0, 16, 12);
            const bytes = context.getImageData(0, 0, 16, 12).data;
            return bytes.filter((_, at) => at % 4 < 3).reduce((sum, byte) => sum + byte, 0) / (16 * 12 * 3);";
        let until = |what: &str, holds: fn(f64) -> bool| -> Result<()> {
            for _ in 0..100 {
                if holds(patient.asks(brightness, Value::Null)?) {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            anyhow::bail!("the patient does not see {what}");
        };
        until("the doctor", |level| level > 20.0)?;
        doctor.does("stage.mute({ video: true })", Value::Null)?;
        until("black", |level| level < 5.0)?;
        doctor.does("stage.mute({ video: false })", Value::Null)?;
        until("the doctor again", |level| level > 20.0)
    })
}

#[test]
fn the_doctor_reloads_her_page_and_rings_again() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        for kind in [Chromium, Firefox] {
            let (doctor, patient) = in_a_visit(story, kind, Chromium)?;
            doctor.reload()?;
            ensure!(patient.until_hangup()? == "Hangup");
            patient.does("stage.events.length = 0", Value::Null)?;
            doctor.ring(&patient)?;
            patient.until("incoming")?;
            patient.answer()?;
            doctor.until("connected")?;
            talk(&doctor, &patient)?;
        }
        Ok(())
    })
}

#[test]
fn media_that_never_comes_ends_the_call() -> Result<()> {
    Story::tell(Sort::Impatient, |story| {
        let (doctor, patient) = story.pair(Chromium, Firefox)?;
        // the patient's browser never learns where the relay is
        patient.does(
            "const set = RTCPeerConnection.prototype.setRemoteDescription;
             RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
               return set.call(this, { type, sdp: sdp.replace(/a=candidate:.*\\r\\n/g, '') });
             };",
            Value::Null,
        )?;
        doctor.ring(&patient)?;
        patient.until("incoming")?;
        patient.answer()?;
        doctor.until("connected")?;
        for person in [&doctor, &patient] {
            let end = person.until("hangup")?;
            ensure!(end.cause == "MediaLost" && !end.text.is_empty(), "{end:?}");
        }
        ensure!(!patient.was_told("media")?);
        Ok(())
    })
}

/// Chromium on a telephone says so; here the page says it in its place.
#[test]
fn a_telephone_goes_from_wifi_to_mobile_data() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let (doctor, patient) = in_a_visit(story, Chromium, Chromium)?;
        let listen = r#"
            const { wire } = await import("./flow.mjs");
            globalThis.probes = 0;
            const before = wire.heard;
            wire.heard = (way, size, data) => {
                globalThis.probes += way === "out" && data === "\r\n\r\n" ? 1 : 0;
                before(way, size, data);
            };
        "#;
        patient.does(listen, Value::Null)?;
        let codes = r#"
            globalThis.codes = [];
            const close = WebSocket.prototype.close;
            WebSocket.prototype.close = function (...words) {
                globalThis.codes.push(words[0] ?? null);
                return close.apply(this, words);
            };
        "#;
        patient.does(codes, Value::Null)?;
        let change = r#"
            if (arg) Object.defineProperty(navigator.connection, "type", { value: arg, configurable: true });
            navigator.connection.dispatchEvent(new Event("change"));
            return globalThis.probes;
        "#;
        let speed: u64 = patient.asks(change, Value::Null)?;
        ensure!(speed == 0, "another speed is no other network");
        let network: u64 = patient.asks(change, json!("cellular"))?;
        ensure!(
            network == 1,
            "nobody asks whether the socket is still there"
        );
        talk(&patient, &doctor)?;
        // the relay ends the calls of a socket that is closed without a code, as a page's is that goes away
        let codes: Vec<Option<u16>> = patient.asks("return globalThis.codes", Value::Null)?;
        ensure!(codes == [Some(4000)], "one of two is closed: {codes:?}");
        ensure!(!patient.was_told("hangup")?, "the call is over");
        Ok(())
    })
}
