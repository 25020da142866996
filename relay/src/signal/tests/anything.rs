//! Everybody presses everything, in any order, on sockets that come and go.

use clinicall_sip::{Headers, Method, Millis, Status, Uri, agent::CallId, entropy::Entropy};

use super::{Clinic, plane::sdp};
use crate::{
    backend::Invitation,
    media::{Event, MemberId},
    signal::Closing,
};

/// What one phone does next; most of it makes no sense at that moment, as with people.
fn act(clinic: &mut Clinic, dice: &mut Entropy, phone: usize, calls: &mut Vec<(usize, CallId)>) {
    let now = clinic.now;
    let connected = clinic.phones[phone].flow.is_some();
    let incoming = clinic.phones[phone].incoming;
    let own = calls
        .iter()
        .rev()
        .find(|(of, _)| *of == phone)
        .map(|(_, call)| *call);
    let agent = &mut clinic.phones[phone].agent;
    match dice.u32() % 17 {
        0..3 if connected => {
            let to = ["2", "3", "4", "99"][dice.u32() as usize % 4];
            let user = clinic.phones[phone].user;
            let offer = match dice.u32() % 8 {
                0 => None,
                1 => Some("v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nt=0 0\r\n".to_owned()),
                _ => Some(sdp("phone", true, true).to_string()),
            };
            let call = clinic.call_as(phone, user, to, offer);
            calls.push((phone, call));
        }
        3..6 => {
            if let Some(call) = incoming {
                let answer = Some(sdp("phone", true, true).to_string());
                if agent.accept(now, call, None, Headers::new()).is_err() {
                    let _ = agent.accept(now, call, answer, Headers::new());
                }
            }
        }
        6 => {
            if let Some(call) = incoming {
                let status = Status([486, 603, 480, 407, 302, 500][dice.u32() as usize % 6]);
                let _ = agent.reject(now, call, status, Headers::new());
            }
        }
        7 | 8 => {
            for call in incoming.into_iter().chain(own) {
                let _ = agent.hangup(now, call, None);
            }
        }
        9 => {
            if let Some(call) = own.or(incoming) {
                let _ = agent.change(now, call, sdp("phone", true, false).to_string());
            }
        }
        10 => {
            if let Some(call) = own.or(incoming) {
                let body = b"are you there?".to_vec();
                let _ = agent.request_within(now, call, Method::Message, Headers::new(), body);
            }
        }
        11 if connected => {
            let how = [Closing::Gone, Closing::Lost, Closing::ByUs][dice.u32() as usize % 3];
            clinic.disconnect(phone, how);
        }
        11 | 12 if !connected => {
            clinic.connect(phone);
            clinic.register(phone);
            let flow = clinic.phones[phone].flow.expect("it was just connected");
            for call in incoming.into_iter().chain(own) {
                let _ = clinic.phones[phone].agent.move_call(clinic.now, call, flow);
            }
        }
        13 | 14 => clinic_acts(clinic, dice),
        15 if connected => {
            let call = clinic.call_uri(phone, Uri::sip("7", "conference.clinic.example"));
            calls.push((phone, call));
        }
        _ => {
            let member = clinic
                .plane
                .members()
                .into_iter()
                .nth(dice.u32() as usize % 4);
            if let Some(member) = member {
                let why = "the wind".to_owned();
                let event = match dice.u32() % 2 {
                    0 => Event::Lost { member, why },
                    _ => Event::Connected { member },
                };
                clinic.exchange.media(now, event);
            }
        }
    }
}

/// What the clinic's back end does meanwhile.
fn clinic_acts(clinic: &mut Clinic, dice: &mut Entropy) {
    let now = clinic.now;
    let user = ["2", "3", "4"][dice.u32() as usize % 3];
    let what = dice.u32() % 10;
    clinic.exchange.rooms(now, |rooms, desk| match what {
        0 => drop(rooms.close(desk, "7")),
        1 | 2 => drop(rooms.uninvite(desk, "7", user)),
        _ => {
            let invitation = Invitation {
                room: "7".to_owned(),
                user: user.to_owned(),
                ..Invitation::default()
            };
            rooms.ring(desk, invitation);
        }
    });
    let calls = clinic.exchange.calls();
    if what == 3 && !calls.is_empty() {
        let number = calls[dice.u32() as usize % calls.len()].number;
        assert!(clinic.exchange.hang_up(now, number));
    }
}

#[test]
fn whatever_people_press_nothing_is_left_of_it() {
    let (mut talked, mut in_rooms) = (0, 0);
    for seed in 0..60_u32 {
        let mut bytes = [3; 32];
        bytes[..4].copy_from_slice(&seed.to_le_bytes());
        let mut dice = Entropy::new(bytes);
        let (mut clinic, ..) = Clinic::open();
        clinic.registered("laptop", "2");
        clinic.registered("interpreter", "4");
        let mut calls = Vec::new();
        for _ in 0..60 {
            let phone = dice.u32() as usize % clinic.phones.len();
            act(&mut clinic, &mut dice, phone, &mut calls);
            clinic.run_for(Millis(u64::from(dice.u32() % 400)));
            let admitted = {
                let plane = clinic.plane.look();
                let heard =
                    |member: &&MemberId| plane.rooms.values().any(|room| room.contains(*member));
                plane.admitted.iter().filter(heard).count()
            };
            // both sides of a call that was answered, and everybody who is in a room
            let answered = clinic.exchange.calls().into_iter();
            let answered = answered.filter(|call| call.answered);
            let expected: usize = answered
                .map(|call| 2 - usize::from(call.room.is_some()))
                .sum();
            assert_eq!(admitted, expected, "seed {seed}\n{}", clinic.ladder());
            in_rooms += usize::from(
                clinic
                    .exchange
                    .calls()
                    .iter()
                    .any(|call| call.answered && call.room.is_some()),
            );
        }
        for phone in 0..clinic.phones.len() {
            if clinic.phones[phone].flow.is_some() {
                clinic.disconnect(phone, Closing::Gone);
            }
        }
        clinic.run_for(Millis::from_secs(120));
        assert!(clinic.exchange.online().is_empty(), "seed {seed}");
        assert!(
            clinic.exchange.is_quiet(),
            "seed {seed}\n{}",
            clinic.ladder()
        );
        clinic.assert_empty();
        talked += clinic.plane.look().admitted.len();
    }
    assert!(
        talked > 100 && in_rooms > 100,
        "the dice were too kind: {talked} {in_rooms}"
    );
}
