//! The transaction layer (RFC 3261 section 17, RFC 6026): which message belongs to which
//! transaction, and what is told to whoever uses it.

use std::collections::BTreeMap;

use super::{
    Flow,
    auth::Login,
    read,
    timers::{Alarm, T64},
    wire::{Wire, skeleton},
};
use crate::{
    message::{Headers, Method, Request, Response, Status},
    uri::Uri,
};

mod invite_client;
mod invite_server;
mod non_invite_client;
mod non_invite_server;

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

#[derive(Debug)]
enum ClientState {
    Invite(invite_client::InviteClient),
    Other(non_invite_client::NonInviteClient),
}

#[derive(Debug)]
pub(super) struct Client {
    link: Link,
    key: String,
    pub(super) request: Request,
    pub(super) purpose: Purpose,
    /// What challenges are answered with, if at all.
    pub(super) login: Option<Login>,
    /// A CANCEL that was asked for: held back until a provisional response came.
    cancel: Option<Cancel>,
    /// The ACK for each 2xx by its To tag; empty while it waits for an answer to be put in.
    acks: Vec<(String, Vec<u8>)>,
    state: ClientState,
}

/// What a request that is sent again keeps of its first transaction.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) flow: Flow,
    pub(super) purpose: Purpose,
    pub(super) login: Option<Login>,
}

impl Client {
    pub(super) const fn flow(&self) -> Flow {
        self.link.flow
    }
    pub(super) const fn is_canceled(&self) -> bool {
        self.cancel.is_some()
    }
    pub(super) fn again(&self) -> Again {
        Again {
            flow: self.link.flow,
            purpose: self.purpose,
            login: self.login.clone(),
        }
    }
}

#[derive(Debug)]
enum Cancel {
    Held(Option<String>),
    Sent,
}

#[derive(Debug)]
enum ServerState {
    Invite(invite_server::InviteServer),
    Other(non_invite_server::NonInviteServer),
}

#[derive(Debug)]
pub(super) struct Server {
    link: Link,
    key: String,
    merge_key: String,
    pub(super) method: Method,
    pub(super) skeleton: Headers,
    pub(super) tag: String,
    /// The call this request belongs to.
    pub(super) call: Option<u64>,
    /// The peer is our neighbour on a reliable flow: a response of ours cannot get lost on the way.
    pub(super) direct: bool,
    state: ServerState,
}

impl Server {
    pub(super) const fn flow(&self) -> Flow {
        self.link.flow
    }
    /// Whether the application answers it through a [`super::Pending`].
    pub(super) fn is_applications(&self) -> bool {
        self.call.is_none() && self.method != Method::Invite
    }
    fn is_answered(&self) -> bool {
        match &self.state {
            ServerState::Invite(machine) => machine.is_answered(),
            ServerState::Other(machine) => machine.is_answered(),
        }
    }
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

#[derive(Debug, Default)]
pub(super) struct Transactions {
    clients: BTreeMap<u64, Client>,
    servers: BTreeMap<u64, Server>,
    /// `c`, `s` or `m` (merged requests) and what identifies the transaction there.
    index: BTreeMap<String, u64>,
    /// Server transactions that wait for an answer of ours.
    waiting: usize,
}

impl Transactions {
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }
    /// Requests that wait for an answer of ours.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }
    pub(super) fn server(&self, id: u64) -> Option<&Server> {
        self.servers.get(&id)
    }
    pub(super) fn server_mut(&mut self, id: u64) -> Option<&mut Server> {
        self.servers.get_mut(&id)
    }
    pub(super) fn client(&self, id: u64) -> Option<&Client> {
        self.clients.get(&id)
    }

    // --- client ------------------------------------------------------------------------------

    /// Sends a request and follows it. Its top Via must be fresh.
    pub(super) fn send(
        &mut self,
        wire: &mut Wire,
        flow: Flow,
        request: Request,
        purpose: Purpose,
        login: Option<Login>,
    ) -> u64 {
        let id = wire.id();
        let link = Link {
            id,
            flow,
            reliable: wire.reliable(flow),
        };
        let key = client_key(&request.headers, request.method.as_str());
        wire.send_request(flow, &request);
        let state = if request.method == Method::Invite {
            ClientState::Invite(invite_client::InviteClient::start(wire, link))
        } else {
            ClientState::Other(non_invite_client::NonInviteClient::start(wire, link))
        };
        self.index.insert(key.clone(), id);
        let client = Client {
            link,
            key,
            request,
            purpose,
            login,
            cancel: None,
            acks: Vec::new(),
            state,
        };
        self.clients.insert(id, client);
        if !wire.flows.contains_key(&flow) {
            // The flow closed under us: fail soon, but never from within the caller's call.
            wire.timers.set(id, Alarm::GiveUp, wire.now);
        }
        id
    }

    pub(super) fn receive_response(&mut self, wire: &mut Wire, response: Response) -> Report {
        let Some((_, method)) = read::cseq(&response.headers) else {
            return Report::Nothing;
        };
        let Some(&id) = self.index.get(&client_key(&response.headers, method)) else {
            return Report::Nothing;
        };
        let Some(client) = self.clients.get_mut(&id) else {
            return Report::Nothing;
        };
        let verdict = match &mut client.state {
            ClientState::Other(machine) => machine.receive(wire, client.link, response.status),
            ClientState::Invite(machine) => {
                let verdict = machine.receive(wire, client.link, response.status);
                if response.status.0 >= 300 {
                    wire.send_request(client.link.flow, &ack_failure(&client.request, &response));
                }
                verdict
            }
        };
        if response.status.is_provisional() {
            self.cancel_now(wire, id);
        } else if response.status.is_success() && verdict == Verdict::Deliver {
            // A 2xx that was acknowledged before is acknowledged again (RFC 3261 section 13.2.2.4).
            let tag = read::tag(&response.headers, "To").unwrap_or_default();
            if let Some((_, ack)) = client.acks.iter().find(|(of, _)| of == tag) {
                if !ack.is_empty() {
                    wire.send(client.link.flow, ack.clone());
                }
                return Report::Nothing;
            }
        }
        match verdict {
            Verdict::Deliver => Report::Response(id, response),
            Verdict::Absorb => Report::Nothing,
        }
    }

    /// Keeps the ACK of a 2xx and sends it; with `None` the 2xx waits for [`Self::ack`] to be called
    /// again.
    pub(super) fn ack(
        &mut self,
        wire: &mut Wire,
        id: u64,
        flow: Flow,
        tag: &str,
        ack: Option<&Request>,
    ) {
        let bytes = ack.map_or_else(Vec::new, Request::to_bytes);
        if let Some(client) = self.clients.get_mut(&id) {
            client.request.body = Vec::new();
            client.acks.retain(|(of, _)| of != tag);
            // More forks than this accept only in an attack.
            if client.acks.len() < 16 {
                client.acks.push((tag.to_owned(), bytes.clone()));
            }
        }
        if !bytes.is_empty() {
            wire.send(flow, bytes);
        }
    }

    /// Asks for the end of an INVITE of ours (RFC 3261 section 9.1).
    pub(super) fn cancel(&mut self, wire: &mut Wire, id: u64, reason: Option<String>) {
        if let Some(client) = self.clients.get_mut(&id)
            && client.cancel.is_none()
        {
            client.cancel = Some(Cancel::Held(reason));
            self.cancel_now(wire, id);
        }
    }

    fn cancel_now(&mut self, wire: &mut Wire, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let ClientState::Invite(machine) = &client.state else {
            return;
        };
        if !machine.is_proceeding() {
            return;
        }
        let Some(Cancel::Held(reason)) = &mut client.cancel else {
            return;
        };
        let mut request = same_transaction(&client.request, Method::Cancel);
        if let Some(reason) = reason.take() {
            request.headers.push("Reason", reason);
        }
        client.cancel = Some(Cancel::Sent);
        let flow = client.link.flow;
        wire.timers.set(id, Alarm::GiveUp, wire.now + T64);
        // A CANCEL cannot be sent again, so nobody may challenge it (RFC 3261 section 22.1).
        self.send(wire, flow, request, Purpose::Nobody, None);
    }

    // --- server ------------------------------------------------------------------------------

    /// Finds the transaction a request belongs to and lets it deal with it: a retransmission or an
    /// ACK ends here. A CANCEL gives the INVITE it means.
    pub(super) fn receive_request(
        &mut self,
        wire: &mut Wire,
        flow: Flow,
        request: &Request,
    ) -> Matched {
        let key = server_key(flow, request);
        let Some(&id) = self.index.get(&key) else {
            return Matched::No;
        };
        let Some(server) = self.servers.get_mut(&id) else {
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
    pub(super) fn is_merged(&self, request: &Request) -> bool {
        self.index.contains_key(&merge_key(request))
    }

    /// Opens the server transaction of a new request.
    pub(super) fn open(&mut self, wire: &mut Wire, flow: Flow, request: &Request) -> u64 {
        let id = wire.id();
        let link = Link {
            id,
            flow,
            reliable: wire.reliable(flow),
        };
        let key = server_key(flow, request);
        let merge_key = if read::tag(&request.headers, "To").is_none() {
            merge_key(request)
        } else {
            String::new()
        };
        let state = if request.method == Method::Invite {
            ServerState::Invite(invite_server::InviteServer::default())
        } else {
            wire.timers.set(id, Alarm::GiveUp, wire.now + T64);
            ServerState::Other(non_invite_server::NonInviteServer::default())
        };
        self.index.insert(key.clone(), id);
        if !merge_key.is_empty() {
            self.index.insert(merge_key.clone(), id);
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
        self.servers.insert(id, server);
        self.waiting += 1;
        id
    }

    /// A response to start from; `None` when the transaction is gone or answered.
    pub(super) fn response(&self, wire: &Wire, id: u64, status: Status) -> Option<Response> {
        let server = self
            .servers
            .get(&id)
            .filter(|server| !server.is_answered())?;
        Some(wire.response(&server.skeleton, &server.tag, status))
    }

    /// Sends the response; gives its bytes (an INVITE's 2xx is the user's to send again).
    pub(super) fn respond(&mut self, wire: &mut Wire, id: u64, response: Response) -> Vec<u8> {
        let Some(server) = self.servers.get_mut(&id) else {
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
    pub(super) fn refuse(
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

    // --- time and loss -----------------------------------------------------------------------

    pub(super) fn owns(&self, id: u64) -> bool {
        self.clients.contains_key(&id) || self.servers.contains_key(&id)
    }

    pub(super) fn alarm(&mut self, wire: &mut Wire, id: u64, alarm: Alarm) -> Report {
        if let Some(client) = self.clients.get_mut(&id) {
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
                Some(client) if alarm == Alarm::GiveUp => Report::TimedOut(Box::new(client)),
                _ => Report::Nothing,
            };
        }
        // A final response that was never acknowledged, or a request nobody answered: either is over
        // for its user already.
        match self.servers.get_mut(&id) {
            Some(server) if alarm == Alarm::Resend => {
                if let ServerState::Invite(machine) = &mut server.state {
                    machine.resend(wire, server.link);
                }
            }
            _ => self.forget_server(wire, id),
        }
        Report::Nothing
    }

    fn forget_client(&mut self, wire: &mut Wire, id: u64) -> Option<Client> {
        wire.timers.cancel_all(id);
        let client = self.clients.remove(&id)?;
        self.index.remove(&client.key);
        Some(client)
    }

    fn forget_server(&mut self, wire: &mut Wire, id: u64) {
        wire.timers.cancel_all(id);
        if let Some(server) = self.servers.remove(&id) {
            if !server.is_answered() {
                self.waiting = self.waiting.saturating_sub(1);
            }
            self.index.remove(&server.key);
            self.index.remove(&server.merge_key);
        }
    }

    /// Ends every transaction of a closed flow; gives the client ones that still waited.
    pub(super) fn closed(&mut self, wire: &mut Wire, flow: Flow) -> Vec<Client> {
        let servers: Vec<u64> = self.of(flow, false);
        for id in servers {
            self.forget_server(wire, id);
        }
        let mut failed = Vec::new();
        for id in self.of(flow, true) {
            if let Some(client) = self.forget_client(wire, id) {
                let waits = match &client.state {
                    ClientState::Invite(machine) => machine.waits(),
                    ClientState::Other(machine) => machine.waits(),
                };
                if waits {
                    failed.push(client);
                }
            }
        }
        failed
    }

    fn of(&self, flow: Flow, clients: bool) -> Vec<u64> {
        if clients {
            let own = self
                .clients
                .iter()
                .filter(|(_, client)| client.link.flow == flow);
            own.map(|(id, _)| *id).collect()
        } else {
            let own = self
                .servers
                .iter()
                .filter(|(_, server)| server.link.flow == flow);
            own.map(|(id, _)| *id).collect()
        }
    }
}

#[derive(Debug)]
pub(super) enum Matched {
    No,
    Absorbed,
    Cancel { invite: u64, answered: bool },
}

/// RFC 3261 section 17.1.3: the branch of the top Via and the method of CSeq.
fn client_key(headers: &Headers, method: &str) -> String {
    let branch = headers
        .all("Via")
        .next()
        .and_then(read::via)
        .map_or("", |(_, branch)| branch);
    ["c", branch, " ", method].concat()
}

/// RFC 3261 section 17.2.3: branch, sent-by and method, ACK and CANCEL counting as the INVITE they
/// mean; without the magic cookie RFC 2543's fields. The flow belongs to it: who is on another
/// connection cannot reach a transaction by guessing its branch.
fn server_key(flow: Flow, request: &Request) -> String {
    let headers = &request.headers;
    let top = headers.all("Via").next().unwrap_or_default();
    let (sent_by, branch) = read::via(top).unwrap_or_default();
    let method = match request.method {
        Method::Ack | Method::Cancel => "INVITE",
        ref method => method.as_str(),
    };
    let flow = flow.0.to_string();
    if branch.starts_with("z9hG4bK") {
        return ["s", &flow, " ", branch, " ", sent_by, " ", method].concat();
    }
    let (cseq, _) = read::cseq(headers).unwrap_or_default();
    let from = read::tag(headers, "From").unwrap_or_default();
    let call_id = headers.get("Call-ID").unwrap_or_default();
    [
        "s",
        &flow,
        " ",
        call_id,
        " ",
        from,
        " ",
        &cseq.to_string(),
        " ",
        method,
        " ",
        top,
    ]
    .concat()
}

fn merge_key(request: &Request) -> String {
    let headers = &request.headers;
    let from = read::tag(headers, "From").unwrap_or_default();
    let call_id = headers.get("Call-ID").unwrap_or_default();
    let cseq = headers.get("CSeq").unwrap_or_default();
    ["m", call_id, " ", from, " ", cseq].concat()
}

/// The ACK or CANCEL of an INVITE: same Request-URI, top Via, From, To, Call-ID, Route and CSeq number
/// (RFC 3261 sections 9.1 and 17.1.1.3).
fn same_transaction(invite: &Request, method: Method) -> Request {
    let mut headers = Headers::new();
    headers.push("Via", invite.headers.all("Via").next().unwrap_or_default());
    for name in ["Max-Forwards", "To", "From", "Call-ID"] {
        headers.push(name, invite.headers.get(name).unwrap_or_default());
    }
    for route in invite.headers.all("Route") {
        headers.push("Route", route);
    }
    let (cseq, _) = read::cseq(&invite.headers).unwrap_or_default();
    headers.push("CSeq", [&cseq.to_string(), " ", method.as_str()].concat());
    Request {
        method,
        uri: Uri::clone(&invite.uri),
        headers,
        body: Vec::new(),
    }
}

fn ack_failure(invite: &Request, response: &Response) -> Request {
    let mut ack = same_transaction(invite, Method::Ack);
    ack.headers
        .set("To", response.headers.get("To").unwrap_or_default());
    ack
}
