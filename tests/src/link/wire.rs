//! Two networks and the thread between them.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Read, Write},
    net::Ipv4Addr,
    os::fd::AsFd,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};

use super::{
    Link,
    capture::{Capture, Heading, Seen, Station},
    pipe::{Fate, Out, Pipe},
    sys,
};
use crate::process::Net;

/// Where the relay and those near it are. Every wire has networks of its own, so all use the same.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Where the person at the far end is.
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Where they are when they have gone into another network.
pub const FAR_ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

/// The device in either network.
const DEVICE: &str = "link0";

/// Longer than the devices' MTU of 1,500.
const LONGEST: usize = 2_048;

/// A wire from one network to another. It is gone, with both networks, when this value and the
/// processes in them are.
#[derive(Debug)]
pub struct Wire {
    near: Net,
    far: Net,
    shared: Arc<Shared>,
    /// Closing it ends the thread; a byte wakes it.
    wake: PipeWriter,
    carrier: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    ways: Mutex<Ways>,
}

#[derive(Debug)]
struct Ways {
    up: Pipe,
    down: Pipe,
    capture: Capture,
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    /// Lays a wire that is like `link`. Fails where one may not make networks or TUN devices.
    pub fn lay(link: Link) -> Result<Self> {
        let (near, far) = (Net::alone()?, Net::alone()?);
        let near_end = end(&near, NEAR)?;
        let far_end = end(&far, FAR)?;
        let shared = Arc::new(Shared {
            began: Instant::now(),
            ways: Mutex::new(Ways {
                up: Pipe::new(link.up, link.seed),
                down: Pipe::new(link.down, !link.seed),
                capture: Capture::default(),
            }),
        });
        let (woken, wake) = io::pipe()?;
        let carried = Arc::clone(&shared);
        let carrier = std::thread::Builder::new()
            .name("wire".into())
            .spawn(move || {
                // without the right to it the machine's own delays are added
                let _ = sys::hurry();
                if let Err(error) = carry(&carried, &near_end, &far_end, woken) {
                    eprintln!("the wire broke: {error}");
                }
            })?;
        Ok(Self {
            near,
            far,
            shared,
            wake,
            carrier: Some(carrier),
        })
    }

    /// The network of the relay and those near it.
    #[must_use]
    pub fn near(&self) -> &Net {
        &self.near
    }

    /// The network at the far end.
    #[must_use]
    pub fn far(&self) -> &Net {
        &self.far
    }

    /// From now on the wire is like this.
    pub fn becomes(&self, link: Link) {
        let now = self.shared.now();
        {
            let mut ways = self.shared.ways();
            ways.up.change(now, link.up);
            ways.up.reseed(link.seed);
            ways.down.change(now, link.down);
            ways.down.reseed(!link.seed);
        }
        let _ = (&self.wake).write(&[1]);
    }

    /// The person at the far end leaves one network and is at this address of another after `gap`, as a telephone that
    /// is carried out of the house: the old address is gone, and with it whatever came from there.
    pub fn moves_to(&self, address: Ipv4Addr, gap: Duration) -> Result<()> {
        shell(
            &self.far,
            &format!("ip link set {DEVICE} down; ip addr flush dev {DEVICE}"),
        )?;
        std::thread::sleep(gap);
        shell(&self.far, &come_up(address))
    }

    /// Microseconds since the wire was laid: the clock of the capture.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.shared.now()
    }

    /// Looks at everything that went over so far. Nothing moves meanwhile.
    pub fn capture<T>(&self, look: impl FnOnce(&Capture) -> T) -> T {
        look(&self.shared.ways().capture)
    }

    /// Forgets what went over so far: a long run of visits is a lot of packets.
    pub fn forget(&self) {
        self.shared.ways().capture = Capture::default();
    }

    /// Runs something in the network of that name on a thread of its own.
    pub fn inside<T: Send + 'static>(
        net: &Net,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        let file = File::open(net.path())?;
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let entered = sys::enter(&file);
            let inside = entered.is_ok();
            let _ = tell.send(entered);
            inside.then(work)
        });
        told.recv().context("no thread")??;
        Ok(std::thread::spawn(move || match thread.join() {
            Ok(Some(value)) => value,
            Ok(None) => unreachable!("it said that it is inside"),
            Err(panic) => std::panic::resume_unwind(panic),
        }))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Ok((_, closed)) = io::pipe() {
            drop(std::mem::replace(&mut self.wake, closed));
        }
        if let Some(carrier) = self.carrier.take() {
            let _ = carrier.join();
        }
    }
}

/// A device with an address in that network.
fn end(net: &Net, address: Ipv4Addr) -> Result<File> {
    let device = Wire::inside(net, || sys::tun(DEVICE))?
        .join()
        .map_err(|_| anyhow!("no thread for a TUN device"))?
        .context("cannot make a TUN device (are we root?)")?;
    // Router solicitations and the like would be counted as somebody's traffic.
    let quiet =
        format!("echo 1 > /proc/sys/net/ipv6/conf/{DEVICE}/disable_ipv6 2>/dev/null || true");
    shell(net, &format!("{quiet}; {}", come_up(address)))?;
    Ok(device)
}

fn come_up(address: Ipv4Addr) -> String {
    format!("ip addr add {address}/29 dev {DEVICE} && ip link set {DEVICE} up")
}

/// Runs this in that network.
fn shell(net: &Net, script: &str) -> Result<()> {
    let words = net.enter();
    let made = Command::new(&words[0])
        .arg(&words[1])
        .args(["sh", "-c", script])
        .output()
        .context("cannot start `nsenter`")?;
    ensure!(
        made.status.success(),
        "cannot set up {DEVICE}: {}",
        String::from_utf8_lossy(&made.stderr).trim()
    );
    Ok(())
}

/// Carries packets until the other end of `woken` is closed.
fn carry(shared: &Shared, near: &File, far: &File, mut woken: PipeReader) -> io::Result<()> {
    let mut buffer = [0; LONGEST];
    loop {
        let wakes = {
            let mut ways = shared.ways();
            let ways = &mut *ways;
            for (heading, from, to) in [(Heading::Up, far, near), (Heading::Down, near, far)] {
                let pipe = match heading {
                    Heading::Up => &mut ways.up,
                    Heading::Down => &mut ways.down,
                };
                loop {
                    let length = match (&*from).read(&mut buffer) {
                        Ok(length) => length,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    };
                    let packet = &buffer[..length];
                    let now = shared.now();
                    ways.capture
                        .note(Seen::of(now, heading, Station::Sent, packet));
                    if pipe.enter(now, packet.to_vec()) == Fate::Dropped {
                        ways.capture
                            .note(Seen::of(now, heading, Station::Dropped, packet));
                    }
                }
                let now = shared.now();
                while let Some(out) = pipe.poll(now) {
                    match out {
                        Out::Arrived(packet) => {
                            ways.capture
                                .note(Seen::of(now, heading, Station::Arrived, &packet));
                            // a device that is going down takes nothing more
                            let _ = (&*to).write(&packet);
                        }
                        Out::Lost(packet) => {
                            ways.capture
                                .note(Seen::of(now, heading, Station::Lost, &packet));
                        }
                    }
                }
            }
            [ways.up.wakes(), ways.down.wakes()]
                .into_iter()
                .flatten()
                .min()
        };
        let patience = wakes.map(|when| Duration::from_micros(when.saturating_sub(shared.now())));
        let [_, _, called] = sys::wait([near.as_fd(), far.as_fd(), woken.as_fd()], patience)?;
        if called && woken.read(&mut buffer)? == 0 {
            return Ok(());
        }
    }
}
