//! One SQL statement each, and browsers are in a room.

use std::time::Duration;

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{Chromium, Firefox},
    clinic::{Clinic, End, scratch},
    story::{Sort, Story, plan, talk},
};
use serde_json::{Value, json};

use super::{clients::mariadb, with_cometql};

#[test]
fn the_statement_of_the_talk_rings_a_doctor_and_a_patient_into_a_room() -> Result<()> {
    let mut plan = plan(Sort::Ordinary)?;
    plan.more = with_cometql();
    let clinic = Clinic::open(&plan)?;
    Story::tell_in(&clinic, |story| {
        let (doctor, patient) = story.pair(Chromium, Firefox)?;
        for (user, caller) in [(&patient.user, &doctor.user), (&doctor.user, &patient.user)] {
            let statement = format!(
                "INSERT INTO conference (name, user_id, caller_id, message, profile) \
                 VALUES('1', '{user}', '{caller}', \"json\", \"video\");"
            );
            mariadb(&clinic, &[], &statement)?;
        }
        for person in [&doctor, &patient] {
            person.until("incoming")?;
            person.answer()?;
        }
        talk(&doctor, &patient)?;
        let members = "SELECT user_id FROM conference_members WHERE name = '1'";
        let there = mariadb(&clinic, &[], members)?;
        ensure!(
            there.contains(&doctor.user) && there.contains(&patient.user),
            "{there}"
        );
        // who is taken out of the table is taken out of the call
        let user = &patient.user;
        let out = format!("DELETE FROM conference WHERE name = '1' AND user_id = '{user}'");
        mariadb(&clinic, &[], &out)?;
        patient.until_hangup()?;
        Ok(())
    })
}

#[test]
fn in_a_room_of_three_a_small_budget_costs_half_the_frames_and_the_others_none() -> Result<()> {
    let mut plan = plan(Sort::Ordinary)?;
    plan.more = with_cometql();
    let clinic = Clinic::open(&plan)?;
    Story::tell_in(&clinic, |story| {
        let (doctor, patient) = story.pair(Chromium, Chromium)?;
        let interpreter = story.person("interpreter", Chromium)?;
        for person in [&doctor, &patient, &interpreter] {
            let statement = format!(
                "INSERT INTO conference (name, user_id, caller_id, message, profile) \
                 VALUES('1', '{}', '{}', \"json\", \"video\");",
                person.user, doctor.user
            );
            mariadb(&clinic, &[], &statement)?;
            person.until("incoming")?;
            person.answer()?;
            person.until("connected")?;
        }
        // everybody sees who speaks
        for listener in [&patient, &interpreter] {
            listener.does("stage.mute({ audio: true })", Value::Null)?;
        }
        patient.does("stage.bandwidth(arg)", json!({ "audio": 32, "video": 100 }))?;
        for listener in [&patient, &interpreter] {
            listener.sees_and_hears()?;
        }
        std::thread::sleep(Duration::from_secs(20));
        let frames = || -> Result<_> {
            let before = [patient.flow()?, interpreter.flow()?];
            std::thread::sleep(Duration::from_secs(10));
            let after = [patient.flow()?, interpreter.flow()?];
            let gained = |at: usize| after[at].frames_decoded - before[at].frames_decoded;
            let (few, many) = (gained(0), gained(1));
            println!("{few} frames beside {many} in ten seconds");
            ensure!(many >= 100, "{many} frames in ten seconds");
            Ok((few * 100 / many, format!("{few} frames beside {many}")))
        };
        let (share, told) = frames()?;
        ensure!((35..=65).contains(&share), "{told}");
        // with room for all of it again, all of it comes
        patient.does("stage.bandwidth(arg)", json!("hd"))?;
        std::thread::sleep(Duration::from_secs(5));
        let (share, told) = frames()?;
        ensure!(share >= 90, "{told}");
        Ok(())
    })
}

#[test]
fn a_room_of_three_meets_again_when_the_relay_was_killed() -> Result<()> {
    let folder = scratch("store")?;
    let store = folder.join("clinicall.db");
    let mut plan = plan(Sort::Ordinary)?;
    plan.more = format!("{}[store]\npath = {store:?}\n", with_cometql());
    let clinic = Clinic::open(&plan)?;
    let told = Story::tell_in(&clinic, |story| {
        let (doctor, patient) = story.pair(Chromium, Firefox)?;
        let interpreter = story.person("interpreter", Chromium)?;
        let everybody = [&doctor, &patient, &interpreter];
        for person in everybody {
            let user = &person.user;
            let statement = format!(
                "INSERT INTO conference (name, user_id, caller_id, message, profile) \
                 VALUES('1', '{user}', '0', \"json\", \"video\");"
            );
            mariadb(&clinic, &[], &statement)?;
            person.until("incoming")?;
            person.answer()?;
            person.until("connected")?;
        }
        talk(&doctor, &patient)?;
        clinic.restart(&plan, End::Killed)?;
        for person in everybody {
            let code = "while (connections.length < 2 || stage.state() !== 'connected') {
                    await new Promise((done) => setTimeout(done, 50));
                }";
            person.does(code, Value::Null)?;
        }
        for person in everybody {
            person.sees_and_hears()?;
            ensure!(!person.was_told("hangup")?, "the call is over");
        }
        let rang: u32 = patient.asks(
            "return stage.events.filter(({ what }) => what === 'incoming').length",
            Value::Null,
        )?;
        ensure!(rang == 1, "somebody is rung again");
        Ok(())
    });
    clinic.close();
    let _ = std::fs::remove_dir_all(folder);
    told
}
