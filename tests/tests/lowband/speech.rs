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
use serde_json::{Value, json};

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

fn understand_each_other(browser: Kind, (kbps, loss): (u32, f64), bandwidth: &Value) -> Result<()> {
    let judge = Judge::come()?;
    let options = json!({ "bandwidth": bandwidth });
    let link = Link::cell(kbps, loss, 300);
    let most = f64::from(kbps);
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
            ensure!(up < most && down < most, "the budget is not kept: {seen}");
            visit.end()
        },
    )
}

#[test]
fn a_doctor_and_a_patient_understand_each_other_inside_16_kbit() -> Result<()> {
    understand_each_other(Chromium, (16, 2.0), &json!("16k"))
}

/// Speech in packets of 120 ms, of which Firefox as the callee hears in the call only.
#[test]
fn a_doctor_and_a_patient_understand_each_other_inside_16_kbit_in_firefox() -> Result<()> {
    understand_each_other(Firefox, (16, 2.0), &json!("16k"))
}

/// Everything is said twice, from the first seconds on.
#[test]
fn a_doctor_and_a_patient_understand_each_other_inside_24_kbit_that_lose_a_fifth() -> Result<()> {
    understand_each_other(Chromium, (24, 20.0), &json!({ "audio": 20, "video": 0 }))
}
