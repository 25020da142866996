//! A page hands over a newer token before the one it came in with runs out.

use clinicall_sip::Millis;

use super::clinic::{Clinic, ours};
use crate::{
    options::Options,
    phone::{Input, State},
    reason::Cause,
};

fn doctor() -> Clinic {
    let options = Options {
        token: Some("good.first.token".into()),
        ..ours("")
    };
    let mut clinic = Clinic::before_login(&options, Some("clinicall.v1"));
    clinic.run_for(Millis(200));
    assert_eq!(*clinic.phone.state(), State::Registered);
    clinic.log.clear();
    clinic
}

#[test]
fn a_newer_token_is_shown_at_once_and_by_every_later_socket() {
    let mut clinic = doctor();
    let taken = clinic.page(|phone, now| phone.set_token(now, "good.second.token"));
    assert!(taken.is_ok());
    clinic.run_for(Millis(200));
    assert_eq!(
        clinic.story(),
        "page  -> REGISTER\npage <-  200 REGISTER\ntells    Answered 0: Ok(\"null\")"
    );
    clinic.log.clear();
    clinic.cut();
    clinic.run_for(Millis::from_secs(5));
    assert_eq!(*clinic.phone.state(), State::Registered);
    assert!(!clinic.heard("Answered"), "{}", clinic.ladder());
}

#[test]
fn a_token_that_is_refused_leaves_the_page_with_the_one_it_had() {
    let mut clinic = doctor();
    let taken = clinic.page(|phone, now| phone.set_token(now, "bad.second.token"));
    assert!(taken.is_ok());
    // one at a time
    let again = clinic.page(|phone, now| phone.set_token(now, "good.third.token"));
    assert_eq!(again.unwrap_err().cause, Cause::TooMany);
    clinic.run_for(Millis(200));
    assert!(clinic.heard("Answered 0: Err("), "{}", clinic.ladder());
    assert_eq!(*clinic.phone.state(), State::Registered);
    clinic.log.clear();
    clinic.cut();
    clinic.run_for(Millis::from_secs(5));
    assert_eq!(*clinic.phone.state(), State::Registered);
}

#[test]
fn a_newer_token_that_was_under_way_when_the_network_changed_is_shown_by_the_next_socket() {
    let mut clinic = doctor();
    clinic.moves();
    let taken = clinic.page(|phone, now| phone.set_token(now, "good.second.token"));
    assert!(taken.is_ok());
    clinic.page(|phone, now| phone.handle(now, Input::Online));
    clinic.run_for(Millis(500));
    let ladder = clinic.ladder();
    assert!(clinic.heard("Answered 0: Ok(\"null\")"), "{ladder}");
    assert_eq!(*clinic.phone.state(), State::Registered, "{ladder}");
    let sockets = ladder.matches("socket  open").count();
    assert_eq!(sockets, 1, "{ladder}");
}

#[test]
fn who_came_in_with_a_password_has_no_token_to_renew() {
    let mut clinic = Clinic::open();
    for token in ["good.second.token", "", "a b"] {
        let refused = clinic.page(|phone, now| phone.set_token(now, token));
        assert_eq!(refused.unwrap_err().cause, Cause::BadOption);
    }
    clinic.page(|phone, now| phone.disconnect(now));
    let refused = clinic.page(|phone, now| phone.set_token(now, "good.second.token"));
    assert_eq!(refused.unwrap_err().cause, Cause::NotConnected);
}
