//! A dialog (RFC 3261 section 12): who we are to each other, and the way there.

use super::{
    Flow, read,
    wire::{Line, Wire},
};
use crate::{
    message::{Headers, Method, Request},
    uri::Uri,
};

#[derive(Clone, Debug)]
pub(super) struct Dialog {
    pub(super) call_id: String,
    /// From and To as we write them, tags included.
    local: String,
    remote: String,
    pub(super) remote_tag: String,
    /// The peer's last CSeq.
    remote_seq: Option<u32>,
    routes: Vec<String>,
    /// The peer's Contact: where requests are addressed. They leave by the call's flow whatever it
    /// says (FreeSWITCH writes `transport=udp` on a WebSocket).
    target: Uri,
}

impl Dialog {
    /// Our side of a request of the peer's (RFC 3261 section 12.1.1). `None` without what a dialog
    /// needs.
    pub(super) fn of_request(headers: &Headers, local_tag: &str) -> Option<Self> {
        let to = headers.get("To")?;
        Some(Self {
            call_id: headers.get("Call-ID")?.to_owned(),
            local: [to, ";tag=", local_tag].concat(),
            remote: headers.get("From")?.to_owned(),
            // RFC 2543 peers may have no tag; it compares as an empty one.
            remote_tag: read::tag(headers, "From").unwrap_or_default().to_owned(),
            remote_seq: Some(read::seq(headers)?),
            routes: headers.all("Record-Route").map(str::to_owned).collect(),
            target: contact(headers)?,
        })
    }

    /// Our side of a response to a request of ours (RFC 3261 section 12.1.2).
    pub(super) fn of_response(headers: &Headers, fallback: &Uri) -> Option<Self> {
        let local = headers.get("From")?;
        let mut routes: Vec<String> = headers.all("Record-Route").map(str::to_owned).collect();
        routes.reverse();
        Some(Self {
            call_id: headers.get("Call-ID")?.to_owned(),
            local: local.to_owned(),
            remote: headers.get("To")?.to_owned(),
            remote_tag: read::tag(headers, "To").unwrap_or_default().to_owned(),
            remote_seq: None,
            routes,
            target: contact(headers).unwrap_or_else(|| fallback.clone()),
        })
    }

    /// The confirming response says the last word on route set and target; the peer's CSeq stays.
    pub(super) fn confirm(&mut self, early: &Self) {
        self.remote_seq = early.remote_seq;
    }

    /// A target refresh request or its 2xx moved the peer (RFC 3261 section 12.2).
    pub(super) fn refresh(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.target = target;
        }
    }

    /// Takes the CSeq of a request; `false`: it is older than one that was here.
    pub(super) fn take_cseq(&mut self, headers: &Headers) -> bool {
        let Some(seq) = read::seq(headers) else {
            return false;
        };
        if self.remote_seq.is_some_and(|last| seq <= last) {
            return false;
        }
        self.remote_seq = Some(seq);
        true
    }

    pub(super) fn is_of(&self, headers: &Headers) -> bool {
        headers.get("Call-ID") == Some(&self.call_id)
            && read::tag(headers, "From").unwrap_or_default() == self.remote_tag
    }

    /// A request within the dialog (RFC 3261 section 12.2.1.1).
    pub(super) fn request(
        &self,
        wire: &mut Wire,
        flow: Flow,
        method: Method,
        cseq: u32,
    ) -> Request {
        let line = Line {
            to: &self.remote,
            from: &self.local,
            call_id: &self.call_id,
            cseq,
        };
        let first = self.routes.first().and_then(|route| read::uri(route));
        match first {
            // A strict router wants itself as the Request-URI and the target at the end.
            Some(strict) if strict.param("lr").is_none() => {
                let mut request = wire.request(flow, method, strict, &line);
                for route in &self.routes[1..] {
                    request.headers.push("Route", route.as_str());
                }
                request
                    .headers
                    .push("Route", ["<", &self.target.to_string(), ">"].concat());
                request
            }
            _ => {
                let mut request = wire.request(flow, method, self.target.clone(), &line);
                for route in &self.routes {
                    request.headers.push("Route", route.as_str());
                }
                request
            }
        }
    }
}

fn contact(headers: &Headers) -> Option<Uri> {
    read::uri(headers.first("Contact")?).filter(|uri| uri.scheme != "*")
}
