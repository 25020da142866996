//! Requests that only pass through: the application's own, in and out of calls.

use std::sync::Arc;

use super::{
    Agent, Flow, Pending, Refused, Sent,
    session::Call,
    transaction::Purpose,
    wire::{self, Line},
};
use crate::{
    digest::Credentials,
    message::{Headers, Method, Status},
    uri::Uri,
};

impl Agent {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn send_outside(
        &mut self,
        flow: Flow,
        method: Method,
        to: &Uri,
        from: &Uri,
        more: &Headers,
        body: Vec<u8>,
        credentials: Option<Credentials>,
    ) -> Result<Sent, Refused> {
        if !self.wire.is_open(flow) {
            return Err(Refused::Closed);
        }
        if matches!(
            method,
            Method::Invite | Method::Ack | Method::Cancel | Method::Bye | Method::Prack
        ) {
            return Err(Refused::WrongState);
        }
        let id = self.wire.id();
        let tag = self.wire.entropy.token(16);
        let call_id = self.wire.entropy.token(24);
        let from = ["<", &from.to_string(), ">;tag=", &tag].concat();
        let to_value = ["<", &to.to_string(), ">"].concat();
        let line = Line {
            to: &to_value,
            from: &from,
            call_id: &call_id,
            cseq: 1,
        };
        let makes_dialog = matches!(method, Method::Subscribe | Method::Refer | Method::Notify);
        let mut request = self.wire.request(flow, method, to.clone(), &line);
        if makes_dialog && more.get("Contact").is_none() {
            request.headers.push("Contact", self.contact(flow));
        }
        for name in ["To", "From", "Call-ID", "CSeq"] {
            if let Some(value) = more.get(name) {
                request.headers.set(name, value);
            }
        }
        wire::append(&mut request.headers, more);
        request.body = body;
        let credentials = credentials.map(Arc::new);
        let login = self.login(flow, &mut request, credentials.as_ref());
        self.transactions
            .send(&mut self.wire, flow, request, Purpose::Sent(id), login);
        Ok(Sent(id))
    }

    pub(super) fn send_within(
        &mut self,
        call: &mut Call,
        method: Method,
        more: &Headers,
        body: Vec<u8>,
    ) -> Result<Sent, Refused> {
        let own = matches!(
            method,
            Method::Invite
                | Method::Ack
                | Method::Cancel
                | Method::Bye
                | Method::Prack
                | Method::Update
        );
        if own {
            return Err(Refused::WrongState);
        }
        if !self.wire.is_open(call.flow) {
            return Err(Refused::Closed);
        }
        let mut request = self.within(call, method).ok_or(Refused::WrongState)?;
        wire::append(&mut request.headers, more);
        request.body = body;
        let id = self.wire.id();
        self.dispatch(call, request, Purpose::Sent(id));
        Ok(Sent(id))
    }

    pub(super) fn answer_request(
        &mut self,
        pending: Pending,
        status: Status,
        more: &Headers,
        body: Vec<u8>,
    ) -> Result<(), Refused> {
        let tx = pending.0;
        let ours = self
            .transactions
            .server(tx)
            .is_some_and(|server| server.is_applications());
        let response = self.transactions.response(&self.wire, tx, status);
        let Some(mut response) = response.filter(|_| ours) else {
            return Err(Refused::NoSuchRequest);
        };
        let Some(server) = self.transactions.server(tx) else {
            return Err(Refused::NoSuchRequest);
        };
        let opens_dialog = matches!(
            server.method,
            Method::Subscribe | Method::Refer | Method::Notify
        );
        let asks_us = server.method == Method::Options;
        let mut add = |name: &str, value: String| {
            if more.get(name).is_none() {
                response.headers.push(name, value);
            }
        };
        if opens_dialog && status.is_success() {
            add("Contact", self.contact(server.flow()));
        }
        if status.0 == 405 || (asks_us && status.is_success()) {
            add("Allow", wire::ALLOW.to_owned());
        }
        if status.0 == 415 || (asks_us && status.is_success()) {
            add("Accept", wire::SDP.to_owned());
        }
        if asks_us && status.is_success() {
            add("Supported", wire::SUPPORTED.to_owned());
        }
        wire::append(&mut response.headers, more);
        response.body = body;
        self.transactions.respond(&mut self.wire, tx, response);
        Ok(())
    }
}
