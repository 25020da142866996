//! The members of a worker: who they are, how they are reached, how to find them.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use super::{
    MemberId, RoomId,
    dtls::{Dtls, Identity, Peer},
    ice::{Agent, Route, Ufrag},
    negotiated::Negotiated,
    srtp::{Inbound, Outbound},
};

/// How long a member may take to find a path and shake hands before the loss is told, in
/// microseconds: what ICE itself allows (RFC 8445 appendix B.1).
pub const PATIENCE: u64 = 30_000_000;

/// One peer connection.
#[derive(Debug)]
pub struct Member {
    pub id: MemberId,
    pub room: RoomId,
    pub agent: Agent,
    pub dtls: Dtls,
    pub srtp: Option<Box<(Outbound, Inbound)>>,
    /// Signalling let it in.
    pub admitted: bool,
    /// It is in the room (its descriptions are settled).
    pub joined: bool,
    /// The room was told that it may hear and be heard.
    pub open: bool,
    /// `Connected` was told and no `Lost` since.
    pub connected: bool,
    /// When to give up on connecting; `None`: it is connected, or has not answered yet.
    pub patience_ends: Option<u64>,
    /// Payload types that a slow TCP connection may lose.
    pub droppable: [Option<u8>; 2],
}

impl Member {
    pub fn new(
        id: MemberId,
        room: RoomId,
        agent: Agent,
        identity: Arc<Identity>,
        peer: Option<Peer>,
    ) -> Self {
        Self {
            id,
            room,
            agent,
            dtls: Dtls::new(identity, peer),
            srtp: None,
            admitted: false,
            joined: false,
            open: false,
            connected: false,
            patience_ends: None,
            droppable: [None; 2],
        }
    }

    pub fn settled(&mut self, negotiated: &Negotiated) {
        self.joined = true;
        if let Some(video) = &negotiated.video {
            self.droppable = [Some(video.payload_type), video.rtx];
        }
    }
}

/// Members in slots; a slot is reused, an id never.
#[derive(Debug, Default)]
pub struct Members {
    slots: Vec<Option<Box<Member>>>,
    free: Vec<u32>,
    by_id: HashMap<u64, u32, BuildHasherDefault<IdHasher>>,
    /// Authenticated routes only, so an attacker cannot fill it.
    by_route: HashMap<Route, u32>,
    by_ufrag: HashMap<Ufrag, u32>,
}

impl Members {
    pub fn insert(&mut self, member: Member) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // a worker's members are far fewer than 2^32
            self.slots.len() as u32 - 1
        });
        self.by_id.insert(member.id.0, slot);
        for ufrag in member.agent.ufrags() {
            self.by_ufrag.insert(ufrag, slot);
        }
        self.slots[slot as usize] = Some(Box::new(member));
        slot
    }

    pub fn remove(&mut self, slot: u32) -> Option<Box<Member>> {
        let member = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        self.by_id.remove(&member.id.0);
        for ufrag in member.agent.ufrags() {
            self.by_ufrag.remove(&ufrag);
        }
        for route in member.agent.routes() {
            if self.by_route.get(&route) == Some(&slot) {
                self.by_route.remove(&route);
            }
        }
        Some(member)
    }

    pub fn get(&mut self, slot: u32) -> Option<&mut Member> {
        self.slots.get_mut(slot as usize)?.as_deref_mut()
    }

    pub fn slot(&self, id: MemberId) -> Option<u32> {
        self.by_id.get(&id.0).copied()
    }

    pub fn by_id(&mut self, id: MemberId) -> Option<(u32, &mut Member)> {
        let slot = *self.by_id.get(&id.0)?;
        Some((slot, self.slots.get_mut(slot as usize)?.as_deref_mut()?))
    }

    pub fn by_route(&self, route: Route) -> Option<u32> {
        self.by_route.get(&route).copied()
    }

    pub fn by_ufrag(&self, ufrag: &[u8]) -> Option<u32> {
        self.by_ufrag.get(ufrag).copied()
    }

    pub fn claim_ufrag(&mut self, ufrag: Ufrag, slot: u32) {
        self.by_ufrag.insert(ufrag, slot);
    }

    pub fn retire_ufrag(&mut self, ufrag: Ufrag) {
        self.by_ufrag.remove(&ufrag);
    }

    /// Whether the route is another's who was just heard there.
    pub fn is_held(&mut self, route: Route, by_other_than: u32, now: u64) -> bool {
        match self.by_route(route) {
            Some(owner) if owner != by_other_than => self
                .get(owner)
                .is_some_and(|member| member.agent.holds(route, now)),
            _ => false,
        }
    }

    /// The route is this member's from now on.
    pub fn claim_route(&mut self, route: Route, slot: u32) {
        if let Some(owner) = self.by_route.insert(route, slot)
            && owner != slot
            && let Some(member) = self.get(owner)
        {
            member.agent.forget(route);
        }
    }

    pub fn retire_route(&mut self, route: Route, slot: u32) {
        if self.by_route.get(&route) == Some(&slot) {
            self.by_route.remove(&route);
        }
    }

    pub fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.slots.len() as u32
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }
}

/// Ids are ours and consecutive: one multiplication spreads them.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, id: u64) {
        // 2^64 divided by the golden ratio
        self.0 = (self.0 ^ id)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(26);
    }
}
