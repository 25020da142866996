//! Media: ICE-lite, DTLS-SRTP, rooms and forwarding, in workers that own their rooms.
//!
//! This file is the door. Signalling asks for descriptions and tells who may be heard; everything
//! on a packet's way lives behind it, on the workers' threads.

pub mod assign;
pub mod budget;
pub mod cache;
pub mod codec;
mod count;
mod describe;
pub mod downlink;
pub mod dtls;
pub mod estimate;
pub mod forward;
mod ice;
pub mod keyframe;
pub mod lane;
mod layers;
pub mod level;
pub mod member;
pub mod nack;
pub mod negotiated;
mod omitted;
mod outbox;
mod pacer;
pub mod red;
pub mod redundancy;
pub mod report;
pub mod room;
mod roster;
pub mod rtcp;
pub mod rtp;
pub mod sequence;
pub mod serve;
pub mod slot;
pub mod source;
pub mod srtp;
pub mod stats;
pub mod stun;
pub mod sys;
mod talked;
mod tcp;
pub mod time;
pub mod twcc;
pub mod vp8;
mod worker;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use ring::rand::{SecureRandom, SystemRandom};

use clinicall_sip::sdp::Sdp;

use count::{Counts, Published};
use describe::{Credentials, Describer, Seeds, Surface, VideoCodec};
pub use downlink::Limits;
use dtls::Identity;
use ice::Ufrag;
use outbox::Outbox;
use sys::{Udp, Waker};
use talked::Talked;
use worker::{Command, Join, Worker};

#[derive(Clone, Debug)]
pub struct Config {
    /// Where the workers' UDP sockets bind.
    pub bind: IpAddr,
    /// Worker `n` takes UDP port `port + n`; 0 lets the system choose (tests).
    pub port: u16,
    /// The addresses written as candidates into SDP.
    pub public: Vec<IpAddr>,
    /// The TCP port whose accepted connections reach [`Media::adopt`]; `None`: no ICE-TCP.
    pub tcp_port: Option<u16>,
    /// Candidates offered: false drops UDP from SDP (for tests of the TCP path).
    pub udp: bool,
    /// Threads; 0: one per core.
    pub workers: usize,
}

/// A room on one worker. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u64);

/// A member of a room: one peer connection. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

/// What an offer of ours contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    pub audio: bool,
    pub video: bool,
}

/// Why a description cannot be used; signalling answers 488 with this text as a Warning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// ICE and DTLS are done.
    Connected { member: MemberId },
    /// The path died (consent expired, DTLS failed or closed). The member is still there.
    Lost { member: MemberId, why: String },
    /// What the member's link carries now; nothing in it: all it was ever asked to.
    Carries { member: MemberId, limits: Limits },
}

/// A handle on the workers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Media {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    workers: Vec<Handle>,
    random: SystemRandom,
    next: AtomicU64,
    rooms: Mutex<HashMap<RoomId, Option<VideoCodec>>>,
    members: Mutex<HashMap<MemberId, Arc<Mutex<Seat>>>>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
    talked: Arc<Talked>,
}

/// The signalling side of a worker.
#[derive(Debug)]
struct Handle {
    commands: mpsc::Sender<Command>,
    waker: Arc<Waker>,
    /// Members and rooms placed there.
    load: AtomicUsize,
    /// Its UDP port.
    port: u16,
    surface: Surface,
    published: Arc<Published>,
}

impl Handle {
    fn tell(&self, command: Command) {
        // a worker that is gone was told to stop
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }
}

/// The signalling side of a member.
#[derive(Debug)]
struct Seat {
    room: RoomId,
    describer: Describer,
}

impl Media {
    /// Binds the sockets and starts the workers.
    pub fn start(config: Config) -> std::io::Result<(Self, mpsc::Receiver<Event>)> {
        let identity = Arc::new(Identity::generate().map_err(std::io::Error::other)?);
        let count = match config.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        }
        // a ufrag has two hexadecimal digits for the worker
        .min(256);
        // a socket bound to IPv4 cannot answer on IPv6; bound to :: it can do both
        let mut addresses = config.public;
        addresses.retain(|address| address.is_ipv4() || config.bind.is_ipv6());
        let (events, heard) = mpsc::channel();
        let talked = Arc::new(Talked::default());
        let mut workers = Vec::new();
        let mut setups = Vec::new();
        for number in 0..count {
            let port = match config.port {
                0 => 0,
                first => first.saturating_add(u16::try_from(number).unwrap_or(u16::MAX)),
            };
            let outbox = Outbox::new(Udp::bind(SocketAddr::new(config.bind, port))?);
            let (commands, orders) = mpsc::channel();
            let waker = Arc::new(Waker::new()?);
            let published = Arc::new(Published::default());
            let bound = outbox.local_addr()?.port();
            let surface = Surface {
                fingerprint: identity.fingerprint.clone(),
                addresses: addresses.clone(),
                udp_port: config.udp.then_some(bound),
                tcp_port: config.tcp_port,
            };
            workers.push(Handle {
                commands,
                waker: waker.clone(),
                load: AtomicUsize::new(0),
                port: bound,
                surface,
                published: published.clone(),
            });
            setups.push((number, outbox, waker, orders, published));
        }
        let others: Vec<_> = workers
            .iter()
            .map(|worker| (worker.commands.clone(), worker.waker.clone()))
            .collect();
        let mut threads = Vec::new();
        for (number, outbox, waker, commands, published) in setups {
            let worker = Worker::new(worker::Setup {
                outbox,
                waker,
                commands,
                others: others.clone(),
                number,
                identity: identity.clone(),
                events: events.clone(),
                published,
                talked: talked.clone(),
            })?;
            let name = format!("media-{number}");
            threads.push(
                std::thread::Builder::new()
                    .name(name)
                    .spawn(move || worker.run())?,
            );
        }
        let shared = Shared {
            workers,
            random: SystemRandom::new(),
            next: AtomicU64::new(1),
            rooms: Mutex::default(),
            members: Mutex::default(),
            threads: Mutex::new(threads),
            talked,
        };
        Ok((
            Self {
                shared: Arc::new(shared),
            },
            heard,
        ))
    }

    /// Places a new room on the least loaded worker.
    #[must_use]
    pub fn open_room(&self) -> RoomId {
        let workers = &self.shared.workers;
        let least = (0..workers.len())
            .min_by_key(|at| workers[*at].load.load(Ordering::Relaxed))
            .unwrap_or(0);
        workers[least].load.fetch_add(1, Ordering::Relaxed);
        let room = RoomId(self.shared.number(least));
        lock(&self.shared.rooms).insert(room, None);
        self.shared.worker(room.0).tell(Command::OpenRoom(room));
        room
    }

    /// A member joins by its own offer; the answer is ready at once. Nothing of the member's media
    /// is forwarded, and nothing is forwarded to it, before [`Media::admit`].
    pub fn join_by_offer(&self, room: RoomId, offer: &Sdp) -> Result<(MemberId, Sdp), Refusal> {
        let shared = &self.shared;
        let (member, mut describer, ufrag) = shared.new_member(room)?;
        let (settled, reply) =
            shared.with_codec(room, |codec| describer.read_offer(offer, codec))?;
        let worker = shared.worker(member.0);
        let answer = describer.answer(&reply, &worker.surface);
        shared.seat(
            Join {
                member,
                room,
                ufrag,
                password: describer.credentials().password.clone(),
                settled: Some((settled.negotiated, settled.peer)),
            },
            describer,
        );
        Ok((member, answer))
    }

    /// A member joins by an offer of ours.
    pub fn join_by_answer(&self, room: RoomId, wants: Wants) -> Result<(MemberId, Sdp), Refusal> {
        if !wants.audio && !wants.video {
            return Err(Refusal("an offer of neither audio nor video".to_owned()));
        }
        let shared = &self.shared;
        let (member, mut describer, ufrag) = shared.new_member(room)?;
        let worker = shared.worker(member.0);
        let offer = shared.with_codec(room, |codec| {
            Ok(describer.offer(wants, *codec, &worker.surface))
        })?;
        shared.seat(
            Join {
                member,
                room,
                ufrag,
                password: describer.credentials().password.clone(),
                settled: None,
            },
            describer,
        );
        Ok((member, offer))
    }

    /// The answer to [`Media::join_by_answer`]'s offer.
    pub fn answered(&self, member: MemberId, answer: &Sdp) -> Result<(), Refusal> {
        let shared = &self.shared;
        let seat = shared.find(member)?;
        let mut seat = lock(&seat);
        let room = seat.room;
        let settled = shared.with_codec(room, |codec| seat.describer.read_answer(answer, codec))?;
        shared.worker(member.0).tell(Command::Settle {
            member,
            negotiated: Box::new(settled.negotiated),
            peer: settled.peer,
        });
        Ok(())
    }

    /// The member offers a change (hold, ICE restart, video added): the answer.
    pub fn renegotiate(&self, member: MemberId, offer: &Sdp) -> Result<Sdp, Refusal> {
        let shared = &self.shared;
        let seat = shared.find(member)?;
        let mut seat = lock(&seat);
        let room = seat.room;
        let (settled, reply) =
            shared.with_codec(room, |codec| seat.describer.read_offer(offer, codec))?;
        let worker = shared.worker(member.0);
        let restart = if settled.restart {
            let (ufrag, credentials) = shared.credentials(member.0)?;
            seat.describer.restart(credentials.clone());
            Some((ufrag, credentials.password))
        } else {
            None
        };
        let answer = seat.describer.answer(&reply, &worker.surface);
        worker.tell(Command::Renegotiate {
            member,
            negotiated: Box::new(settled.negotiated),
            restart,
        });
        Ok(answer)
    }

    /// From now on the member hears and is heard.
    pub fn admit(&self, member: MemberId) {
        self.shared.worker(member.0).tell(Command::Admit(member));
    }

    /// Whatever the member sends, the others get no sound (`audio`) or no picture (`video`) of it.
    pub fn mute(&self, member: MemberId, audio: bool, video: bool) {
        self.shared.worker(member.0).tell(Command::Mute {
            member,
            audio,
            video,
        });
    }

    /// What the member can take from now on, whatever its descriptions said.
    pub fn limit(&self, member: MemberId, limits: Limits) {
        self.shared
            .worker(member.0)
            .tell(Command::Limit(member, limits));
    }

    /// The member asks by signalling (RFC 5168) for a picture its decoder can begin with.
    pub fn request_key_frame(&self, member: MemberId) {
        self.shared.worker(member.0).tell(Command::KeyFrame(member));
    }

    /// How long ago the member last spoke, as far as audio levels (RFC 6464) or pauses tell; `None`:
    /// has said nothing yet.
    #[must_use]
    pub fn talked(&self, member: MemberId) -> Option<Duration> {
        self.shared.talked.since(member)
    }

    pub fn leave(&self, member: MemberId) {
        if lock(&self.shared.members).remove(&member).is_some() {
            let worker = self.shared.worker(member.0);
            worker.load.fetch_sub(1, Ordering::Relaxed);
            worker.tell(Command::Leave(member));
        }
    }

    /// Every member leaves and the room is gone.
    pub fn close_room(&self, room: RoomId) {
        if lock(&self.shared.rooms).remove(&room).is_none() {
            return;
        }
        let worker = self.shared.worker(room.0);
        let mut gone = 1;
        lock(&self.shared.members).retain(|_, seat| {
            let stays = lock(seat).room != room;
            gone += usize::from(!stays);
            stays
        });
        worker.load.fetch_sub(gone, Ordering::Relaxed);
        worker.tell(Command::CloseRoom(room));
    }

    /// An accepted TCP connection whose first bytes are not HTTP or TLS: RFC 4571 frames.
    pub fn adopt(&self, stream: std::net::TcpStream) {
        let turn = self.shared.next.fetch_add(1, Ordering::Relaxed);
        self.shared
            .worker((turn % self.shared.workers.len().max(1) as u64) << WORKER_SHIFT)
            .tell(Command::Adopt {
                stream,
                read: Vec::new(),
            });
    }

    /// Counters for `/metrics`: name, help, value.
    #[must_use]
    pub fn metrics(&self) -> Vec<(&'static str, &'static str, u64)> {
        let mut sum = Counts::default();
        for worker in &self.shared.workers {
            worker.published.add_to(&mut sum);
        }
        sum.rows()
    }

    /// The UDP port of each worker; what the system chose where 0 was asked for.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        let workers = self.shared.workers.iter();
        workers.map(|worker| worker.port).collect()
    }

    /// Whether every worker takes its turn `within` this time. Waits that long when one does not.
    #[must_use]
    pub fn is_alive(&self, within: Duration) -> bool {
        all_answer(&self.shared.workers, within)
    }

    /// Stops the workers and waits for them.
    pub fn stop(&self) {
        for worker in &self.shared.workers {
            worker.tell(Command::Stop);
        }
        for thread in lock(&self.shared.threads).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a media worker panicked");
            }
        }
    }
}

fn all_answer(workers: &[Handle], within: Duration) -> bool {
    let end = Instant::now() + within;
    let (answer, answers) = mpsc::channel();
    for worker in workers {
        worker.tell(Command::Answer(answer.clone()));
    }
    drop(answer);
    let left = || end.saturating_duration_since(Instant::now());
    workers.iter().all(|_| answers.recv_timeout(left()).is_ok())
}

/// The worker's number stands above the counter in every id.
const WORKER_SHIFT: u32 = 48;

impl Shared {
    fn number(&self, worker: usize) -> u64 {
        (worker as u64) << WORKER_SHIFT | self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The worker of a room or member. Ids are ours, so it is there.
    fn worker(&self, id: u64) -> &Handle {
        let at = usize::try_from(id >> WORKER_SHIFT).unwrap_or(0);
        &self.workers[at.min(self.workers.len() - 1)]
    }

    fn new_member(&self, room: RoomId) -> Result<(MemberId, Describer, Ufrag), Refusal> {
        if !lock(&self.rooms).contains_key(&room) {
            return Err(Refusal("the room is closed".to_owned()));
        }
        let number = room.0 >> WORKER_SHIFT << WORKER_SHIFT;
        let member = MemberId(number | self.next.fetch_add(1, Ordering::Relaxed));
        let (ufrag, credentials) = self.credentials(member.0)?;
        let seeds: [u8; 20] = self.random()?;
        let word = |at: usize| {
            u32::from_be_bytes([seeds[at], seeds[at + 1], seeds[at + 2], seeds[at + 3]])
        };
        let seeds = Seeds {
            // must fit a signed 64-bit number (RFC 8866 section 5.2)
            session: u64::from(word(0)) << 16 | u64::from(word(4) >> 16),
            // neighbours could not be told apart in a log
            audio: word(8) | 1,
            video: word(12) & !1,
            rtx: word(16),
        };
        Ok((member, Describer::new(credentials, seeds), ufrag))
    }

    fn credentials(&self, member: u64) -> Result<(Ufrag, Credentials), Refusal> {
        let worker = u8::try_from(member >> WORKER_SHIFT).unwrap_or(0);
        let ufrag = ice::ufrag(worker, &self.random::<8>()?);
        let password = ice::password(&self.random()?);
        let text = ufrag.iter().map(|byte| char::from(*byte)).collect();
        Ok((
            ufrag,
            Credentials {
                ufrag: text,
                password,
            },
        ))
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], Refusal> {
        let mut bytes = [0; N];
        self.random
            .fill(&mut bytes)
            .map_err(|_| Refusal("the system gives no randomness".to_owned()))?;
        Ok(bytes)
    }

    /// The room's video codec stays locked while a description is read: two first members must
    /// not choose differently.
    fn with_codec<T>(
        &self,
        room: RoomId,
        read: impl FnOnce(&mut Option<VideoCodec>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut rooms = lock(&self.rooms);
        let codec = rooms
            .get_mut(&room)
            .ok_or_else(|| Refusal("the room is closed".to_owned()))?;
        read(codec)
    }

    fn seat(&self, join: Join, describer: Describer) {
        let (member, room) = (join.member, join.room);
        let worker = self.worker(member.0);
        worker.load.fetch_add(1, Ordering::Relaxed);
        lock(&self.members).insert(member, Arc::new(Mutex::new(Seat { room, describer })));
        worker.tell(Command::Join(Box::new(join)));
    }

    fn find(&self, member: MemberId) -> Result<Arc<Mutex<Seat>>, Refusal> {
        let gone = || Refusal("the member has left".to_owned());
        lock(&self.members).get(&member).cloned().ok_or_else(gone)
    }
}

/// A thread that panicked while holding the lock left nothing half-written that matters here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            bind: [127, 0, 0, 1].into(),
            port: 0,
            public: vec![[127, 0, 0, 1].into()],
            tcp_port: None,
            udp: true,
            workers: 2,
        }
    }

    #[test]
    fn it_tells_the_ports_the_system_chose() {
        let (media, _events) = Media::start(config()).unwrap();
        let ports = media.ports();
        assert_eq!(ports.len(), 2);
        assert!(ports.iter().all(|port| *port != 0) && ports[0] != ports[1]);
        media.stop();
    }

    #[test]
    fn a_worker_that_takes_no_turn_is_noticed() {
        let (media, _events) = Media::start(config()).unwrap();
        assert!(media.is_alive(Duration::from_secs(20)));
        let (commands, _never_read) = mpsc::channel();
        let stuck = Handle {
            commands,
            waker: Arc::new(Waker::new().unwrap()),
            load: AtomicUsize::new(0),
            port: 0,
            surface: Surface {
                fingerprint: String::new(),
                addresses: Vec::new(),
                udp_port: None,
                tcp_port: None,
            },
            published: Arc::default(),
        };
        assert!(!all_answer(&[stuck], Duration::from_millis(50)));
        media.stop();
        assert!(
            !media.is_alive(Duration::from_secs(20)),
            "gone is not alive"
        );
    }
}
