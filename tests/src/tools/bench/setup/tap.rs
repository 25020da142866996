//! A wire between a page and the relay that counts what passes, when it passes: compression and the
//! heads of frames are then part of it, which a page cannot see.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;

/// Unix milliseconds, and how many bytes passed then in either direction.
type Passed = Arc<Mutex<Vec<(f64, usize)>>>;

#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    passed: Passed,
}

impl Tap {
    /// To a relay, by host and port of its pages.
    pub fn to(relay: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let passed = Passed::default();
        let (relay, counted) = (relay.to_owned(), Arc::clone(&passed));
        thread::spawn(move || {
            for page in listener.incoming().flatten() {
                let Ok(relay) = TcpStream::connect(&relay) else {
                    continue;
                };
                for (from, to) in [(&page, &relay), (&relay, &page)] {
                    let ends = from
                        .try_clone()
                        .and_then(|from| Ok((from, to.try_clone()?)));
                    let passed = Arc::clone(&counted);
                    if let Ok((from, to)) = ends {
                        thread::spawn(move || carry(from, to, &passed));
                    }
                }
            }
        });
        Ok(Self { address, passed })
    }

    /// Host and port to go to instead of the relay's.
    pub fn http(&self) -> String {
        self.address.to_string()
    }

    /// Bytes that passed between two times of the pages' clock.
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    pub fn bytes(&self, from: f64, to: f64) -> f64 {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let within = passed.iter().filter(|(at, _)| (from..=to).contains(at));
        within.map(|(_, bytes)| bytes).sum::<usize>() as f64
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, passed: &Passed) {
    let _ = to.set_nodelay(true);
    let mut chunk = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = now.map_or(0.0, |since| since.as_secs_f64() * 1e3);
        let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.push((at, count));
        drop(passed);
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
