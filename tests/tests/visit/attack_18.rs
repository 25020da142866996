//! Attack 18, markup in what strangers send (seen as EnableSecurity's ES2021-02): every word that a
//! SIP client, a back end or an address can put before somebody's eyes is shown as it is, on the demo
//! page in Chromium, and nothing of it runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clinicall_tests::{
    browser::{Kind::Chromium, Page},
    clinic::{Clinic, PASSWORD, Plan, scratch},
    story::{Sort, browser, plan},
    tools::page,
};
use serde_json::{Value, json};

/// What a careless page would run, in four ways.
const HOSTILE: &str = "<img src=x onerror=window.ran=1>'-window.ran&quot;</script>\
                       <script>ran=1</script><a href=javascript:ran=1>";
const PATIENCE: Duration = Duration::from_secs(20);

/// The demo page, built once for all stories here and not while the stage's is.
fn demo() -> Result<&'static Path> {
    static DEMO: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let demo = DEMO.get_or_init(|| {
        let made = plan(Sort::Ordinary).and_then(|_| page::make());
        made.map_err(|error| format!("{error:#}"))
    });
    let demo = demo.as_ref();
    demo.map(PathBuf::as_path)
        .map_err(|error| anyhow::Error::msg(error.clone()))
}

/// The demo page and JsSIP's in one folder, so that one relay serves both.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder = Self(scratch("attack")?);
        folder.fill(demo()?)?;
        let stage = plan(Sort::Ordinary)?.pages;
        for file in ["jssip.html", "jssip.js"] {
            fs::copy(stage.join(file), folder.0.join(file))?;
        }
        Ok(folder)
    }

    fn fill(&self, from: &Path) -> Result<()> {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            fs::copy(entry.path(), self.0.join(entry.file_name()))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A doctor, and somebody whose name the doctor had better not run.
fn users() -> String {
    let one = |id: &str, name: &str| {
        format!("[[user]]\nid = {id:?}\nname = {name:?}\npassword = {PASSWORD:?}\n")
    };
    one("doctor", "Doctor Ivanova") + &one("mallory", HOSTILE)
}

fn waits(page: &Page, what: &str, code: &str, arg: &Value) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !page.eval::<bool>(code, arg.clone())? {
        let shown: String = page.eval("return document.body.innerText", Value::Null)?;
        ensure!(Instant::now() < end, "no {what} in:\n{shown}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn sees(page: &Page, words: &str) -> Result<()> {
    let says = "return document.body.innerText.includes(arg)";
    waits(page, words, says, &json!(words))
}

fn press(page: &Page, testid: &str) -> Result<()> {
    let press = "const button = document.querySelector(`[data-testid=${arg}]`);
        button?.click(); return Boolean(button)";
    waits(page, testid, press, &json!(testid))
}

fn types(page: &Page, id: &str, text: &str) -> Result<()> {
    let code = "const field = document.getElementById(arg[0]);
        if (field) field.value = arg[1]; return Boolean(field)";
    waits(page, id, code, &json!([id, text]))
}

/// Nothing ran, and no element grew out of anybody's words.
fn unharmed(page: &Page) -> Result<()> {
    let grown: Value = page.eval(
        "const own = 'script[type=module]';
         const grown = [...document.querySelectorAll('img, script, a')].filter((it) => !it.matches(own));
         return { ran: window.ran ?? null, grown: grown.map((it) => it.outerHTML) }",
        Value::Null,
    )?;
    ensure!(grown == json!({ "ran": null, "grown": [] }), "{grown}");
    let errors = page.console()?;
    let errors: Vec<_> = errors
        .iter()
        .filter(|line| line.contains("uncaught"))
        .collect();
    ensure!(errors.is_empty(), "{errors:?}");
    Ok(())
}

/// Somebody else's SIP client, with hostile words wherever it has a word.
fn mallory(clinic: &Clinic) -> Result<Page> {
    let page = browser(Chromium)?.open(&(clinic.address() + "jssip.html"))?;
    let options = json!({
        "server": format!("ws://{}/sip", clinic.http()), "user": "mallory", "password": PASSWORD,
        "more": { "display_name": HOSTILE, "user_agent": HOSTILE },
        "extraHeaders": [format!("Subject: {HOSTILE}"), format!("X-Clinic: {HOSTILE}"), format!("Organization: {HOSTILE}")],
    });
    page.eval::<()>("await stage.login(arg)", options)?;
    Ok(page)
}

fn does(page: &Page, code: &str, arg: Value) -> Result<()> {
    page.eval::<()>(code, arg)
}

#[test]
fn attack_18_a_strangers_name_and_reasons_are_words_to_the_doctor() -> Result<()> {
    let folder = Folder::new()?;
    let mut plan = Plan::new(&folder.0, &[]);
    plan.more = users();
    let clinic = Clinic::open(&plan)?;
    // an address that somebody sent the doctor
    let lure = HOSTILE
        .replace('&', "%26")
        .replace('<', "%3C")
        .replace('>', "%3E");
    let doctor = browser(Chromium)?.open(&format!("{}?user={lure}", clinic.address()))?;
    let filled = "return document.getElementById('user')?.value === arg";
    waits(&doctor, "the name of the address", filled, &json!(HOSTILE))?;
    types(&doctor, "user", "doctor")?;
    types(&doctor, "password", PASSWORD)?;
    press(&doctor, "sign-in-button")?;
    sees(&doctor, "Whom to call?")?;

    let mallory = mallory(&clinic)?;
    does(&mallory, "stage.ring(arg, false)", json!("doctor"))?;
    sees(&doctor, &format!("{HOSTILE} is calling"))?;
    let titled = "return document.title.includes('<img')";
    waits(&doctor, "the name in the title", titled, &Value::Null)?;
    unharmed(&doctor)?;
    press(&doctor, "answer-voice")?;
    sees(&doctor, "Connected")?;
    let goodbye = json!({ "status_code": 488, "reason_phrase": HOSTILE });
    does(&mallory, "stage.hangup(arg)", goodbye.clone())?;
    sees(&doctor, &format!("{HOSTILE} ended the call"))?;
    unharmed(&doctor)?;

    // refused in words of their own, in whose place the page says ours
    types(&doctor, "callee", "mallory")?;
    press(&doctor, "call-voice")?;
    mallory
        .eval::<Value>("return await stage.until('incoming', 20000)", Value::Null)
        .context("mallory is rung")?;
    does(&mallory, "stage.decline(arg)", goodbye)?;
    sees(&doctor, "no audio or video format in common")?;
    unharmed(&doctor)?;
    press(&doctor, "notice-read")?;

    // somebody of a hostile name who does not exist
    types(&doctor, "callee", HOSTILE)?;
    press(&doctor, "call-voice")?;
    waits(
        &doctor,
        "a notice",
        "return Boolean(document.querySelector('[data-testid=notice]'))",
        &Value::Null,
    )?;
    unharmed(&doctor)?;
    ensure!(
        clinic
            .log()
            .lines()
            .all(|line| line.starts_with("20") || line.starts_with("listening"))
    );
    Ok(())
}

#[test]
fn attack_18_the_list_of_people_shows_names_as_words() -> Result<()> {
    let mut plan = Plan::new(demo()?, &[]);
    plan.more = users();
    plan.dev = true;
    let clinic = Clinic::open(&plan)?;
    let page = browser(Chromium)?.open(&clinic.address())?;
    sees(&page, HOSTILE)?;
    unharmed(&page)
}

/// A browser that is lured to an address of the relay's is shown no page made of the address.
#[test]
fn attack_18_no_answer_of_the_relay_is_a_page_of_the_askers() -> Result<()> {
    let mut plan = Plan::new(demo()?, &[]);
    plan.more = users();
    plan.dev = true;
    let clinic = Clinic::open(&plan)?;
    let page = browser(Chromium)?.open(&clinic.address())?;
    let answers: Vec<(String, u16, String, String)> = page.eval(
        "const bearer = { authorization: 'Bearer demo-key' };
         const bad = encodeURIComponent(arg), json = JSON.stringify;
         const asked = [
           [`/${bad}`], [`/demo/${bad}`], [`/comet?pipes=${bad}`], [`/comet`, { method: 'POST', body: arg }],
           [`/ws/sesion=${bad}&myid=${bad}`], [`/sip?${bad}`], [`/api/v1/${bad}`], [`/api/v1/rooms/${bad}`],
           [`/api/v1/rooms/${bad}`, { headers: bearer }], [`/api/v1/users/${bad}`, { headers: bearer }],
           [`/api/v1/rooms?after=${bad}&limit=${bad}`, { headers: bearer }],
           [`/api/v1/rooms`, { method: 'POST', headers: bearer, body: json({ name: arg, [arg]: arg }) }],
           [`/api/v1/rooms/1/invitations`, { method: 'POST', headers: bearer, body: json({ user: arg }) }],
           [`/api/v1/users/2/messages`, { method: 'POST', headers: bearer, body: arg }],
         ];
         return await Promise.all(asked.map(async ([path, options]) => {
           const answer = await fetch(path, options);
           return [path, answer.status, answer.headers.get('content-type') ?? '', await answer.text()];
         }));",
        json!(HOSTILE),
    )?;
    for (path, status, kind, text) in answers {
        ensure!(status >= 400, "{path}: {status}");
        let shown_as_words = ["text/plain", "application/json", "application/problem+json"]
            .iter()
            .any(|safe| kind.starts_with(safe));
        ensure!(shown_as_words || text.is_empty(), "{path}: {kind} {text}");
    }
    unharmed(&page)
}
