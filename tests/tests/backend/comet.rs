//! Messages: private ones that wait, pipes that resume, other ways than a WebSocket.

use std::{
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    clinic::Clinic,
    story::{Person, Phone, Sort, Story, browser, plan},
};
use serde::Deserialize;
use serde_json::{Value, json};

const PASSWORD: &str = "a key under the doormat";

/// A clinic with CometQL, where strangers may listen to public pipes.
fn clinic() -> Result<&'static Clinic> {
    static CLINIC: OnceLock<Result<Clinic, String>> = OnceLock::new();
    let open = || {
        let mut plan = plan(Sort::Ordinary)?;
        plan.more = format!(
            "[cometql]\nlisten = \"127.0.0.1:0\"\npassword = {PASSWORD:?}\n[comet]\nguests = true\n"
        );
        Clinic::open(&plan)
    };
    let clinic = CLINIC.get_or_init(|| open().map_err(|error: anyhow::Error| format!("{error:#}")));
    clinic
        .as_ref()
        .map_err(|error| anyhow::Error::msg(error.clone()))
}

/// What the clinic's web server says in SQL.
fn says(statement: &str) -> Result<()> {
    let log = clinic()?.log();
    let words = log.split_whitespace();
    let at = words
        .filter_map(|word| word.strip_prefix("cometql="))
        .next();
    let (_, port) = at
        .and_then(|at| at.rsplit_once(':'))
        .context("no CometQL")?;
    let said = Command::new("mariadb")
        .args(["--protocol=tcp", "--host=127.0.0.1", "--port", port])
        .args(["--user=root", "--skip-ssl", "CometQL_v1", "-e", statement])
        .env("MYSQL_PWD", PASSWORD)
        .output()?;
    let errors = String::from_utf8_lossy(&said.stderr);
    ensure!(said.status.success(), "{statement}: {errors}");
    Ok(())
}

fn writes_to(person: &Person, number: u32) -> Result<()> {
    let user = &person.user;
    says(&format!(
        "INSERT INTO users_messages (id, event, message) VALUES ('{user}', 'note', '{number}')"
    ))
}

fn announces(pipe: &str, number: u32) -> Result<()> {
    says(&format!(
        "INSERT INTO pipes_messages (name, event, message) VALUES ('{pipe}', 'said', '{number}')"
    ))
}

#[derive(Debug, Deserialize, PartialEq)]
struct Heard {
    pipe: String,
    data: Value,
    from: Option<String>,
}

/// Somebody who reads letters; `pipes` besides calls.
fn reader(story: &Story<'_>, role: &str, kind: Kind, pipes: &[&str]) -> Result<Person> {
    let person = story.visitor(Phone::Clinicall, role, browser(kind)?)?;
    logs_in(&person, pipes)?;
    Ok(person)
}

fn logs_in(person: &Person, pipes: &[&str]) -> Result<()> {
    let options = person.options(&json!({}));
    person.does(
        "window.letters = await import('./letters.mjs'); await letters.login(...arg)",
        json!([options, pipes]),
    )
}

fn has(person: &Person, count: usize) -> Result<Vec<Heard>> {
    person.asks("return await letters.until(arg)", json!(count))
}

fn numbers(heard: &[Heard], pipe: &str) -> Vec<u64> {
    let of_it = heard.iter().filter(|heard| heard.pipe == pipe);
    of_it.filter_map(|heard| heard.data.as_u64()).collect()
}

/// Until the relay has been told what was received.
pub fn wait_until(what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds()? {
        ensure!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn offline_and_back(kind: Kind) -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        let patient = reader(story, "patient", kind, &["msg"])?;
        patient.does("letters.leave()", Value::Null)?;
        for number in 1..=3 {
            writes_to(&patient, number)?;
        }
        logs_in(&patient, &["msg"])?;
        let heard = has(&patient, 3)?;
        ensure!(numbers(&heard, "msg") == [1, 2, 3], "{heard:?}");
        // what one page has had is nobody's any more
        std::thread::sleep(Duration::from_millis(500));
        patient.does("letters.leave()", Value::Null)?;
        logs_in(&patient, &["msg"])?;
        writes_to(&patient, 4)?;
        let heard = has(&patient, 4)?;
        ensure!(numbers(&heard, "msg") == [1, 2, 3, 4], "{heard:?}");
        Ok(())
    })
}

#[test]
fn a_message_sent_while_chromium_is_offline_arrives_once() -> Result<()> {
    offline_and_back(Chromium)
}

#[test]
fn a_message_sent_while_firefox_is_offline_arrives_once() -> Result<()> {
    offline_and_back(Firefox)
}

fn cut_and_resumed(kind: Kind) -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        let pipe = format!("web_room_{kind:?}");
        let pipes = ["msg", &pipe];
        let patient = reader(story, "patient", kind, &pipes)?;
        let doctor = reader(story, "doctor", Chromium, &pipes)?;
        announces(&pipe, 0)?;
        let mut count = 1;
        has(&patient, count)?;
        for round in 1..=3 {
            patient.does("letters.cut()", Value::Null)?;
            for number in 1..=4 {
                writes_to(&patient, round * 10 + number)?;
                announces(&pipe, round * 10 + number)?;
            }
            patient.does("letters.back()", Value::Null)?;
            // while it comes back, a page publishes
            let publish = "return await letters.publish(arg, 'said', 99)";
            doctor.asks::<usize>(publish, json!(pipe))?;
            count += 9;
            has(&patient, count)?;
        }
        let heard = has(&patient, count)?;
        let private: Vec<u64> = (1..=3)
            .flat_map(|round| (1..=4).map(move |n| round * 10 + n))
            .collect();
        ensure!(numbers(&heard, "msg") == private, "{heard:?}");
        let said: Vec<u64> = numbers(&heard, &pipe);
        let announced: Vec<u64> = said
            .iter()
            .copied()
            .filter(|&number| number != 99)
            .collect();
        let expected: Vec<u64> = std::iter::once(0).chain(private).collect();
        ensure!(announced == expected && said.len() == 16, "{said:?}");
        let from = heard.iter().find(|heard| heard.data == json!(99));
        ensure!(from.and_then(|heard| heard.from.as_ref()) == Some(&doctor.user));
        let gaps: Vec<String> = patient.asks("return letters.gaps", Value::Null)?;
        ensure!(gaps.is_empty(), "told of gaps: {gaps:?}");
        Ok(())
    })
}

#[test]
fn a_cut_socket_in_chromium_loses_nothing_and_repeats_nothing() -> Result<()> {
    cut_and_resumed(Chromium)
}

#[test]
fn a_cut_socket_in_firefox_loses_nothing_and_repeats_nothing() -> Result<()> {
    cut_and_resumed(Firefox)
}

#[test]
fn both_tabs_of_one_person_get_the_message() -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        let patient = reader(story, "patient", Chromium, &["msg", "web_tabs"])?;
        let second = story.second_tab(&patient)?;
        logs_in(&second, &["msg", "web_tabs"])?;
        writes_to(&patient, 7)?;
        ensure!(numbers(&has(&patient, 1)?, "msg") == [7]);
        ensure!(numbers(&has(&second, 1)?, "msg") == [7]);
        // what one tab publishes, the other hears
        let publish = "return await letters.publish('web_tabs', 'said', 8)";
        let listeners: usize = second.asks(publish, Value::Null)?;
        ensure!(listeners == 1, "{listeners} listeners");
        ensure!(numbers(&has(&patient, 2)?, "web_tabs") == [8]);
        ensure!(has(&second, 1)?.len() == 1);
        Ok(())
    })
}

#[test]
fn who_is_here_and_what_was_said() -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        says("INSERT INTO pipes_settings (name, length) VALUES ('web_kept', 10)")?;
        let doctor = reader(story, "doctor", Chromium, &["track_ward", "web_kept"])?;
        let patient = reader(story, "patient", Chromium, &["track_ward"])?;
        let heard = has(&doctor, 1)?;
        ensure!(heard[0].data["user_id"] == json!(patient.user), "{heard:?}");
        let here: Value =
            doctor.asks("return await letters.presence('track_ward')", Value::Null)?;
        ensure!(here["count"] == 2, "{here}");
        let users = json!([doctor.user, patient.user, "nobody"]);
        let seen: Value = doctor.asks("return await letters.presence(arg)", users)?;
        ensure!(
            seen[&patient.user] == "online" && seen["nobody"].is_null(),
            "{seen}"
        );
        patient.does("letters.leave()", Value::Null)?;
        wait_until("the patient has left", || {
            let users = json!([patient.user]);
            let seen: Value = doctor.asks("return await letters.presence(arg)", users)?;
            Ok(seen[&patient.user].is_u64())
        })?;
        for number in 1..=12 {
            announces("web_kept", number)?;
        }
        let kept: Vec<Value> =
            doctor.asks("return await letters.history('web_kept')", Value::Null)?;
        let kept: Vec<u64> = kept
            .iter()
            .filter_map(|kept| kept["data"].as_u64())
            .collect();
        ensure!(kept == (3..=12).collect::<Vec<u64>>(), "{kept:?}");
        let refused = "try { await letters.publish('news', 'said', 1); return 'taken' }
            catch (error) { return error.name + ' ' + error.cause }";
        let refused: String = doctor.asks(refused, Value::Null)?;
        ensure!(refused == "ClinicallError Forbidden", "{refused}");
        Ok(())
    })
}

#[test]
fn an_event_stream_and_long_polls_bring_a_public_pipe() -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        let visitor = story.visitor(Phone::Clinicall, "visitor", browser(Chromium)?)?;
        let open =
            "window.letters = await import('./letters.mjs'); await letters.stream('web_queue')";
        visitor.does(open, Value::Null)?;
        announces("web_queue", 1)?;
        announces("web_queue", 2)?;
        ensure!(numbers(&has(&visitor, 2)?, "web_queue") == [1, 2]);

        let poll = "return await letters.poll('web_queue', arg)";
        let begun: Value = visitor.asks(
            "const first = letters.poll('web_queue', ''); window.first = first; return null",
            Value::Null,
        )?;
        ensure!(begun.is_null());
        std::thread::sleep(Duration::from_millis(500));
        announces("web_queue", 3)?;
        let first: Value = visitor.asks("return await window.first", Value::Null)?;
        ensure!(first["messages"][0]["data"] == 3, "{first}");
        // between two polls
        announces("web_queue", 4)?;
        announces("web_queue", 5)?;
        // one poll brings what is there when it is answered; together they bring all, in order
        let (mut said, mut pos) = (Vec::new(), first["pos"].clone());
        while said.len() < 2 {
            let next: Value = visitor.asks(poll, pos)?;
            ensure!(next["gaps"] == json!([]), "{next}");
            let messages = next["messages"].as_array().context("no messages")?;
            ensure!(!messages.is_empty(), "nothing after {said:?}: {next}");
            said.extend(messages.iter().map(|message| message["data"].clone()));
            pos = next["pos"].clone();
        }
        ensure!(said == [json!(4), json!(5)], "{said:?}");
        Ok(())
    })
}

fn a_listener_says_goodbye(kind: Kind) -> Result<()> {
    let clinic = clinic()?;
    let page = browser(kind)?.open(&(clinic.address() + "visit.html"))?;
    let leave = "const letters = await import('./letters.mjs'); return await letters.goodbye(arg)";
    let end: String = page.eval(leave, json!(format!("ws://{}/comet", clinic.http())))?;
    page.close()?;
    ensure!(end == "1000 true", "{end}");
    Ok(())
}

#[test]
fn a_goodbye_is_a_clean_end_in_chromium() -> Result<()> {
    a_listener_says_goodbye(Chromium)
}

#[test]
fn a_goodbye_is_a_clean_end_in_firefox() -> Result<()> {
    a_listener_says_goodbye(Firefox)
}

/// Cross-site WebSocket hijacking, and no login at all.
#[test]
fn a_page_of_another_site_and_a_stranger_are_refused() -> Result<()> {
    Story::tell(Sort::Ordinary, |story| {
        let visitor = story.visitor(Phone::Clinicall, "visitor", browser(Chromium)?)?;
        let own = visitor.options(&json!({}))["server"].clone();
        let comet = own.as_str().context("no server")?.replace("/sip", "/comet");
        let knock =
            "const letters = await import('./letters.mjs'); return await letters.knock(arg)";
        let stranger: String = visitor.asks(knock, json!(comet))?;
        ensure!(stranger == "1008 LoginFirst", "{stranger}");

        // the same page, from another clinic: another port is another site
        let other = clinic()?.address() + "visit.html";
        let elsewhere = browser(Chromium)?.open(&other)?;
        let answer: String = elsewhere.eval(knock, json!(comet))?;
        elsewhere.close()?;
        ensure!(answer.starts_with("1006"), "{answer}");
        wait_until("the refusal in the log", || {
            Ok(story.relay_log().contains("comet refused"))
        })
    })
}
