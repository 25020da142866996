//! What a worker does with a datagram, a command, a timer.

use std::cmp::Reverse;
use std::net::SocketAddr;

use super::{Command, Join, SWEEP, Seat, Worker, post::Post};
use crate::media::{
    Event, RoomId, count,
    dtls::Step,
    ice::{Agent, Route},
    lane::Kind,
    negotiated::Negotiated,
    room::Room,
    roster::{Member, PATIENCE},
    srtp::Bad,
    stun::Message,
};

macro_rules! post {
    ($worker:expr) => {
        Post {
            members: &mut $worker.members,
            outbox: &mut $worker.setup.outbox,
            connections: &mut $worker.connections,
        }
    };
}

impl Worker {
    /// One datagram, or one frame of a TCP connection.
    pub(super) fn datagram(
        &mut self,
        route: Route,
        from: SocketAddr,
        datagram: &mut [u8],
        now: u64,
    ) {
        // the first byte tells (RFC 7983 section 7)
        match datagram.first() {
            Some(0..=3) => self.stun(route, from, datagram, now),
            Some(20..=63) => self.dtls(route, datagram, now),
            Some(128..=191) => self.media(route, datagram, now),
            // an oversize datagram arrives here as an empty one
            _ => self.counts.garbage += 1,
        }
    }

    fn stun(&mut self, route: Route, from: SocketAddr, datagram: &[u8], now: u64) {
        let slot = Message::parse(datagram)
            .and_then(|message| Some((self.members.by_ufrag(message.local_ufrag()?)?, message)));
        let Some((slot, message)) = slot else {
            self.counts.garbage += 1;
            return;
        };
        // a check with good credentials from an address that another member is using is a spoof
        if self.members.is_held(route, slot, now) {
            return;
        }
        let Some(member) = self.members.get(slot) else {
            return;
        };
        let Some(checked) = member.agent.check(&message, route, from, now) else {
            self.counts.bad_checks += 1;
            return;
        };
        let step = if checked.valid {
            member
                .dtls
                .path_is_up(self.began + std::time::Duration::from_micros(now))
        } else {
            Step::None
        };
        if checked.valid {
            self.members.claim_route(route, slot);
        }
        if let Some(evicted) = checked.evicted {
            self.members.retire_route(evicted, slot);
        }
        if let Some(retired) = checked.retired {
            self.members.retire_ufrag(retired);
        }
        if checked.moved {
            self.moved(slot, now);
        }
        post!(self).plain(slot, route, checked.response.as_bytes());
        self.after(slot, step, now);
    }

    fn moved(&mut self, slot: u32, now: u64) {
        let Some(member) = self.members.get(slot) else {
            return;
        };
        let (member, room) = (member.id, member.room);
        if let Some(seat) = self.rooms.get_mut(&room.0) {
            seat.room.moved(member, now);
            self.schedule(room);
        }
    }

    fn dtls(&mut self, route: Route, datagram: &[u8], now: u64) {
        // only an address that ICE validated is ever mapped: a stranger's ClientHello ends here
        let Some(slot) = self.members.by_route(route) else {
            self.counts.garbage += 1;
            return;
        };
        let instant = self.instant(now);
        let Some(member) = self.members.get(slot) else {
            return;
        };
        let step = member.dtls.receive(datagram, instant);
        self.after(slot, step, now);
    }

    /// Sends what DTLS has to say and acts on where it got to.
    fn after(&mut self, slot: u32, step: Step, now: u64) {
        let Some(member) = self.members.get(slot) else {
            return;
        };
        let id = member.id;
        match step {
            Step::None => {}
            Step::Keys(keys) => {
                member.srtp = Some(keys);
                self.counts.handshakes += 1;
            }
            Step::Over(why) => {
                member.srtp = None;
                member.patience_ends = None;
                member.connected = false;
                self.counts.failures += 1;
                self.tell(Event::Lost { member: id, why });
                self.flush_dtls(slot);
                // close_notify after whatever alert said why
                let instant = self.instant(now);
                if let Some(member) = self.members.get(slot) {
                    member.dtls.close(instant);
                }
            }
        }
        self.flush_dtls(slot);
        self.connect(slot, now);
    }

    fn flush_dtls(&mut self, slot: u32) {
        while let Some(member) = self.members.get(slot)
            && let Some(datagram) = member.dtls.poll()
        {
            if let Some(route) = member.agent.route() {
                post!(self).plain(slot, route, &datagram);
            }
        }
    }

    /// Tells of a connection that has just become one, and opens the room's door to it.
    fn connect(&mut self, slot: u32, now: u64) {
        let Some(member) = self.members.get(slot) else {
            return;
        };
        if member.srtp.is_none() || member.agent.route().is_none() {
            return;
        }
        let (id, room) = (member.id, member.room);
        if !member.connected {
            member.connected = true;
            member.patience_ends = None;
            self.tell(Event::Connected { member: id });
        }
        let Some(member) = self.members.get(slot) else {
            return;
        };
        // a room that hears of a member before its path is there would ask for keyframes in vain
        if member.admitted && member.joined && !member.open {
            member.open = true;
            if let Some(seat) = self.rooms.get_mut(&room.0) {
                seat.room.admit(id, now);
            }
            self.schedule(room);
        }
    }

    fn media(&mut self, route: Route, packet: &mut [u8], now: u64) {
        let Some(slot) = self.members.by_route(route) else {
            self.counts.garbage += 1;
            return;
        };
        let Some(member) = self.members.get(slot) else {
            return;
        };
        let Some(srtp) = &mut member.srtp else {
            self.counts.garbage += 1;
            return;
        };
        // RFC 5761 section 4: RTCP's types lie where RTP's payload types with marker may not
        let rtcp = packet.len() > 1 && (192..224).contains(&packet[1]);
        let opened = if rtcp {
            srtp.1.unprotect_rtcp(packet)
        } else {
            srtp.1.unprotect_rtp(packet)
        };
        let len = match opened {
            Ok(len) => len,
            Err(Bad::Replayed) => {
                self.counts.replayed += 1;
                return;
            }
            Err(_) => {
                self.counts.bad_tags += 1;
                return;
            }
        };
        if !member.open {
            return;
        }
        let (id, room) = (member.id, member.room);
        self.counts.packets_in += 1;
        let Some(seat) = self.rooms.get_mut(&room.0) else {
            return;
        };
        let mut post = post!(self);
        if rtcp {
            count::feedback(&packet[..len], &mut self.counts);
            seat.room.rtcp(now, id, &packet[..len], &mut post);
        } else {
            seat.room.rtp(now, id, &packet[..len], &mut post);
        }
        self.schedule(room);
    }

    /// Puts the room's next wish to be woken into the queue.
    fn schedule(&mut self, room: RoomId) {
        let Some(seat) = self.rooms.get_mut(&room.0) else {
            return;
        };
        while let Some((member, limits)) = seat.room.news() {
            let news = Event::Carries { member, limits };
            // nobody listens any more: the relay is going down
            drop(self.setup.events.send(news));
        }
        let Some(when) = seat.room.next_wake() else {
            return;
        };
        if seat.wakes.is_none_or(|planned| when < planned) {
            seat.wakes = Some(when);
            self.wakes.push(Reverse((when, room.0)));
        }
    }

    pub(super) fn timers(&mut self) {
        let now = self.now();
        while let Some(Reverse((when, room))) = self.wakes.peek().copied()
            && when <= now
        {
            self.wakes.pop();
            let Some(seat) = self.rooms.get_mut(&room) else {
                continue;
            };
            if seat.wakes != Some(when) {
                continue;
            }
            seat.wakes = None;
            seat.room.tick(now, &mut post!(self));
            while let Some((member, limits)) = seat.room.news() {
                drop(self.setup.events.send(Event::Carries { member, limits }));
            }
            // a room that wants to be woken at once would otherwise keep the worker here
            if let Some(next) = seat.room.next_wake() {
                let next = next.max(now + 1_000);
                seat.wakes = Some(next);
                self.wakes.push(Reverse((next, room)));
            }
        }
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.sweep(now);
        }
    }

    fn sweep(&mut self, now: u64) {
        let instant = self.instant(now);
        for slot in self.members.slots() {
            let Some(member) = self.members.get(slot) else {
                continue;
            };
            if member.dtls.is_shaking() {
                let step = member.dtls.tick(instant);
                self.after(slot, step, now);
            }
            let Some(member) = self.members.get(slot) else {
                continue;
            };
            let mut gone = [None; 8];
            let mut count = 0;
            let silent = member.agent.expire(now, |route| {
                if let Some(place) = gone.get_mut(count) {
                    *place = Some(route);
                }
                count += 1;
            });
            let id = member.id;
            let impatient = member.patience_ends.is_some_and(|end| end <= now);
            let lost = silent && member.connected;
            if lost {
                member.connected = false;
            }
            if impatient {
                member.patience_ends = None;
            }
            for route in gone.into_iter().flatten() {
                self.members.retire_route(route, slot);
            }
            if lost {
                let why = "nothing was heard for 30 seconds".to_owned();
                self.tell(Event::Lost { member: id, why });
            } else if impatient {
                let why = "no media path was found in 30 seconds".to_owned();
                self.tell(Event::Lost { member: id, why });
            }
        }
        self.expire_connections(now);
        let then = now.saturating_sub(SWEEP);
        let rooms = self.rooms.values();
        let spoke = rooms.flat_map(|seat| seat.room.spoke_since(then));
        self.setup.talked.spoke(spoke, instant);
    }

    /// Obeys every command that waits; true when told to stop.
    pub(super) fn obey(&mut self) -> bool {
        while let Ok(command) = self.setup.commands.try_recv() {
            let now = self.now();
            match command {
                Command::OpenRoom(room) => {
                    self.rooms.insert(
                        room.0,
                        Seat {
                            room: Room::new(),
                            wakes: None,
                        },
                    );
                }
                Command::CloseRoom(room) => {
                    for slot in self.members.slots() {
                        if self
                            .members
                            .get(slot)
                            .is_some_and(|member| member.room == room)
                        {
                            self.leave(slot, now);
                        }
                    }
                    self.rooms.remove(&room.0);
                }
                Command::Join(join) => self.join(*join, now),
                Command::Settle {
                    member,
                    negotiated,
                    peer,
                } => {
                    let Some((slot, member)) = self.members.by_id(member) else {
                        continue;
                    };
                    member.patience_ends = Some(now + PATIENCE);
                    let step = member.dtls.set_peer(peer);
                    self.settle(slot, *negotiated, now);
                    self.after(slot, step, now);
                    let instant = self.instant(now);
                    let Some(member) = self.members.get(slot) else {
                        continue;
                    };
                    if member.agent.route().is_some() {
                        let step = member.dtls.path_is_up(instant);
                        self.after(slot, step, now);
                    }
                }
                Command::Renegotiate {
                    member,
                    negotiated,
                    restart,
                } => {
                    let Some((slot, member)) = self.members.by_id(member) else {
                        continue;
                    };
                    if let Some((ufrag, password)) = restart {
                        let retired = member.agent.restart(ufrag, &password);
                        self.members.claim_ufrag(ufrag, slot);
                        if let Some(retired) = retired {
                            self.members.retire_ufrag(retired);
                        }
                    }
                    self.renegotiate(slot, *negotiated, now);
                }
                Command::Admit(member) => {
                    let Some((slot, member)) = self.members.by_id(member) else {
                        continue;
                    };
                    member.admitted = true;
                    self.connect(slot, now);
                }
                Command::Mute {
                    member,
                    audio,
                    video,
                } => {
                    let room = self.members.by_id(member).map(|(_, member)| member.room);
                    if let Some(room) = room
                        && let Some(seat) = self.rooms.get_mut(&room.0)
                    {
                        seat.room.mute(member, Kind::Audio, audio, now);
                        seat.room.mute(member, Kind::Video, video, now);
                        self.schedule(room);
                    }
                }
                Command::Limit(member, limits) => {
                    let Some((_, room)) = self.members.by_id(member) else {
                        continue;
                    };
                    let room = room.room;
                    if let Some(seat) = self.rooms.get_mut(&room.0) {
                        seat.room.limit(member, limits, now);
                    }
                    self.schedule(room);
                }
                Command::KeyFrame(member) => {
                    let room = self.members.by_id(member).map(|(_, member)| member.room);
                    if let Some(room) = room
                        && let Some(seat) = self.rooms.get_mut(&room.0)
                    {
                        seat.room.request_key_frame(member, now);
                        self.schedule(room);
                    }
                }
                Command::Leave(member) => {
                    if let Some(slot) = self.members.slot(member) {
                        self.leave(slot, now);
                    }
                }
                // who asked may have stopped waiting
                Command::Answer(to) => drop(to.send(())),
                Command::Adopt { stream, read } => self.adopt(stream, read, now),
                Command::Stop => {
                    for slot in self.members.slots() {
                        self.leave(slot, now);
                    }
                    return true;
                }
            }
        }
        false
    }

    fn join(&mut self, join: Join, now: u64) {
        let agent = Agent::new(join.ufrag, &join.password);
        let (negotiated, peer) = join.settled.unzip();
        let mut member = Member::new(
            join.member,
            join.room,
            agent,
            self.setup.identity.clone(),
            peer,
        );
        member.patience_ends = negotiated.is_some().then_some(now + PATIENCE);
        let slot = self.members.insert(member);
        self.setup.outbox.grow(slot as usize + 1);
        if let Some(negotiated) = negotiated {
            self.settle(slot, negotiated, now);
        }
    }

    fn settle(&mut self, slot: u32, negotiated: Negotiated, now: u64) {
        let Some(member) = self.members.get(slot) else {
            return;
        };
        member.settled(&negotiated);
        let (id, room) = (member.id, member.room);
        if let Some(seat) = self.rooms.get_mut(&room.0) {
            seat.room.join(id, negotiated, now);
        }
        self.schedule(room);
    }

    fn renegotiate(&mut self, slot: u32, negotiated: Negotiated, now: u64) {
        let Some(member) = self.members.get(slot) else {
            return;
        };
        member.settled(&negotiated);
        let (id, room) = (member.id, member.room);
        if let Some(seat) = self.rooms.get_mut(&room.0) {
            seat.room.renegotiate(id, negotiated, now);
        }
        self.schedule(room);
    }

    fn leave(&mut self, slot: u32, now: u64) {
        let instant = self.instant(now);
        let Some(member) = self.members.get(slot) else {
            return;
        };
        let (id, room) = (member.id, member.room);
        member.dtls.close(instant);
        self.flush_dtls(slot);
        let Some(member) = self.members.remove(slot) else {
            return;
        };
        for route in member.agent.routes() {
            if let Route::Tcp(connection) = route {
                self.connections.finish(connection);
            }
        }
        if member.joined
            && let Some(seat) = self.rooms.get_mut(&room.0)
        {
            seat.room.leave(id, now);
        }
        self.setup.talked.left(id);
        self.schedule(room);
    }

    fn tell(&self, event: Event) {
        // nobody listens any more: the relay is going down
        drop(self.setup.events.send(event));
    }
}
