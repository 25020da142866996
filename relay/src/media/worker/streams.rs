//! A worker's TCP connections.

use std::net::TcpStream;

use super::{Command, FIRST_CONNECTION, Worker};
use crate::media::{
    ice::{Route, worker_of},
    stun::Message,
    tcp::frame,
};

/// How long a connection may be without a member, in microseconds.
const STRANGER: u64 = 10_000_000;

impl Worker {
    pub(super) fn adopt(&mut self, stream: TcpStream, read: Vec<u8>, now: u64) {
        let Some(id) = self.connections.insert(stream, read, now) else {
            return;
        };
        let token = FIRST_CONNECTION + u64::from(id);
        let added = self
            .connections
            .stream(id)
            .map(|stream| self.poll.add(stream, token));
        if !matches!(added, Some(Ok(()))) {
            self.connections.finish(id);
            return;
        }
        // bytes another worker has read already
        self.frames(id, now);
    }

    pub(super) fn connection_ready(&mut self, token: u64, readable: bool, writable: bool) {
        let Ok(id) = u32::try_from(token - FIRST_CONNECTION) else {
            return;
        };
        if writable {
            self.connections.writable(id);
        }
        if readable {
            self.frames(id, self.now());
        }
    }

    fn frames(&mut self, id: u32, now: u64) {
        let (Some(peer), Some(mut bytes)) = (self.connections.peer(id), self.connections.read(id))
        else {
            return;
        };
        let route = Route::Tcp(id);
        let mut at = 0;
        loop {
            match frame(&bytes, at) {
                Err(()) => {
                    self.connections.finish(id);
                    return;
                }
                Ok(None) => break,
                Ok(Some((start, end))) => {
                    if self.members.by_route(route).is_none() {
                        // the first frame is a check, and its ufrag names the worker
                        let worker = Message::parse(&bytes[start..end])
                            .and_then(|message| worker_of(message.local_ufrag()?));
                        match worker.map(usize::from) {
                            Some(worker) if worker == self.setup.number => {}
                            Some(worker) => {
                                bytes.drain(..at);
                                self.pass_on(id, worker, bytes);
                                return;
                            }
                            None => {
                                self.counts.garbage += 1;
                                self.connections.finish(id);
                                return;
                            }
                        }
                    }
                    self.counts.datagrams_in += 1;
                    self.counts.bytes_in += (end - start) as u64;
                    self.datagram(route, peer, &mut bytes[start..end], now);
                    at = end;
                }
            }
        }
        self.connections.unread(id, bytes, at);
    }

    fn pass_on(&mut self, id: u32, worker: usize, read: Vec<u8>) {
        let Some(stream) = self.connections.hand_over(id) else {
            return;
        };
        // it stays open, so the poll would go on reporting it
        if self.poll.remove(&stream).is_ok()
            && let Some((commands, waker)) = self.setup.others.get(worker)
            && commands.send(Command::Adopt { stream, read }).is_ok()
        {
            waker.wake();
        }
    }

    /// After each turn: writes, and forgets the routes of connections that are over.
    pub(super) fn flush_connections(&mut self) {
        let poll = &self.poll;
        self.connections.flush(|id, stream, on| {
            // a connection that cannot be watched is closed by its silence
            drop(poll.watch_writable(stream, FIRST_CONNECTION + u64::from(id), on));
        });
        while let Some(id) = self.connections.next_over() {
            let route = Route::Tcp(id);
            if let Some(slot) = self.members.by_route(route) {
                self.members.retire_route(route, slot);
                if let Some(member) = self.members.get(slot) {
                    member.agent.forget(route);
                }
            }
        }
    }

    /// Closes connections that never became, or are no longer, a member's.
    pub(super) fn expire_connections(&mut self, now: u64) {
        for id in self.connections.older_than(STRANGER, now) {
            if self.members.by_route(Route::Tcp(id)).is_none() {
                self.connections.finish(id);
            }
        }
    }
}
