//! The afternoon of the README: its own examples, run as they stand there.

use std::{
    fs,
    process::{Command, Output},
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};
use clinicall_tests::{
    browser::Kind::{self, Chromium, Firefox},
    clinic::Clinic,
    repo,
    story::{Person, Phone, Sort, Story, browser, plan, talk},
};
use serde_json::{Value, json};

const SECRET: &str = "a secret that the site and the relay share";
const API_KEY: &str = "ck_of_the_site";
/// SHA-256 of it.
const API_KEY_SHA256: &str = "d7002f52ff4dde5542052f070bac1d44cd179cc3e573faf293adbb55e4cea1aa";

/// One clinic whose relay believes the site, for all stories here.
pub fn clinic() -> Result<&'static Clinic> {
    static CLINIC: OnceLock<Result<Clinic, String>> = OnceLock::new();
    let opened = CLINIC.get_or_init(|| {
        let open = || {
            let mut plan = plan(Sort::Ordinary)?;
            plan.more = format!(
                "[[issuer]]\nsecret = {SECRET:?}\n\
                 [[api_key]]\nname = \"site\"\nsha256 = {API_KEY_SHA256:?}\n"
            );
            Clinic::open(&plan)
        };
        open().map_err(|error: anyhow::Error| format!("{error:#}"))
    });
    opened.as_ref().map_err(|error| anyhow!("{error}"))
}

/// The `nth` example in this language in the README.
fn example(language: &str, nth: usize) -> Result<String> {
    let readme = fs::read_to_string(repo::path("README.md"))?;
    let section = readme
        .split("\n## ")
        .find(|section| section.starts_with("Add a visit"))
        .context("the README tells how to add a visit")?;
    let fence = format!("\n```{language}\n");
    let code = section.split(&fence).nth(nth + 1);
    let code = code.and_then(|rest| rest.split("\n```").next());
    Ok(code.context("the README has this example")?.to_owned())
}

fn run(command: &mut Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().with_context(|| format!("{command:?}"))?;
    let errors = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "{command:?}: {errors}");
    Ok(String::from_utf8(stdout)?)
}

/// Runs an example as a program.
fn program(language: &str, nth: usize, arguments: &[&str]) -> Result<String> {
    let (runner, ending) = match language {
        "js" => ("node", "mjs"),
        "python" => ("python3", "py"),
        language => (language, language),
    };
    let folder = repo::path("tests/artifacts");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("example-{nth}-{}.{ending}", arguments[0].len()));
    fs::write(&file, example(language, nth)?)?;
    run(Command::new(runner)
        .arg(&file)
        .args(arguments)
        .env("CLINICALL_SECRET", SECRET))
}

/// What the site asks of the relay; `Null` when the answer is empty.
pub fn site(method: &str, path: &str, body: &Value) -> Result<Value> {
    let url = format!("{}api/v1{path}", clinic()?.address());
    let answer = run(Command::new("curl")
        .args(["-sS", "--fail-with-body", "-X", method, &url])
        .args(["-H", &format!("Authorization: Bearer {API_KEY}")])
        .args(["-d", &body.to_string()]))?;
    match answer.is_empty() {
        true => Ok(Value::Null),
        false => Ok(serde_json::from_str(&answer)?),
    }
}

pub fn visitor(story: &Story<'_>, role: &str, kind: Kind) -> Result<Person> {
    story.visitor(Phone::Clinicall, role, browser(kind)?)
}

fn come_in(person: &Person, token: &str) -> Result<()> {
    person.login(&json!({ "token": token, "password": "" }))
}

/// The cause with which a login fails.
fn refused(person: &Person, token: &str) -> Result<String> {
    person.asks(
        "try { await stage.login(arg); return 'logged in'; }
         catch (error) { return String(error.cause); }",
        person.options(&json!({ "token": token, "password": "" })),
    )
}

#[test]
fn tokens_signed_in_php_node_and_python_open_the_doctors_page() -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        for (language, kind) in [("php", Chromium), ("js", Firefox), ("python", Chromium)] {
            let doctor = visitor(story, "doctor", kind)?;
            let token = program(language, 0, &[&doctor.user])?;
            come_in(&doctor, &token).with_context(|| language.to_owned())?;
            // the same token in another's name, and one that was bent
            let thief = visitor(story, "thief", kind)?;
            let cause = refused(&thief, &token)?;
            ensure!(cause == "AuthenticationFailed", "{language}: {cause}");
            let bent = token.replacen("eyJ", "eyK", 2);
            let cause = refused(&thief, &bent)?;
            ensure!(cause == "AuthenticationFailed", "{language}: {cause}");
            // no token in a log, and none in an address
            ensure!(!story.relay_log().contains(&token), "a token is in the log");
        }
        Ok(())
    })
}

fn rings_both(
    doctor: Kind,
    patient: Kind,
    ring: impl Fn(&Person, &Person) -> Result<()>,
) -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        let (doctor, patient) = story.pair(doctor, patient)?;
        ring(&doctor, &patient)?;
        for person in [&doctor, &patient] {
            person.until("incoming")?;
            person.answer()?;
        }
        talk(&doctor, &patient)?;
        Ok(())
    })
}

#[test]
fn the_curl_line_of_the_readme_rings_two_browsers_into_one_room() -> Result<()> {
    rings_both(Chromium, Firefox, |doctor, patient| {
        let line = example("sh", 0)?
            .replace("http://127.0.0.1:8443/", &clinic()?.address())
            .replace("demo-key", API_KEY)
            .replace("rooms/1/", &format!("rooms/by-curl-{}/", doctor.user));
        for (user, caller) in [(doctor, patient), (patient, doctor)] {
            let line = line
                .replace("\"2\"", &format!("\"{}\"", user.user))
                .replace("\"3\"", &format!("\"{}\"", caller.user));
            let answer = run(Command::new("sh").args(["-c", &line]))?;
            ensure!(answer.contains("\"rung\":1"), "{answer}");
        }
        Ok(())
    })
}

#[test]
fn a_php_script_rings_two_browsers_into_one_room() -> Result<()> {
    rings_both(Firefox, Chromium, |doctor, patient| {
        let address = clinic()?.address();
        let relay = address.trim_end_matches('/');
        let room = format!("by-php-{}", doctor.user);
        let arguments = [relay, API_KEY, &room, &doctor.user, &patient.user];
        // sent twice: the second time nobody rings again
        for _ in 0..2 {
            let answer = program("php", 1, &arguments)?;
            ensure!(answer.matches("\"rung\":1").count() == 2, "{answer}");
        }
        Ok(())
    })
}

#[test]
fn a_doctor_whose_token_is_revoked_leaves_the_visit_and_stays_out() -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        let patient = story.person("patient", Firefox)?;
        let doctor = visitor(story, "doctor", Chromium)?;
        let made = site("POST", "/tokens", &json!({ "user": doctor.user }))?;
        let token = made["token"].as_str().context("a token")?.to_owned();
        come_in(&doctor, &token)?;
        patient.ring(&doctor)?;
        doctor.until("incoming")?;
        doctor.answer()?;
        talk(&doctor, &patient)?;

        site("POST", "/tokens/revocations", &json!({ "token": token }))?;
        doctor.until_hangup()?;
        patient.until_hangup()?;
        let cause = refused(&doctor, &token)?;
        ensure!(cause == "AuthenticationFailed", "{cause}");
        Ok(())
    })
}

#[test]
fn a_guest_with_a_link_enters_that_room_and_no_other() -> Result<()> {
    Story::tell_in(clinic()?, |story| {
        let doctor = story.person("doctor", Firefox)?;
        let guest = visitor(story, "guest", Chromium)?;
        let room = format!("family-{}", doctor.user);
        let invitation = json!({ "user": doctor.user });
        site("POST", &format!("/rooms/{room}/invitations"), &invitation)?;
        doctor.until("incoming")?;
        doctor.answer()?;
        let link = site("POST", &format!("/rooms/{room}/guests"), &json!({}))?;
        guest.login(&json!({ "user": link["user"], "token": link["token"], "password": "" }))?;

        guest.ring_user("another-room@conference.127.0.0.1")?;
        let refused = guest.until("hangup")?;
        ensure!(refused.status == Some(403), "{refused:?}");
        guest.ring_user(&format!("{room}@conference.127.0.0.1"))?;
        talk(&guest, &doctor)?;
        Ok(())
    })
}
