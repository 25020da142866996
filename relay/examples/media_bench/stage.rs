//! A scene: somebody publishes, others receive, something between them forwards.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clinicall_relay::media::srtp::Profile;

use super::{
    caller::{Caller, Papers},
    load::{Fleet, Publishers, halves},
    relay::{Process, Relay},
};

const WARM_UP: Duration = Duration::from_millis(700);
const MEASURED: Duration = Duration::from_secs(4);
const STEP: Duration = Duration::from_millis(1_500);
/// Milliseconds: the design's limit for forwarding at the highest rate.
const SOON_ENOUGH: f64 = 10.0;

pub trait Forwarder {
    /// A caller that knows where to connect to. The first to join publishes.
    fn join(&mut self, papers: &Arc<Papers>, publishes: bool, ssrc: u32) -> Caller;
    fn process(&self) -> &Process;
}

pub struct Stage<F> {
    forwarder: F,
    publishers: Publishers,
    fleet: Fleet,
    /// Receivers of each packet.
    fan_out: f64,
    receivers: u32,
    empty_kib: f64,
    pub join_cpu_ms: f64,
    pub connect_ms: f64,
}

/// What a time of forwarding cost.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Forwarded packets a second, as the receivers counted them.
    pub rate: f64,
    /// Those that did not arrive, of all that should have.
    pub missing: f64,
    pub cpu_us: f64,
    pub user_us: f64,
    pub cores: f64,
    pub p99_ms: f64,
}

impl<F: Forwarder> Stage<F> {
    /// One publisher and its receivers.
    pub fn broadcast(mut forwarder: F, receivers: u32) -> Self {
        let papers = Arc::new(Papers::new(Profile::AeadAes128Gcm));
        let publisher = connected(&mut forwarder, &papers, true, 1);
        let empty_kib = forwarder.process().memory_kib();
        let before = forwarder.process().cpu();
        let mut joined = Vec::new();
        let mut times = Vec::new();
        for number in 1..=receivers {
            let began = Instant::now();
            let caller = connected(&mut forwarder, &papers, false, number * 10);
            times.push(began.elapsed().as_secs_f64() * 1e3);
            joined.push(halves(caller).1);
        }
        let join_cpu_ms = (forwarder.process().cpu() - before) * 1e3 / f64::from(receivers);
        Self {
            forwarder,
            publishers: Publishers(vec![halves(publisher).0]),
            fleet: Fleet::listen(joined),
            fan_out: f64::from(receivers),
            receivers,
            empty_kib,
            join_cpu_ms,
            connect_ms: percentile(times, 0.99),
        }
    }

    /// At a call's own rate.
    pub fn scene(&mut self) -> Scene {
        self.publishers.play(1, WARM_UP);
        self.measure(1, MEASURED)
    }

    /// At `times` the rate of a call.
    pub fn measure(&mut self, times: u32, length: Duration) -> Scene {
        self.fleet.forget();
        let process = self.forwarder.process();
        let (cpu, user, came) = (process.cpu(), process.user(), self.fleet.came());
        let (sent, took) = self.publishers.play(times, length);
        let packets = self.fleet.came() - came;
        let cpu = process.cpu() - cpu;
        Scene {
            rate: packets / took,
            // reports of the forwarder's own are counted too
            missing: (1.0 - packets / (sent * self.fan_out)).max(0.0),
            cpu_us: cpu * 1e6 / packets,
            user_us: (process.user() - user) * 1e6 / packets,
            cores: cpu / took,
            p99_ms: percentile(self.fleet.delays(), 0.99),
        }
    }

    pub fn member_kib(&self) -> f64 {
        let grown = self.forwarder.process().memory_kib() - self.empty_kib;
        grown / f64::from(self.receivers)
    }

    /// The most packets a second that arrived, and the most while less than one in a thousand was
    /// missing and no more than one in a hundred was late; at multiples of a call's rate.
    pub fn saturate(&mut self, steps: &[u32]) -> (f64, f64) {
        let (mut most, mut clean) = (0.0_f64, 0.0_f64);
        for step in steps {
            let scene = self.measure(*step, STEP);
            most = most.max(scene.rate);
            if scene.missing < 0.001 && scene.p99_ms <= SOON_ENOUGH {
                clean = clean.max(scene.rate);
            }
        }
        (most, clean)
    }
}

impl Stage<Relay> {
    /// So many calls of two, each a room of its own.
    pub fn calls(mut relay: Relay, calls: u32) -> Self {
        let papers = Arc::new(Papers::new(Profile::AeadAes128Gcm));
        let empty_kib = relay.process().memory_kib();
        let (mut publishers, mut receivers) = (Vec::new(), Vec::new());
        for number in 0..calls * 2 {
            if number % 2 == 0 {
                relay.next_room();
            }
            let ssrc = number * 10 + 10;
            let mut caller = relay.caller(&papers, "sendrecv", ssrc);
            assert!(caller.connect(PATIENCE), "a caller did not get through");
            let (publisher, receiver) = halves(caller);
            publishers.push(publisher);
            receivers.push(receiver);
        }
        Self {
            forwarder: relay,
            publishers: Publishers(publishers),
            fleet: Fleet::listen(receivers),
            fan_out: 1.0,
            receivers: calls * 2,
            empty_kib,
            join_cpu_ms: f64::NAN,
            connect_ms: f64::NAN,
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

fn connected(
    forwarder: &mut impl Forwarder,
    papers: &Arc<Papers>,
    publishes: bool,
    ssrc: u32,
) -> Caller {
    let mut caller = forwarder.join(papers, publishes, ssrc);
    assert!(caller.connect(PATIENCE), "a caller did not get through");
    caller
}

pub fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
