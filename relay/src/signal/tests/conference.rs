//! The clinic rings people into rooms of its own.

use clinicall_sip::{Millis, Uri};

use super::clinic::Clinic;
use crate::{
    backend::Invitation,
    signal::{Closing, News, focus::Rung},
};

/// The clinic's `INSERT INTO conference`.
pub(super) fn ring(clinic: &mut Clinic, room: &str, user: &str, caller: &str) -> Rung {
    let invitation = Invitation {
        room: room.to_owned(),
        user: user.to_owned(),
        caller: caller.to_owned(),
        message: "{\"visit\": 7, \"why\": \"cough, 3 days\"}".to_owned(),
        profile: "video".to_owned(),
        ..Invitation::default()
    };
    let now = clinic.now;
    let rung = clinic
        .exchange
        .rooms(now, |rooms, desk| rooms.ring(desk, invitation));
    clinic.run_for(Millis(500));
    rung
}

/// Doctor and patient, rung into room 1 and both there.
pub(super) fn visit() -> (Clinic, usize, usize) {
    let (mut clinic, patient, doctor) = Clinic::open();
    assert_eq!(ring(&mut clinic, "1", "2", "3"), Rung::Rings(1));
    assert_eq!(ring(&mut clinic, "1", "3", "2"), Rung::Rings(1));
    clinic.answer(doctor);
    clinic.answer(patient);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.plane.look().admitted.len(), 2, "{}", clinic.ladder());
    clinic
        .phones
        .iter_mut()
        .for_each(|phone| phone.seen.clear());
    (clinic, patient, doctor)
}

pub(super) fn present(clinic: &mut Clinic) -> Vec<(String, String)> {
    let now = clinic.now;
    clinic.exchange.rooms(now, |rooms, desk| {
        let members = rooms.members(desk).into_iter();
        let mut present: Vec<_> = members.map(|member| (member.room, member.user)).collect();
        present.sort();
        present
    })
}

pub(super) fn in_room(names: &[&str]) -> Vec<(String, String)> {
    names
        .iter()
        .map(|name| ("1".to_owned(), (*name).to_owned()))
        .collect()
}

pub(super) fn enter(clinic: &mut Clinic, phone: usize, room: &str) {
    clinic.call_uri(phone, Uri::sip(room, "conference.clinic.example"));
    clinic.run_for(Millis(500));
}

#[test]
fn the_clinic_rings_two_people_into_one_room() {
    let (mut clinic, patient, doctor) = Clinic::open();
    assert_eq!(ring(&mut clinic, "1", "2", "3"), Rung::Rings(1));
    assert_eq!(clinic.seen(doctor), ["incoming from 3, visit none"]);
    assert_eq!(clinic.phones[doctor].from_name, "Patient Petrov");
    assert_eq!(ring(&mut clinic, "1", "3", ""), Rung::Rings(1));
    assert_eq!(clinic.seen(patient), ["incoming from 1, visit none"]);

    clinic.answer(doctor);
    clinic.run_for(Millis(500));
    assert_eq!(present(&mut clinic), in_room(&["2"]));
    // nobody else is there yet, and somebody still rings: the doctor waits
    clinic.run_for(Millis::from_secs(20));
    clinic.answer(patient);
    clinic.run_for(Millis(500));
    assert_eq!(present(&mut clinic), in_room(&["2", "3"]));
    assert_eq!(clinic.plane.look().admitted.len(), 2);
    assert_eq!(clinic.plane.look().rooms.len(), 1);
    let joined = |user: &str| News::Joined {
        room: "1".to_owned(),
        user: user.to_owned(),
    };
    assert!(clinic.news.contains(&joined("2")) && clinic.news.contains(&joined("3")));
}

#[test]
fn who_is_left_alone_may_be_come_back_to_for_a_while() {
    let (mut clinic, patient, doctor) = visit();
    let call = clinic.phones[patient].incoming.expect("was rung");
    clinic.hangup(patient, call);
    clinic.run_for(Millis::from_secs(5));
    assert_eq!(present(&mut clinic), in_room(&["2"]));
    enter(&mut clinic, patient, "1");
    assert_eq!(present(&mut clinic), in_room(&["2", "3"]));
    clinic.run_for(Millis::from_secs(60));
    assert_eq!(present(&mut clinic), in_room(&["2", "3"]));

    clinic.disconnect(patient, Closing::Gone);
    clinic.run_for(Millis::from_secs(11));
    let said = clinic.seen(doctor);
    assert_eq!(said, ["Hangup by Remote 200 Everybody else has left"]);
    clinic.assert_empty();
}

#[test]
fn when_the_other_declines_the_one_who_came_is_told_so() {
    let (mut clinic, patient, doctor) = Clinic::open();
    ring(&mut clinic, "1", "2", "3");
    ring(&mut clinic, "1", "3", "2");
    clinic.answer(doctor);
    clinic.run_for(Millis(500));
    clinic.refuse(patient, 603);
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(doctor).last(),
        Some(&"Hangup by Remote 603 Declined")
    );
    clinic.assert_empty();
    let ended = clinic.news.iter().any(
        |news| matches!(news, News::Ended { to, cause: "rejected", talked: None, .. } if to == "3"),
    );
    assert!(ended, "{:?}", clinic.news);
}

#[test]
fn who_was_not_invited_does_not_get_in() {
    let (mut clinic, _, _) = visit();
    let stranger = clinic.registered("interpreter", "4");
    enter(&mut clinic, stranger, "1");
    assert_eq!(clinic.seen(stranger), ["Rejected 403 Forbidden"]);
    assert_eq!(present(&mut clinic), in_room(&["2", "3"]));
    assert_eq!(clinic.plane.members().len(), 2);

    // brought in as a third, with one statement
    assert_eq!(ring(&mut clinic, "1", "4", "2"), Rung::Rings(1));
    clinic.answer(stranger);
    clinic.run_for(Millis(500));
    assert_eq!(present(&mut clinic), in_room(&["2", "3", "4"]));
}

#[test]
fn who_is_taken_out_leaves_and_stays_out() {
    let (mut clinic, patient, doctor) = visit();
    let now = clinic.now;
    let gone = |clinic: &mut Clinic, user: &str| {
        let now = clinic.now;
        clinic
            .exchange
            .rooms(now, |rooms, desk| rooms.uninvite(desk, "1", user))
    };
    assert!(gone(&mut clinic, "3"));
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(patient),
        ["Hangup by Remote 200 Ended by the clinic"]
    );
    enter(&mut clinic, patient, "1");
    assert_eq!(clinic.seen(patient).last(), Some(&"Rejected 403 Forbidden"));
    assert_eq!(present(&mut clinic), in_room(&["2"]));
    assert!(!gone(&mut clinic, "3"), "nothing is left to withdraw");
    assert!(clinic.now > now && clinic.seen(doctor).is_empty());
}

#[test]
fn a_patient_who_comes_online_in_time_is_rung() {
    let mut clinic = Clinic::closed();
    let doctor = clinic.registered("doctor", "2");
    assert_eq!(ring(&mut clinic, "1", "3", "2"), Rung::Waits);
    assert_eq!(ring(&mut clinic, "1", "2", "3"), Rung::Rings(1));
    clinic.answer(doctor);
    clinic.run_for(Millis::from_secs(90));
    assert_eq!(present(&mut clinic), in_room(&["2"]));

    let patient = clinic.phone("patient", "3");
    clinic.register(patient);
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(patient),
        ["registered", "incoming from 2, visit none"]
    );
    // rung once for one invitation, however often the page connects
    clinic.register(patient);
    clinic.run_for(Millis(500));
    assert_eq!(clinic.seen(patient).len(), 3, "{:?}", clinic.seen(patient));
}

#[test]
fn an_invitation_nobody_came_for_is_forgotten() {
    let mut clinic = Clinic::closed();
    assert_eq!(ring(&mut clinic, "1", "3", "2"), Rung::Waits);
    clinic.run_for(Millis::from_secs(121));
    let patient = clinic.registered("patient", "3");
    assert!(clinic.seen(patient).is_empty());
    // but the room is still open to whoever was invited
    enter(&mut clinic, patient, "1");
    assert_eq!(present(&mut clinic), in_room(&["3"]));
    // and a room in which one waits alone from the beginning stays
    clinic.run_for(Millis::from_secs(1_200));
    assert_eq!(present(&mut clinic), in_room(&["3"]));
}

#[test]
fn one_of_two_tabs_answers_and_the_other_stops() {
    let (mut clinic, _, doctor) = Clinic::open();
    let second = clinic.registered("second tab", "2");
    assert_eq!(ring(&mut clinic, "1", "2", "3"), Rung::Rings(2));
    clinic.answer(second);
    clinic.run_for(Millis(500));
    assert_eq!(
        clinic.seen(doctor).last(),
        Some(&"AnsweredElsewhere 200 Call completed elsewhere")
    );
    assert_eq!(clinic.plane.members().len(), 1);
}

#[test]
fn nobody_answers_and_the_room_is_closed() {
    let (mut clinic, patient, _) = Clinic::open();
    ring(&mut clinic, "1", "3", "2");
    clinic.run_for(Millis::from_secs(61));
    assert_eq!(
        clinic
            .seen(patient)
            .last()
            .map(|last| last.contains("No answer")),
        Some(true),
        "{:?}",
        clinic.seen(patient)
    );
    clinic.assert_empty();
}

#[test]
fn a_lost_socket_returns_and_the_visit_goes_on() {
    let (mut clinic, patient, _) = visit();
    clinic.disconnect(patient, Closing::Lost);
    clinic.run_for(Millis::from_secs(5));
    clinic.connect(patient);
    clinic.register(patient);
    clinic.run_for(Millis::from_secs(30));
    assert_eq!(present(&mut clinic), in_room(&["2", "3"]));

    clinic.disconnect(patient, Closing::Lost);
    clinic.run_for(Millis::from_secs(11));
    assert_eq!(present(&mut clinic), in_room(&["2"]));
}

#[test]
fn the_clinic_closes_a_room_and_mutes_in_it() {
    use crate::signal::focus::Mute;
    let (mut clinic, patient, doctor) = visit();
    let muted = Mute {
        audio: true,
        video: false,
    };
    let now = clinic.now;
    let done = clinic.exchange.rooms(now, |rooms, desk| {
        (
            rooms.mute(desk, "1", "3", muted),
            rooms.mute(desk, "1", "4", muted),
            rooms.mute(desk, "2", "3", muted),
        )
    });
    assert_eq!(done, (true, false, false));
    let of_plane: Vec<_> = clinic.plane.look().muted.values().copied().collect();
    assert_eq!(of_plane, [(true, false)]);

    let closed = |clinic: &mut Clinic| {
        let now = clinic.now;
        clinic
            .exchange
            .rooms(now, |rooms, desk| rooms.close(desk, "1"))
    };
    assert!(closed(&mut clinic));
    clinic.run_for(Millis(500));
    for phone in [patient, doctor] {
        assert_eq!(
            clinic.seen(phone),
            ["Hangup by Remote 200 The room is closed"]
        );
    }
    assert!(!closed(&mut clinic));
    clinic.assert_empty();
}

#[test]
fn rooms_are_dialled_by_cppcomets_name_as_well() {
    use crate::signal::{Settings, focus::room_of};
    let mut config = crate::config::Config::dev();
    config.domains = vec!["clinic.example".to_owned()];
    let settings = Settings::from_config(&config);
    let named = |user: &str, host: &str| room_of(&settings, &Uri::sip(user, host));
    assert_eq!(named("0*15*video", "clinic.example").as_deref(), Some("15"));
    assert_eq!(
        named("15", "conference.clinic.example").as_deref(),
        Some("15")
    );
    assert_eq!(named("15", "conference.elsewhere.example"), None);
    assert_eq!(named("x*15*video", "clinic.example"), None);
    assert_eq!(named("15", "clinic.example"), None);
}
