//! A story: people of a clinic with their browsers, what they do and what they see.
//!
//! One relay of each sort and one browser of each kind serve all stories of a test binary; every
//! story has people of its own, so stories may run side by side. When a story fails, the pictures,
//! consoles and the relay's log are in `tests/artifacts/NAME`.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Kind, Page},
    clinic::{Clinic, PASSWORD, Plan},
    repo,
    tools::{pkg, wasm},
};

/// What a person waits for something that happens by itself. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many people there are for all stories together.
const PEOPLE: usize = 400;

/// How long the phones of [`Sort::Impatient`] ring.
pub const SHORT_RING: Duration = Duration::from_secs(3);

/// The relay a story needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    Ordinary,
    /// Rings for [`SHORT_RING`] only, and waits for what is lost no longer than that.
    Impatient,
    /// Offers no UDP candidate.
    WithoutUdp,
}

/// What a person holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phone {
    Clinicall,
    /// Ours behind `clinicall/button`: fetched when it is needed.
    Button,
    JsSip,
    SipJs,
}

/// One test's stage.
#[derive(Debug)]
pub struct Story<'a> {
    name: String,
    clinic: &'a Clinic,
    cast: RefCell<Vec<(String, std::rc::Rc<Page>)>>,
    good: bool,
}

impl Story<'static> {
    /// Tells a story on the shared stage.
    pub fn tell<T>(sort: Sort, tale: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        Story::tell_in(clinic(sort)?, tale)
    }
}

impl<'a> Story<'a> {
    /// Tells a story in this clinic.
    pub fn tell_in<T>(clinic: &'a Clinic, tale: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let name = std::thread::current()
            .name()
            .unwrap_or("story")
            .replace("::", "-");
        let mut story = Self {
            name,
            clinic,
            cast: RefCell::default(),
            good: false,
        };
        let told = tale(&story)?;
        story.good = true;
        Ok(told)
    }

    /// A doctor and a patient, logged in.
    pub fn pair(&self, doctor: Kind, patient: Kind) -> Result<(Person, Person)> {
        Ok((
            self.person("doctor", doctor)?,
            self.person("patient", patient)?,
        ))
    }

    /// Somebody with our client in a shared browser, logged in.
    pub fn person(&self, role: &str, kind: Kind) -> Result<Person> {
        self.person_with(Phone::Clinicall, role, browser(kind)?)
    }

    /// Somebody with this phone in this browser, logged in.
    pub fn person_with(&self, phone: Phone, role: &str, browser: &Browser) -> Result<Person> {
        let person = self.visitor(phone, role, browser)?;
        person.login(&json!({}))?;
        Ok(person)
    }

    /// Somebody who has opened the page and not logged in.
    pub fn visitor(&self, phone: Phone, role: &str, browser: &Browser) -> Result<Person> {
        self.visitor_by(self.clinic.http(), phone, role, browser)
    }

    /// The same by another way to the relay: host and port.
    pub fn visitor_by(
        &self,
        http: &str,
        phone: Phone,
        role: &str,
        browser: &Browser,
    ) -> Result<Person> {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        let number = TAKEN.fetch_add(1, Ordering::Relaxed);
        ensure!(
            number < PEOPLE,
            "more people in the stories than in the clinic"
        );
        let page = browser.open(&address(http, phone))?;
        self.join(user(number), role, http, page)
    }

    /// Another tab of the same person, logged in.
    pub fn second_tab(&self, person: &Person) -> Result<Person> {
        self.another_tab(person, "second")
    }

    /// One more, by this name in what is kept of a story.
    pub fn another_tab(&self, person: &Person, name: &str) -> Result<Person> {
        let http = self.clinic.http();
        let page = person.page.open_beside(&address(http, Phone::Clinicall))?;
        let role = format!("{}-{name}", person.role);
        let tab = self.join(person.user.clone(), &role, http, page)?;
        tab.login(&json!({}))?;
        Ok(tab)
    }

    fn join(&self, user: String, role: &str, http: &str, page: Page) -> Result<Person> {
        let page = std::rc::Rc::new(page);
        self.cast
            .borrow_mut()
            .push((role.to_owned(), std::rc::Rc::clone(&page)));
        let person = Person {
            user,
            role: role.to_owned(),
            server: format!("ws://{http}/sip"),
            page,
        };
        person.until("loaded")?;
        Ok(person)
    }

    /// What the relay has written, for stories that look there.
    #[must_use]
    pub fn relay_log(&self) -> String {
        self.clinic.log()
    }

    fn keep_what_there_is(&self) -> Result<()> {
        let folder = repo::path("tests/artifacts").join(&self.name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("relay.log"), self.clinic.log())?;
        for (role, page) in self.cast.borrow().iter() {
            if let Ok(console) = page.console() {
                fs::write(folder.join(format!("{role}.console")), console.join("\n"))?;
                let _ = page.screenshot(&folder.join(format!("{role}.png")));
            }
        }
        eprintln!("what there was to see is in {}", folder.display());
        Ok(())
    }
}

/// Where the page of this phone is.
fn address(http: &str, phone: Phone) -> String {
    let page = match phone {
        Phone::Clinicall => "visit.html",
        Phone::Button => "button.html",
        Phone::JsSip => "jssip.html",
        Phone::SipJs => "sipjs.html",
    };
    format!("http://{http}/{page}")
}

impl Drop for Story<'_> {
    fn drop(&mut self) {
        if !self.good
            && let Err(error) = self.keep_what_there_is()
        {
            eprintln!("and nothing could be kept of it: {error:#}");
        }
        for (_, page) in self.cast.borrow().iter() {
            let _ = page.close();
        }
    }
}

/// Somebody with a phone in a tab.
#[derive(Debug)]
pub struct Person {
    pub user: String,
    role: String,
    server: String,
    page: std::rc::Rc<Page>,
}

/// What a page tells: its name, when, and the rest.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// Milliseconds on the page's own clock.
    pub at: f64,
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub cause: String,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub status: Option<u16>,
}

/// What `getStats` knows of a person's newest connection, in short.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// `connectionState`, or `none` before there is a connection.
    pub state: String,
    pub frames_decoded: u64,
    pub video_packets: u64,
    pub audio_packets: u64,
    /// Energy of what was heard, in the units of `totalAudioEnergy`.
    pub audio_energy: f64,
    #[serde(default)]
    pub audio_sent: u64,
    #[serde(default)]
    pub video_sent: u64,
    /// `udp` or `tcp` of the remote candidate in use.
    #[serde(default)]
    pub protocol: Option<String>,
}

impl Person {
    /// Logs in with the clinic's password; `with` adds to or replaces the options.
    pub fn login(&self, with: &Value) -> Result<()> {
        self.does("await stage.login(arg)", self.options(with))
    }

    /// What the page gives to `connect`.
    #[must_use]
    pub fn options(&self, with: &Value) -> Value {
        let mut options = json!({ "server": self.server, "user": self.user, "password": PASSWORD });
        for (key, value) in with.as_object().into_iter().flatten() {
            options[key] = value.clone();
        }
        options
    }

    pub fn ring(&self, other: &Self) -> Result<()> {
        self.ring_user(&other.user)
    }

    pub fn ring_user(&self, user: &str) -> Result<()> {
        self.does("await stage.ring(arg)", json!(user))
    }

    pub fn answer(&self) -> Result<()> {
        self.does("await stage.answer()", Value::Null)
    }

    pub fn decline(&self) -> Result<()> {
        self.does("await stage.decline()", Value::Null)
    }

    pub fn hang_up(&self) -> Result<()> {
        self.does("await stage.hangup()", Value::Null)
    }

    /// Presses the browser's reload button, and logs in again.
    pub fn reload(&self) -> Result<()> {
        self.page.reload()?;
        self.until("loaded")?;
        self.login(&json!({}))
    }

    pub fn close_tab(&self) -> Result<()> {
        self.page.close()
    }

    /// Waits for the first event of this name.
    pub fn until(&self, what: &str) -> Result<Event> {
        self.until_within(PATIENCE, what)
    }

    /// The same with more patience.
    pub fn until_within(&self, patience: Duration, what: &str) -> Result<Event> {
        let milliseconds = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let arg = json!({ "what": what, "milliseconds": milliseconds });
        self.page
            .eval_within(
                patience + Duration::from_secs(5),
                "return await stage.until(arg.what, arg.milliseconds)",
                arg,
            )
            .with_context(|| format!("the {} waits for `{what}`", self.role))
    }

    /// Waits for the end of the call: the cause by name.
    pub fn until_hangup(&self) -> Result<String> {
        Ok(self.until("hangup")?.cause)
    }

    /// True when the page was told this already.
    pub fn was_told(&self, what: &str) -> Result<bool> {
        self.page.eval(
            "return stage.events.some((event) => event.what === arg)",
            json!(what),
        )
    }

    pub fn flow(&self) -> Result<Flow> {
        self.page.eval("return await flow()", Value::Null)
    }

    /// Waits until the flow is as wished.
    pub fn until_flow(&self, wish: &str, holds: impl Fn(&Flow) -> bool) -> Result<Flow> {
        let end = Instant::now() + PATIENCE;
        loop {
            let flow = self.flow()?;
            if holds(&flow) {
                return Ok(flow);
            }
            ensure!(
                Instant::now() < end,
                "the {}: not {wish}, but {flow:?}",
                self.role
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until sound and picture of the other side arrive: more of them than now, and over a pair that is
    /// known (now and then Firefox names it a moment after media flows on it).
    pub fn sees_and_hears(&self) -> Result<Flow> {
        let now = self.flow()?;
        self.until_flow("a moving picture and sound", |flow| {
            flow.frames_decoded >= now.frames_decoded + 5
                && flow.audio_packets >= now.audio_packets + 10
                && flow.audio_energy > now.audio_energy
                && flow.protocol.is_some()
        })
    }

    /// Runs an expression of the page's own, for what no method says.
    pub fn does(&self, code: &str, arg: Value) -> Result<()> {
        self.page
            .eval(code, arg)
            .with_context(|| format!("the {}", self.role))
    }

    /// The value of the body of an async function.
    pub fn asks<T: serde::de::DeserializeOwned>(&self, code: &str, arg: Value) -> Result<T> {
        self.page
            .eval(code, arg)
            .with_context(|| format!("the {}", self.role))
    }
}

/// One rings the other, who answers; both see and hear each other. What the callee was told of the
/// ringing, and what flows at the caller.
pub fn visit(caller: &Person, callee: &Person) -> Result<(Event, Flow)> {
    caller.ring(callee)?;
    let incoming = callee.until("incoming")?;
    caller.until("ringing")?;
    callee.answer()?;
    caller.until("connected")?;
    callee.until("connected")?;
    let (flow, _) = talk(caller, callee)?;
    Ok((incoming, flow))
}

/// Both see and hear each other.
pub fn talk(one: &Person, other: &Person) -> Result<(Flow, Flow)> {
    Ok((one.sees_and_hears()?, other.sees_and_hears()?))
}

fn user(number: usize) -> String {
    format!("person-{number}")
}

/// The shared browser of this kind.
pub fn browser(kind: Kind) -> Result<&'static Browser> {
    static CHROMIUM: OnceLock<Result<Browser, String>> = OnceLock::new();
    static FIREFOX: OnceLock<Result<Browser, String>> = OnceLock::new();
    let browser = match kind {
        Kind::Chromium => &CHROMIUM,
        Kind::Firefox => &FIREFOX,
    };
    shared(browser, || Browser::launch(kind))
}

/// The shared relay of this sort.
fn clinic(sort: Sort) -> Result<&'static Clinic> {
    static ORDINARY: OnceLock<Result<Clinic, String>> = OnceLock::new();
    static IMPATIENT: OnceLock<Result<Clinic, String>> = OnceLock::new();
    static WITHOUT_UDP: OnceLock<Result<Clinic, String>> = OnceLock::new();
    let clinic = match sort {
        Sort::Ordinary => &ORDINARY,
        Sort::Impatient => &IMPATIENT,
        Sort::WithoutUdp => &WITHOUT_UDP,
    };
    shared(clinic, || Clinic::open(&plan(sort)?))
}

/// The plan of a clinic with people for all stories.
pub fn plan(sort: Sort) -> Result<Plan<'static>> {
    let mut plan = Plan::new(pages()?, &[]);
    plan.users = (0..PEOPLE).map(user).collect();
    plan.udp = sort != Sort::WithoutUdp;
    if sort == Sort::Impatient {
        plan.ring_timeout_seconds = SHORT_RING.as_secs();
        plan.grace_seconds = SHORT_RING.as_secs();
    }
    Ok(plan)
}

/// The folder of pages: ours, the npm package, JsSIP and SIP.js in a file each.
fn pages() -> Result<&'static Path> {
    static PAGES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = shared(&PAGES, || {
        let dist = pkg::make()?;
        let folder = repo::path("tests/artifacts/stage");
        fs::create_dir_all(folder.join("pkg/dist"))?;
        copy_all(&repo::path("tests/pages"), &folder)?;
        for module in ["index.mjs", "button.mjs", "comet.mjs", "error.mjs"] {
            let module = ["pkg/", module].concat();
            copy(&repo::path(&module), &folder.join(&module))?;
        }
        copy_all(&dist, &folder.join("pkg/dist"))?;
        for peer in ["jssip", "sipjs"] {
            let bundle = folder.join(format!("{peer}.{}.js", std::process::id()));
            let source = repo::path("tests/js").join(peer).with_extension("mjs");
            wasm::minify(&source, &bundle, true)?;
            fs::rename(bundle, folder.join(peer).with_extension("js"))?;
        }
        Ok(folder)
    })?;
    Ok(folder)
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Copies so that nobody who serves the folder at the same time sees half a file.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_added_extension(std::process::id().to_string());
    fs::copy(from, &new).with_context(|| format!("cannot copy {}", from.display()))?;
    fs::rename(new, to)?;
    Ok(())
}

fn shared<T: Sync>(
    cell: &'static OnceLock<Result<T, String>>,
    make: impl FnOnce() -> Result<T>,
) -> Result<&'static T> {
    let made = cell.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref()
        .map_err(|error| anyhow::Error::msg(error.clone()))
}
