//! What all server transactions share: retransmissions, merged requests, responses.

use super::{
    Link, Matched, Transactions,
    invite_server::InviteServer,
    key::{merge_key, server_key},
    non_invite_server::NonInviteServer,
};
use crate::{
    agent::{
        Flow, read,
        store::Key,
        timers::{Alarm, T64},
        wire::{Wire, skeleton},
    },
    message::{Headers, Method, Request, Response, Status},
};

#[derive(Debug)]
pub(super) enum ServerState {
    Invite(InviteServer),
    Other(NonInviteServer),
}

#[derive(Debug)]
pub(in crate::agent) struct Server {
    pub(super) link: Link,
    pub(super) key: Key,
    pub(super) merge_key: Option<Key>,
    pub(in crate::agent) method: Method,
    pub(in crate::agent) skeleton: Headers,
    pub(in crate::agent) tag: String,
    /// The call this request belongs to.
    pub(in crate::agent) call: Option<u64>,
    /// The peer is our neighbour on a reliable flow: a response of ours cannot get lost on the way.
    pub(in crate::agent) direct: bool,
    pub(super) state: ServerState,
}

impl Server {
    pub(in crate::agent) const fn flow(&self) -> Flow {
        self.link.flow
    }
    /// Whether the application answers it through a [`super::Pending`].
    pub(in crate::agent) fn is_applications(&self) -> bool {
        self.call.is_none() && self.method != Method::Invite
    }
    pub(super) fn is_answered(&self) -> bool {
        match &self.state {
            ServerState::Invite(machine) => machine.is_answered(),
            ServerState::Other(machine) => machine.is_answered(),
        }
    }
}

impl Transactions {
    /// Finds the transaction a request belongs to and lets it deal with it: a retransmission or an
    /// ACK ends here. A CANCEL gives the INVITE it means.
    pub(in crate::agent) fn receive_request(
        &mut self,
        wire: &mut Wire,
        flow: Flow,
        request: &Request,
    ) -> Matched {
        let key = server_key(&wire.namer, flow, request);
        let Some(id) = wire.names.get(key) else {
            return Matched::No;
        };
        let Some(server) = self.servers.get_mut(id) else {
            return Matched::No;
        };
        if request.method == Method::Cancel {
            return Matched::Cancel {
                invite: id,
                answered: server.is_answered(),
            };
        }
        match &mut server.state {
            ServerState::Other(machine) => machine.receive(wire, server.link),
            ServerState::Invite(machine) if request.method == Method::Ack => {
                machine.acknowledged(wire, server.link);
            }
            ServerState::Invite(machine) => machine.receive(wire, server.link),
        }
        Matched::Absorbed
    }

    /// Whether the same request came already by another way (RFC 3261 section 8.2.2.2).
    pub(in crate::agent) fn is_merged(wire: &Wire, request: &Request) -> bool {
        wire.names.get(merge_key(&wire.namer, request)).is_some()
    }

    /// Opens the server transaction of a new request.
    pub(in crate::agent) fn open(&mut self, wire: &mut Wire, flow: Flow, request: &Request) -> u64 {
        let id = wire.id();
        let link = Link {
            id,
            flow,
            reliable: wire.reliable(flow),
        };
        let key = server_key(&wire.namer, flow, request);
        let merge_key = read::tag(&request.headers, "To")
            .is_none()
            .then(|| merge_key(&wire.namer, request));
        let state = if request.method == Method::Invite {
            ServerState::Invite(InviteServer::default())
        } else {
            wire.timers.set(id, Alarm::GiveUp, wire.now + T64);
            ServerState::Other(NonInviteServer::default())
        };
        wire.names.set(key, id);
        self.by_flow.set((flow.0, id), 0);
        if let Some(key) = merge_key {
            wire.names.set(key, id);
        }
        let server = Server {
            link,
            key,
            merge_key,
            method: request.method.clone(),
            skeleton: skeleton(&request.headers),
            tag: wire.entropy.token(12),
            call: None,
            direct: link.reliable && request.headers.all("Via").len() == 1,
            state,
        };
        self.servers.insert(id, Box::new(server));
        self.waiting += 1;
        id
    }

    /// A response to start from; `None` when the transaction is gone or answered.
    pub(in crate::agent) fn response(
        &self,
        wire: &Wire,
        id: u64,
        status: Status,
    ) -> Option<Response> {
        let server = self
            .servers
            .get(id)
            .filter(|server| !server.is_answered())?;
        Some(wire.response(&server.skeleton, &server.tag, status))
    }

    /// Sends the response; gives its bytes (an INVITE's 2xx is the user's to send again).
    pub(in crate::agent) fn respond(
        &mut self,
        wire: &mut Wire,
        id: u64,
        response: Response,
    ) -> Vec<u8> {
        let Some(server) = self.servers.get_mut(id) else {
            return Vec::new();
        };
        let status = response.status;
        let bytes = response.to_bytes();
        if status.is_final() && !server.is_answered() {
            self.waiting = self.waiting.saturating_sub(1);
        }
        match &mut server.state {
            ServerState::Invite(machine) => machine.send(wire, server.link, status, &bytes),
            ServerState::Other(machine) => machine.send(wire, server.link, status, &bytes),
        }
        bytes
    }

    /// Answers at once with nothing but a status and a few headers.
    pub(in crate::agent) fn refuse(
        &mut self,
        wire: &mut Wire,
        id: u64,
        status: Status,
        more: &[(&str, &str)],
    ) {
        if let Some(mut response) = self.response(wire, id, status) {
            for (name, value) in more {
                response.headers.push(name, *value);
            }
            self.respond(wire, id, response);
        }
    }
}
