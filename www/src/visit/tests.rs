use super::*;
use crate::words::status;

fn doctor() -> Person {
    Person {
        name: "Doctor Ivanova".into(),
        ..Person::unlisted("doctor")
    }
}

fn patient() -> Person {
    Person {
        name: "Pavel Petrov".into(),
        ..Person::unlisted("patient")
    }
}

/// The patient's screen after they signed in and all this happened.
fn patient_after(actions: impl IntoIterator<Item = Action>) -> Visit {
    let beginning = [
        Action::PeopleCame(vec![doctor(), patient()]),
        Action::Enter(patient()),
        Action::Entered,
    ];
    beginning
        .into_iter()
        .chain(actions)
        .fold(Visit::default(), Visit::after)
}

fn rung() -> Action {
    Action::Rung {
        from: "doctor".into(),
        name: None,
        video: true,
    }
}

fn called() -> Action {
    Action::Called {
        with: doctor(),
        video: true,
    }
}

fn ended(ending: Ending, now: f64) -> Action {
    Action::Ended { ending, now }
}

fn notice(visit: &Visit) -> &str {
    visit.notice.as_ref().map_or("", |notice| &notice.text)
}

#[test]
fn a_patient_signs_in_and_sees_the_list() {
    let visit = Visit::default();
    assert_eq!(visit.screen(), Screen::Choose);
    let visit = visit.after(Action::Enter(patient()));
    assert_eq!(visit.screen(), Screen::Choose);
    assert_eq!(status(&visit), "Signing in as Pavel Petrov…");
    assert_eq!(visit.after(Action::Entered).screen(), Screen::People);
}

#[test]
fn a_relay_that_is_down_is_named_and_tried_again() {
    let visit = Visit::default()
        .after(Action::Enter(patient()))
        .after(Action::EntryDelayed);
    assert_eq!(
        status(&visit),
        "The clinic cannot be reached. Trying again by itself…"
    );
    assert_eq!(visit.after(Action::Entered).screen(), Screen::People);
}

#[test]
fn a_wrong_password_leads_back_to_the_choice() {
    let visit = Visit::default()
        .after(Action::Enter(patient()))
        .after(Action::Refused(Trouble::WrongPassword));
    assert_eq!(visit.screen(), Screen::Choose);
    assert_eq!(
        notice(&visit),
        "The password is not right. Check it and try again."
    );
    assert_eq!(visit.me(), None);
    let visit = visit.after(Action::Enter(patient()));
    assert_eq!(visit.notice, None, "a new try begins with a clean page");
}

#[test]
fn signing_in_that_was_cancelled_stays_cancelled() {
    let visit = Visit::default()
        .after(Action::Enter(patient()))
        .after(Action::Leave);
    assert_eq!(visit.clone().after(Action::Entered), visit);
    assert_eq!(visit.clone().after(Action::EntryDelayed), visit);
}

#[test]
fn the_doctor_rings_and_the_patient_answers_with_video() {
    let visit = patient_after([rung()]);
    assert_eq!(visit.screen(), Screen::Incoming);
    assert_eq!(status(&visit), "Doctor Ivanova is calling. Video call.");

    let visit = visit.after(Action::Answered { video: true });
    assert_eq!(visit.screen(), Screen::Talking);
    assert_eq!(status(&visit), "Connecting…");

    let visit = visit.after(Action::Connected { now: 1_000.0 });
    assert_eq!(status(&visit), "Connected.");

    let visit = visit.after(ended(Ending::HungUpThere, 92_500.0));
    assert_eq!(visit.screen(), Screen::People);
    assert_eq!(notice(&visit), "Doctor Ivanova ended the call after 1:31.");
}

#[test]
fn answering_with_voice_keeps_the_camera_off() {
    let visit = patient_after([rung(), Action::Answered { video: false }]);
    assert!(matches!(
        visit.call,
        Call::Talking {
            video: false,
            camera: false,
            ..
        }
    ));
}

#[test]
fn the_patient_calls_and_hears_it_ring() {
    let visit = patient_after([called()]);
    assert_eq!(status(&visit), "Doctor Ivanova. Calling…");
    let visit = visit.after(Action::TheirPhoneRings);
    assert_eq!(status(&visit), "Doctor Ivanova. Ringing…");
    let visit = visit.after(Action::Connected { now: 5.0 });
    assert_eq!(visit.screen(), Screen::Talking);
}

#[test]
fn the_page_says_connected_only_when_sound_and_picture_get_through() {
    let agreed = patient_after([called(), Action::Agreed]);
    assert_eq!(agreed.screen(), Screen::Talking);
    assert_eq!(status(&agreed), "Connecting…");
    assert_eq!(agreed.clone().after(Action::Wavered), agreed);
    assert_eq!(
        status(&agreed.after(Action::Connected { now: 5.0 })),
        "Connected."
    );
}

#[test]
fn a_doctor_who_declines_or_does_not_answer_is_named() {
    let declined = patient_after([called(), ended(Ending::Declined, 0.0)]);
    assert_eq!(notice(&declined), "Doctor Ivanova declined.");

    let unanswered = patient_after([called(), ended(Ending::NoAnswer, 0.0)]);
    assert_eq!(notice(&unanswered), "No answer from Doctor Ivanova.");
    let again = unanswered.notice.and_then(|notice| notice.again);
    assert_eq!(
        again,
        Some((doctor(), true)),
        "one touch calls again, with video as before"
    );
}

#[test]
fn the_caller_gives_up_and_the_call_is_missed() {
    let visit = patient_after([rung(), ended(Ending::Cancelled, 0.0)]);
    assert_eq!(notice(&visit), "You missed a call from Doctor Ivanova.");
}

#[test]
fn another_tab_of_the_patient_answers() {
    let visit = patient_after([rung(), ended(Ending::Elsewhere, 0.0)]);
    assert_eq!(visit.screen(), Screen::People);
    assert_eq!(notice(&visit), "Answered on another device.");
    assert!(visit.notice.is_some_and(|notice| !notice.trouble));
}

#[test]
fn cancelling_ones_own_call_needs_no_words() {
    let visit = patient_after([called(), ended(Ending::HungUpHere, 0.0)]);
    assert_eq!(visit.screen(), Screen::People);
    assert_eq!(visit.notice, None);
}

#[test]
fn a_second_caller_does_not_push_out_the_first() {
    let visit = patient_after([rung()]);
    let other = Action::Rung {
        from: "nurse".into(),
        name: None,
        video: true,
    };
    assert_eq!(visit.clone().after(other), visit);
    assert_eq!(visit.clone().after(called()), visit);
}

#[test]
fn a_weak_link_wavers_and_the_call_time_goes_on() {
    let talking = patient_after([called(), Action::Connected { now: 1_000.0 }]);
    let wavering = talking.clone().after(Action::Wavered);
    assert_eq!(status(&wavering), "Reconnecting…");
    assert_eq!(wavering.after(Action::Connected { now: 60_000.0 }), talking);
}

#[test]
fn the_microphone_and_the_camera_turn_off_and_on() {
    let visit = patient_after([called(), Action::Connected { now: 0.0 }]);
    let muted = visit.clone().after(Action::MicrophoneTurned(false));
    assert_eq!(status(&muted), "Connected. Microphone off.");
    assert_eq!(muted.after(Action::MicrophoneTurned(true)), visit);
    let hidden = visit.after(Action::CameraTurned(false));
    assert!(matches!(
        hidden.call,
        Call::Talking {
            camera: false,
            video: true,
            ..
        }
    ));
}

#[test]
fn the_line_may_be_lost_and_come_back_without_a_touch() {
    let visit = patient_after([Action::LineLost]);
    assert_eq!(visit.screen(), Screen::People);
    assert_eq!(
        status(&visit),
        "The connection is lost. Connecting again by itself…"
    );
    assert_eq!(status(&visit.after(Action::LineBack)), "");
}

#[test]
fn news_of_a_call_that_is_over_changes_nothing() {
    let visit = patient_after([]);
    for late in [
        Action::TheirPhoneRings,
        Action::Agreed,
        Action::Connected { now: 1.0 },
        Action::Wavered,
        Action::Answered { video: true },
        Action::MicrophoneTurned(false),
        Action::CameraTurned(false),
        ended(Ending::HungUpThere, 1.0),
    ] {
        assert_eq!(visit.clone().after(late.clone()), visit, "{late:?}");
    }
}

#[test]
fn an_unknown_caller_goes_by_the_name_they_gave() {
    let stranger = Action::Rung {
        from: "+7999".into(),
        name: Some("Anna".into()),
        video: false,
    };
    assert_eq!(
        status(&patient_after([stranger])),
        "Anna is calling. Voice call."
    );
}

#[test]
fn signing_out_forgets_the_person_but_not_the_list() {
    let visit = patient_after([Action::Leave]);
    assert_eq!(visit.screen(), Screen::Choose);
    assert!(visit.people.find("doctor").is_some());
}
