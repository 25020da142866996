//! The emulated link itself, with real packets. What is asserted holds however busy the machine is:
//! a line may be late, never early, and it loses nothing it does not own up to.

use std::{net::UdpSocket, time::Duration};

use anyhow::Result;
use clinicall_tests::link::{
    Link, Loss, Way,
    capture::{Heading, Station},
    probe,
    wire::{NEAR, Wire},
};

const MILLI: u64 = 1_000;

/// Sends numbered packets of 100 bytes (128 with headers) from the far end, 5 ms apart, and waits
/// until the link is empty.
fn send(wire: &Wire, count: u64) -> Result<()> {
    let sent = Wire::inside(wire.far(), move || -> std::io::Result<()> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        for _ in 0..count {
            socket.send_to(&[0; 100], (NEAR, 9))?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    })?;
    sent.join().expect("the sender panicked")?;
    std::thread::sleep(Duration::from_millis(600));
    Ok(())
}

#[test]
fn a_line_carries_no_more_than_its_rate_and_owns_up_to_the_rest() -> Result<()> {
    // 128 bytes each 5 ms are 205 kbit/s at most; a busy machine sends fewer
    let wire = Wire::lay(Link::both(Way::line(64, 200).loss(Loss::Random(0.1))))?;
    send(&wire, 400)?;
    wire.capture(|capture| {
        let count = |station| capture.at(Heading::Up, station).count();
        assert_eq!(count(Station::Sent), 400);
        let (arrived, lost) = (count(Station::Arrived), count(Station::Lost));
        assert_eq!(arrived + lost + count(Station::Dropped), 400);
        assert!(lost > 0, "no loss in {arrived}");
        // what got onto the line, and when the first and the last of it left it
        let (first, last) = (
            capture.at(Heading::Up, Station::Sent).next().unwrap().at,
            capture.at(Heading::Up, Station::Arrived).last().unwrap().at,
        );
        let least = arrived as u64 * 128 * 8 * MILLI / 64;
        assert!(last - first >= least, "{} us for {arrived}", last - first);
    });
    Ok(())
}

#[test]
fn no_packet_comes_early_and_a_dead_link_carries_none() -> Result<()> {
    let wire = Wire::lay(Link::both(Way::line(1_000, 400).delay(80)))?;
    send(&wire, 20)?;
    wire.becomes(Link::both(Way::line(1_000, 400).delay(80)).dead());
    send(&wire, 20)?;
    wire.capture(|capture| {
        let sent = capture.at(Heading::Up, Station::Sent);
        let arrived: Vec<_> = capture.at(Heading::Up, Station::Arrived).collect();
        assert_eq!(arrived.len(), 20);
        for (sent, arrived) in sent.zip(arrived) {
            assert!(arrived.at >= sent.at + 81 * MILLI, "{sent:?} {arrived:?}");
        }
    });
    Ok(())
}

#[test]
fn the_emulator_knows_its_own_error() -> Result<()> {
    let error = probe::measure(64, Duration::from_millis(50))?;
    println!("{error:?}");
    // Above the rate there is nothing but the grain of the measurement: one packet in four seconds.
    assert!(error.rate < 0.02, "faster than it may be: {error:?}");
    Ok(())
}
