//! Stories of who may do what, who is told, and who is here.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use super::*;
use crate::wire::Request;

/// A clinic that stores nothing.
struct NoArchive;

impl Archive for NoArchive {
    fn pipe(&self, _: &str) -> Option<KeptPipe> {
        None
    }

    fn mailbox(&self, _: &str) -> (Position, Vec<Message>) {
        (
            Position {
                epoch: 7,
                offset: 0,
            },
            Vec::new(),
        )
    }
}

#[derive(Clone, Default)]
struct Ear {
    heard: Rc<RefCell<VecDeque<Out>>>,
    deaf: Rc<RefCell<bool>>,
}

impl Line for Ear {
    fn send(&self, out: Out) -> Result<(), Full> {
        if *self.deaf.borrow() {
            return Err(Full);
        }
        self.heard.borrow_mut().push_back(out);
        Ok(())
    }

    fn close(&self, why: Why) {
        self.heard.borrow_mut().push_back(Out::Closed(why));
    }
}

struct Clinic {
    hub: Hub<Ear>,
    now: u64,
}

struct Reader {
    id: SessionId,
    ear: Ear,
}

impl Reader {
    /// What was heard since the last look, one line each.
    fn hears(&self) -> Vec<String> {
        let told = self.ear.heard.borrow_mut().drain(..).collect::<Vec<_>>();
        told.into_iter()
            .map(|out| match out {
                Out::Message(message) => {
                    format!(
                        "{} {} {}",
                        message.pipe,
                        message.event,
                        message.body.as_str()
                    )
                }
                Out::Answer(answer) => match &*answer {
                    Answer::Failed { problem, .. } => problem.as_str().to_owned(),
                    Answer::Published { listeners, .. } => format!("published to {listeners}"),
                    Answer::Listening { pipes, .. } => format!("listens to {}", pipes.len()),
                    Answer::Presence { count, .. } => format!("{count} are here"),
                    Answer::Welcome { .. } => "welcome".to_owned(),
                    other => format!("{other:?}"),
                },
                Out::Closed(why) => why.as_str().to_owned(),
            })
            .collect()
    }
}

impl Clinic {
    fn new() -> Self {
        let limits = Limits {
            sessions_per_user: 2,
            pipes_per_session: 3,
            ..Limits::default()
        };
        let hub = Hub::new(limits, 1, Box::new(NoArchive));
        Self { hub, now: 1_000 }
    }

    fn comes(&mut self, user: Option<&str>, page: &str) -> Reader {
        let ear = Ear::default();
        let visitor = Visitor {
            user: user.map(str::to_owned),
            may_publish: true,
            may_listen: true,
            ..Visitor::default()
        };
        let id = self.hub.open(self.now, visitor, ear.clone()).unwrap();
        let reader = Reader { id, ear };
        let page = page.to_owned();
        self.asks(&reader, Request::Hello { page, login: None });
        assert_eq!(reader.hears(), ["welcome"]);
        reader
    }

    fn asks(&mut self, reader: &Reader, request: Request) {
        self.hub.ask(self.now, reader.id, request);
    }

    fn listens(&mut self, reader: &Reader, pipe: &str) {
        let pipes = vec![(pipe.to_owned(), None)];
        self.asks(reader, Request::Listen { id: 1, pipes });
    }

    fn says(&mut self, reader: &Reader, id: u32, pipe: &str) {
        let request = Request::Publish {
            id,
            pipe: pipe.to_owned(),
            event: "said".to_owned(),
            body: Body::json("1").unwrap(),
            anonymous: false,
        };
        self.asks(reader, request);
    }

    fn publishes(&mut self, pipe: &str) -> usize {
        let draft = Draft::new(pipe, "told", Body::json("2").unwrap(), None);
        match self.hub.publish(self.now, draft) {
            Publishing::Done { listeners, .. } => listeners,
            Publishing::Keep(_) => panic!("nothing is kept here"),
        }
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.hub.poll()).collect()
    }

    fn later(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        self.hub.tick(self.now);
    }
}

#[test]
fn a_page_publishes_to_the_others_and_not_to_itself() {
    let mut clinic = Clinic::new();
    let doctor = clinic.comes(Some("2"), "a");
    let patient = clinic.comes(Some("3"), "b");
    clinic.listens(&doctor, "web_visit");
    clinic.listens(&patient, "web_visit");
    doctor.hears();
    patient.hears();
    clinic.says(&doctor, 5, "web_visit");
    assert_eq!(doctor.hears(), ["published to 1"]);
    assert_eq!(patient.hears(), ["web_visit said 1"]);
    // the answer was lost: asked again, published once
    clinic.says(&doctor, 5, "web_visit");
    assert_eq!(doctor.hears(), ["published to 1"]);
    assert!(patient.hears().is_empty());
}

#[test]
fn a_stranger_may_little() {
    let mut clinic = Clinic::new();
    let stranger = clinic.comes(None, "a");
    for pipe in ["private_staff", "msg"] {
        clinic.listens(&stranger, pipe);
        assert_eq!(stranger.hears(), ["listens to 0"]);
    }
    for (pipe, problem) in [
        ("webauth_visit", "LoginFirst"),
        ("news", "Forbidden"),
        ("track_room", "Forbidden"),
        ("user_status_2", "Forbidden"),
        ("trust_room", "Forbidden"),
        ("msg", "Forbidden"),
        ("a b", "BadName"),
    ] {
        clinic.says(&stranger, 1, pipe);
        assert_eq!(stranger.hears(), [problem], "{pipe}");
    }
    let pipe = "web_visit".to_owned();
    clinic.asks(
        &stranger,
        Request::History {
            id: 1,
            pipe: "private_staff".to_owned(),
            limit: 9,
        },
    );
    assert_eq!(stranger.hears(), ["LoginFirst"]);
    clinic.asks(&stranger, Request::Presence { id: 1, pipe });
    assert_eq!(stranger.hears(), ["0 are here"]);
}

#[test]
fn a_page_that_talks_too_much_is_told_so() {
    let mut clinic = Clinic::new();
    let page = clinic.comes(Some("2"), "a");
    for id in 0..50 {
        clinic.says(&page, id, "web_visit");
    }
    assert!(page.hears().iter().all(|heard| heard == "published to 0"));
    clinic.says(&page, 50, "web_visit");
    assert_eq!(page.hears(), ["TooMany"]);
    clinic.later(100);
    clinic.says(&page, 51, "web_visit");
    assert_eq!(page.hears(), ["published to 0"]);
}

#[test]
fn a_slow_reader_is_let_go_and_holds_up_nobody() {
    let mut clinic = Clinic::new();
    let slow = clinic.comes(Some("2"), "a");
    let quick = clinic.comes(Some("3"), "b");
    clinic.listens(&slow, "news");
    clinic.listens(&quick, "news");
    slow.hears();
    quick.hears();
    *slow.ear.deaf.borrow_mut() = true;
    assert_eq!(clinic.publishes("news"), 1);
    assert_eq!(slow.hears(), ["TooSlow"]);
    assert_eq!(quick.hears(), ["news told 2"]);
    assert_eq!(clinic.hub.listeners("news"), 1);
}

#[test]
fn who_loses_the_socket_for_a_moment_was_never_away() {
    let mut clinic = Clinic::new();
    let doctor = clinic.comes(Some("2"), "a");
    clinic.listens(&doctor, "user_status_3");
    let ward = vec![("track_ward".to_owned(), None)];
    clinic.asks(&doctor, Request::Listen { id: 1, pipes: ward });
    let patient = clinic.comes(Some("3"), "b");
    clinic.listens(&patient, "track_ward");
    let arrived = [
        "listens to 1",
        "listens to 1",
        "user_status_3 online online",
        r#"track_ward subscription {"user_id":"3","uuid":"b"}"#,
    ];
    assert_eq!(doctor.hears(), arrived);
    clinic.effects();

    clinic.hub.closed(clinic.now, patient.id, Ended::Lost);
    clinic.later(5_000);
    assert!(clinic.hub.is_online("3"));
    let patient = clinic.comes(Some("3"), "b");
    clinic.listens(&patient, "track_ward");
    clinic.later(60_000);
    assert!(doctor.hears().is_empty());
    assert!(clinic.effects().is_empty());

    clinic.hub.closed(clinic.now, patient.id, Ended::Lost);
    clinic.later(11_000);
    let mut left = doctor.hears();
    left.sort();
    let expected = [
        r#"track_ward unsubscription {"user_id":"3","uuid":"b"}"#,
        "user_status_3 offline offline",
    ];
    assert_eq!(left, expected);
    let at = clinic.now - 11_000;
    assert_eq!(
        clinic.effects(),
        [Effect::Left {
            user: "3".to_owned(),
            at
        }]
    );
}

#[test]
fn who_says_goodbye_is_away_at_once() {
    let mut clinic = Clinic::new();
    let patient = clinic.comes(Some("3"), "b");
    clinic.hub.closed(clinic.now, patient.id, Ended::Left);
    assert!(!clinic.hub.is_online("3"));
}

#[test]
fn the_same_page_has_one_connection() {
    let mut clinic = Clinic::new();
    let before = clinic.comes(Some("2"), "a");
    clinic.listens(&before, "news");
    before.hears();
    let after = clinic.comes(Some("2"), "a");
    assert_eq!(before.hears(), ["Replaced"]);
    clinic.listens(&after, "news");
    after.hears();
    assert_eq!(clinic.publishes("news"), 1);
}

#[test]
fn one_user_has_so_many_connections_and_so_many_pipes() {
    let mut clinic = Clinic::new();
    let first = clinic.comes(Some("2"), "a");
    let _second = clinic.comes(Some("2"), "b");
    let visitor = Visitor {
        user: Some("2".to_owned()),
        ..Visitor::default()
    };
    let third = clinic.hub.open(clinic.now, visitor, Ear::default());
    assert_eq!(third, Err(Why::TooMany));
    let pipes = ["one", "two", "three", "four"].map(|pipe| (pipe.to_owned(), None));
    clinic.asks(
        &first,
        Request::Listen {
            id: 1,
            pipes: pipes.to_vec(),
        },
    );
    assert_eq!(first.hears(), ["listens to 3"]);
}

#[test]
fn a_user_whose_key_was_taken_back_is_shown_out_everywhere() {
    let mut clinic = Clinic::new();
    let tabs = ["a", "b"].map(|page| clinic.comes(Some("2"), page));
    clinic.hub.close_user(clinic.now, "2", Why::Revoked);
    for tab in tabs {
        assert_eq!(tab.hears(), ["Revoked"]);
    }
    assert_eq!(clinic.hub.sessions(), 0);
}

#[test]
fn what_nobody_wants_any_more_is_forgotten() {
    let mut clinic = Clinic::new();
    let page = clinic.comes(Some("2"), "a");
    clinic.listens(&page, "news");
    clinic.publishes("news");
    clinic.hub.closed(clinic.now, page.id, Ended::Lost);
    for _ in 0..400 {
        clinic.later(10_000);
    }
    let hub = &clinic.hub;
    assert!(hub.pipes.is_empty() && hub.people.is_empty() && hub.seats.is_empty());
}

#[test]
fn nobody_waits_for_a_doctor_whose_login_was_taken_back() {
    let mut clinic = Clinic::new();
    let nurse = clinic.comes(Some("5"), "n");
    clinic.listens(&nurse, "track_ward");
    clinic.listens(&nurse, "user_status_2");
    // one page is there, another has lost its socket a moment ago
    let [desk, phone] = ["a", "b"].map(|page| clinic.comes(Some("2"), page));
    clinic.listens(&desk, "track_ward");
    clinic.listens(&phone, "track_ward");
    clinic.hub.closed(clinic.now, phone.id, Ended::Lost);
    nurse.hears();
    clinic.effects();
    clinic.hub.banish(clinic.now, "2", Why::Revoked);
    let told = nurse.hears();
    let unsubscribed = told.iter().filter(|told| told.contains("unsubscription"));
    assert_eq!(unsubscribed.count(), 2, "{told:?}");
    assert!(told.iter().any(|told| told.contains("offline")), "{told:?}");
    let left = |effect: &Effect| matches!(effect, Effect::Left { user, .. } if user == "2");
    assert_eq!(
        clinic
            .effects()
            .iter()
            .filter(|effect| left(effect))
            .count(),
        1
    );
    assert!(!clinic.hub.is_online("2"));
    // and when the time to wait is over, nobody is told again
    clinic.later(200_000);
    assert!(nurse.hears().is_empty());
}

#[test]
fn a_page_whose_newest_token_allows_less_may_do_less() {
    let mut clinic = Clinic::new();
    let doctor = clinic.comes(Some("2"), "a");
    clinic.listens(&doctor, "web_visit");
    doctor.hears();
    clinic.hub.set_rights(clinic.now, doctor.id, false, true);
    clinic.says(&doctor, 1, "web_visit");
    assert_eq!(doctor.hears(), ["Forbidden"]);
    assert_eq!(clinic.publishes("web_visit"), 1);
    doctor.hears();
    clinic.hub.set_rights(clinic.now, doctor.id, true, false);
    assert_eq!(clinic.publishes("web_visit"), 0);
    clinic.hub.set_rights(clinic.now, doctor.id, true, true);
    clinic.listens(&doctor, "web_visit");
    assert_eq!(clinic.publishes("web_visit"), 1);
}
