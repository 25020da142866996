use super::*;

/// A client of ours and a server of ours on a link that loses the datagrams with these numbers.
/// Milliseconds until both have keys.
fn handshake(lost: &dyn Fn(usize) -> bool) -> Result<u64, String> {
    handshake_on(Link::Narrow, lost)
}

fn handshake_on(link: Link, lost: &dyn Fn(usize) -> bool) -> Result<u64, String> {
    let identity = Arc::new(Identity::generate().unwrap());
    let fingerprint = parse_fingerprint(&identity.fingerprint).unwrap();
    let peer = |side| Peer {
        side,
        fingerprints: vec![fingerprint],
        link,
    };
    let mut ends = [Side::Client, Side::Server]
        .map(|side| (Dtls::new(identity.clone(), Some(peer(side))), false));
    let begun = Instant::now();
    let (mut number, mut millis) = (0, 0);
    // when it arrives, at whom
    let mut flying: Vec<(u64, usize, Vec<u8>)> = Vec::new();
    let step = ends[0].0.path_is_up(begun);
    assert!(matches!(step, Step::None));
    while millis < 20_000 {
        let now = begun + Duration::from_millis(millis);
        let arrived: Vec<_> = flying.extract_if(.., |(at, ..)| *at <= millis).collect();
        for (_, to, datagram) in arrived {
            match ends[to].0.receive(&datagram, now) {
                Step::None => {}
                Step::Keys(_) => ends[to].1 = true,
                Step::Over(why) => return Err(format!("{to}: {why}")),
            }
        }
        for (at, (dtls, _)) in ends.iter_mut().enumerate() {
            if let Step::Over(why) = dtls.tick(now) {
                return Err(format!("{at} at {millis} ms: {why}"));
            }
            while let Some(datagram) = dtls.poll() {
                number += 1;
                if !lost(number) {
                    flying.push((millis + 150, 1 - at, datagram.to_vec()));
                }
            }
        }
        if ends.iter().all(|(_, keys)| *keys) {
            return Ok(millis);
        }
        millis += 10;
    }
    Err(format!("{:?}", ends.map(|(_, keys)| keys)))
}

/// Milliseconds over a good link: two round trips of 300 and the cookie's.
const CLEAN: u64 = 900;

#[test]
fn whatever_datagram_is_lost_the_handshake_ends() {
    assert_eq!(handshake(&|_| false), Ok(CLEAN));
    for first in 1..12 {
        let took = handshake(&|number| number == first);
        let late = took.as_ref().is_ok_and(|took| *took <= CLEAN + 1_500);
        assert!(late, "datagram {first} was lost: {took:?}");
        for second in first + 1..14 {
            let took = handshake(&|number| number == first || number == second);
            let late = took.as_ref().is_ok_and(|took| *took <= CLEAN + 3_000);
            assert!(late, "datagrams {first} and {second} were lost: {took:?}");
        }
    }
}

#[test]
fn a_village_link_that_loses_every_fifth_packet_is_good_enough() {
    for seed in 0..100_u64 {
        let mut dice = seed * 7_919 + 1;
        // the same loss for a datagram in every run with this seed
        let lost = std::cell::RefCell::new(move || {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33).is_multiple_of(5)
        });
        let took = handshake(&|_| lost.borrow_mut()());
        assert!(took.is_ok(), "seed {seed}: {took:?}");
    }
}

#[test]
fn on_a_good_link_a_lost_datagram_costs_less_than_half_a_second() {
    for first in 1..12 {
        let took = handshake_on(Link::Fast, &|number| number == first);
        let late = took.as_ref().is_ok_and(|took| *took <= CLEAN + 400);
        assert!(late, "datagram {first} was lost: {took:?}");
    }
}

#[test]
fn six_datagrams_lost_one_after_the_other_are_survived() {
    for link in [Link::Fast, Link::Slow, Link::Narrow] {
        for first in [1, 3, 5] {
            let took = handshake_on(link, &|number| (first..first + 6).contains(&number));
            assert!(took.is_ok(), "{link:?}, from {first} on: {took:?}");
        }
    }
}
