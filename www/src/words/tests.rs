use super::*;

fn doctor() -> Person {
    Person {
        name: "Doctor Ivanova".into(),
        ..Person::unlisted("doctor")
    }
}

fn told(ending: Ending, call: &Call) -> String {
    ending
        .notice(call, 0.0)
        .map(|notice| notice.text)
        .unwrap_or_default()
}

#[test]
fn the_call_time_reads_like_a_clock() {
    assert_eq!(clock(0.0), "0:00");
    assert_eq!(clock(7_999.0), "0:07");
    assert_eq!(clock(725_000.0), "12:05");
    assert_eq!(clock(3_723_000.0), "1:02:03");
    assert_eq!(clock(-5.0), "0:00", "a clock that was set back");
}

#[test]
fn the_words_of_the_phone_become_a_sentence() {
    assert_eq!(full_sentence("server error "), "Server error.");
    assert_eq!(full_sentence("Try later!"), "Try later!");
    assert_eq!(full_sentence(""), "Something went wrong. Try again.");
}

#[test]
fn every_ending_of_a_call_that_was_placed_tells_the_next_step() {
    let call = Call::Calling {
        with: doctor(),
        video: true,
        ringing: true,
    };
    let busy = "Doctor Ivanova is in another call. Try again in a few minutes.";
    assert_eq!(told(Ending::Busy, &call), busy);
    assert_eq!(
        told(Ending::NotHere, &call),
        "Doctor Ivanova is not here now. Try again later."
    );
    assert_eq!(
        told(Ending::NobodyOfThatName, &call),
        "Nobody here is called “doctor”. Check the name."
    );
    assert!(told(Ending::LineLost, &call).starts_with("The line was lost."));
    let forbidden = told(Ending::Trouble(Trouble::DeviceForbidden), &call);
    assert!(forbidden.contains("Allow them"), "{forbidden}");
}

#[test]
fn a_call_that_was_never_connected_lasted_no_time() {
    let call = Call::Talking {
        with: doctor(),
        video: true,
        microphone: true,
        camera: true,
        media: Media::Connecting,
    };
    assert_eq!(
        told(Ending::HungUpThere, &call),
        "Doctor Ivanova ended the call."
    );
    assert_eq!(told(Ending::HungUpHere, &call), "");
}

#[test]
fn the_tab_names_the_caller() {
    let call = Call::Incoming {
        from: doctor(),
        video: true,
    };
    let visit = Visit {
        call,
        ..Visit::default()
    };
    assert_eq!(title(&visit), "Doctor Ivanova is calling · Clinicall");
    assert_eq!(title(&Visit::default()), "Clinicall");
}
