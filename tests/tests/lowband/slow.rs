//! A doctor on a good link and a patient on a bad one. What is measured is printed; what is asserted holds
//! on a machine that is busy with other things too: there speech is concealed and frames are late
//! for want of a processor. `cargo xtask bench lowband` has the figures.

use std::time::Duration;

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    link::{
        Link,
        village::{Told, Village, Visit, While},
    },
    story::Phone::Clinicall,
};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

/// A visit of two people of whom both know how slow the patient's link is.
pub fn slow_visit(
    browsers: (Kind, Kind),
    bandwidth: &Value,
    tale: impl FnOnce(&Visit<'_>) -> Result<()>,
) -> Result<()> {
    let options = json!({ "bandwidth": bandwidth });
    Village::shared()?.visit(Clinicall, browsers, (&options, &options), tale)
}

/// Both hear the other, and more than half of it is what was said.
fn hear_each_other(seen: &While) -> Result<()> {
    for heard in [seen.doctor, seen.patient] {
        ensure!(heard.energy > 0.0, "silence: {seen}");
        ensure!(heard.concealed < 0.5, "speech is not understood: {seen}");
    }
    Ok(())
}

/// Rings over that link, lets the call settle, and looks on.
fn watched(visit: &Visit<'_>, link: Link, video: bool, lasting: Duration) -> Result<(While, Told)> {
    visit.patient.on(link);
    let beginning = visit.begin(video, 20 * SECOND)?;
    std::thread::sleep(3 * SECOND);
    let seen = visit.watch(lasting)?;
    println!("{beginning:?}, then {seen}");
    println!("{}", visit.contents(&seen));
    let told = visit.told()?;
    println!("told: {told:?}");
    visit.end()?;
    Ok((seen, told))
}

fn a_face_on_64_kbit(patient: Kind) -> Result<()> {
    let bandwidth = json!("64k");
    slow_visit((Chromium, patient), &bandwidth, |visit| {
        let (seen, told) = watched(visit, Link::cell(64, 5.0, 300), true, 12 * SECOND)?;
        hear_each_other(&seen)?;
        let (up, down) = seen.kbps();
        ensure!(up < 64.0 && down < 64.0, "the budget is not kept: {seen}");
        // the picture yields to speech where both do not fit, and the page is told; 12 to 14 frames a second were seen, and a
        // repair that is lost three times takes two seconds of them
        for (heard, teller) in [(seen.patient, &told.0), (seen.doctor, &told.1)] {
            let why =
                |text: &String| text.starts_with("video paused") || text.contains("no picture");
            ensure!(
                heard.fps >= 9.0 || teller.iter().any(why),
                "hardly a picture and no reason: {seen}"
            );
        }
        Ok(())
    })
}

#[test]
fn a_face_on_64_kbit_with_loss() -> Result<()> {
    a_face_on_64_kbit(Chromium)
}

#[test]
fn a_face_on_64_kbit_with_loss_in_firefox() -> Result<()> {
    a_face_on_64_kbit(Firefox)
}

#[test]
fn speech_on_16_kbit() -> Result<()> {
    slow_visit((Chromium, Chromium), &json!("16k"), |visit| {
        let (seen, _) = watched(visit, Link::cell(16, 2.0, 300), false, 10 * SECOND)?;
        hear_each_other(&seen)?;
        let (up, down) = seen.kbps();
        ensure!(up < 16.0 && down < 16.0, "the budget is not kept: {seen}");
        Ok(())
    })
}

/// What one of them was told begins like this.
fn was_told(told: &[String], beginning: &str) -> bool {
    told.iter().any(|text| text.starts_with(beginning))
}

const GONE: &str = "no picture is sent here: this side's link";
const BACK: &str = "the picture is sent here again";

fn a_link_dies_for_two_seconds_under(patient: Kind) -> Result<()> {
    let link = Link::cell(64, 0.0, 300);
    slow_visit((Chromium, patient), &json!("64k"), |visit| {
        visit.patient.on(link);
        visit.begin(true, 20 * SECOND)?;
        std::thread::sleep(3 * SECOND);
        visit.patient.on(link.dead());
        std::thread::sleep(2 * SECOND);
        visit.patient.on(link);
        let heard = visit.until_heard(2 * SECOND)?;
        println!("both hear each other {heard:.1} s after the link is back");
        visit.until_seen(20 * SECOND)?;
        println!("told: {:?}", visit.told()?);
        ensure!(!visit.patient.was_told("hangup")?, "the call is over");
        visit.end()
    })
}

#[test]
fn a_link_dies_for_two_seconds() -> Result<()> {
    a_link_dies_for_two_seconds_under(Chromium)
}

#[test]
fn a_link_dies_for_two_seconds_in_firefox() -> Result<()> {
    a_link_dies_for_two_seconds_under(Firefox)
}

fn a_link_collapses_for_ten_seconds(patient: Kind) -> Result<()> {
    let link = Link::cell(150, 0.0, 300);
    slow_visit((Chromium, patient), &json!("150k"), |visit| {
        visit.patient.on(link);
        visit.begin(true, 20 * SECOND)?;
        std::thread::sleep(3 * SECOND);
        visit.patient.on(link.at(20));
        let falling = visit.watch(4 * SECOND)?;
        let low = visit.watch(6 * SECOND)?;
        visit.patient.on(link);
        let heard = visit.until_heard(2 * SECOND)?;
        println!("falling {falling}\ncollapsed {low}\nheard after {heard:.1} s");
        println!("{}", visit.contents(&low));
        let seen = visit.until_seen(30 * SECOND);
        let told = visit.told()?;
        println!("told: {told:?}");
        seen?;
        let back = visit.watch(6 * SECOND)?;
        let told = visit.told()?;
        println!("told: {told:?}\nback {back}");
        ensure!(!visit.patient.was_told("hangup")?, "the call is over");
        // what is sent into the link nearly fits it, but for what asks whether more does (19 to 23 seen, and 17 to
        // 24 up); Firefox hears of less a second later (28 up)
        let (up, down) = low.kbps();
        ensure!(down < 26.0, "too much for the patient to hear: {low}");
        let most = if patient == Chromium { 30.0 } else { 38.0 };
        ensure!(up < most, "too much for the doctor to hear: {low}");
        hear_each_other(&back)?;
        ensure!(was_told(&told.1, GONE), "nobody told the patient: {told:?}");
        ensure!(was_told(&told.1, BACK), "nor that it is over: {told:?}");
        let theirs = "the other side's link takes";
        ensure!(was_told(&told.0, theirs), "nor the doctor: {told:?}");
        visit.end()
    })
}

#[test]
fn a_link_collapses_to_20_kbit_for_ten_seconds() -> Result<()> {
    a_link_collapses_for_ten_seconds(Chromium)
}

#[test]
fn a_link_collapses_to_20_kbit_for_ten_seconds_in_firefox() -> Result<()> {
    a_link_collapses_for_ten_seconds(Firefox)
}

fn a_patient_lowers_the_bandwidth_and_raises_it_again(patient: Kind) -> Result<()> {
    let options = json!({ "bandwidth": "256k" });
    Village::shared()?.visit(
        Clinicall,
        (Chromium, patient),
        (&options, &options),
        |visit| {
            visit.patient.on(Link::cell(256, 0.0, 100));
            visit.begin(true, 20 * SECOND)?;
            std::thread::sleep(3 * SECOND);
            let wide = visit.watch(4 * SECOND)?;
            visit.patient.does("stage.bandwidth(arg)", json!("64k"))?;
            std::thread::sleep(3 * SECOND);
            let narrow = visit.watch(6 * SECOND)?;
            println!("wide {wide}\nnarrow {narrow}");
            visit.patient.does("stage.bandwidth(arg)", json!("16k"))?;
            std::thread::sleep(3 * SECOND);
            let speech = visit.watch(4 * SECOND)?;
            visit.patient.does("stage.bandwidth(arg)", json!("256k"))?;
            visit.until_seen(20 * SECOND)?;
            println!("speech {speech}");
            for (seen, most) in [(&narrow, 68.0), (&speech, 17.0)] {
                let (up, down) = seen.kbps();
                ensure!(up < most && down < most, "{most} kbit/s: {seen}");
                ensure!(
                    seen.doctor.energy > 0.0 && seen.patient.energy > 0.0,
                    "silence: {seen}"
                );
            }
            ensure!(
                narrow.doctor.fps > 0.0 && narrow.patient.fps > 0.0,
                "no picture: {narrow}"
            );
            visit.end()
        },
    )
}

#[test]
fn a_patient_lowers_the_bandwidth_during_the_call_and_raises_it_again() -> Result<()> {
    a_patient_lowers_the_bandwidth_and_raises_it_again(Chromium)
}

#[test]
fn a_patient_lowers_the_bandwidth_during_the_call_and_raises_it_again_in_firefox() -> Result<()> {
    a_patient_lowers_the_bandwidth_and_raises_it_again(Firefox)
}

/// The doctor's page has no limits of its own: what the patient's link takes she hears from the patient's page.
#[test]
fn a_doctor_who_knows_nothing_of_a_link_of_16_kbit() -> Result<()> {
    let (doctor, patient) = (json!({}), json!({ "bandwidth": "16k" }));
    let each = (&doctor, &patient);
    Village::shared()?.visit(Clinicall, (Chromium, Chromium), each, |visit| {
        let (seen, told) = watched(visit, Link::cell(16, 0.0, 300), false, 10 * SECOND)?;
        hear_each_other(&seen)?;
        let (up, down) = seen.kbps();
        ensure!(up < 16.0 && down < 16.0, "the budget is not kept: {seen}");
        let theirs = "the other side's link takes";
        ensure!(was_told(&told.0, theirs), "nobody told her: {told:?}");
        Ok(())
    })
}
