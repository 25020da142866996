//! The emulator's own error: what UDP through a real wire says, beside what the link was to be like.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use super::{
    Link, Way,
    wire::{NEAR, Wire},
};

/// IPv4 and UDP.
const HEADERS: usize = 28;

/// What was measured at one line.
#[derive(Clone, Copy, Debug)]
pub struct Error {
    /// Measured over set rate, minus 1; of what came in at twice the rate.
    pub rate: f64,
    /// Beyond what was set, in microseconds: median and 99th of a hundred, of single small packets on an idle line.
    pub delay: (u64, u64),
}

/// Sends packets both as fast as twice the line and one by one.
pub fn measure(kbps: u32, delay: Duration) -> Result<Error> {
    let mut way = Way::line(kbps, 400);
    way.delay = delay;
    let wire = Wire::lay(Link::both(way))?;
    let rate = rate(&wire, kbps, Duration::from_secs(4))?;
    // what still waits goes first
    std::thread::sleep(Duration::from_millis(500) + delay);
    let delay = delays(&wire, kbps, delay, 200)?;
    Ok(Error { rate, delay })
}

fn rate(wire: &Wire, kbps: u32, lasting: Duration) -> Result<f64> {
    const SIZE: usize = 472;
    let receiver = in_near(wire)?;
    let port = receiver.local_addr()?.port();
    receiver.set_read_timeout(Some(Duration::from_secs(3)))?;
    let gap = Duration::from_micros((SIZE + HEADERS) as u64 * 8_000 / u64::from(kbps) / 2);
    let sender = Wire::inside(wire.far(), move || -> std::io::Result<()> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        let (begun, mut sent) = (Instant::now(), 0);
        while begun.elapsed() < lasting {
            while gap * sent <= begun.elapsed() {
                socket.send_to(&[0; SIZE], (NEAR, port))?;
                sent += 1;
            }
            std::thread::sleep(gap / 2);
        }
        socket.send_to(&[], (NEAR, port)).map(drop)
    })?;
    let (mut first, mut last, mut count) = (None, Instant::now(), 0_u32);
    let mut buffer = [0; 2_048];
    while let Ok(length) = receiver.recv(&mut buffer) {
        last = Instant::now();
        first.get_or_insert(last);
        count += 1;
        // the last one may find the queue full; the time limit ends it then
        if length == 0 || first.is_some_and(|first| last - first > lasting) {
            break;
        }
    }
    sender.join().map_err(|_| anyhow!("the sender broke"))??;
    let spent = (last - first.context("nothing arrived")?).as_secs_f64();
    let bits = f64::from(count.saturating_sub(1)) * ((SIZE + HEADERS) * 8) as f64;
    Ok(bits / spent / (f64::from(kbps) * 1_000.0) - 1.0)
}

fn delays(wire: &Wire, kbps: u32, delay: Duration, count: u32) -> Result<(u64, u64)> {
    const SIZE: usize = 12;
    let receiver = in_near(wire)?;
    receiver.set_read_timeout(Some(Duration::from_secs(3)))?;
    let port = receiver.local_addr()?.port();
    let on_line = Duration::from_micros((SIZE + HEADERS) as u64 * 8_000 / u64::from(kbps));
    let begun = Instant::now();
    let sender = Wire::inside(wire.far(), move || -> std::io::Result<()> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        for _ in 0..count {
            let at = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            let mut packet = [0; SIZE];
            packet[..8].copy_from_slice(&at.to_be_bytes());
            socket.send_to(&packet, (NEAR, port))?;
            std::thread::sleep(on_line + Duration::from_millis(7));
        }
        Ok(())
    })?;
    let mut late = Vec::new();
    let mut buffer = [0; SIZE];
    while late.len() < count as usize && receiver.recv(&mut buffer).is_ok() {
        let sent = u64::from_be_bytes([
            buffer[0], buffer[1], buffer[2], buffer[3], buffer[4], buffer[5], buffer[6], buffer[7],
        ]);
        let taken = begun.elapsed() - Duration::from_micros(sent);
        let over = taken.saturating_sub(delay + on_line);
        late.push(u64::try_from(over.as_micros()).unwrap_or(u64::MAX));
    }
    sender.join().map_err(|_| anyhow!("the sender broke"))??;
    late.sort_unstable();
    let at = |share: usize| late.get((late.len() * share / 100).min(late.len().saturating_sub(1)));
    let (median, worst) = (at(50), at(99));
    Ok((
        *median.context("nothing arrived")?,
        *worst.context("nothing arrived")?,
    ))
}

/// A socket at the near end.
fn in_near(wire: &Wire) -> Result<UdpSocket> {
    Wire::inside(wire.near(), || UdpSocket::bind((NEAR, 0)))?
        .join()
        .map_err(|_| anyhow!("no thread"))?
        .context("no socket at the near end")
}
