//! The socket to the server: opened, watched, opened anew.
//!
//! ```text
//!            wish            SocketOpen
//!   Closed ───────► Opening ───────────► Open
//!                    ▲   │ closed, 10 s   │ closed, probe unanswered
//!                    │   ▼                ▼
//!                    └── Waiting ◄────────┘      0.3 s doubling to 30 s, half of it jitter
//! ```

use clinicall_sip::{Millis, Time, agent::Flow, entropy::Entropy};

/// A handshake that takes longer will not come.
const HANDSHAKE: Millis = Millis(10_000);
/// NAT bindings for TCP live for minutes, but proxies commonly drop a socket after 60 s of silence.
const QUIET: Millis = Millis(25_000);
/// A frame of ours that brought nothing back for so long raises suspicion.
const UNANSWERED: Millis = Millis(5_000);
/// A probe unanswered for so long means that the socket is half open.
const PROBE: Millis = Millis(10_000);
/// The same when the browser says that the network changed: the old path is most likely dead.
const PROBE_AFTER_CHANGE: Millis = Millis(3_000);
const FIRST_WAIT: Millis = Millis(300);
const LONGEST_WAIT: Millis = Millis(30_000);

#[derive(Debug)]
pub(crate) struct Link {
    stage: Stage,
    sockets: u64,
    /// Attempts since a socket was last open.
    failures: u32,
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
        probe: Option<Time>,
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
}

impl Link {
    pub fn new(entropy: Entropy) -> Self {
        Self {
            stage: Stage::Closed,
            sockets: 0,
            failures: 0,
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
        self.sockets += 1;
        let socket = Flow(self.sockets);
        self.stage = Stage::Opening {
            socket,
            until: now + HANDSHAKE,
        };
        Act::Open(socket)
    }

    /// True when it is the socket we wait for; an older one's news is stale.
    pub fn opened(&mut self, now: Time, socket: Flow) -> bool {
        let expected = matches!(self.stage, Stage::Opening { socket: ours, .. } if ours == socket);
        if expected {
            self.stage = Stage::Open {
                socket,
                heard: now,
                asked: None,
                probe: None,
            };
            self.failures = 0;
        }
        expected
    }

    /// The browser says that the socket is gone. Returns whether it had been open.
    pub fn closed(&mut self, now: Time, socket: Flow) -> Option<bool> {
        let was_open = match self.stage {
            Stage::Opening { socket: ours, .. } if ours == socket => false,
            Stage::Open { socket: ours, .. } if ours == socket => true,
            _ => return None,
        };
        self.wait(now);
        Some(was_open)
    }

    /// No more: forget the socket and never open another.
    pub fn stop(&mut self) -> Option<Act> {
        let act = match self.stage {
            Stage::Opening { socket, .. } => Some(Act::Drop {
                socket,
                was_open: false,
            }),
            Stage::Open { socket, .. } => Some(Act::Drop {
                socket,
                was_open: true,
            }),
            _ => None,
        };
        self.stage = Stage::Closed;
        act
    }

    pub fn heard(&mut self, now: Time) {
        if let Stage::Open {
            heard,
            asked,
            probe,
            ..
        } = &mut self.stage
        {
            *heard = now;
            (*asked, *probe) = (None, None);
        }
    }

    pub fn said(&mut self, now: Time) {
        if let Stage::Open { asked, .. } = &mut self.stage {
            asked.get_or_insert(now);
        }
    }

    /// The network came back, or the page woke up.
    pub fn nudged(&mut self, now: Time) -> Option<Act> {
        match &mut self.stage {
            Stage::Waiting { .. } => Some(self.open(now)),
            Stage::Open { socket, probe, .. } => {
                *probe = Some(now + PROBE_AFTER_CHANGE);
                Some(Act::Probe(*socket))
            }
            Stage::Closed | Stage::Opening { .. } => None,
        }
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
            Stage::Open { socket, probe, .. } => {
                let socket = *socket;
                if probe.is_some() {
                    self.wait(now);
                    return Some(Act::Drop {
                        socket,
                        was_open: true,
                    });
                }
                *probe = Some(now + PROBE);
                Some(Act::Probe(socket))
            }
        }
    }

    fn wait(&mut self, now: Time) {
        let span = FIRST_WAIT.0 << self.failures.min(10);
        let span = span.min(LONGEST_WAIT.0);
        let jitter = u64::from(self.entropy.u32()) % (span / 2 + 1);
        self.failures += 1;
        self.stage = Stage::Waiting {
            until: now + Millis(span - jitter),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link::new(Entropy::new([7; 32]))
    }

    #[test]
    fn a_server_that_is_down_is_asked_ever_more_seldom() {
        let mut link = link();
        let mut now = Time(0);
        let mut act = link.open(now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let Act::Open(socket) = act else {
                panic!("{act:?}")
            };
            assert_eq!(link.closed(now, socket), Some(false));
            let wake = link.wake().unwrap();
            waits.push((wake - now).0);
            now = wake;
            act = link.tick(now).unwrap();
        }
        assert!(waits[0] >= 150 && waits[0] <= 300, "{waits:?}");
        assert!(waits[4] >= 2_400 && waits[4] <= 4_800, "{waits:?}");
        assert!(waits[11] >= 15_000 && waits[11] <= 30_000, "{waits:?}");
    }

    #[test]
    fn a_half_open_socket_is_found_soon_after_we_say_something() {
        let mut link = link();
        let Act::Open(socket) = link.open(Time(0)) else {
            panic!()
        };
        assert!(link.opened(Time(50), socket));
        link.said(Time(1_000));
        assert_eq!(link.wake(), Some(Time(6_000)));
        assert_eq!(link.tick(Time(6_000)), Some(Act::Probe(socket)));
        link.said(Time(6_000));
        assert_eq!(
            link.tick(Time(16_000)),
            Some(Act::Drop {
                socket,
                was_open: true
            })
        );
        assert!(link.flow().is_none());
    }

    #[test]
    fn an_answered_probe_buys_twenty_five_seconds() {
        let mut link = link();
        let Act::Open(socket) = link.open(Time(0)) else {
            panic!()
        };
        link.opened(Time(0), socket);
        assert_eq!(link.tick(Time(25_000)), Some(Act::Probe(socket)));
        link.said(Time(25_000));
        link.heard(Time(25_100));
        assert_eq!(link.wake(), Some(Time(50_100)));
    }

    #[test]
    fn the_network_came_back() {
        let mut link = link();
        let Act::Open(first) = link.open(Time(0)) else {
            panic!()
        };
        link.closed(Time(10), first);
        let Some(Act::Open(second)) = link.nudged(Time(20)) else {
            panic!()
        };
        assert!(!link.opened(Time(30), first), "stale news");
        assert!(link.opened(Time(40), second));
        assert_eq!(link.nudged(Time(50)), Some(Act::Probe(second)));
        assert_eq!(
            link.tick(Time(3_050)),
            Some(Act::Drop {
                socket: second,
                was_open: true
            })
        );
    }
}
