//! What every part of the agent needs at hand: the time, the timers, the way out, randomness, and
//! how requests and responses are dressed.

use std::collections::VecDeque;

use super::{
    Event, Flow, Output, Transport, read,
    store::{Index, Namer},
    timers::Timers,
};
use crate::{
    entropy::Entropy,
    message::{Headers, Method, Request, Response, Status},
    time::Time,
    uri::Uri,
};

/// The option tags this agent understands.
pub(super) const SUPPORTED: &str = "100rel,timer,outbound,gruu,path";
pub(super) const ALLOW: &str =
    "INVITE,ACK,CANCEL,BYE,OPTIONS,PRACK,UPDATE,INFO,MESSAGE,REFER,NOTIFY,SUBSCRIBE";
pub(super) const SDP: &str = "application/sdp";

#[derive(Debug)]
pub(super) struct Wire {
    pub(super) now: Time,
    pub(super) timers: Timers,
    pub(super) out: VecDeque<Output>,
    /// Open flows and their transports.
    flows: Index,
    pub(super) namer: Namer,
    /// Transactions and dialogs by what names them in messages.
    pub(super) names: Index,
    pub(super) entropy: Entropy,
    pub(super) product: String,
    pub(super) host: String,
    pub(super) contact_user: String,
    last_id: u64,
}

/// The identity of a request within its dialog, or of one outside any.
pub(super) struct Line<'a> {
    pub(super) to: &'a str,
    pub(super) from: &'a str,
    pub(super) call_id: &'a str,
    pub(super) cseq: u32,
}

impl Wire {
    pub(super) fn new(config: &super::Config) -> Self {
        let mut entropy = Entropy::new(config.seed);
        Self {
            now: Time::default(),
            timers: Timers::default(),
            out: VecDeque::new(),
            flows: Index::default(),
            namer: Namer::new(entropy.bytes()),
            names: Index::default(),
            entropy,
            product: config.product.clone(),
            host: config.host.clone(),
            contact_user: config.contact_user.clone(),
            last_id: 0,
        }
    }

    /// Transactions, calls, registrations and requests share one sequence of names.
    pub(super) fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Nothing is sent to a flow that is closed.
    pub(super) fn send(&mut self, flow: Flow, bytes: Vec<u8>) {
        if self.is_open(flow) {
            self.out.push_back(Output::Send { flow, bytes });
        }
    }

    pub(super) fn send_request(&mut self, flow: Flow, request: &Request) {
        self.send(flow, request.to_bytes());
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    /// Whether the flow never loses a message while it lives.
    pub(super) fn reliable(&self, flow: Flow) -> bool {
        !cfg!(feature = "server") || self.transport(flow) != Some(Transport::Udp)
    }

    pub(super) fn open(&mut self, flow: Flow, transport: Transport) {
        self.flows.set((flow.0, 0), transport as u64);
    }
    /// `false`: it was closed already.
    pub(super) fn close(&mut self, flow: Flow) -> bool {
        self.flows.take((flow.0, 0)).is_some()
    }
    pub(super) fn is_open(&self, flow: Flow) -> bool {
        self.flows.get((flow.0, 0)).is_some()
    }
    fn transport(&self, flow: Flow) -> Option<Transport> {
        let number = self.flows.get((flow.0, 0))?;
        let all = [
            Transport::Ws,
            Transport::Wss,
            Transport::Udp,
            Transport::Tcp,
            Transport::Tls,
        ];
        all.into_iter()
            .find(|transport| *transport as u64 == number)
    }

    /// A new Via with a branch of its own.
    pub(super) fn via(&mut self, flow: Flow) -> String {
        let transport = match self.transport(flow) {
            Some(Transport::Ws) => "WS",
            Some(Transport::Udp) => "UDP",
            Some(Transport::Tcp) => "TCP",
            Some(Transport::Tls) => "TLS",
            Some(Transport::Wss) | None => "WSS",
        };
        let branch = self.entropy.token(16);
        let rport = if transport == "UDP" { ";rport" } else { "" };
        let parts = [
            "SIP/2.0/",
            transport,
            " ",
            &self.host,
            rport,
            ";branch=z9hG4bK",
            &branch,
        ];
        parts.concat()
    }

    /// Our Contact as seen over this flow (RFC 7118: `transport=ws` for both ws and wss).
    pub(super) fn contact(&self, flow: Flow) -> String {
        let transport = match self.transport(flow) {
            Some(Transport::Udp) => "",
            Some(Transport::Tcp) => ";transport=tcp",
            Some(Transport::Tls) => ";transport=tls",
            _ => ";transport=ws",
        };
        let at = if self.contact_user.is_empty() {
            ""
        } else {
            "@"
        };
        ["<sip:", &self.contact_user, at, &self.host, transport, ">"].concat()
    }

    /// A request with everything RFC 3261 section 8.1.1 asks for but Contact.
    pub(super) fn request(
        &mut self,
        flow: Flow,
        method: Method,
        uri: Uri,
        line: &Line<'_>,
    ) -> Request {
        let mut headers = Headers::new();
        headers.push("Via", self.via(flow));
        headers.push("Max-Forwards", "70");
        headers.push("To", line.to);
        headers.push("From", line.from);
        headers.push("Call-ID", line.call_id);
        headers.push(
            "CSeq",
            [&line.cseq.to_string(), " ", method.as_str()].concat(),
        );
        if !self.product.is_empty() {
            headers.push("User-Agent", self.product.as_str());
        }
        Request {
            method,
            uri,
            headers,
            body: Vec::new(),
        }
    }

    /// A response to the request that `skeleton` was taken from.
    pub(super) fn response(&self, skeleton: &Headers, tag: &str, status: Status) -> Response {
        let mut headers = skeleton.clone();
        if status.0 > 100 {
            if read::tag(&headers, "To").is_none() {
                let to = headers.get("To").unwrap_or_default();
                let tagged = [to, ";tag=", tag].concat();
                headers.set("To", tagged);
            }
            if !self.product.is_empty() {
                headers.push("Server", self.product.as_str());
            }
        }
        let reason = status.phrase().to_owned();
        Response {
            status,
            reason,
            headers,
            body: Vec::new(),
        }
    }

    /// Answers without keeping anything of it (RFC 3261 section 8.2.7).
    pub(super) fn reply(
        &mut self,
        flow: Flow,
        request: &Request,
        status: Status,
        more: &[(&str, &str)],
    ) {
        if request.method == Method::Ack {
            return;
        }
        let tag = self.entropy.token(10);
        let mut response = self.response(&skeleton(&request.headers), &tag, status);
        for (name, value) in more {
            response.headers.push(name, *value);
        }
        self.send(flow, response.to_bytes());
    }
}

/// What every response repeats of its request (RFC 3261 section 8.2.6.2 and 12.1.1).
pub(super) fn skeleton(headers: &Headers) -> Headers {
    let mut kept = Headers::new();
    for name in [
        "Via",
        "Record-Route",
        "To",
        "From",
        "Call-ID",
        "CSeq",
        "Timestamp",
    ] {
        kept.copy(headers, name);
    }
    kept
}

/// Adds a description as the body.
pub(super) fn describe(headers: &mut Headers, body: &mut Vec<u8>, sdp: &str) {
    headers.set("Content-Type", SDP);
    *body = sdp.as_bytes().to_vec();
}

/// Appends the application's headers; those that name the request itself are not its to set.
pub(super) fn append(headers: &mut Headers, more: &Headers) {
    for (name, value) in more.iter() {
        let ours = [
            "Via",
            "Call-ID",
            "CSeq",
            "Content-Length",
            "Max-Forwards",
            "From",
            "To",
        ];
        if !ours.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            headers.push(name, value);
        }
    }
}
