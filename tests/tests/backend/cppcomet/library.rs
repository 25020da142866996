//! A page of a site that was written for CppComet, in Chromium: with a small library of our own of
//! the same names, or with CometServerApi.js itself where `cargo xtask test dialect --original FILE`
//! gives it.

use std::{
    env, fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use clinicall_tests::{
    browser::{Kind::Chromium, Page},
    clinic::{Clinic, Plan, scratch},
    repo::{self, command, run_quietly},
    story::browser,
    tools::suite::ORIGINAL,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cable::Cable;
use crate::{COMETQL_PASSWORD, clients::mariadb, with_cometql};

/// The clinic's server with its pages.
struct Site {
    clinic: Clinic,
    folder: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Heard {
    data: Value,
    pipe: String,
    event: String,
    user_id: Value,
    history: bool,
}

fn data(heard: Vec<Heard>) -> Vec<Value> {
    heard.into_iter().map(|heard| heard.data).collect()
}

impl Site {
    fn open() -> Result<Self> {
        let folder = scratch("site")?;
        for file in ["index.html", "site.js", "library.js"] {
            let source = match env::var_os(ORIGINAL) {
                Some(original) if file == "library.js" => original.into(),
                _ => repo::path("tests/pages/site").join(file),
            };
            fs::copy(&source, folder.join(file))
                .with_context(|| format!("cannot copy {}", source.display()))?;
        }
        let mut plan = Plan::new(&folder, &["doctor"]);
        plan.more = with_cometql();
        let clinic = Clinic::open(&plan)?;
        Ok(Self { clinic, folder })
    }

    fn says(&self, statement: &str) -> Result<String> {
        mariadb(
            &self.clinic,
            &[
                "--skip-column-names",
                "--raw",
                "--default-character-set=utf8mb4",
            ],
            statement,
        )
    }

    /// Sends these to the user, in one statement.
    fn sends(&self, user: u32, letters: &[String]) -> Result<()> {
        let rows = letters
            .iter()
            .map(|letter| format!("({user}, 'note', {})", quoted(letter)));
        let rows = rows.collect::<Vec<_>>().join(", ");
        let insert = "INSERT INTO users_messages (id, event, message) VALUES";
        self.says(&format!("{insert} {rows}")).map(drop)
    }

    fn page(&self) -> Result<Page> {
        browser(Chromium)?.open(&self.clinic.address())
    }

    /// A page of somebody the site has given a key.
    fn member(&self, user: u32, pipes: &[&str]) -> Result<Page> {
        let page = self.page()?;
        self.enters(&page, user, pipes)?;
        Ok(page)
    }

    fn enters(&self, page: &Page, user: u32, pipes: &[&str]) -> Result<()> {
        let key = format!("k{user}=+/");
        self.says(&format!(
            "INSERT INTO users_auth (id, hash) VALUES ({user}, '{key}')"
        ))?;
        page.eval::<()>("hear(...arg)", json!(pipes))?;
        let come = json!({ "user_id": user, "user_key": key, "dev_id": 1 });
        ensure!(page.eval::<bool>("return await enter(arg)", come)?);
        settle(page)
    }
}

/// As an SQL string.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Everything the page has said is done: what was published is delivered, what was asked answered.
fn settle(page: &Page) -> Result<()> {
    ask::<Value>(page, json!(["count_users_in_pipe", "web_settled"])).map(drop)
}

fn ask<T: serde::de::DeserializeOwned>(page: &Page, question: Value) -> Result<T> {
    page.eval("return await ask(...arg)", question)
}

fn until(page: &Page, name: &str, count: usize) -> Result<Vec<Heard>> {
    page.eval("return await until(...arg)", json!([name, count]))
}

fn becomes(page: &Page, authorized: bool) -> Result<()> {
    page.eval("await becomes(arg)", json!(authorized))
}

fn token(secret: &str, user: u32, seconds: i64, alg: &str) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let exp = i64::try_from(now)? + seconds;
    let claims = json!({ "user_id": user, "exp": exp }).to_string();
    run_quietly(
        command("node")
            .arg(repo::path("tests/js/token.mjs"))
            .args([secret, &claims, alg]),
    )
}

#[test]
fn a_key_or_a_token_lets_a_page_in_until_it_is_taken_back() -> Result<()> {
    let site = Site::open()?;
    let by_key = site.member(10, &["msg"])?;
    let key: String = by_key.eval("return cometApi.getRealUserKey()", Value::Null)?;
    ensure!(key == "k10=+/", "{key}");

    let secret = format!("{COMETQL_PASSWORD}15");
    let good = token(&secret, 20, 600, "HS256")?;
    let unsigned = format!("{}.", good.rsplit_once('.').context("a token")?.0);
    let refused = [
        (10, 1, "wrong".to_owned()),
        (11, 1, "k10=+/".to_owned()),
        (20, 16, good.clone()),
        (21, 15, good.clone()),
        (20, 15, unsigned),
        (20, 15, token("guess15", 20, 600, "HS256")?),
        (20, 15, token(&secret, 20, -1, "HS256")?),
        (20, 15, token(&secret, 20, 600, "none")?),
    ];
    for (user, tenant, key) in refused {
        let page = site.page()?;
        let come = json!({ "user_id": user, "user_key": key, "dev_id": tenant });
        ensure!(
            !page.eval::<bool>("return await enter(arg)", come)?,
            "{user} {tenant} {key}"
        );
        page.close()?;
    }

    let come = json!({ "user_id": 20, "user_key": good, "dev_id": 15 });
    let by_token = site.page()?;
    ensure!(by_token.eval::<bool>("return await enter(arg)", come.clone())?);
    // a page hears by itself that it is not known any more
    site.says(&format!(
        "INSERT INTO revoked_tokens (token) VALUES ('{good}')"
    ))?;
    becomes(&by_token, false)?;
    let again = site.page()?;
    ensure!(!again.eval::<bool>("return await enter(arg)", come)?);
    site.says("DELETE FROM users_auth WHERE id = 10")?;
    becomes(&by_key, false)
}

/// What people and programs write.
fn letters() -> Vec<Value> {
    vec![
        json!("good morning"),
        json!("it's 8 o'clock, \"sharp\""),
        json!(r"C:\scans\'new'\n"),
        json!("two\nlines\r\n\tand a tab"),
        json!("кашель 😷 \u{2028}"),
        json!("A::7;not a number"),
        json!("<img src=x onerror=\"alert('1')\"></script>"),
        json!({ "path": r"it\'s", "deep": [["\\'"], { "'": "\n" }] }),
        json!([1, -2.5, true, null, "3", "null"]),
        json!({}),
    ]
}

#[test]
fn sixty_private_messages_wait_while_a_page_connects_and_come_once() -> Result<()> {
    let site = Site::open()?;
    let mut sent = Vec::new();
    for number in 0..6 {
        let mut batch = letters();
        batch[9] = json!({ "number": number });
        // text as text, JSON with line feeds between its parts as some write it
        let told = batch.iter().map(|letter| match letter {
            Value::String(text) => Ok(text.clone()),
            letter => serde_json::to_string_pretty(letter),
        });
        let told = told.collect::<Result<Vec<_>, _>>()?;
        sent.extend(batch);
        site.sends(30, &told)?;
    }
    let page = site.member(30, &["msg"])?;
    let heard = until(&page, "msg", 60)?;
    ensure!(heard.iter().all(|heard| heard.event == "note"), "{heard:?}");
    let heard = data(heard);
    for (heard, sent) in heard.iter().zip(&sent) {
        ensure!(heard == sent, "{heard} for {sent}");
    }
    ensure!(heard.len() == 60, "{} messages", heard.len());
    // whoever comes again has them no more, and every page of a person hears what is new
    page.reload()?;
    site.enters(&page, 30, &["msg"])?;
    let other = site.member(30, &["msg.note"])?;
    site.sends(30, &["news".to_owned()])?;
    ensure!(data(until(&page, "msg", 1)?) == ["news"]);
    ensure!(data(until(&other, "msg.note", 1)?) == ["news"]);
    ensure!(
        site.says("SELECT COUNT(*) FROM users_messages WHERE id = 30")?
            .trim()
            == "0"
    );
    Ok(())
}

#[test]
fn pages_speak_with_each_other_and_look_around() -> Result<()> {
    let site = Site::open()?;
    site.says("INSERT INTO pipes_settings (name, length) VALUES ('web_room', 99)")?;
    let ann = site.member(40, &["web_room", "track_room", "#web_room"])?;
    let bob = site.member(41, &["web_room.said", "track_room"])?;
    let came = until(&ann, "track_room", 1)?;
    ensure!(
        came[0].event == "subscription" && came[0].data["user_id"] == 41,
        "{came:?}"
    );

    for letter in letters() {
        let say = "cometApi.web_pipe_send('web_room', 'said', arg)";
        ann.eval::<()>(say, letter)?;
    }
    let heard = until(&bob, "web_room.said", 10)?;
    ensure!(heard.iter().all(|it| it.user_id == 40), "{heard:?}");
    ensure!(data(heard) == letters());
    let reports = until(&ann, "#web_room", 10)?;
    ensure!(
        reports.iter().all(|it| it.data["number_messages"] == 1),
        "{reports:?}"
    );
    ensure!(
        until(&ann, "web_room", 0)?.is_empty(),
        "the sender hears itself"
    );

    // sent three times to be sure, heard once
    let say = "cometApi.multi_web_pipe_send('web_room', 'said', { sure: true }, 3, 50)";
    ann.eval::<()>(say, Value::Null)?;
    until(&ann, "#web_room", 13)?;
    let heard = until(&bob, "web_room.said", 11)?;
    ensure!(
        heard.len() == 11 && heard[10].data == json!({ "sure": true }),
        "{heard:?}"
    );

    // what was said before somebody came; and the site speaks into the room
    site.says(
        "INSERT INTO pipes_messages (name, event, message) VALUES ('web_room', 'news', '[1]')",
    )?;
    let late = site.member(42, &[])?;
    let log = "cometApi.get_pipe_log('web_room', ({ data, server_info: { history } }) => \
               heard.push({ name: 'log', data, pipe: '', event: '', user_id: 0, history }))";
    late.eval::<()>(log, Value::Null)?;
    // what was sent three times is heard once here too
    let heard = until(&late, "log", 12)?;
    ensure!(
        heard.len() == 12 && heard.iter().all(|it| it.history),
        "{heard:?}"
    );
    ensure!(data(heard)[..10] == letters());
    ensure!(
        data(until(&bob, "web_room.said", 11)?).len() == 11,
        "a history for somebody else"
    );

    let count: Value = ask(&ann, json!(["count_users_in_pipe", "web_room"]))?;
    ensure!(count["user_in_pipe"] == 3, "{count}");
    let users: Vec<Value> = ask(&ann, json!(["getTrackPipeUsers", "track_room"]))?;
    let mut names: Vec<_> = users.iter().map(|user| user["user_id"].as_u64()).collect();
    names.sort_unstable();
    ensure!(names == [Some(40), Some(41)], "{users:?}");
    let there =
        site.says("SELECT user_id FROM users_in_pipes WHERE name = 'web_room' ORDER BY user_id")?;
    ensure!(there == "40\n41\n42\n", "{there}");

    // big answers
    let letter = r"<b>it\'s</b>".repeat(4_000);
    let about = quoted(&letter);
    site.says(&format!(
        "INSERT INTO users_data (id, data) VALUES (41, {about})"
    ))?;
    let told: Value = ask(&ann, json!(["getUserData", "41"]))?;
    ensure!(told == json!({ "user_data": letter, "user_id": 41 }));
    bob.eval::<()>(
        "cometApi.web_pipe_send('web_room', 'said', arg)",
        json!(letter),
    )?;
    ensure!(data(until(&ann, "web_room", 2)?)[1] == json!(letter));
    bob.close()?;
    let left = until(&ann, "track_room", 2)?;
    ensure!(
        left[1].event == "unsubscription" && left[1].data["user_id"] == 41,
        "{left:?}"
    );
    Ok(())
}

/// The library cuts frames at line feeds and runs the `jscode` of what it then reads.
#[test]
fn nobody_runs_code_in_anothers_page_by_a_message() -> Result<()> {
    let site = Site::open()?;
    let page = site.member(45, &["web_room", "msg"])?;
    let other = site.member(46, &[])?;
    let smuggled = r#"{"data":1,"jscode":"window.ran = true"}"#;
    let bodies = ["\n", "\r\n", "\n\n"].map(|feed| ["[1,", smuggled, ",2]"].join(feed));
    let speak = "const { node, user_id, user_key, dev_id } = cometApi.options;
        const socket = new WebSocket(`ws://${node}/ws/sesion=${user_key}&myid=${user_id}&devid=${dev_id}&v=4.08&uuid=x&api=js`);
        await new Promise((resolve) => (socket.onopen = resolve));
        socket.send(`web_pipe2\nweb_room\nsaid\n*\n${arg}`);";
    for body in &bodies {
        other.eval::<()>(speak, json!(body))?;
    }
    site.sends(45, &bodies)?;
    until(&page, "web_room", bodies.len())?;
    until(&page, "msg", bodies.len())?;
    ensure!(!page.eval::<bool>("return 'ran' in window", Value::Null)?);
    Ok(())
}

#[test]
fn a_page_says_sixty_things_before_it_is_connected() -> Result<()> {
    let site = Site::open()?;
    let listener = site.member(50, &["web_room"])?;
    let page = site.page()?;
    let say = "for (let n = 0; n < 60; n++) cometApi.web_pipe_send('web_room', 'said', n)";
    page.eval::<()>(say, Value::Null)?;
    site.enters(&page, 51, &[])?;
    let heard = data(until(&listener, "web_room", 60)?);
    ensure!(
        heard == (0..60).map(Value::from).collect::<Vec<_>>(),
        "{heard:?}"
    );
    Ok(())
}

#[test]
fn a_page_whose_connection_broke_comes_back_and_misses_no_letter() -> Result<()> {
    let site = Site::open()?;
    let cable = Cable::to(site.clinic.http())?;
    let page = browser(Chromium)?.open(&cable.address())?;
    site.enters(&page, 60, &["msg", "news_room"])?;
    let publish =
        "INSERT INTO pipes_messages (name, event, message) VALUES ('news_room', 'x', '1')";
    site.says(publish)?;
    until(&page, "news_room", 1)?;
    cable.pull();
    site.sends(60, &["one".to_owned(), "two".to_owned()])?;
    cable.plug();
    ensure!(data(until(&page, "msg", 2)?) == ["one", "two"]);
    becomes(&page, true)?;
    // and listens to its pipes again
    settle(&page)?;
    site.says(publish)?;
    ensure!(until(&page, "news_room", 2)?.len() == 2);
    Ok(())
}

#[test]
fn a_page_hears_of_a_call_as_cppcomet_tells_of_it() -> Result<()> {
    let site = Site::open()?;
    let page = site.member(70, &["msg.sys_sipCall"])?;
    site.says(
        r#"INSERT INTO conference (name, user_id, caller_id, message, profile) VALUES('1', 70, 3, '{"a":"it\'s"}', "video")"#,
    )?;
    let call = &until(&page, "msg.sys_sipCall", 1)?[0].data;
    ensure!(call["message"] == r#"{"a":"it's"}"#, "{call}");
    let sys = &call["sys"];
    ensure!(
        sys["sipNumber"] == "1*1*video" && sys["caller_id"] == 3,
        "{call}"
    );
    Ok(())
}
