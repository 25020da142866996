//! Networks where UDP does not pass: media over TCP, on the port of the pages.

use anyhow::{Result, ensure};
use clinicall_tests::{
    browser::{
        Browser,
        Kind::{self, Chromium, Firefox},
    },
    clinic::Clinic,
    process::Net,
    story::{Person, Phone, Sort, Story, plan, talk},
};

fn over_tcp(doctor: &Person, patient: &Person) -> Result<()> {
    doctor.ring(patient)?;
    patient.until("incoming")?;
    patient.answer()?;
    doctor.until("connected")?;
    let (flow, other) = talk(doctor, patient)?;
    for flow in [flow, other] {
        ensure!(
            flow.protocol.as_deref() == Some("tcp"),
            "not over TCP: {flow:?}"
        );
    }
    doctor.hang_up()?;
    ensure!(patient.until_hangup()? == "Hangup");
    Ok(())
}

fn the_relay_offers_no_udp(doctor: Kind, patient: Kind) -> Result<()> {
    Story::tell(Sort::WithoutUdp, |story| {
        let (doctor, patient) = story.pair(doctor, patient)?;
        over_tcp(&doctor, &patient)
    })
}

#[test]
fn over_tcp_in_chromium() -> Result<()> {
    the_relay_offers_no_udp(Chromium, Chromium)
}

#[test]
fn over_tcp_in_firefox() -> Result<()> {
    the_relay_offers_no_udp(Firefox, Firefox)
}

#[test]
fn over_tcp_between_the_two() -> Result<()> {
    the_relay_offers_no_udp(Chromium, Firefox)
}

/// The relay offers both; the firewall drops every UDP packet and says nothing.
#[test]
fn a_firewall_drops_udp() -> Result<()> {
    let net = match Net::without_udp() {
        Ok(net) => net,
        Err(error) => {
            println!("skipped: {error:#}");
            return Ok(());
        }
    };
    let mut plan = plan(Sort::Ordinary)?;
    plan.net = Some(&net);
    let clinic = Clinic::open(&plan)?;
    let browser = Browser::launch_inside(Chromium, Some(&net))?;
    Story::tell_in(&clinic, |story| {
        let doctor = story.person_with(Phone::Clinicall, "doctor", &browser)?;
        let patient = story.person_with(Phone::Clinicall, "patient", &browser)?;
        over_tcp(&doctor, &patient)
    })
}
