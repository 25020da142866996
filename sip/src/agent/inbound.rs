//! A message from the network on its way to whom it concerns (RFC 3261 sections 8.2, 12.2.2, 18).

use super::{
    Agent, Event, Flow, Pending, Sent, read,
    transaction::{Again, Client, Matched, Purpose, Report, Transactions},
    wire,
};
use crate::message::{Message, Method, Request, Response, Status};

impl Agent {
    pub(super) fn bytes(&mut self, flow: Flow, bytes: &[u8]) {
        if !self.wire.is_open(flow) {
            return;
        }
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            // RFC 5626 section 3.5.1: a double CRLF is a ping, a single one its pong.
            if bytes == b"\r\n\r\n" {
                self.wire.send(flow, b"\r\n".to_vec());
            }
            return;
        }
        match Message::parse(bytes) {
            Ok(Message::Request(request)) => self.request_came(flow, request),
            Ok(Message::Response(response)) => {
                let report = self.transactions.receive_response(&mut self.wire, response);
                self.reported(report);
            }
            Err(bad) => {
                if let Some(mut response) = bad.response() {
                    if read::tag(&response.headers, "To").is_none() {
                        let to = response.headers.get("To").unwrap_or_default();
                        let tagged = [to, ";tag=", &self.wire.entropy.token(10)].concat();
                        response.headers.set("To", tagged);
                    }
                    self.wire.send(flow, response.to_bytes());
                }
            }
        }
    }

    pub(super) fn reported(&mut self, report: Report) {
        match report {
            Report::Nothing => {}
            Report::Response(tx, response) => self.response_came(tx, response),
            Report::TimedOut(client) => {
                let lost = !self.wire.is_open(client.flow());
                self.request_failed(&client, lost);
            }
        }
    }

    // --- requests ----------------------------------------------------------------------------

    fn request_came(&mut self, flow: Flow, request: Request) {
        let headers = &request.headers;
        let well_formed = headers
            .cseq()
            .is_some_and(|cseq| cseq.method == request.method)
            && headers
                .first("Via")
                .is_some_and(|top| read::via(top).is_some())
            && ["To", "From", "Call-ID"]
                .iter()
                .all(|name| headers.get(name).is_some());
        if !well_formed {
            if headers.get("Via").is_some() {
                self.wire.reply(flow, &request, Status(400), &[]);
            }
            return;
        }
        let matched = self
            .transactions
            .receive_request(&mut self.wire, flow, &request);
        match matched {
            Matched::Absorbed => return,
            Matched::Cancel { invite, answered } => {
                let tag = self
                    .transactions
                    .server(invite)
                    .map(|server| server.tag.clone());
                let skeleton = wire::skeleton(headers);
                let response = self
                    .wire
                    .response(&skeleton, &tag.unwrap_or_default(), Status(200));
                self.wire.send(flow, response.to_bytes());
                if !answered {
                    self.canceled(invite, &request);
                }
                return;
            }
            Matched::No => {}
        }
        let to_tag = read::tag(headers, "To");
        let call = to_tag.and_then(|tag| self.call_of(tag));
        match request.method {
            Method::Ack => {
                if let Some(call) = call {
                    self.acknowledged(call, &request);
                }
                return;
            }
            Method::Cancel => return self.wire.reply(flow, &request, Status(481), &[]),
            _ => {}
        }
        if self.overloaded(&request) {
            return self
                .wire
                .reply(flow, &request, Status(503), &[("Retry-After", "10")]);
        }
        if let Some((status, name, value)) = unacceptable(&request) {
            let more: &[(&str, &str)] = &[(name, &value)];
            let more = if name.is_empty() { &[] } else { more };
            return self.wire.reply(flow, &request, status, more);
        }
        let in_dialog = to_tag.is_some();
        if !in_dialog && Transactions::is_merged(&self.wire, &request) {
            return self.wire.reply(flow, &request, Status(482), &[]);
        }
        if let Some(call) = call {
            return self.within_call(call, flow, request);
        }
        // Dialogs of SUBSCRIBE and NOTIFY are the application's own.
        let needs_dialog = match request.method {
            Method::Bye | Method::Prack | Method::Update | Method::Info => true,
            Method::Subscribe | Method::Notify | Method::Register | Method::Options => false,
            _ => in_dialog,
        };
        if needs_dialog {
            return self.wire.reply(flow, &request, Status(481), &[]);
        }
        let tx = self.transactions.open(&mut self.wire, flow, &request);
        if request.method == Method::Invite {
            self.incoming(flow, tx, request);
        } else {
            let pending = Pending(tx);
            self.wire.tell(Event::Asked {
                pending,
                flow,
                request: Box::new(request),
            });
        }
    }

    /// Beyond these, requests are refused without keeping anything of them. A transaction that
    /// lingers takes up to 3 KB, measured with UDP callers who never send their ACK.
    fn overloaded(&self, request: &Request) -> bool {
        let max = self.config.max_calls.max(1);
        let waiting = match request.method {
            // A call that exists may always end.
            Method::Bye | Method::Prack => return self.transactions.servers() >= 32 * max + 2_048,
            Method::Invite => max,
            _ => 4 * max + 64,
        };
        self.transactions.waiting() >= waiting || self.transactions.servers() >= 16 * max + 1_024
    }

    fn within_call(&mut self, id: u64, flow: Flow, request: Request) {
        let Some(mut call) = self.calls.remove(id) else {
            return self.wire.reply(flow, &request, Status(481), &[]);
        };
        let refusal = call.admit(&request);
        if let Some(status) = refusal {
            self.put(call);
            let after: &[(&str, &str)] = if status.0 == 500 {
                &[("Retry-After", "1")]
            } else {
                &[]
            };
            return self.wire.reply(flow, &request, status, after);
        }
        let tx = self.transactions.open(&mut self.wire, flow, &request);
        // Who reconnected goes on by the new connection (RFC 5626's flows, and our own moves).
        if matches!(request.method, Method::Invite | Method::Update) {
            self.acknowledged_by_a_change(&mut call, flow);
            self.goes_on_by(&mut call, flow);
        }
        match request.method {
            Method::Bye => self.bye(&mut call, tx, &request),
            Method::Prack => self.pracked(&mut call, tx, &request),
            Method::Invite | Method::Update => self.peer_change(&mut call, tx, &request),
            Method::Options => {
                let more = [
                    ("Allow", wire::ALLOW),
                    ("Supported", wire::SUPPORTED),
                    ("Accept", wire::SDP),
                ];
                self.transactions
                    .refuse(&mut self.wire, tx, Status(200), &more);
            }
            Method::Register | Method::Publish => {
                let more = [("Allow", wire::ALLOW)];
                self.transactions
                    .refuse(&mut self.wire, tx, Status(405), &more);
            }
            _ => self.wire.tell(Event::Within {
                call: call.name(),
                pending: Pending(tx),
                request: Box::new(request),
            }),
        }
        self.put(call);
    }

    // --- responses ---------------------------------------------------------------------------

    fn response_came(&mut self, tx: u64, response: Response) {
        if matches!(response.status.0, 401 | 407) && self.authenticate(tx, &response) {
            return;
        }
        let Some(client) = self.transactions.client(tx) else {
            return;
        };
        let purpose = client.purpose;
        let status = response.status;
        if let Some(login) = &client.login
            && status.is_final()
            && !matches!(status.0, 401 | 407)
        {
            let headers = &response.headers;
            self.auth
                .accepted(client.flow(), &client.request, headers, &login.credentials);
        }
        match purpose {
            Purpose::Invite(call) => self.invite_response(call, tx, response),
            Purpose::Change(call) => self.change_response(call, tx, &response),
            Purpose::Register(id) if status.is_final() => self.register_response(id, &response),
            Purpose::Bye(call) if status.is_final() => self.bye_done(call),
            Purpose::Sent(id) if status.is_final() => self.wire.tell(Event::Replied {
                sent: Sent(id),
                status,
                response: Some(Box::new(response)),
            }),
            _ => {}
        }
    }

    /// No final response will come: the flow closed (`lost`) or 64 * T1 went by.
    pub(super) fn request_failed(&mut self, client: &Client, lost: bool) {
        match client.purpose {
            Purpose::Invite(call) => self.invite_failed(call, lost),
            Purpose::Change(call) => self.change_failed(call, lost),
            Purpose::Bye(call) => self.bye_done(call),
            Purpose::Sent(id) => {
                // RFC 3261 sections 8.1.3.1 and 17.1.4: a lost transport counts as a 503.
                let status = if lost { Status(503) } else { Status(408) };
                self.wire.tell(Event::Replied {
                    sent: Sent(id),
                    status,
                    response: None,
                });
            }
            Purpose::Register(id) => {
                let cseq = read::seq(&client.request.headers).unwrap_or_default();
                self.register_failed(id, cseq, lost);
            }
            Purpose::Prack(_) | Purpose::Nobody => {}
        }
    }

    /// Sends a request again with a new branch and CSeq.
    pub(super) fn resend(&mut self, mut request: Request, cseq: u32, old: Again) -> u64 {
        request.headers.set(
            "CSeq",
            [&cseq.to_string(), " ", request.method.as_str()].concat(),
        );
        let via = self.wire.via(old.flow);
        request.headers.set("Via", via);
        self.transactions
            .send(&mut self.wire, old.flow, request, old.purpose, old.login)
    }

    /// Answers a challenge when we were given credentials for that; `false`: the response stands.
    fn authenticate(&mut self, tx: u64, response: &Response) -> bool {
        let Some(client) = self
            .transactions
            .client(tx)
            .filter(|client| !client.is_canceled())
        else {
            return false;
        };
        let mut request = client.request.clone();
        let mut again = client.again();
        let Some(login) = &mut again.login else {
            return false;
        };
        if !self.auth.answer(
            &mut self.wire,
            again.flow,
            &mut request,
            &response.headers,
            login,
        ) {
            return false;
        }
        let purpose = again.purpose;
        match purpose {
            Purpose::Invite(id) | Purpose::Change(id) | Purpose::Bye(id) | Purpose::Prack(id) => {
                let Some(mut call) = self.calls.remove(id) else {
                    return false;
                };
                let cseq = call.next_seq();
                let new = self.resend(request, cseq, again);
                if let Purpose::Invite(_) = purpose {
                    self.invite_resent(&mut call, new, cseq);
                } else if let Purpose::Change(_) = purpose {
                    self.change_resent(&mut call, cseq);
                }
                self.put(call);
            }
            Purpose::Register(id) => {
                let Some(cseq) = self.next_register_seq(id) else {
                    return false;
                };
                self.resend(request, cseq, again);
            }
            Purpose::Sent(_) | Purpose::Nobody => {
                // Outside calls the next number is ours alone; within one it must not collide.
                let old = read::seq(&request.headers).unwrap_or_default();
                let tag = read::tag(&request.headers, "From").unwrap_or_default();
                let call = self.call_of(tag).and_then(|id| self.calls.get_mut(id));
                let cseq = call.map_or(old + 1, |call| call.next_seq());
                self.resend(request, cseq, again);
            }
        }
        true
    }

    pub(super) fn flow_closed(&mut self, flow: Flow) {
        if !self.wire.close(flow) {
            return;
        }
        self.auth.forget(flow);
        self.contacts.retain(|(of, _)| *of != flow);
        self.calls_lost(flow);
        for client in self.transactions.closed(&mut self.wire, flow) {
            self.request_failed(&client, true);
        }
        self.registrations_lost(flow);
    }
}

/// Requests no part of the agent can take: with which status, and the header that says why.
fn unacceptable(request: &Request) -> Option<(Status, &'static str, String)> {
    if !read::is_known(&request.method) {
        return Some((Status(405), "Allow", wire::ALLOW.to_owned()));
    }
    if !matches!(request.uri.scheme.as_str(), "sip" | "sips" | "tel") {
        return Some((Status(416), "", String::new()));
    }
    let unknown = |tag: &&str| {
        !wire::SUPPORTED
            .split(',')
            .any(|ours| ours.eq_ignore_ascii_case(tag))
    };
    let unknown: Vec<&str> = request.headers.all("Require").filter(unknown).collect();
    if !unknown.is_empty() {
        return Some((Status(420), "Unsupported", unknown.join(",")));
    }
    let describes = matches!(
        request.method,
        Method::Invite | Method::Update | Method::Prack
    );
    if describes && !request.body.is_empty() && !read::is_description(&request.headers) {
        return Some((Status(415), "Accept", wire::SDP.to_owned()));
    }
    None
}
