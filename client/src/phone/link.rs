//! The socket to the server: opened, watched, opened anew.
//!
//! ```text
//!            wish            SocketOpen
//!   Closed ───────► Opening ───────────► Open
//!                    ▲   │ closed, 10 s   │ closed, probe unanswered
//!                    │   ▼                ▼
//!                    └── Waiting ◄────────┘      0.3 s doubling to 30 s, half of it jitter
//! ```
//!
//! When the network has changed, the open socket is most likely dead and nobody will ever say so: a TCP connection to
//! an address that is gone just falls silent. So it is asked, and a rival is opened beside it at the same moment;
//! whichever is heard first stays. On a path that works and loses nothing that is the old one, which is a round trip
//! away where the rival's handshakes are two or three.

#[cfg(test)]
mod tests;

use clinicall_sip::{Millis, Time, agent::Flow, entropy::Entropy};

/// A handshake that takes longer will not come.
const HANDSHAKE: Millis = Millis(10_000);
/// NAT bindings for TCP live for minutes, but proxies commonly drop a socket after 60 s of silence.
const QUIET: Millis = Millis(25_000);
/// A frame of ours that brought nothing back for so long raises suspicion.
const UNANSWERED: Millis = Millis(5_000);
/// A probe unanswered for so long means that the socket is half open.
const PROBE: Millis = Millis(10_000);
/// The same when the browser says that the network changed, and when there is not even a way for a rival: the longest
/// round trip this is for.
const PROBE_AFTER_CHANGE: Millis = Millis(3_000);
const PROBE_WITHOUT_WAY: Millis = Millis(700);
const FIRST_WAIT: Millis = Millis(300);
const LONGEST_WAIT: Millis = Millis(30_000);
/// The same in a call, whose sound may have to find another way, and for how many attempts: a server that restarts is
/// not to meet everybody's all the time.
const LONGEST_WAIT_IN_CALL: Millis = Millis(1_000);
const ATTEMPTS_IN_CALL: u32 = 48;

#[derive(Debug)]
pub(crate) struct Link {
    stage: Stage,
    sockets: u64,
    /// Attempts since a socket was last open.
    failures: u32,
    /// There is a call.
    pub urgent: bool,
    /// Why the open socket is in doubt. That it answers clears it.
    doubt: Option<Hint>,
    /// Why the socket of before was given up.
    replaced: Option<Hint>,
    entropy: Entropy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    Opening {
        socket: Flow,
        until: Time,
    },
    Open {
        socket: Flow,
        heard: Time,
        asked: Option<Time>,
        /// Until when a probe may be unanswered.
        probe: Option<Time>,
        /// What is being opened beside it.
        rival: Option<Flow>,
    },
    Waiting {
        until: Time,
    },
}

/// What the phone is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Open(Flow),
    /// Close what the browser still holds; `was_open`: the agent knows this flow.
    Drop {
        socket: Flow,
        was_open: bool,
    },
    Probe(Flow),
    /// Close one that is not needed after all.
    Leave(Flow),
}

/// Why a socket may be dead without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hint {
    /// Sound and picture are.
    Path,
    /// The browser says that the network came back or is another one, or that the page woke up.
    Network,
}

/// What a socket that opens is to the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// One that nobody waits for any more.
    Stale,
    Expected,
    /// The rival of this one, which is dead.
    Instead(Flow),
}

impl Link {
    pub fn new(entropy: Entropy) -> Self {
        Self {
            stage: Stage::Closed,
            sockets: 0,
            failures: 0,
            urgent: false,
            doubt: None,
            replaced: None,
            entropy,
        }
    }

    /// The socket that carries frames now.
    pub fn flow(&self) -> Option<Flow> {
        match self.stage {
            Stage::Open { socket, .. } => Some(socket),
            _ => None,
        }
    }

    pub fn open(&mut self, now: Time) -> Act {
        let socket = self.new_socket();
        self.await_opening(now, socket);
        Act::Open(socket)
    }

    fn new_socket(&mut self) -> Flow {
        self.sockets += 1;
        Flow(self.sockets)
    }

    fn await_opening(&mut self, now: Time, socket: Flow) {
        self.give_up();
        self.stage = Stage::Opening {
            socket,
            until: now + HANDSHAKE,
        };
    }

    /// The open socket, if there is one, is not used any more.
    fn give_up(&mut self) {
        self.replaced = self.replaced.max(self.doubt.take());
    }

    pub fn opened(&mut self, now: Time, socket: Flow) -> Opened {
        let opened = match self.stage {
            Stage::Opening { socket: ours, .. } if ours == socket => Opened::Expected,
            Stage::Open {
                socket: old,
                rival: Some(ours),
                ..
            } if ours == socket => Opened::Instead(old),
            _ => return Opened::Stale,
        };
        self.give_up();
        self.stage = Stage::Open {
            socket,
            heard: now,
            asked: None,
            probe: None,
            rival: None,
        };
        self.failures = 0;
        opened
    }

    /// The browser says that the socket is gone. Returns whether it had been open; `None`: it is not the one in use, and
    /// nothing is lost.
    pub fn closed(&mut self, now: Time, socket: Flow) -> Option<bool> {
        match &mut self.stage {
            Stage::Opening { socket: ours, .. } if *ours == socket => {
                self.wait(now);
                Some(false)
            }
            Stage::Open {
                socket: ours,
                rival,
                ..
            } if *ours == socket => {
                match *rival {
                    Some(rival) => self.await_opening(now, rival),
                    None => self.wait(now),
                }
                Some(true)
            }
            Stage::Open {
                rival: rival @ Some(_),
                probe,
                ..
            } if *rival == Some(socket) => {
                *rival = None;
                let soon = now + PROBE_WITHOUT_WAY;
                *probe = Some(probe.map_or(soon, |until| until.min(soon)));
                None
            }
            _ => None,
        }
    }

    /// No more: forget the sockets and never open another.
    pub fn stop(&mut self) -> impl Iterator<Item = Act> + use<> {
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        let (socket, was_open, rival) = match stage {
            Stage::Opening { socket, .. } => (Some(socket), false, None),
            Stage::Open { socket, rival, .. } => (Some(socket), true, rival),
            Stage::Closed | Stage::Waiting { .. } => (None, false, None),
        };
        let drop = socket.map(|socket| Act::Drop { socket, was_open });
        drop.into_iter().chain(rival.map(Act::Leave))
    }

    /// A frame came. Its rival is not needed.
    pub fn heard(&mut self, now: Time) -> Option<Act> {
        let Stage::Open {
            heard,
            asked,
            probe,
            rival,
            ..
        } = &mut self.stage
        else {
            return None;
        };
        *heard = now;
        *asked = None;
        if probe.take().is_some() {
            self.doubt = None;
        }
        rival.take().map(Act::Leave)
    }

    pub fn said(&mut self, now: Time) {
        if let Stage::Open { asked, .. } = &mut self.stage {
            asked.get_or_insert(now);
        }
    }

    /// The open socket may be dead.
    pub fn nudged(&mut self, now: Time, hint: Hint) -> impl Iterator<Item = Act> + use<> {
        match self.stage {
            Stage::Open { .. } => self.doubt = self.doubt.max(Some(hint)),
            _ => self.replaced = self.replaced.max(Some(hint)),
        }
        let acts = match self.stage {
            Stage::Waiting { .. } => [Some(self.open(now)), None],
            Stage::Open {
                socket,
                rival: None,
                ..
            } => {
                let new = self.new_socket();
                if let Stage::Open { probe, rival, .. } = &mut self.stage {
                    let soon = now + PROBE_AFTER_CHANGE;
                    *probe = Some(probe.map_or(soon, |until| until.min(soon)));
                    *rival = Some(new);
                }
                [Some(Act::Probe(socket)), Some(Act::Open(new))]
            }
            Stage::Closed | Stage::Opening { .. } | Stage::Open { .. } => [None, None],
        };
        acts.into_iter().flatten()
    }

    /// Why the socket of before was given up, where that had to do with the way and not with the socket; told once.
    pub fn rerouted(&mut self) -> Option<Hint> {
        self.replaced.take()
    }

    pub fn wake(&self) -> Option<Time> {
        match self.stage {
            Stage::Closed => None,
            Stage::Opening { until, .. } | Stage::Waiting { until } => Some(until),
            Stage::Open {
                probe: Some(until), ..
            } => Some(until),
            Stage::Open { heard, asked, .. } => {
                let quiet = heard + QUIET;
                Some(asked.map_or(quiet, |asked| quiet.min(asked + UNANSWERED)))
            }
        }
    }

    pub fn tick(&mut self, now: Time) -> Option<Act> {
        if self.wake().is_none_or(|wake| now < wake) {
            return None;
        }
        match &mut self.stage {
            Stage::Closed => None,
            Stage::Opening { socket, .. } => {
                let act = Act::Drop {
                    socket: *socket,
                    was_open: false,
                };
                self.wait(now);
                Some(act)
            }
            Stage::Waiting { .. } => Some(self.open(now)),
            Stage::Open {
                socket,
                probe,
                rival,
                ..
            } => {
                let (socket, rival) = (*socket, *rival);
                if probe.is_none() {
                    *probe = Some(now + PROBE);
                    return Some(Act::Probe(socket));
                }
                match rival {
                    Some(rival) => self.await_opening(now, rival),
                    None => self.wait(now),
                }
                Some(Act::Drop {
                    socket,
                    was_open: true,
                })
            }
        }
    }

    fn wait(&mut self, now: Time) {
        self.give_up();
        let span = FIRST_WAIT.0 << self.failures.min(10);
        let longest = match self.urgent && self.failures < ATTEMPTS_IN_CALL {
            true => LONGEST_WAIT_IN_CALL,
            false => LONGEST_WAIT,
        };
        let span = span.min(longest.0);
        let jitter = u64::from(self.entropy.u32()) % (span / 2 + 1);
        self.failures += 1;
        self.stage = Stage::Waiting {
            until: now + Millis(span - jitter),
        };
    }
}
