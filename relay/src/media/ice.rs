//! An ICE-lite agent (RFC 8445 section 2.5) with consent by inbound checks (RFC 7675).
//!
//! It never sends a check. It believes an address once a check from there carried the password,
//! sends where the last nominating check came from, and stops sending when checks stop coming.

use std::net::SocketAddr;

use ring::hmac;

use super::stun::{self, Kind, Message, Role, Writer};

/// Two hexadecimal digits of the worker, then random letters.
pub const UFRAG: usize = 10;
pub type Ufrag = [u8; UFRAG];

/// Addresses remembered for one member. A phone has Wi-Fi, mobile data, IPv4 and IPv6, each over
/// UDP and TCP: eight.
const TUPLES: usize = 8;
/// RFC 7675 section 5.1: consent expires after 30 seconds.
pub const CONSENT: u64 = 30_000_000;
/// An address belongs to the member heard from it this recently, whoever else claims it.
const HELD: u64 = 5_000_000;

/// A path a check came by this recently works: RFC 7675 section 5.1 has one every 4 to 6 seconds.
const WORKS: u64 = 8_000_000;

/// How to reach a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    Udp(SocketAddr),
    /// A connection of this worker.
    Tcp(u32),
}

impl Route {
    /// By the same network, as far as addresses tell.
    fn is_near(self, other: Self) -> bool {
        match (self, other) {
            (Self::Udp(one), Self::Udp(other)) => one.ip() == other.ip(),
            _ => self == other,
        }
    }
}

#[derive(Debug)]
struct Credentials {
    ufrag: Ufrag,
    key: hmac::Key,
}

#[derive(Clone, Copy, Debug)]
struct Tuple {
    route: Route,
    heard: u64,
}

/// What a believed check calls for.
#[derive(Debug)]
pub struct Checked {
    pub response: Writer,
    /// The check validated its route (an error response does not).
    pub valid: bool,
    /// The route forgotten to make place.
    pub evicted: Option<Route>,
    /// The ufrag no longer answered, after a restart was completed.
    pub retired: Option<Ufrag>,
    /// The restart has brought the member to another network.
    pub moved: bool,
}

#[derive(Debug)]
pub struct Agent {
    current: Credentials,
    /// Until the first nomination after a restart, both work (RFC 8445 section 9).
    previous: Option<Credentials>,
    tuples: Vec<Tuple>,
    selected: Option<Route>,
    /// The one selected last, even when it is forgotten by now.
    latest: Option<Route>,
}

impl Agent {
    #[must_use]
    pub fn new(ufrag: Ufrag, password: &str) -> Self {
        Self {
            current: Credentials {
                ufrag,
                key: stun::key(password),
            },
            previous: None,
            tuples: Vec::with_capacity(TUPLES),
            selected: None,
            latest: None,
        }
    }

    /// New credentials; media goes on over the old path until the new one is nominated. Returns
    /// the ufrag that is no longer answered, if there is one.
    pub fn restart(&mut self, ufrag: Ufrag, password: &str) -> Option<Ufrag> {
        let new = Credentials {
            ufrag,
            key: stun::key(password),
        };
        let old = std::mem::replace(&mut self.current, new);
        self.previous.replace(old).map(|forgotten| forgotten.ufrag)
    }

    /// The ufrags that are answered.
    pub fn ufrags(&self) -> impl Iterator<Item = Ufrag> {
        let previous = self.previous.as_ref().map(|credentials| credentials.ufrag);
        std::iter::once(self.current.ufrag).chain(previous)
    }

    /// Answers a check, or is silent when it is not believed.
    pub fn check(
        &mut self,
        message: &Message<'_>,
        route: Route,
        from: SocketAddr,
        now: u64,
    ) -> Option<Checked> {
        if message.kind != Kind::Request {
            return None;
        }
        let ufrag = message.local_ufrag()?;
        let is_current = ufrag == self.current.ufrag;
        let credentials = if is_current {
            &self.current
        } else {
            self.previous
                .as_ref()
                .filter(|previous| ufrag == previous.ufrag)?
        };
        if !message.authentic(&credentials.key) {
            return None;
        }
        let refuse = |code| Checked {
            response: stun::error(message.transaction, code, &credentials.key),
            valid: false,
            evicted: None,
            retired: None,
            moved: false,
        };
        if message.unknown.is_some() {
            return Some(refuse(420));
        }
        // a lite agent is always controlled (RFC 8445 section 6.1.1), so the peer must yield
        if message.role == Some(Role::Controlled) {
            return Some(refuse(487));
        }
        let response = stun::success(message.transaction, from, &credentials.key);
        let before = self.route().or(self.latest);
        let evicted = self.remember(route, now);
        let mut retired = None;
        if message.use_candidate && (is_current || self.selected.is_none()) {
            if is_current {
                retired = self.previous.take().map(|previous| previous.ufrag);
            }
            // what was good before a restart may be of a network that the member has left
            if retired.is_some() || !self.is_worse(route, now) {
                self.selected = Some(route);
                self.latest = Some(route);
            }
        }
        let moved = retired.is_some() && before.is_some_and(|before| !before.is_near(route));
        Some(Checked {
            response,
            valid: true,
            evicted,
            retired,
            moved,
        })
    }

    fn remember(&mut self, route: Route, now: u64) -> Option<Route> {
        if let Some(known) = self.tuples.iter_mut().find(|tuple| tuple.route == route) {
            known.heard = now;
            return None;
        }
        let mut evicted = None;
        if self.tuples.len() >= TUPLES {
            let selected = self.selected;
            let oldest = (0..self.tuples.len())
                .filter(|at| Some(self.tuples[*at].route) != selected)
                .min_by_key(|at| self.tuples[*at].heard)?;
            evicted = Some(self.tuples.swap_remove(oldest).route);
        }
        self.tuples.push(Tuple { route, heard: now });
        evicted
    }

    /// Whether an authenticated check came from there.
    #[must_use]
    pub fn is_valid(&self, route: Route) -> bool {
        self.tuples.iter().any(|tuple| tuple.route == route)
    }

    /// Whether another member's claim to the route is to be ignored.
    #[must_use]
    pub fn holds(&self, route: Route, now: u64) -> bool {
        self.tuples
            .iter()
            .any(|tuple| tuple.route == route && now < tuple.heard + HELD)
    }

    /// Firefox nominates every pair towards a lite agent, in the order in which they come up. Then the
    /// best counts (RFC 8445 section 8.1.1), and over TCP loss turns into delay for everything
    /// behind it: a connection is no reason to leave UDP that works.
    fn is_worse(&self, route: Route, now: u64) -> bool {
        let works = |tuple: &Tuple| {
            Some(tuple.route) == self.selected
                && matches!(tuple.route, Route::Udp(_))
                && now < tuple.heard + WORKS
        };
        matches!(route, Route::Tcp(_)) && self.tuples.iter().any(works)
    }

    /// Where to send: the nominated route, before a nomination the one heard last.
    #[must_use]
    pub fn route(&self) -> Option<Route> {
        self.selected.or_else(|| {
            self.tuples
                .iter()
                .max_by_key(|tuple| tuple.heard)
                .map(|tuple| tuple.route)
        })
    }

    /// A connection closed, or an address turned out to be another's.
    pub fn forget(&mut self, route: Route) {
        self.tuples.retain(|tuple| tuple.route != route);
        if self.selected == Some(route) {
            // what is left was heard from as well; better than silence until the next nomination
            self.selected = None;
        }
    }

    pub fn routes(&self) -> impl Iterator<Item = Route> {
        self.tuples.iter().map(|tuple| tuple.route)
    }

    /// Forgets routes that were silent too long; each is handed to `gone`. True when there was a
    /// path and there is none any more.
    pub fn expire(&mut self, now: u64, mut gone: impl FnMut(Route)) -> bool {
        let had = !self.tuples.is_empty();
        self.tuples.retain(|tuple| {
            let alive = now < tuple.heard + CONSENT;
            if !alive {
                gone(tuple.route);
            }
            alive
        });
        if self
            .selected
            .is_some_and(|selected| !self.is_valid(selected))
        {
            self.selected = None;
        }
        had && self.tuples.is_empty()
    }
}

/// The ufrag of worker `worker`.
#[must_use]
pub fn ufrag(worker: u8, random: &[u8]) -> Ufrag {
    let mut ufrag = [b'a'; UFRAG];
    ufrag[..2].copy_from_slice(&[hex(worker >> 4), hex(worker & 15)]);
    for (letter, byte) in ufrag[2..].iter_mut().zip(random) {
        *letter = LETTERS[usize::from(byte % 64)];
    }
    ufrag
}

/// The worker a ufrag was made by.
#[must_use]
pub fn worker_of(ufrag: &[u8]) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(*ufrag.first()?)? << 4 | digit(*ufrag.get(1)?)?)
}

/// `ice-char` of RFC 8839 section 5.4: 64 of them, 6 bits each.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A password of 24 characters: 144 bits (at least 128 and 22 are asked for).
#[must_use]
pub fn password(random: &[u8; 24]) -> String {
    random
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 64)]))
        .collect()
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit & 15)]
}

#[cfg(test)]
mod tests;
