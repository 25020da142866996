//! Failed logins, counted by address and by user.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use clinicall_sip::{Millis, Time};

use crate::http::peers::household;

/// Wrong passwords beyond a number a minute are not looked at. Counting by user alone would let
/// anybody lock a doctor out, so an address from which that user has logged in before is exempt
/// from the user's count.
#[derive(Debug)]
pub(super) struct Throttle {
    per_minute: u32,
    windows: HashMap<Key, Window>,
    /// The addresses each user last logged in from; bounded by [`KNOWN`] for each real user.
    known: BTreeMap<String, Vec<IpAddr>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    User(String),
}

#[derive(Debug)]
struct Window {
    began: Time,
    failures: u32,
}

const MINUTE: Millis = Millis::from_secs(60);
/// Addresses remembered for a user: home, work, telephone, and a few more.
const KNOWN: usize = 8;
/// Windows kept. Whoever commands more addresses than this is not stopped by counting them.
const MAX_WINDOWS: usize = 10_000;

impl Throttle {
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            windows: HashMap::new(),
            known: BTreeMap::new(),
        }
    }

    /// `Some` when this login must not be looked at before that much time has passed.
    pub(super) fn wait(&self, now: Time, address: IpAddr, user: &str) -> Option<Millis> {
        let address = household(address);
        let known = self
            .known
            .get(user)
            .is_some_and(|known| known.contains(&address));
        let by_user = (!known).then(|| Key::User(user.to_owned()));
        [Some(Key::Address(address)), by_user]
            .into_iter()
            .flatten()
            .filter_map(|key| self.windows.get(&key))
            .filter(|window| window.failures >= self.per_minute)
            .map(|window| (window.began + MINUTE) - now)
            .filter(|left| left.0 > 0)
            .max()
    }

    pub(super) fn failed(&mut self, now: Time, address: IpAddr, user: &str) {
        if self.windows.len() >= MAX_WINDOWS {
            self.windows.retain(|_, window| window.began + MINUTE > now);
            if self.windows.len() >= MAX_WINDOWS {
                self.windows.clear();
            }
        }
        for key in [Key::Address(household(address)), Key::User(user.to_owned())] {
            let window = self.windows.entry(key).or_insert(Window {
                began: now,
                failures: 0,
            });
            if window.began + MINUTE <= now {
                *window = Window {
                    began: now,
                    failures: 0,
                };
            }
            window.failures += 1;
        }
    }

    pub(super) fn succeeded(&mut self, address: IpAddr, user: &str) {
        let address = household(address);
        let known = self.known.entry(user.to_owned()).or_default();
        known.retain(|other| *other != address);
        known.push(address);
        if known.len() > KNOWN {
            known.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_stops_and_the_doctor_at_the_usual_desk_still_gets_in() {
        let [desk, thief]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.66"].map(|a| a.parse().unwrap());
        let mut throttle = Throttle::new(3);
        throttle.succeeded(desk, "doctor");
        for second in 0..3 {
            let now = Time(second * 1_000);
            assert_eq!(throttle.wait(now, thief, "doctor"), None);
            throttle.failed(now, thief, "doctor");
        }
        let now = Time(10_000);
        assert_eq!(throttle.wait(now, thief, "doctor"), Some(Millis(50_000)));
        assert_eq!(throttle.wait(now, desk, "doctor"), None);
        // from elsewhere the doctor waits for the minute to pass
        let hotel = "192.0.2.99".parse().unwrap();
        assert!(throttle.wait(now, hotel, "doctor").is_some());
        assert_eq!(throttle.wait(Time(60_000), thief, "doctor"), None);
    }

    #[test]
    fn a_million_addresses_do_not_fill_the_memory() {
        let mut throttle = Throttle::new(3);
        for n in 0..100_000_u32 {
            throttle.failed(Time(0), IpAddr::from(n.to_be_bytes()), "doctor");
        }
        assert!(throttle.windows.len() <= MAX_WINDOWS + 2);
    }
}
