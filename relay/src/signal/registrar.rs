//! Who is here: bindings by user (RFC 3261 section 10, outbound RFC 5626, GRUU RFC 5627) and which
//! connection belongs to whom.
//!
//! A connection that has shown a user's password once is that user's for as long as it lasts. Who
//! speaks for another is refused.

mod bearer;
mod binding;
mod contacts;
mod login;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use clinicall_sip::{Millis, Request, Status, Time, agent::Flow, digest::Guard};

pub use binding::Binding;
use contacts::Wish;

use super::{
    Answer, News, Settings,
    doorman::{Hold, Told},
    users::{User, Users},
};
use crate::{
    auth::{Grant, Guesses},
    metrics::Metrics,
};

#[derive(Debug)]
pub struct Registrar {
    settings: Settings,
    users: Users,
    metrics: Arc<Metrics>,
    guard: Guard,
    guesses: Guesses,
    flows: HashMap<Flow, Visitor>,
    bindings: BTreeMap<String, Vec<Binding>>,
    /// Connections that have to log in by then. Entries of those that did or left are ignored.
    logins_due: BTreeSet<(Time, Flow)>,
    /// When logins by token end. Entries of those that were renewed or left are ignored.
    logins_end: BTreeSet<(Time, Flow)>,
    news: VecDeque<News>,
    /// There is somebody to ask about people who are not known here.
    doorman: bool,
    /// What they said, for the request that is looked at again.
    told: Option<Told>,
}

/// A connection.
#[derive(Debug)]
struct Visitor {
    address: IpAddr,
    /// Set for good by the first login.
    user: Option<String>,
    /// The name by which it was vouched for.
    name: Option<String>,
    /// What it came in with, and may therefore do, when that was a token.
    grant: Option<Grant>,
    /// When the token runs out.
    until: Option<Time>,
    /// Somebody was asked and vouched for the user, who need have no account here.
    vouched: bool,
    /// Messages received before the login.
    strange: u32,
}

/// A login takes two messages, a call with a 407 three. Whoever sends many more without ever
/// showing a password wants something else.
const STRANGE_MESSAGES: u32 = 50;

/// A device that has registered (again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    pub user: String,
    pub instance: String,
    /// The connection it had before and that this one replaces (RFC 5626 section 6).
    pub instead_of: Option<Flow>,
}

impl Registrar {
    #[must_use]
    pub fn new(settings: &Settings, users: Users, metrics: Arc<Metrics>, seed: [u8; 32]) -> Self {
        // not the agent's own stream: it begins with the same seed
        let seed = seed.map(|byte| byte ^ 0x5c);
        Self {
            settings: settings.clone(),
            users,
            metrics,
            guard: Guard::new(&settings.realm, seed),
            guesses: Guesses::new(settings.failed_logins_per_minute),
            flows: HashMap::new(),
            bindings: BTreeMap::new(),
            logins_due: BTreeSet::new(),
            logins_end: BTreeSet::new(),
            news: VecDeque::new(),
            doorman: false,
            told: None,
        }
    }

    pub fn open(&mut self, now: Time, flow: Flow, address: IpAddr) {
        self.flows.insert(
            flow,
            Visitor {
                address,
                user: None,
                name: None,
                grant: None,
                until: None,
                vouched: false,
                strange: 0,
            },
        );
        self.logins_due
            .insert((now + self.settings.login_deadline, flow));
    }

    /// A message came; `false`: too many of them from a connection that belongs to nobody.
    pub fn heard(&mut self, flow: Flow) -> bool {
        match self.flows.get_mut(&flow) {
            Some(visitor) if visitor.user.is_none() => {
                visitor.strange += 1;
                visitor.strange <= STRANGE_MESSAGES
            }
            Some(_) => true,
            None => false,
        }
    }

    /// The connection is gone and with it what was registered over it.
    pub fn closed(&mut self, flow: Flow) {
        if let Some(Visitor {
            user: Some(user), ..
        }) = self.flows.remove(&flow)
        {
            self.keep_bindings(&user, |binding| binding.flow != flow);
        }
    }

    /// Forgets bindings that have run out; tells which connections never logged in.
    pub fn tick(&mut self, now: Time) -> Vec<Flow> {
        let news = &mut self.news;
        self.bindings.retain(|user, bindings| {
            bindings.retain(|binding| binding.expires > now);
            if bindings.is_empty() {
                let user = user.clone();
                news.push_back(News::Offline { user });
            }
            !bindings.is_empty()
        });
        let mut late = Vec::new();
        while let Some(&(due, flow)) = self.logins_due.first() {
            if due > now {
                break;
            }
            self.logins_due.pop_first();
            if self
                .flows
                .get(&flow)
                .is_some_and(|visitor| visitor.user.is_none())
            {
                late.push(flow);
            }
        }
        late
    }

    /// Bindings that run out are not worth an alarm: whoever asks for them looks at the clock.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        let firsts = [self.logins_due.first(), self.logins_end.first()];
        firsts.into_iter().flatten().map(|(due, _)| *due).min()
    }

    /// Where a user can be rung now.
    pub fn bindings(&self, now: Time, user: &str) -> impl Iterator<Item = &Binding> {
        let bindings = self
            .bindings
            .get(user)
            .map(Vec::as_slice)
            .unwrap_or_default();
        bindings.iter().filter(move |binding| binding.expires > now)
    }

    #[must_use]
    pub fn user(&self, id: &str) -> Option<User> {
        self.users.find(id).or_else(|| self.visiting(id))
    }

    pub fn set_stored_users(&mut self, users: Vec<User>) {
        // whose account is gone is asked about anew
        for visitor in self.flows.values_mut() {
            let Some(user) = visitor.user.as_deref() else {
                continue;
            };
            let kept = users.iter().any(|stored| stored.id == user);
            if visitor.grant.is_none() && self.users.is_stored(user) && !kept {
                visitor.vouched = false;
            }
        }
        self.users.set_stored(users);
    }

    /// The device behind a connection.
    #[must_use]
    pub fn instance(&self, flow: Flow) -> Option<String> {
        let user = self.flows.get(&flow)?.user.as_deref()?;
        let bindings = self.bindings.get(user)?;
        bindings
            .iter()
            .find(|binding| binding.flow == flow)?
            .instance
            .clone()
    }

    #[must_use]
    pub fn online(&self) -> BTreeSet<String> {
        self.bindings.keys().cloned().collect()
    }

    /// What has happened since the last time, in its order.
    pub fn poll(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Bindings in total.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bindings.values().map(Vec::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// The user behind a request other than REGISTER, or the response that refuses it: From must
    /// name the user this connection belongs to, and a connection that belongs to nobody is
    /// challenged.
    pub(super) fn admit(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Request,
    ) -> Result<String, Hold> {
        let from = request
            .headers
            .from()
            .ok_or_else(|| Answer::new(Status(400)))?;
        let claimed = self.own_user(&from.uri).ok_or_else(|| self.spoofed(flow))?;
        self.identify(now, flow, request, &claimed)?;
        Ok(claimed)
    }

    /// A REGISTER, its response, and the device when it is (still) registered.
    pub(super) fn register(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Request,
    ) -> Result<(Answer, Option<Returned>), Hold> {
        let refuse = |status| Answer::new(Status(status));
        let to = request.headers.to().ok_or_else(|| refuse(400))?;
        let from = request.headers.from().ok_or_else(|| refuse(400))?;
        if !self.settings.serves(&request.uri.host) {
            return Err(refuse(404).into());
        }
        let user = self.own_user(&to.uri).ok_or_else(|| refuse(404))?;
        // nobody registers in another's name
        if self.own_user(&from.uri).as_ref() != Some(&user) {
            return Err(self.spoofed(flow).into());
        }
        self.identify(now, flow, request, &user)?;
        let wish = Wish::read(
            request,
            self.settings.min_expires,
            self.settings.max_expires,
        )?;
        let returned = self.bind(now, flow, &user, wish, request)?;
        Ok((self.registered(now, &user, request), returned))
    }

    fn bind(
        &mut self,
        now: Time,
        flow: Flow,
        user: &str,
        wish: Wish,
        request: &Request,
    ) -> Result<Option<Returned>, Answer> {
        let contacts = match wish {
            Wish::List => return Ok(None),
            Wish::Nothing => {
                self.keep_bindings(user, |_| false);
                return Ok(None);
            }
            Wish::Bind(contacts) => contacts,
        };
        let runs_out = self.runs_out(flow);
        let bindings = self.bindings.entry(user.to_owned()).or_default();
        let was_away = bindings.is_empty();
        let mut returned = None;
        for contact in contacts {
            let asked = now + contact.expires;
            let expires = runs_out.map_or(asked, |until| until.min(asked));
            let binding = Binding::new(flow, request, contact.address, expires)
                .ok_or_else(|| Answer::new(Status(400)))?;
            let before = bindings.iter().position(|other| other.is_same(&binding));
            if before.is_some_and(|at| bindings[at].is_newer_than(&binding)) {
                // RFC 3261 section 10.3 step 7: an older request must not undo a newer one
                return Err(Answer::new(Status(500)));
            }
            let before = before.map(|at| bindings.remove(at));
            if contact.expires == Millis(0) {
                continue;
            }
            if let Some(instance) = &binding.instance {
                let instead_of = before.map(|old| old.flow).filter(|old| *old != flow);
                let (user, instance) = (user.to_owned(), instance.clone());
                returned = Some(Returned {
                    user,
                    instance,
                    instead_of,
                });
            }
            bindings.push(binding);
        }
        // the device used longest ago makes room
        while bindings.len() > self.settings.sockets_per_user {
            bindings.remove(0);
        }
        let is_away = bindings.is_empty();
        if is_away {
            self.bindings.remove(user);
        }
        if was_away != is_away {
            let user = user.to_owned();
            self.news.push_back(match is_away {
                true => News::Offline { user },
                false => News::Online { user },
            });
        }
        Ok(returned)
    }

    /// 200 with every binding of the user (RFC 3261 section 10.3 step 8).
    fn registered(&self, now: Time, user: &str, request: &Request) -> Answer {
        let supports = |option: &str| request.headers.lists("Supported", option);
        let mut answer = Answer::new(Status(200));
        let mut outbound = false;
        for binding in self.bindings(now, user) {
            let gruu = supports("gruu").then(|| self.settings.host());
            outbound |= binding.reg_id.is_some();
            answer = answer.with("Contact", binding.contact_header(now, user, gruu));
        }
        if outbound && supports("outbound") {
            // RFC 5626 section 6: tells the client that its flow will be used
            answer = answer.with("Require", "outbound");
        }
        answer.with("Supported", "outbound, gruu, path")
    }

    fn keep_bindings(&mut self, user: &str, keep: impl FnMut(&Binding) -> bool) {
        if let Some(bindings) = self.bindings.get_mut(user) {
            bindings.retain(keep);
            if bindings.is_empty() {
                self.bindings.remove(user);
                let user = user.to_owned();
                self.news.push_back(News::Offline { user });
            }
        }
    }
}
