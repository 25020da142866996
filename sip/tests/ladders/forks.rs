//! A proxy rings several phones of the doctor's: early dialogs side by side (RFC 3261 section 13.2.2).

use clinicall_sip::{Message, agent::Transport};

use super::{clinic::Clinic, script};

/// The patient's INVITE arrived at the proxy.
fn invited() -> (Clinic, clinicall_sip::Request, clinicall_sip::agent::CallId) {
    let mut clinic = Clinic::scripted("patient", &["proxy"], Transport::Wss);
    let call = clinic.call("patient", "proxy");
    clinic.run_for(50);
    let invite = clinic.read_request("proxy");
    (clinic, invite, call)
}

fn from_phone(
    clinic: &mut Clinic,
    invite: &clinicall_sip::Request,
    status: u16,
    phone: &str,
    sdp: &str,
) {
    let contact = format!("<sip:{phone}@pbx.example>");
    let message = script::reply(invite, status, phone, &[("Contact", &contact)], sdp);
    clinic.write("proxy", "patient", &message);
    clinic.run_for(50);
}

#[test]
fn two_phones_ring_and_the_second_answers() {
    let (mut clinic, invite, call) = invited();
    from_phone(&mut clinic, &invite, 183, "desk", "v=0 desk's preview");
    from_phone(&mut clinic, &invite, 180, "mobile", "");
    from_phone(&mut clinic, &invite, 200, "mobile", "v=0 mobile's answer");
    clinic.hangup("patient", call);
    clinic.run_for(50);
    let ack = clinic.read_request("proxy");
    let bye = clinic.read_request("proxy");
    for request in [&ack, &bye] {
        assert_eq!(request.uri.to_string(), "sip:mobile@pbx.example");
        assert!(request.headers.get("To").unwrap().ends_with("tag=mobile"));
    }
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn two_phones_answer_and_the_second_is_sent_away() {
    let (mut clinic, invite, _) = invited();
    from_phone(&mut clinic, &invite, 200, "desk", "v=0 desk's answer");
    from_phone(&mut clinic, &invite, 200, "mobile", "v=0 mobile's answer");
    // and once more, as its ACK was slow
    from_phone(&mut clinic, &invite, 200, "mobile", "v=0 mobile's answer");
    let mut tags = Vec::new();
    for _ in 0..4 {
        let request = clinic.read_request("proxy");
        let to = request.headers.get("To").unwrap().to_owned();
        tags.push(format!(
            "{} {}",
            request.method.as_str(),
            to.split("tag=").nth(1).unwrap()
        ));
    }
    assert_eq!(tags, ["ACK desk", "ACK mobile", "BYE mobile", "ACK mobile"]);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn an_answer_that_comes_after_the_patient_hung_up() {
    let (mut clinic, invite, call) = invited();
    from_phone(&mut clinic, &invite, 180, "desk", "");
    clinic.hangup("patient", call);
    from_phone(&mut clinic, &invite, 200, "desk", "v=0 desk's answer");
    let methods: Vec<String> = (0..3)
        .map(|_| clinic.read_request("proxy").method.as_str().to_owned())
        .collect();
    assert_eq!(methods, ["CANCEL", "ACK", "BYE"]);
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn answered_elsewhere() {
    let mut clinic = Clinic::with(&["relay", "doctor"], Transport::Wss);
    let call = clinic.call("relay", "doctor");
    clinic.run_for(100);
    clinic.progress("doctor", 180, None);
    clinic.run_for(100);
    let now = clinic.now;
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned();
    clinic
        .agent("relay")
        .hangup(now, call, Some(reason))
        .unwrap();
    clinic.run_until_quiet();
    insta::assert_snapshot!(clinic.ladder());
}

#[test]
fn reliable_provisionals_of_two_phones_are_acknowledged_each_in_its_dialog() {
    let (mut clinic, invite, _) = invited();
    for phone in ["desk", "mobile"] {
        let contact = format!("<sip:{phone}@pbx.example>");
        let more = [
            ("Contact", contact.as_str()),
            ("Require", "100rel"),
            ("RSeq", "7"),
        ];
        let sdp = format!("v=0 {phone}'s answer");
        let message = script::reply(&invite, 183, phone, &more, &sdp);
        clinic.write("proxy", "patient", &message);
        // repeated, as if the PRACK were slow; and one that is not in order
        clinic.write("proxy", "patient", &message);
        clinic.run_for(50);
        let skipped = [
            ("Contact", contact.as_str()),
            ("Require", "100rel"),
            ("RSeq", "9"),
        ];
        let message = script::reply(&invite, 180, phone, &skipped, "");
        clinic.write("proxy", "patient", &message);
        clinic.run_for(50);
    }
    for phone in ["desk", "mobile"] {
        let Message::Request(prack) = clinic.read("proxy") else {
            panic!("no PRACK")
        };
        assert_eq!(prack.headers.get("RAck"), Some("7 1 INVITE"));
        assert_eq!(prack.uri.user, phone);
    }
    insta::assert_snapshot!(clinic.ladder());
}
