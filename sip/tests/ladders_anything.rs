//! Two people press every button in any order, over a network that loses, repeats, delays and garbles:
//! nothing panics, every call ends exactly once, and nothing is left behind.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use clinicall_sip::{
    Agent, Headers, Method, Millis, Output, Status, Time, Uri,
    agent::{CallId, Config, Event, Flow, Invite, Pending, Refused, Transport},
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Deed {
    Call {
        offer: bool,
    },
    Progress {
        which: usize,
        status: u16,
        sdp: bool,
    },
    Preview {
        which: usize,
        status: u16,
    },
    Accept {
        which: usize,
        sdp: bool,
    },
    Reject {
        which: usize,
        status: u16,
    },
    Hangup {
        which: usize,
    },
    Change {
        which: usize,
    },
    AnswerChange {
        which: usize,
    },
    RefuseChange {
        which: usize,
        status: u16,
    },
    Inform {
        which: usize,
    },
    Respond {
        which: usize,
        status: u16,
    },
    Wait {
        millis: u64,
    },
    LoseNext,
    RepeatNext,
    DelayNext {
        millis: u64,
    },
    /// An old message comes again, with a change.
    Replay {
        which: usize,
        garble: Garble,
    },
    Reconnect,
}

#[derive(Clone, Debug)]
enum Garble {
    None,
    Cut { at: usize },
    Flip { at: usize, to: u8 },
    Method { to: &'static str },
    Status { to: u16 },
    Without { header: &'static str },
    Branch,
    CSeq { to: u32 },
}

const METHODS: [&str; 12] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "PRACK",
    "UPDATE",
    "INFO",
    "OPTIONS",
    "REGISTER",
    "MESSAGE",
    "SUBSCRIBE",
    "DANCE",
];
const HEADERS: [&str; 8] = [
    "Via",
    "To",
    "From",
    "Call-ID",
    "CSeq",
    "Contact",
    "Require",
    "Content-Type",
];

fn garble() -> impl Strategy<Value = Garble> {
    prop_oneof![
        Just(Garble::None),
        (0..2_000_usize).prop_map(|at| Garble::Cut { at }),
        (0..2_000_usize, any::<u8>()).prop_map(|(at, to)| Garble::Flip { at, to }),
        proptest::sample::select(&METHODS[..]).prop_map(|to| Garble::Method { to }),
        (100..700_u16).prop_map(|to| Garble::Status { to }),
        proptest::sample::select(&HEADERS[..]).prop_map(|header| Garble::Without { header }),
        Just(Garble::Branch),
        prop_oneof![0..5_u32, Just(u32::MAX), Just((1 << 31) - 1)]
            .prop_map(|to| Garble::CSeq { to }),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    // mostly the newest call
    let which = || prop_oneof![4 => Just(0), 1 => 0..4_usize];
    let status = || prop_oneof![Just(180), Just(183), Just(100), 99..201_u16];
    prop_oneof![
        4 => any::<bool>().prop_map(|offer| Deed::Call { offer }),
        6 => (which(), status(), any::<bool>())
            .prop_map(|(which, status, sdp)| Deed::Progress { which, status, sdp }),
        2 => (which(), status()).prop_map(|(which, status)| Deed::Preview { which, status }),
        6 => (which(), any::<bool>()).prop_map(|(which, sdp)| Deed::Accept { which, sdp }),
        1 => (which(), 100..800_u16).prop_map(|(which, status)| Deed::Reject { which, status }),
        2 => which().prop_map(|which| Deed::Hangup { which }),
        6 => which().prop_map(|which| Deed::Change { which }),
        6 => which().prop_map(|which| Deed::AnswerChange { which }),
        1 => (which(), 200..700_u16)
            .prop_map(|(which, status)| Deed::RefuseChange { which, status }),
        3 => which().prop_map(|which| Deed::Inform { which }),
        3 => (0..2_usize, 100..700_u16)
            .prop_map(|(which, status)| Deed::Respond { which, status }),
        2 => prop_oneof![0..5_000_u64, 0..300_000_u64].prop_map(|millis| Deed::Wait { millis }),
        2 => Just(Deed::LoseNext),
        2 => Just(Deed::RepeatNext),
        2 => (0..1_000_u64).prop_map(|millis| Deed::DelayNext { millis }),
        6 => (0..40_usize, garble()).prop_map(|(which, garble)| Deed::Replay { which, garble }),
        1 => Just(Deed::Reconnect),
    ]
}

/// Where the story begins.
const BEGINNINGS: [&[(usize, Deed)]; 4] = [
    &[],
    &[(0, Deed::Call { offer: true })],
    &[
        (0, Deed::Call { offer: true }),
        (
            1,
            Deed::Progress {
                which: 0,
                status: 183,
                sdp: true,
            },
        ),
    ],
    &[
        (0, Deed::Call { offer: true }),
        (
            1,
            Deed::Accept {
                which: 0,
                sdp: true,
            },
        ),
    ],
];

#[derive(Default)]
struct Person {
    wake: Option<Time>,
    /// How often each call ended.
    calls: BTreeMap<CallId, usize>,
    pending: Vec<Pending>,
}

struct World {
    now: Time,
    agents: [Agent; 2],
    people: [Person; 2],
    air: BTreeMap<(Time, u64), (usize, Vec<u8>)>,
    sent: u64,
    past: Vec<Vec<u8>>,
    flow: Flow,
    transport: Transport,
    lose: bool,
    repeat: bool,
    delay: u64,
}

fn agent(seed: u8) -> Agent {
    Agent::new(Config {
        product: "clinicall".to_owned(),
        host: format!("p{seed}.invalid"),
        contact_user: "me".to_owned(),
        seed: [seed; 32],
        max_calls: 4,
        session_expires: Millis::from_secs(200),
        min_se: Millis::from_secs(100 * u64::from(seed)),
        ring_timeout: Millis::from_secs(60),
    })
}

impl World {
    fn new(transport: Transport) -> Self {
        let mut world = Self {
            now: Time(0),
            agents: [agent(1), agent(2)],
            people: Default::default(),
            air: BTreeMap::new(),
            sent: 0,
            past: Vec::new(),
            flow: Flow(1),
            transport,
            lose: false,
            repeat: false,
            delay: 0,
        };
        for agent in &mut world.agents {
            agent.open(Flow(1), transport);
        }
        world
    }

    fn settle(&mut self) {
        for me in 0..2 {
            while let Some(output) = self.agents[me].poll() {
                match output {
                    Output::WakeAt(at) => self.people[me].wake = Some(at),
                    Output::Event(event) => self.hear(me, &event),
                    Output::Send { flow, bytes } => {
                        assert_eq!(flow, self.flow, "sent to a closed connection");
                        assert!(bytes.len() < 16_384);
                        self.past.push(bytes.clone());
                        let copies = if self.lose {
                            0
                        } else {
                            1 + usize::from(self.repeat)
                        };
                        for copy in 0..copies {
                            self.sent += 1;
                            let at = self.now + Millis(10 + self.delay + copy as u64 * 7);
                            self.air.insert((at, self.sent), (1 - me, bytes.clone()));
                        }
                        (self.lose, self.repeat, self.delay) = (false, false, 0);
                    }
                }
            }
        }
    }

    fn hear(&mut self, me: usize, event: &Event) {
        let person = &mut self.people[me];
        match event {
            Event::Incoming { call, .. } => {
                let before = person.calls.insert(*call, 0);
                assert_eq!(before, None, "a call came twice");
            }
            Event::Within { pending, call, .. } => {
                assert_eq!(person.calls.get(call), Some(&0), "news of a dead call");
                person.pending.push(*pending);
            }
            Event::Asked { pending, .. } => person.pending.push(*pending),
            Event::Ended { call, .. } => {
                let ended = person.calls.get_mut(call).unwrap();
                *ended += 1;
                assert_eq!(*ended, 1, "a call ended twice");
            }
            Event::Progress { call, .. }
            | Event::Established { call, .. }
            | Event::Change { call, .. }
            | Event::Changed { call, .. }
            | Event::EarlyAnswer { call, .. } => {
                assert_eq!(
                    person.calls.get(call),
                    Some(&0),
                    "news of a dead call: {event:?}"
                );
            }
            _ => {}
        }
    }

    fn run_for(&mut self, millis: u64) {
        let until = self.now + Millis(millis);
        for _ in 0..100_000 {
            self.settle();
            let letter = self.air.keys().next().map(|(at, _)| *at);
            let wake = (0..2)
                .filter_map(|me| Some((self.people[me].wake?, me)))
                .min();
            match (letter, wake) {
                (Some(at), _) if at <= until && wake.is_none_or(|(wake, _)| at <= wake) => {
                    let (_, (to, bytes)) = self.air.pop_first().unwrap();
                    self.now = self.now.max(at);
                    self.agents[to].receive(self.now, self.flow, &bytes);
                }
                (_, Some((at, me))) if at <= until => {
                    self.now = self.now.max(at);
                    self.people[me].wake = None;
                    self.agents[me].tick(self.now);
                }
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("it never gets quiet");
    }

    fn call_of(&self, me: usize, which: usize) -> CallId {
        let calls = &self.people[me].calls;
        let newest_first = calls
            .keys()
            .rev()
            .nth(which.min(calls.len().saturating_sub(1)));
        newest_first.copied().unwrap_or(CallId(u64::MAX))
    }

    fn act(&mut self, me: usize, deed: &Deed) {
        let now = self.now;
        let sdp = |wanted: bool, text: &str| wanted.then(|| format!("v=0 {text} {}", now.0));
        let agent = &mut self.agents[me];
        match deed {
            Deed::Call { offer } => {
                let invite = Invite {
                    to: Uri::sip("you", "clinic.example"),
                    target: None,
                    from: Uri::sip("me", "clinic.example"),
                    from_name: Some("Dr \"Who\"".to_owned()),
                    offer: sdp(*offer, "offer"),
                    headers: Headers::new(),
                    credentials: None,
                };
                let call = agent.invite(now, self.flow, invite).unwrap();
                assert_eq!(self.people[me].calls.insert(call, 0), None);
            }
            Deed::Wait { millis } => self.run_for(*millis),
            Deed::LoseNext => self.lose = true,
            Deed::RepeatNext => self.repeat = true,
            Deed::DelayNext { millis } => self.delay = *millis,
            Deed::Replay { which, garble } => {
                let Some(bytes) = self.past.iter().rev().nth(*which) else {
                    return;
                };
                let bytes = garbled(bytes, garble);
                self.agents[me].receive(now, self.flow, &bytes);
            }
            Deed::Reconnect => {
                let old = self.flow;
                self.flow = Flow(old.0 + 1);
                self.air.clear();
                for me in 0..2 {
                    // what was said before goes nowhere
                    while let Some(output) = self.agents[me].poll() {
                        match output {
                            Output::Event(event) => self.hear(me, &event),
                            Output::WakeAt(at) => self.people[me].wake = Some(at),
                            Output::Send { .. } => {}
                        }
                    }
                    self.agents[me].closed(now, old);
                    self.agents[me].open(self.flow, self.transport);
                    let calls: Vec<CallId> = self.people[me].calls.keys().copied().collect();
                    for call in calls {
                        let _ = self.agents[me].move_call(now, call, self.flow);
                    }
                }
            }
            Deed::Respond { which, status } => {
                let pending = &self.people[me].pending;
                if let Some(pending) = pending.iter().rev().nth(*which) {
                    let _ =
                        agent.respond(now, *pending, Status(*status), Headers::new(), Vec::new());
                }
            }
            _ => self.act_on_call(me, deed),
        }
    }

    fn act_on_call(&mut self, me: usize, deed: &Deed) {
        let (which, now) = (which(deed), self.now);
        let call = self.call_of(me, which);
        let alive = self.people[me].calls.get(&call) == Some(&0);
        let text = |what: &str| format!("v=0 {what} {}", now.0);
        let agent = &mut self.agents[me];
        let none = Headers::new;
        let result = match deed {
            Deed::Progress { status, sdp, .. } => agent.progress(
                now,
                call,
                Status(*status),
                sdp.then(|| text("answer")),
                none(),
            ),
            Deed::Preview { status, .. } => {
                agent.preview(now, call, Status(*status), text("answer"), none())
            }
            Deed::Accept { sdp, .. } => {
                agent.accept(now, call, sdp.then(|| text("answer")), none())
            }
            Deed::Reject { status, .. } => agent.reject(now, call, Status(*status), none()),
            Deed::Hangup { .. } => agent.hangup(now, call, None),
            Deed::Change { .. } => agent.change(now, call, text("change")),
            Deed::AnswerChange { .. } => agent.answer_change(now, call, text("answer")),
            Deed::RefuseChange { status, .. } => agent.refuse_change(now, call, Status(*status)),
            _ => agent
                .request_within(now, call, Method::Info, none(), b"x".to_vec())
                .map(|_| ()),
        };
        assert_eq!(
            result == Err(Refused::NoSuchCall),
            !alive,
            "{deed:?} of {call:?}"
        );
    }
}

fn which(deed: &Deed) -> usize {
    match deed {
        Deed::Progress { which, .. }
        | Deed::Preview { which, .. }
        | Deed::Accept { which, .. }
        | Deed::Reject { which, .. }
        | Deed::Hangup { which }
        | Deed::Change { which }
        | Deed::AnswerChange { which }
        | Deed::RefuseChange { which, .. }
        | Deed::Inform { which } => *which,
        _ => 0,
    }
}

fn garbled(bytes: &[u8], garble: &Garble) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (first, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
    match garble {
        Garble::None => return bytes.to_vec(),
        Garble::Cut { at } => return bytes[..*at.min(&bytes.len())].to_vec(),
        Garble::Flip { at, to } => {
            let mut bytes = bytes.to_vec();
            let at = at % bytes.len();
            bytes[at] = *to;
            return bytes;
        }
        Garble::Method { to } => {
            let old = first.split(' ').next().unwrap();
            text.replace(old, to)
        }
        Garble::Status { to } => format!("SIP/2.0 {to} Hm\r\n{rest}"),
        Garble::Without { header } => {
            let kept = text.split("\r\n").filter(|line| !line.starts_with(header));
            kept.collect::<Vec<_>>().join("\r\n")
        }
        Garble::Branch => text.replace("branch=z9hG4bK", "branch=z9hG4bKother"),
        Garble::CSeq { to } => {
            let lines = text
                .split("\r\n")
                .map(|line| match line.strip_prefix("CSeq: ") {
                    Some(rest) => format!("CSeq: {to} {}", rest.split(' ').next_back().unwrap()),
                    None => line.to_owned(),
                });
            lines.collect::<Vec<_>>().join("\r\n")
        }
    }
    .into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_exactly_once(
        udp in any::<bool>(),
        beginning in 0..4_usize,
        deeds in proptest::collection::vec(
            (0..2_usize, deed(), proptest::sample::select(&[0_u64, 5, 25, 60][..])), 1..60),
    ) {
        let mut world = World::new(if udp { Transport::Udp } else { Transport::Wss });
        for (me, deed) in BEGINNINGS[beginning] {
            world.act(*me, deed);
            world.run_for(50);
        }
        for (me, deed, pause) in &deeds {
            world.act(*me, deed);
            world.settle();
            world.run_for(*pause);
        }
        world.run_for(200);
        for me in 0..2 {
            let calls: Vec<CallId> = world.people[me].calls.keys().copied().collect();
            for call in calls {
                let alive = world.people[me].calls[&call] == 0;
                let done = world.agents[me].hangup(world.now, call, None);
                prop_assert_eq!(done, if alive { Ok(()) } else { Err(Refused::NoSuchCall) });
                world.settle();
            }
        }
        world.run_for(3_600_000);
        for me in 0..2 {
            for (call, ended) in &world.people[me].calls {
                prop_assert_eq!(*ended, 1, "{:?} of {}", call, me);
            }
            prop_assert_eq!(world.agents[me].calls(), 0);
            prop_assert_eq!(world.agents[me].transactions(), 0);
        }
    }
}
