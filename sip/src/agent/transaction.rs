//! The transaction layer (RFC 3261 section 17, RFC 6026): which message belongs to which
//! transaction, and what is told to whoever uses it.

use super::{
    Flow,
    store::{Index, Table},
    timers::Alarm,
    wire::Wire,
};
use crate::message::Response;

mod client;
mod invite_client;
mod invite_server;
mod key;
mod non_invite_client;
mod non_invite_server;
mod server;

pub(super) use client::{Again, Client};
pub(super) use server::Server;

use client::ClientState;
use server::ServerState;

/// Whom a client transaction reports to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The first INVITE of a call.
    Invite(u64),
    /// A re-INVITE or UPDATE of ours within a call.
    Change(u64),
    Bye(u64),
    Prack(u64),
    /// The application's own request, within a call or not.
    Sent(u64),
    Register(u64),
    /// Nobody waits (CANCEL, the BYE of a stray fork).
    Nobody,
}

/// Where a message stands, and where its answer goes.
#[derive(Clone, Copy, Debug)]
struct Link {
    id: u64,
    flow: Flow,
    reliable: bool,
}

/// What a transaction does with a message it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Not news: absorbed.
    Absorb,
    /// Tell the user.
    Deliver,
}

/// What the transaction layer has to say about an input.
#[derive(Debug)]
pub(super) enum Report {
    Nothing,
    /// A response for the user of client transaction `.0`.
    Response(u64, Response),
    /// No final response came; the transaction is gone.
    TimedOut(Box<Client>),
}

#[derive(Debug)]
pub(super) enum Matched {
    No,
    Absorbed,
    Cancel { invite: u64, answered: bool },
}

#[derive(Debug, Default)]
pub(super) struct Transactions {
    clients: Table<Client>,
    servers: Table<Server>,
    /// Client and server transactions of each flow.
    by_flow: Index,
    /// Server transactions that wait for an answer of ours.
    waiting: usize,
}

impl Transactions {
    pub(super) fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }
    /// Requests that wait for an answer of ours.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }
    pub(super) fn server(&self, id: u64) -> Option<&Server> {
        self.servers.get(id)
    }
    pub(super) fn server_mut(&mut self, id: u64) -> Option<&mut Server> {
        self.servers.get_mut(id)
    }
    pub(super) fn client(&self, id: u64) -> Option<&Client> {
        self.clients.get(id)
    }

    pub(super) fn owns(&self, id: u64) -> bool {
        self.clients.contains(id) || self.servers.contains(id)
    }

    pub(super) fn alarm(&mut self, wire: &mut Wire, id: u64, alarm: Alarm) -> Report {
        if let Some(client) = self.clients.get_mut(id) {
            if alarm == Alarm::Resend {
                match &mut client.state {
                    ClientState::Invite(machine) => {
                        machine.resend(wire, client.link, &client.request)
                    }
                    ClientState::Other(machine) => {
                        machine.resend(wire, client.link, &client.request)
                    }
                }
                return Report::Nothing;
            }
            let client = self.forget_client(wire, id);
            return match client {
                Some(client) if alarm == Alarm::GiveUp => Report::TimedOut(client),
                _ => Report::Nothing,
            };
        }
        // A final response that was never acknowledged, or a request nobody answered: either is over
        // for its user already.
        match self.servers.get_mut(id) {
            Some(server) if alarm == Alarm::Resend => {
                if let ServerState::Invite(machine) = &mut server.state {
                    machine.resend(wire, server.link);
                }
            }
            _ => self.forget_server(wire, id),
        }
        Report::Nothing
    }

    fn forget_client(&mut self, wire: &mut Wire, id: u64) -> Option<Box<Client>> {
        wire.timers.cancel_all(id);
        let client = self.clients.remove(id)?;
        wire.names.take(client.key);
        self.by_flow.take((client.link.flow.0, id));
        Some(client)
    }

    fn forget_server(&mut self, wire: &mut Wire, id: u64) {
        wire.timers.cancel_all(id);
        if let Some(server) = self.servers.remove(id) {
            if !server.is_answered() {
                self.waiting = self.waiting.saturating_sub(1);
            }
            wire.names.take(server.key);
            if let Some(key) = server.merge_key {
                wire.names.take(key);
            }
            self.by_flow.take((server.link.flow.0, id));
        }
    }

    /// Ends every transaction of a closed flow; gives the client ones that still waited.
    pub(super) fn closed(&mut self, wire: &mut Wire, flow: Flow) -> Vec<Client> {
        let mut failed = Vec::new();
        for id in self.by_flow.all(flow.0) {
            self.forget_server(wire, id);
            if let Some(client) = self.forget_client(wire, id)
                && client.waits()
            {
                failed.push(*client);
            }
        }
        failed
    }
}
