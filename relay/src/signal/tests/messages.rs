//! Short messages and questions outside of calls.

use clinicall_sip::{Headers, Method, Millis, Status, Uri};

use super::clinic::Clinic;

fn write(clinic: &mut Clinic, from: usize, to: &str, words: &str) {
    let (now, flow) = (clinic.now, clinic.phones[from].flow.unwrap());
    let own = Uri::sip(clinic.phones[from].user, "clinic.example");
    let mut headers = Headers::new();
    headers.push("Content-Type", "text/plain");
    let to = Uri::sip(to, "clinic.example");
    let (body, agent) = (words.as_bytes().to_vec(), &mut clinic.phones[from].agent);
    agent
        .request(now, flow, Method::Message, to, own, headers, body, None)
        .unwrap();
    clinic.run_for(Millis(500));
}

fn reply(clinic: &mut Clinic, phone: usize, status: u16) {
    let (now, pending) = (clinic.now, clinic.phones[phone].asked.take().unwrap());
    let agent = &mut clinic.phones[phone].agent;
    agent
        .respond(now, pending, Status(status), Headers::new(), Vec::new())
        .unwrap();
    clinic.run_for(Millis(500));
}

#[test]
fn a_message_reaches_the_doctor() {
    let (mut clinic, patient, doctor) = Clinic::open();
    write(&mut clinic, patient, "2", "I am late");
    assert_eq!(clinic.seen(doctor), ["asked MESSAGE by 3: I am late"]);
    assert!(
        clinic.seen(patient).is_empty(),
        "not before the doctor has it"
    );
    reply(&mut clinic, doctor, 200);
    assert_eq!(clinic.seen(patient), ["replied 200"]);
}

#[test]
fn one_of_two_devices_that_takes_it_is_enough() {
    let (mut clinic, patient, doctor) = Clinic::open();
    let desk_phone = clinic.registered("desk phone", "2");
    write(&mut clinic, patient, "2", "I am late");
    reply(&mut clinic, desk_phone, 405);
    assert!(clinic.seen(patient).is_empty());
    reply(&mut clinic, doctor, 200);
    assert_eq!(clinic.seen(patient), ["replied 200"]);
}

#[test]
fn a_telephone_that_takes_no_messages_says_so() {
    let (mut clinic, patient, doctor) = Clinic::open();
    write(&mut clinic, patient, "2", "I am late");
    reply(&mut clinic, doctor, 405);
    assert_eq!(clinic.seen(patient), ["replied 405"]);
}

#[test]
fn nobody_there_and_nobody_at_all() {
    let (mut clinic, patient, _) = Clinic::open();
    write(&mut clinic, patient, "4", "where are you?");
    write(&mut clinic, patient, "nobody", "who are you?");
    write(&mut clinic, patient, "2", &"a".repeat(10_000));
    assert_eq!(
        clinic.seen(patient),
        ["replied 480", "replied 404", "replied 513"]
    );
}

#[test]
fn a_doctor_who_does_not_answer_was_not_reached() {
    let (mut clinic, patient, _) = Clinic::open();
    write(&mut clinic, patient, "2", "are you there?");
    clinic.run_for(Millis::from_secs(40));
    // the patient's own transaction ended meanwhile; nothing is kept for it
    assert_eq!(clinic.seen(patient).len(), 1);
    write(&mut clinic, patient, "4", "and you?");
    assert_eq!(clinic.seen(patient).last(), Some(&"replied 480"));
}

#[test]
fn no_more_than_sixteen_wait_at_a_time() {
    let (mut clinic, patient, _) = Clinic::open();
    for _ in 0..17 {
        write(&mut clinic, patient, "2", "hello?");
    }
    assert_eq!(clinic.seen(patient), ["replied 503"]);
}

#[test]
fn who_has_not_logged_in_is_asked_for_a_password_whatever_the_question() {
    let mut clinic = Clinic::closed();
    let stranger = clinic.phone("stranger", "3");
    for method in [Method::Options, Method::Message, Method::Subscribe] {
        let (now, flow) = (clinic.now, clinic.phones[stranger].flow.unwrap());
        let (to, own) = (
            Uri::sip("2", "clinic.example"),
            Uri::sip("3", "clinic.example"),
        );
        clinic.phones[stranger]
            .agent
            .request(now, flow, method, to, own, Headers::new(), Vec::new(), None)
            .unwrap();
        clinic.run_for(Millis(500));
    }
    let seen = clinic.seen(stranger);
    assert_eq!(seen, ["replied 407"; 3], "{}", clinic.ladder());
}

#[test]
fn what_the_relay_can_do_is_told_to_its_users() {
    let (mut clinic, patient, _) = Clinic::open();
    for (method, answer) in [
        (Method::Options, "replied 200"),
        (Method::Subscribe, "replied 405"),
    ] {
        let (now, flow) = (clinic.now, clinic.phones[patient].flow.unwrap());
        let own = Uri::sip("3", "clinic.example");
        let relay = Uri::sip("", "clinic.example");
        clinic.phones[patient]
            .agent
            .request(
                now,
                flow,
                method,
                relay,
                own,
                Headers::new(),
                Vec::new(),
                None,
            )
            .unwrap();
        clinic.run_for(Millis(500));
        assert_eq!(clinic.seen(patient).last(), Some(&answer));
    }
}
