//! What others ask of the phone: calls that come in, and requests outside of them.

use clinicall_sip::{Headers, Method, Request, Status, Time, agent, header::NameAddr};

use super::{Call, Peer, Phone};

impl Phone {
    pub(super) fn answer_request(&mut self, now: Time, pending: agent::Pending, request: &Request) {
        let status = match request.method {
            Method::Options | Method::Info => Status(200),
            _ => Status(405),
        };
        let mut headers = Headers::new();
        headers.push(
            "Allow",
            "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS, INFO",
        );
        let _ = self
            .agent
            .respond(now, pending, status, headers, Vec::new());
    }

    pub(super) fn incoming(&mut self, now: Time, leg: agent::CallId, invite: &Request) {
        if self.crosses(invite) {
            self.crossing.push(leg);
            return;
        }
        if (!self.multiple_calls && !self.calls.is_empty()) || self.is_finished() {
            let _ = self.agent.reject(now, leg, Status(486), Headers::new());
            return;
        }
        let from = invite.headers.get("From").and_then(NameAddr::parse);
        let peer = from.map_or_else(Peer::nobody, |from| Peer {
            user: from.uri.user.clone(),
            name: Some(from.name).filter(|name| !name.is_empty()),
            uri: from.uri.to_string(),
            room: invite.headers.get("X-Clinicall-Room").map(str::to_owned),
            message: invite
                .headers
                .get("X-Clinicall-Message")
                .map(percent_decoded),
        });
        let offer =
            (!invite.body.is_empty()).then(|| String::from_utf8_lossy(&invite.body).into_owned());
        let (id, ours) = (self.new_id(), self.ours);
        let call = Call::ring(&mut self.desk(now).1, id, leg, peer, offer, ours);
        self.calls.push(call);
    }

    /// Whether somebody calls us whom we are about to call. A relay of ours makes one call of the two
    /// when our INVITE reaches it, and takes this one back; "busy" would be wrong.
    fn crosses(&self, invite: &Request) -> bool {
        const MOST: usize = 4;
        let from = invite.headers.get("From").and_then(NameAddr::parse);
        let same = |call: &Call| from.as_ref().is_some_and(|from| call.is_to(&from.uri.user));
        self.ours && self.crossing.len() < MOST && self.calls.iter().any(same)
    }

    /// Whoever called in the same moment hears "busy" after all when our call came to nothing.
    pub(super) fn let_go(&mut self, now: Time) -> bool {
        if self.crossing.is_empty() || self.calls.iter().any(Call::is_calling) {
            return false;
        }
        for leg in std::mem::take(&mut self.crossing) {
            let _ = self.agent.reject(now, leg, Status(486), Headers::new());
        }
        true
    }
}

/// Undoes the relay's percent-encoding; what is no escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                #[allow(clippy::cast_possible_truncation)] // two hexadecimal digits
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
