//! The publisher and the receivers.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use clinicall_relay::media::srtp::{Inbound, Outbound};

use super::caller::{Caller, open, seal};

/// Packets in a video frame.
const BURST: u32 = 4;
/// 130 video packets a second.
const FRAME: Duration = Duration::from_nanos(1_000_000_000 * BURST as u64 / 130);
const SPEECH: Duration = Duration::from_millis(20);
const PICTURE: usize = 1_100;
/// Where in a payload the time of sending stands.
const STAMP: usize = 16;
/// A keyframe's worth: receivers that join start there.
const KEYFRAME_EVERY: u32 = 30;

fn nanoseconds() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    since.as_nanos() as u64
}

/// All who publish. A thread of its own is not needed: whoever measures waits for the end anyway.
pub struct Publishers(pub Vec<Publisher>);

impl Publishers {
    /// Sends `times` the rate of a call from each; how many packets in how many seconds.
    pub fn play(&mut self, times: u32, length: Duration) -> (f64, f64) {
        let many = self.0.len();
        let began = Instant::now();
        let pace = times * many as u32;
        let (frame, speech) = (FRAME / pace, SPEECH / pace);
        let (mut frames, mut words) = (0, 0);
        let mut sent = 0.0;
        while began.elapsed() < length {
            let elapsed = began.elapsed();
            if elapsed >= frame * frames {
                self.0[frames as usize % many].frame();
                frames += 1;
                sent += f64::from(BURST);
            } else if elapsed >= speech * words {
                self.0[words as usize % many].packet(false, &mut [0x78; 80]);
                words += 1;
                sent += 1.0;
            } else {
                let due = (frame * frames).min(speech * words);
                std::thread::sleep(due.saturating_sub(elapsed).min(Duration::from_millis(5)));
            }
        }
        let took = began.elapsed().as_secs_f64();
        // what is on its way counts as sent in this time
        std::thread::sleep(Duration::from_millis(30));
        (sent, took)
    }
}

pub struct Publisher {
    socket: UdpSocket,
    relay: SocketAddr,
    outbound: Outbound,
    ssrc: u32,
    sequences: [u16; 2],
    frames: u32,
}

pub struct Receiver {
    socket: UdpSocket,
    inbound: Inbound,
}

/// The two halves of a connected caller.
pub fn halves(caller: Caller) -> (Publisher, Receiver) {
    caller.socket.set_nonblocking(true).unwrap();
    let (outbound, inbound) = caller.srtp.unwrap();
    let publisher = Publisher {
        socket: caller.socket.try_clone().unwrap(),
        relay: caller.relay,
        outbound,
        ssrc: caller.ssrc,
        sequences: [1, 1],
        frames: 0,
    };
    let receiver = Receiver {
        socket: caller.socket,
        inbound,
    };
    (publisher, receiver)
}

impl Publisher {
    fn frame(&mut self) {
        let key = self.frames.is_multiple_of(KEYFRAME_EVERY);
        self.frames += 1;
        for piece in 0..BURST {
            let mut payload = [7; PICTURE];
            // VP8's descriptor: the first piece begins the partition (RFC 7741 section 4.2)
            payload[0] = if piece == 0 { 0x10 } else { 0 };
            // its header: a zero bit for a keyframe, then the start code and 640 by 480
            let header = if key {
                [0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0xe0, 1]
            } else {
                [1; 10]
            };
            payload[1..11].copy_from_slice(&header);
            self.packet(true, &mut payload);
        }
    }

    fn packet(&mut self, video: bool, payload: &mut [u8]) {
        payload[STAMP..STAMP + 8].copy_from_slice(&nanoseconds().to_be_bytes());
        let sequence = &mut self.sequences[usize::from(video)];
        *sequence = sequence.wrapping_add(1);
        let (sequence, time) = (*sequence, self.frames.wrapping_mul(2_770));
        let mut buffer = [0; 2048];
        let out = &mut self.outbound;
        let len = seal(out, &mut buffer, video, self.ssrc, sequence, time, payload);
        drop(self.socket.send_to(&buffer[..len], self.relay));
    }
}

/// Between two looks at the receivers' sockets. A delay is measured longer by this at most.
const LOOK: Duration = Duration::from_micros(100);

/// All receivers, on a thread that reads what came. The first and the last of them decrypt, and
/// measure how old it is.
///
/// They look at their sockets again and again instead of sleeping on them: on loopback it is the
/// sender who pays for waking whoever sleeps, and over a real network nobody's wake-up is the
/// relay's to pay. (It was more than a quarter of all the relay's CPU.)
pub struct Fleet {
    delays: Arc<Mutex<Vec<f64>>>,
    came: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fleet {
    pub fn listen(mut receivers: Vec<Receiver>) -> Self {
        let delays = Arc::new(Mutex::new(Vec::new()));
        let came = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (measured, counted, stopped) = (delays.clone(), came.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let last = receivers.len() - 1;
            let mut buffer = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                for (number, receiver) in receivers.iter_mut().enumerate() {
                    while let Ok(len) = receiver.socket.recv(&mut buffer) {
                        counted.fetch_add(1, Ordering::Relaxed);
                        if number != 0 && number != last {
                            continue;
                        }
                        let now = nanoseconds();
                        let payload = open(&mut receiver.inbound, &mut buffer[..len]);
                        let stamp = payload.and_then(|payload| {
                            Some(u64::from_be_bytes(
                                payload.get(STAMP..STAMP + 8)?.try_into().ok()?,
                            ))
                        });
                        if let Some(stamp) = stamp {
                            measured
                                .lock()
                                .unwrap()
                                .push(now.saturating_sub(stamp) as f64 / 1e6);
                        }
                    }
                }
                std::thread::sleep(LOOK);
            }
        });
        Self {
            delays,
            came,
            stop,
            thread: Some(thread),
        }
    }

    pub fn forget(&self) {
        self.delays.lock().unwrap().clear();
    }

    /// Datagrams that reached a receiver.
    pub fn came(&self) -> f64 {
        self.came.load(Ordering::Relaxed) as f64
    }

    /// Milliseconds.
    pub fn delays(&self) -> Vec<f64> {
        self.delays.lock().unwrap().clone()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
