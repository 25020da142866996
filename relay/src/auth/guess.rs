//! Failed tries to log in, counted together at every door: SIP, comet, CppComet's socket, CometQL,
//! the HTTP API.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher as _, Hash},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clinicall_sip::{Millis, Time};

use crate::http::peers::household;

/// Wrong keys beyond a number a minute are not looked at. Counting by user alone would let anybody
/// lock a doctor out, so an address from which that user has logged in before is exempt from the
/// user's count. Whoever asks may have as many tries under way as sockets: what is counted is what
/// has failed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guesses {
    per_minute: u32,
    /// Users are kept by a hash: their names are strangers' words, of any length.
    hasher: RandomState,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    addresses: Recent<IpAddr, Window>,
    users: Recent<u64, Window>,
    /// The addresses each user last logged in from.
    known: Recent<u64, Vec<IpAddr>>,
}

/// A minute, and what failed within it.
#[derive(Debug, Default)]
struct Window {
    began: Time,
    failures: u32,
}

const MINUTE: Millis = Millis::from_secs(60);
/// Addresses remembered for a user: home, work, telephone, and a few more.
const KNOWN: usize = 8;
/// Windows kept, and users with their addresses. Whoever commands more addresses than this within a
/// minute is not stopped by counting them.
const MOST: usize = 20_000;

impl Guesses {
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            hasher: RandomState::new(),
            counts: Arc::default(),
        }
    }

    /// `Some` when this try must not be looked at before that much time has passed. `user` where
    /// the key is a person's.
    #[must_use]
    pub fn wait(&self, now: Time, address: IpAddr, user: Option<&str>) -> Option<Millis> {
        let address = household(address);
        let counts = self.lock();
        let stranger = user.map(|user| self.hasher.hash_one(user)).filter(|user| {
            let known = counts.known.get(user);
            known.is_none_or(|known| !known.contains(&address))
        });
        let by_address = counts.addresses.get(&address);
        let by_user = stranger.and_then(|user| counts.users.get(&user));
        [by_address, by_user]
            .into_iter()
            .flatten()
            .filter(|window| window.failures >= self.per_minute)
            .map(|window| (window.began + MINUTE) - now)
            .filter(|left| left.0 > 0)
            .max()
    }

    pub fn failed(&self, now: Time, address: IpAddr, user: Option<&str>) {
        let mut counts = self.lock();
        counts.addresses.of(household(address)).failed(now);
        if let Some(user) = user {
            counts.users.of(self.hasher.hash_one(user)).failed(now);
        }
    }

    pub fn succeeded(&self, address: IpAddr, user: &str) {
        let address = household(address);
        let mut counts = self.lock();
        let known = counts.known.of(self.hasher.hash_one(user));
        known.retain(|other| *other != address);
        known.push(address);
        if known.len() > KNOWN {
            known.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn failed(&mut self, now: Time) {
        if self.failures == 0 || self.began + MINUTE <= now {
            (self.began, self.failures) = (now, 0);
        }
        self.failures += 1;
    }
}

/// What was touched last: when the young half is full, it becomes the old one, and what was not
/// touched since is forgotten.
#[derive(Debug)]
struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash, V: Default> Recent<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// The value of `key`, made when there is none.
    fn of(&mut self, key: K) -> &mut V {
        if !self.young.contains_key(&key) && self.young.len() >= MOST / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        let old = self.old.remove(&key);
        self.young
            .entry(key)
            .or_insert_with(|| old.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_stops_and_the_doctor_at_the_usual_desk_still_gets_in() {
        let [desk, thief]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.66"].map(|a| a.parse().unwrap());
        let guesses = Guesses::new(3);
        let doctor = Some("doctor");
        guesses.succeeded(desk, "doctor");
        for second in 0..3 {
            let now = Time(second * 1_000);
            assert_eq!(guesses.wait(now, thief, doctor), None);
            guesses.failed(now, thief, doctor);
        }
        let now = Time(10_000);
        assert_eq!(guesses.wait(now, thief, doctor), Some(Millis(50_000)));
        assert_eq!(guesses.wait(now, thief, None), Some(Millis(50_000)));
        assert_eq!(guesses.wait(now, desk, doctor), None);
        // from elsewhere the doctor waits for the minute to pass
        let hotel = "192.0.2.99".parse().unwrap();
        assert!(guesses.wait(now, hotel, doctor).is_some());
        assert_eq!(guesses.wait(Time(60_000), thief, doctor), None);
    }

    #[test]
    fn a_thief_with_a_whole_ipv6_subnet_is_one_thief() {
        let guesses = Guesses::new(3);
        for n in 0..3_u128 {
            let address = std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + n);
            guesses.failed(Time(0), address.into(), None);
        }
        let [next, other] = ["2001:db8::ffff", "2001:db8:0:1::1"].map(|a| a.parse().unwrap());
        assert!(guesses.wait(Time(1), next, None).is_some());
        assert_eq!(guesses.wait(Time(1), other, None), None);
    }

    #[test]
    fn a_million_addresses_and_names_do_not_fill_the_memory() {
        let guesses = Guesses::new(3);
        for n in 0..100_000_u32 {
            let (address, user) = (IpAddr::from(n.to_be_bytes()), n.to_string());
            guesses.failed(Time(0), address, Some(&user));
            guesses.succeeded(address, &user);
        }
        let counts = guesses.lock();
        assert!(counts.addresses.young.len() + counts.addresses.old.len() <= MOST);
        assert!(counts.users.young.len() + counts.users.old.len() <= MOST);
        assert!(counts.known.young.len() + counts.known.old.len() <= MOST);
    }

    #[test]
    fn a_crowd_of_addresses_does_not_wash_away_what_was_counted_for_the_doctor() {
        let guesses = Guesses::new(3);
        let doctor = Some("doctor");
        for n in 0..30_000_u32 {
            guesses.failed(Time(0), IpAddr::from(n.to_be_bytes()), doctor);
        }
        let next = "192.0.2.66".parse().unwrap();
        assert!(guesses.wait(Time(1), next, doctor).is_some());
    }
}
