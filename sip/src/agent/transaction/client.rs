//! What all client transactions share: where a response belongs, ACK and CANCEL.

use super::{
    Link, Purpose, Report, Transactions, Verdict, invite_client::InviteClient, key::client_key,
    non_invite_client::NonInviteClient,
};
use crate::{
    agent::{
        Flow,
        auth::Login,
        read,
        store::Key,
        timers::{Alarm, T64},
        wire::Wire,
    },
    message::{Headers, Method, Request, Response},
};

#[derive(Debug)]
pub(super) enum ClientState {
    Invite(InviteClient),
    Other(NonInviteClient),
}

#[derive(Debug)]
pub(in crate::agent) struct Client {
    pub(super) link: Link,
    pub(super) key: Key,
    pub(in crate::agent) request: Request,
    pub(in crate::agent) purpose: Purpose,
    /// What challenges are answered with, if at all.
    pub(in crate::agent) login: Option<Login>,
    /// A CANCEL that was asked for: held back until a provisional response came.
    cancel: Option<Cancel>,
    /// The last CSeq the abandoned call used: a late 2xx's BYE must be above it.
    pub(in crate::agent) last_seq: u32,
    /// The ACK for each 2xx by its To tag; empty while it waits for an answer to be put in.
    acks: Vec<(String, Vec<u8>)>,
    pub(super) state: ClientState,
}

/// What a request that is sent again keeps of its first transaction.
#[derive(Debug)]
pub(in crate::agent) struct Again {
    pub(in crate::agent) flow: Flow,
    pub(in crate::agent) purpose: Purpose,
    pub(in crate::agent) login: Option<Login>,
}

impl Client {
    pub(in crate::agent) const fn flow(&self) -> Flow {
        self.link.flow
    }
    /// Whether its user still hopes for a final response.
    pub(super) const fn waits(&self) -> bool {
        match &self.state {
            ClientState::Invite(machine) => machine.waits(),
            ClientState::Other(machine) => machine.waits(),
        }
    }
    pub(in crate::agent) const fn is_canceled(&self) -> bool {
        self.cancel.is_some()
    }
    /// What was said when it was canceled.
    pub(in crate::agent) fn cancel_reason(&self) -> Option<&str> {
        self.cancel.as_ref()?.reason.as_deref()
    }
    pub(in crate::agent) fn again(&self) -> Again {
        Again {
            flow: self.link.flow,
            purpose: self.purpose,
            login: self.login.clone(),
        }
    }
}

#[derive(Debug)]
struct Cancel {
    /// For the CANCEL, and for the BYE when a 2xx crosses it.
    reason: Option<String>,
    sent: bool,
}

impl Transactions {
    /// Sends a request and follows it. Its top Via must be fresh.
    pub(in crate::agent) fn send(
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
        let key = client_key(&wire.namer, &request.headers, request.method.as_str());
        wire.send_request(flow, &request);
        let in_dialog = read::tag(&request.headers, "To").is_some();
        let state = if request.method == Method::Invite {
            ClientState::Invite(InviteClient::start(wire, link, in_dialog))
        } else {
            ClientState::Other(NonInviteClient::start(wire, link))
        };
        wire.names.set(key, id);
        self.by_flow.set((flow.0, id), 0);
        let client = Client {
            link,
            key,
            request,
            purpose,
            login,
            cancel: None,
            last_seq: 0,
            acks: Vec::new(),
            state,
        };
        self.clients.insert(id, Box::new(client));
        if !wire.is_open(flow) {
            // The flow closed under us: fail soon, but never from within the caller's call.
            wire.timers.set(id, Alarm::GiveUp, wire.now);
        }
        id
    }

    pub(in crate::agent) fn receive_response(
        &mut self,
        wire: &mut Wire,
        response: Response,
    ) -> Report {
        let Some(cseq) = response.headers.cseq() else {
            return Report::Nothing;
        };
        let key = client_key(&wire.namer, &response.headers, cseq.method.as_str());
        let Some(id) = wire.names.get(key) else {
            return Report::Nothing;
        };
        let Some(client) = self.clients.get_mut(id) else {
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
    pub(in crate::agent) fn ack(
        &mut self,
        wire: &mut Wire,
        id: u64,
        flow: Flow,
        tag: &str,
        ack: Option<&Request>,
    ) {
        let bytes = ack.map_or_else(Vec::new, Request::to_bytes);
        if let Some(client) = self.clients.get_mut(id) {
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
    pub(in crate::agent) fn cancel(
        &mut self,
        wire: &mut Wire,
        id: u64,
        reason: Option<String>,
        last_seq: u32,
    ) {
        if let Some(client) = self.clients.get_mut(id)
            && client.cancel.is_none()
        {
            client.last_seq = last_seq;
            client.cancel = Some(Cancel {
                reason,
                sent: false,
            });
            self.cancel_now(wire, id);
        }
    }

    fn cancel_now(&mut self, wire: &mut Wire, id: u64) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        let ClientState::Invite(machine) = &client.state else {
            return;
        };
        if !machine.is_proceeding() {
            return;
        }
        let Some(cancel) = client.cancel.as_mut().filter(|cancel| !cancel.sent) else {
            return;
        };
        cancel.sent = true;
        let mut request = same_transaction(&client.request, Method::Cancel);
        if let Some(reason) = &cancel.reason {
            request.headers.push("Reason", reason.as_str());
        }
        let flow = client.link.flow;
        wire.timers.set(id, Alarm::GiveUp, wire.now + T64);
        // A CANCEL cannot be sent again, so nobody may challenge it (RFC 3261 section 22.1).
        self.send(wire, flow, request, Purpose::Nobody, None);
    }
}

/// The ACK or CANCEL of an INVITE: same Request-URI, top Via, From, To, Call-ID, Route and CSeq number
/// (RFC 3261 sections 9.1 and 17.1.1.3).
fn same_transaction(invite: &Request, method: Method) -> Request {
    let mut headers = Headers::new();
    for name in ["Via", "Max-Forwards", "To", "From", "Call-ID", "Route"] {
        headers.copy(&invite.headers, name);
    }
    let cseq = read::seq(&invite.headers).unwrap_or_default();
    headers.push("CSeq", [&cseq.to_string(), " ", method.as_str()].concat());
    Request {
        method,
        uri: invite.uri.clone(),
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
