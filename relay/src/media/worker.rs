//! A worker: one thread that owns its rooms, its UDP port and its buffers.
//!
//! A turn: wait, take a batch of datagrams, sort each by its first byte (RFC 7983), let the rooms
//! forward, send everything. Nothing on a packet's way locks or allocates.

mod post;
mod streams;
mod turn;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    hash::BuildHasherDefault,
    net::TcpStream,
    sync::{Arc, mpsc},
    time::Instant,
};

use super::{
    Event, MemberId, RoomId,
    count::{Counts, Published},
    downlink::Limits,
    dtls::{Identity, Peer},
    ice::{Route, Ufrag},
    negotiated::Negotiated,
    outbox::Outbox,
    room::Room,
    roster::{IdHasher, Members},
    sys::{BATCH, Inbox, Poll, Ready, Waker},
    talked::Talked,
    tcp::Connections,
};

const UDP: u64 = 0;
const WAKER: u64 = 1;
/// Tokens from here on are TCP connections.
pub const FIRST_CONNECTION: u64 = 16;
/// How long datagrams are taken before commands and timers get their turn, in microseconds.
const TURN: u64 = 5_000;
/// Sealed packets for which one more look at the socket (0.4 µs) costs next to nothing.
const MANY: usize = 32;
/// Between two looks at every member's timers, in microseconds. DTLS repeats after a second,
/// consent ends after thirty: a tenth of the shorter is fine.
const SWEEP: u64 = 100_000;

/// What signalling asks of a worker.
#[derive(Debug)]
pub enum Command {
    OpenRoom(RoomId),
    CloseRoom(RoomId),
    Join(Box<Join>),
    /// The answer to our offer came.
    Settle {
        member: MemberId,
        negotiated: Box<Negotiated>,
        peer: Peer,
    },
    Renegotiate {
        member: MemberId,
        negotiated: Box<Negotiated>,
        restart: Option<(Ufrag, String)>,
    },
    Admit(MemberId),
    /// What of the member the others do not get.
    Mute {
        member: MemberId,
        audio: bool,
        video: bool,
    },
    Limit(MemberId, Limits),
    KeyFrame(MemberId),
    Leave(MemberId),
    /// Says that the worker takes its turns.
    Answer(mpsc::Sender<()>),
    /// A connection and what was read from it so far.
    Adopt {
        stream: TcpStream,
        read: Vec<u8>,
    },
    Stop,
}

#[derive(Debug)]
pub struct Join {
    pub member: MemberId,
    pub room: RoomId,
    pub ufrag: Ufrag,
    pub password: String,
    /// `None` until our offer is answered.
    pub settled: Option<(Negotiated, Peer)>,
}

/// What a thread needs to be a worker.
#[derive(Debug)]
pub struct Setup {
    pub outbox: Outbox,
    pub waker: Arc<Waker>,
    pub commands: mpsc::Receiver<Command>,
    /// To the other workers, for connections that turn out to be theirs.
    pub others: Vec<(mpsc::Sender<Command>, Arc<Waker>)>,
    pub number: usize,
    pub identity: Arc<Identity>,
    pub events: mpsc::Sender<Event>,
    pub published: Arc<Published>,
    pub talked: Arc<Talked>,
}

#[derive(Debug)]
struct Seat {
    room: Room,
    /// The wake-up that stands for it in the queue.
    wakes: Option<u64>,
}

#[derive(Debug)]
pub struct Worker {
    poll: Poll,
    setup: Setup,
    members: Members,
    rooms: HashMap<u64, Seat, BuildHasherDefault<IdHasher>>,
    /// When which room wants its tick; entries that the room no longer stands by are skipped.
    wakes: BinaryHeap<Reverse<(u64, u64)>>,
    connections: Connections,
    counts: Counts,
    began: Instant,
    next_sweep: u64,
}

impl Worker {
    pub fn new(setup: Setup) -> std::io::Result<Self> {
        let poll = Poll::new()?;
        poll.add(setup.outbox.udp(), UDP)?;
        poll.add(&*setup.waker, WAKER)?;
        Ok(Self {
            poll,
            setup,
            members: Members::default(),
            rooms: HashMap::default(),
            wakes: BinaryHeap::new(),
            connections: Connections::default(),
            counts: Counts::default(),
            began: Instant::now(),
            next_sweep: 0,
        })
    }

    /// Microseconds since the worker began.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn instant(&self, now: u64) -> Instant {
        self.began + std::time::Duration::from_micros(now)
    }

    /// Works until told to stop.
    pub fn run(mut self) {
        let mut inbox = Inbox::default();
        let mut ready = [Ready {
            token: 0,
            readable: false,
            writable: false,
        }; BATCH];
        loop {
            let wait = self.until_next_timer();
            let mut datagrams = false;
            let mut stop = false;
            let seen = self.poll.wait(&mut ready, wait).len();
            for event in &ready[..seen] {
                match event.token {
                    UDP => datagrams = true,
                    WAKER => {
                        self.setup.waker.clear();
                        stop |= self.obey();
                    }
                    token => self.connection_ready(token, event.readable, event.writable),
                }
            }
            if datagrams {
                self.receive(&mut inbox);
            }
            self.timers();
            self.flush_connections();
            self.setup.outbox.flush();
            self.publish();
            if stop {
                return;
            }
        }
    }

    fn receive(&mut self, inbox: &mut Inbox) {
        let began = self.now();
        let mut now = began;
        while now - began < TURN {
            let got = self.setup.outbox.udp().receive(inbox);
            now = self.now();
            for i in 0..got {
                let (from, datagram) = inbox.datagram(i);
                self.counts.datagrams_in += 1;
                self.counts.bytes_in += datagram.len() as u64;
                self.datagram(Route::Udp(from), from, datagram, now);
            }
            // sealing for many takes as long as the rest of a picture needs to come in: what is
            // here by now shares their send calls, and nobody has waited for it
            if got < BATCH && (got == 0 || self.setup.outbox.waiting() < MANY) {
                break;
            }
        }
        self.setup.outbox.flush();
    }

    /// Milliseconds; 0 when something is due.
    fn until_next_timer(&self) -> u64 {
        let now = self.now();
        let sweep =
            (self.members.len() > 0 || !self.connections.is_empty()).then_some(self.next_sweep);
        let room = self.wakes.peek().map(|Reverse((when, _))| *when);
        match sweep.into_iter().chain(room).min() {
            // rounded up: waking too early would only wait again
            Some(when) => when.saturating_sub(now).div_ceil(1_000),
            None => 60_000,
        }
    }

    fn publish(&mut self) {
        self.counts.members = self.members.len() as u64;
        self.counts.rooms = self.rooms.len() as u64;
        self.counts.packets_out = self.setup.outbox.packets + self.connections.packets;
        self.counts.bytes_out = self.setup.outbox.bytes + self.connections.bytes;
        self.counts.dropped = self.setup.outbox.dropped + self.connections.dropped;
        self.setup.published.store(&self.counts);
    }
}
