//! Whether people understand each other: what was said beside what was heard.
//!
//! The threshold is that of the judge (nearly all words of a sentence from 0.75 on); what a busy machine takes away is small beside it,
//! for the figure is of words and not of times.

use std::time::Duration;

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    link::{
        Link,
        speech::Judge,
        village::{PATIENCE, Village},
    },
    story::Phone::Clinicall,
};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);
/// Nearly all words.
const UNDERSTOOD: f64 = 0.75;
/// Opus at 11 kbit/s leaves 0.96, 2 % of packets of 120 ms take a word now and then, a machine with ten other
/// things to do some more.
const SOME_WORDS_MISSED: f64 = 0.6;

#[test]
fn the_judge_tells_good_from_bad() -> Result<()> {
    println!("{}", Judge::come()?.examined()?);
    Ok(())
}

fn understand_each_other_inside_16_kbit(browser: Kind) -> Result<()> {
    let judge = Judge::come()?;
    let options = json!({ "bandwidth": "16k" });
    let link = Link::cell(16, 2.0, 300);
    let mut village = Village::shared()?;
    village.visit_over(
        link,
        Clinicall,
        (browser, browser),
        (&options, &options),
        |visit| {
            let (doctor, patient) = (&visit.doctor, &*visit.patient);
            judge.speak(doctor, patient)?;
            visit.begin(false, PATIENCE)?;
            std::thread::sleep(3 * SECOND);
            Judge::listen(doctor, patient, 12)?;
            let seen = visit.watch(12 * SECOND)?;
            let scores = judge.scores(&Judge::recorded(doctor, patient)?)?;
            println!("{seen}, {scores:?}");
            for score in scores {
                ensure!(
                    score.stoi > SOME_WORDS_MISSED,
                    "they do not understand each other: {scores:?}, {seen}"
                );
                if score.stoi < UNDERSTOOD {
                    println!("with effort: {score:?}");
                }
            }
            let (up, down) = seen.kbps();
            ensure!(up < 16.0 && down < 16.0, "the budget is not kept: {seen}");
            visit.end()
        },
    )
}

#[test]
fn a_doctor_and_a_patient_understand_each_other_inside_16_kbit() -> Result<()> {
    understand_each_other_inside_16_kbit(Chromium)
}

/// Speech in packets of 120 ms, of which Firefox as the callee hears in the call only.
#[test]
fn a_doctor_and_a_patient_understand_each_other_inside_16_kbit_in_firefox() -> Result<()> {
    understand_each_other_inside_16_kbit(Firefox)
}
