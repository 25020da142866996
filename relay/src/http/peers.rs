//! How many connections each address holds.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts connections by address; cheap to clone.
#[derive(Clone, Debug)]
pub struct Peers {
    held: Arc<Mutex<Held>>,
    total: usize,
    per_address: usize,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection; dropping it gives the place back.
#[derive(Debug)]
pub struct Place {
    peers: Peers,
    address: IpAddr,
}

impl Peers {
    #[must_use]
    pub fn new(total: usize, per_address: usize) -> Self {
        Self {
            held: Arc::default(),
            total,
            per_address,
        }
    }

    /// A place for one more connection of that address, if there is one.
    #[must_use]
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = household(address);
        let mut held = self.lock();
        if held.total >= self.total {
            return None;
        }
        let count = held.by_address.entry(address).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        held.total += 1;
        drop(held);
        Some(Place {
            peers: self.clone(),
            address,
        })
    }

    #[must_use]
    pub fn total(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.peers.lock();
        held.total -= 1;
        if let Some(count) = held.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.by_address.remove(&self.address);
            }
        }
    }
}

/// An IPv6 subscriber owns a /64 at least, so that is what counts as one address.
#[must_use]
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = v6.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_so_many_places_and_gets_them_back() {
        let peers = Peers::new(3, 2);
        let [home, away]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|a| a.parse().unwrap());
        let first = peers.enter(home).unwrap();
        let _second = peers.enter(home).unwrap();
        assert!(peers.enter(home).is_none());
        let _third = peers.enter(away).unwrap();
        assert!(peers.enter(away).is_none(), "the total is reached");
        drop(first);
        assert!(peers.enter(home).is_some());
        assert_eq!(peers.total(), 2);
    }

    #[test]
    fn one_subscriber_cannot_pose_as_many_by_changing_the_lower_half() {
        let peers = Peers::new(9, 1);
        let _place = peers.enter("2001:db8::1".parse().unwrap()).unwrap();
        assert!(peers.enter("2001:db8::ffff".parse().unwrap()).is_none());
        assert!(peers.enter("2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
