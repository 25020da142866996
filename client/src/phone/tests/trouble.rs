use clinicall_sip::{Headers, Millis};

use super::clinic::{BOTH, Clinic, OFFER, ours, talking};
use crate::{
    options::Options,
    phone::{CallState, Input, PathState, PeerNews, State},
    reason::Cause,
};

#[test]
fn the_socket_is_lost_in_a_call() {
    let (mut clinic, call) = talking();
    clinic.cut();
    assert!(clinic.heard("tells    Reconnecting"), "{}", clinic.ladder());
    assert_eq!(
        clinic.phone.call_state(call),
        CallState::Connected,
        "they talk on"
    );
    clinic.run_for(Millis(2_000));
    assert_eq!(
        *clinic.phone.state(),
        State::Registered,
        "{}",
        clinic.ladder()
    );
    assert!(
        clinic.heard("page  -> UPDATE"),
        "the relay learns where we are"
    );
    let ladder = clinic.ladder();
    assert!(!clinic.heard("UPDATE + sdp"), "in few bytes\n{ladder}");
    clinic.page(|phone, now| phone.hangup(now, call));
    clinic.run_for(Millis(200));
    assert!(
        clinic.heard("page  -> BYE"),
        "over the new socket\n{}",
        clinic.ladder()
    );
}

#[test]
fn the_network_changes_and_takes_the_media_along() {
    let (mut clinic, call) = talking();
    clinic.cut();
    clinic.news(call, PeerNews::Path(PathState::Disconnected));
    assert!(clinic.heard("Changed Reconnecting"), "{}", clinic.ladder());
    clinic.run_for(Millis(2_500));
    assert!(
        clinic.heard("Offer { video: true, restart: true }"),
        "{}",
        clinic.ladder()
    );
    clinic.news(call, PeerNews::Path(PathState::Connected));
    assert!(clinic.heard("Changed Connected"));
}

#[test]
fn a_browser_that_has_another_network_looks_for_another_way_at_once() {
    let (mut clinic, call) = talking();
    clinic.moves();
    let changed = clinic.now;
    clinic.page(|phone, now| phone.handle(now, Input::Online));
    clinic.run_for(Millis(1_000));
    let offer = clinic.when("Offer { video: true, restart: true }");
    let ladder = clinic.ladder();
    assert!(offer + 1_000 - changed.0 <= 100, "{ladder}");
    assert!(clinic.heard("page  -> INVITE + sdp"), "{ladder}");
    assert!(!clinic.heard("401 REGISTER"), "known already\n{ladder}");
    assert_eq!(
        clinic.phone.call_state(call),
        CallState::Connected,
        "as far as the browser knows"
    );
    assert_eq!(*clinic.phone.state(), State::Registered, "{ladder}");
    // once
    clinic.log.clear();
    clinic.cut();
    clinic.run_for(Millis(2_000));
    assert!(!clinic.heard("restart: true"), "{}", clinic.ladder());
    assert!(clinic.heard("page  -> UPDATE"), "{}", clinic.ladder());
}

#[test]
fn a_browser_whose_path_is_lost_asks_whether_its_socket_is_too() {
    let (mut clinic, call) = talking();
    clinic.moves();
    clinic.news(call, PeerNews::Path(PathState::Disconnected));
    clinic.run_for(Millis(300));
    let ladder = clinic.ladder();
    assert!(clinic.heard("page  -> INVITE + sdp"), "{ladder}");
    clinic.news(call, PeerNews::Path(PathState::Connected));
    assert!(clinic.heard("Changed Connected"), "{}", clinic.ladder());
}

#[test]
fn a_page_that_is_shown_while_it_logs_in_logs_in() {
    let mut clinic = Clinic::before_login(&ours("secret"), Some("clinicall.v1"));
    clinic.run_for(Millis(45));
    clinic.page(|phone, now| phone.handle(now, Input::Online));
    clinic.run_for(Millis(10_000));
    let ladder = clinic.ladder();
    assert_eq!(*clinic.phone.state(), State::Registered, "{ladder}");
    assert_eq!(ladder.matches("socket  open").count(), 1, "{ladder}");
}

#[test]
fn who_has_gone_leaves_no_socket_behind_when_the_rival_opens() {
    let (mut clinic, _) = talking();
    clinic.moves();
    clinic.page(|phone, now| phone.handle(now, Input::Online));
    clinic.page(|phone, now| phone.disconnect(now));
    clinic.run_for(Millis(60_000));
    let ladder = clinic.ladder();
    assert_eq!(*clinic.phone.state(), State::Disconnected, "{ladder}");
    assert_eq!(ladder.matches("socket  close").count(), 2, "{ladder}");
    assert_eq!(ladder.matches("-> REGISTER").count(), 1, "{ladder}");
}

#[test]
fn a_network_that_only_seemed_to_change_costs_a_probe() {
    let (mut clinic, _) = talking();
    clinic.page(|phone, now| phone.handle(now, Input::Online));
    clinic.run_for(Millis(20_000));
    insta::assert_snapshot!(clinic.story(), @r#"
    page  -> "\r\n\r\n"
    socket  open clinicall.v1, sip
    page <-  "\r\n"
    socket  close
    "#);
}

#[test]
fn that_sound_and_picture_get_through_is_told_once() {
    let mut clinic = Clinic::open();
    clinic.on_incoming = Some(|phone, now, call| phone.accept(now, call, BOTH).unwrap());
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    let call = clinic.last_call.unwrap();
    assert!(!clinic.heard("tells    Media") && !clinic.phone.has_media(call));
    clinic.news(call, PeerNews::Path(PathState::Connected));
    assert!(clinic.heard("tells    Media"), "{}", clinic.ladder());
    assert!(clinic.phone.has_media(call));
    clinic.log.clear();
    clinic.news(call, PeerNews::Path(PathState::Disconnected));
    assert!(!clinic.phone.has_media(call));
    clinic.news(call, PeerNews::Path(PathState::Connected));
    assert!(!clinic.heard("tells    Media"), "{}", clinic.ladder());
}

#[test]
fn a_path_that_was_up_while_it_rang_is_told_with_the_answer() {
    let mut clinic = Clinic::open();
    clinic.ring("3", "", Some(OFFER));
    clinic.run_for(Millis(500));
    let call = clinic.last_call.unwrap();
    clinic.news(call, PeerNews::Path(PathState::Connected));
    assert!(!clinic.heard("tells    Media"), "not before the answer");
    clinic.page(|phone, now| phone.accept(now, call, BOTH).unwrap());
    clinic.run_for(Millis(500));
    assert!(clinic.heard("tells    Media"), "{}", clinic.ladder());
}

#[test]
fn media_that_falters_for_a_second_is_left_alone() {
    let (mut clinic, call) = talking();
    clinic.news(call, PeerNews::Path(PathState::Disconnected));
    clinic.run_for(Millis(1_500));
    clinic.news(call, PeerNews::Path(PathState::Connected));
    clinic.run_for(Millis(10_000));
    assert!(!clinic.heard("Offer"), "{}", clinic.ladder());
}

#[test]
fn media_that_never_comes_back_ends_the_call() {
    let (mut clinic, call) = talking();
    clinic.news(call, PeerNews::Path(PathState::Failed));
    clinic.run_for(Millis(60_000));
    assert!(
        clinic.heard("Hangup MediaLost by System"),
        "{}",
        clinic.ladder()
    );
    let tries = clinic
        .log
        .iter()
        .filter(|line| line.contains("restart: true"))
        .count();
    assert!((4..=6).contains(&tries), "{tries} restarts");
}

#[test]
fn a_half_open_socket_is_found_and_replaced() {
    let mut clinic = Clinic::open();
    clinic.blackhole = true;
    let lost_at = clinic.now.0 - 1_000;
    clinic.run_for(Millis(40_000));
    let found = clinic.when("tells    Reconnecting") - lost_at;
    assert!(found <= 35_100, "{found} ms\n{}", clinic.ladder());
    clinic.blackhole = false;
    clinic.run_for(Millis(60_000));
    assert_eq!(
        *clinic.phone.state(),
        State::Registered,
        "{}",
        clinic.ladder()
    );
}

#[test]
fn the_phone_was_carried_into_another_network() {
    let mut clinic = Clinic::open();
    clinic.blackhole = true;
    clinic.page(|phone, now| phone.handle(now, Input::Online));
    clinic.run_for(Millis(3_500));
    assert!(clinic.heard("tells    Reconnecting"), "{}", clinic.ladder());
}

#[test]
fn an_idle_line_costs_six_bytes_a_probe() {
    let mut clinic = Clinic::open();
    clinic.run_for(Millis(120_000));
    insta::assert_snapshot!(clinic.story(), @r#"
    page  -> "\r\n\r\n"
    page <-  "\r\n"
    page  -> "\r\n\r\n"
    page <-  "\r\n"
    page  -> "\r\n\r\n"
    page <-  "\r\n"
    page  -> "\r\n\r\n"
    page <-  "\r\n"
    "#);
}

#[test]
fn a_wrong_password_is_told_once_and_not_tried_again() {
    let mut clinic = Clinic::before_login(&ours("guessed"), Some("clinicall.v1"));
    clinic.run_for(Millis::from_secs(3_600));
    assert!(
        clinic.heard("failed: AuthenticationFailed"),
        "{}",
        clinic.ladder()
    );
    let sockets = clinic
        .log
        .iter()
        .filter(|line| line.contains("socket  open"))
        .count();
    let tries = clinic
        .log
        .iter()
        .filter(|line| line.contains("-> REGISTER"))
        .count();
    assert_eq!((sockets, tries), (1, 2), "{}", clinic.ladder());
    let error = clinic.phone.call(clinic.now, "3", BOTH).unwrap_err();
    assert_eq!(error.cause, Cause::NotConnected);
}

#[test]
fn a_server_that_forbids_says_wrong_password_as_well() {
    let mut clinic = Clinic::before_login(&ours("guessed"), Some("clinicall.v1"));
    clinic.forbids = true;
    clinic.run_for(Millis(1_000));
    let State::Failed(reason) = clinic.phone.state() else {
        panic!("{}", clinic.ladder())
    };
    assert_eq!(reason.cause.as_str(), "AuthenticationFailed");
    assert_eq!(reason.status, Some(403));
}

#[test]
fn nobody_listens_there() {
    let mut clinic = Clinic::before_login(&ours("secret"), None);
    clinic.run_for(Millis(1_000));
    let State::Failed(reason) = clinic.phone.state() else {
        panic!("{}", clinic.ladder())
    };
    assert_eq!(reason.cause, Cause::ConnectionFailed);
    assert!(!reason.text.is_empty());
}

#[test]
fn a_relay_that_restarts_is_found_again() {
    let mut clinic = Clinic::open();
    clinic.cut();
    let protocol = clinic.protocol.take();
    clinic.run_for(Millis(20_000));
    assert_eq!(*clinic.phone.state(), State::Reconnecting);
    let sockets = clinic
        .log
        .iter()
        .filter(|line| line.contains("socket  open"))
        .count();
    assert!((4..=9).contains(&sockets), "{sockets} sockets in 20 s");
    clinic.protocol = protocol;
    clinic.run_for(Millis(30_000));
    assert_eq!(
        *clinic.phone.state(),
        State::Registered,
        "{}",
        clinic.ladder()
    );
}

#[test]
fn the_page_goes_away_in_a_call() {
    let (mut clinic, _) = talking();
    clinic.page(|phone, now| phone.disconnect(now));
    // all of it at once: a page that is being closed has no second moment
    let bye = clinic.story();
    assert!(
        bye.contains("-> BYE") && bye.contains("-> REGISTER"),
        "{bye}"
    );
    clinic.run_for(Millis(2_000));
    insta::assert_snapshot!(clinic.story());
}

#[test]
fn the_peer_changes_the_session() {
    let (mut clinic, call) = talking();
    let leg = clinic.ring_leg();
    clinic.relay(|server, now| server.change(now, leg, OFFER.into()).unwrap());
    clinic.run_for(Millis(500));
    assert!(
        clinic.heard("page  -> 200 INVITE + sdp"),
        "{}",
        clinic.ladder()
    );
    assert_eq!(clinic.phone.call_state(call), CallState::Connected);
}

#[test]
fn a_browser_that_refuses_ends_the_call_with_its_words() {
    let mut clinic = Clinic::open();
    let call = clinic.call("3", BOTH);
    clinic.run_for(Millis(100));
    let leg = clinic.arrived();
    clinic.relay(|server, now| {
        server
            .accept(now, leg, Some("v=0".into()), Headers::new())
            .unwrap()
    });
    clinic.run_for(Millis(100));
    clinic.news(
        call,
        PeerNews::Failed {
            message: "Failed to parse SessionDescription".into(),
        },
    );
    assert!(
        clinic.heard("Hangup BrowserFailed by System"),
        "{}",
        clinic.ladder()
    );
    assert!(clinic.heard("page  -> BYE"));
}

#[test]
fn a_page_with_a_token_shows_it_and_no_password() {
    let options = Options {
        token: Some("aaa.bbb.ccc".into()),
        ..ours("")
    };
    let mut clinic = Clinic::before_login(&options, Some("clinicall.v1"));
    clinic.run_for(Millis::from_secs(5));
    // the relay of these tests knows passwords alone: it refuses once, and nothing is tried again
    let shown = clinic
        .log
        .iter()
        .filter(|line| line.contains("-> REGISTER"));
    assert_eq!(shown.count(), 1, "{}", clinic.ladder());
    for broken in ["a.b.c\r\nX-Evil: 1", "a b"] {
        let options = Options {
            token: Some(broken.into()),
            ..ours("")
        };
        assert!(crate::options::Account::check(&options).is_err());
    }
}
