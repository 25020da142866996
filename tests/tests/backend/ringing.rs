//! One SQL statement each, and two browsers are in a room.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::Kind::{Chromium, Firefox},
    clinic::Clinic,
    story::{Sort, Story, plan, talk},
};

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
