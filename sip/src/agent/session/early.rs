//! Provisional responses to our INVITE: early dialogs, previews of the answer, PRACK (RFC 3262 section
//! 4).

use super::{Call, Phase, change::Theirs};
use crate::{
    agent::{Agent, CallId, Event, dialog::Dialog, read, transaction::Purpose, wire},
    message::{Method, Response, Status},
};

/// More early dialogs than any sane fork makes.
const MAX_EARLY: usize = 16;

/// A dialog one of the peer's phones made with a provisional response.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// The last reliable provisional taken in order.
    rseq: Option<u64>,
    /// Offer and answer were exchanged reliably.
    pub(super) agreed: bool,
}

impl Agent {
    pub(super) fn provisional(&mut self, call: &mut Call, response: Response) {
        let status = response.status;
        if status.0 == 100 {
            return;
        }
        let sdp = read::description(&response.headers, &response.body);
        let Phase::Calling(calling) = &mut call.phase else {
            return;
        };
        let mut answer = None;
        if let Some(tag) = read::tag(&response.headers, "To") {
            let at = match calling
                .early
                .iter()
                .position(|early| early.dialog.remote_tag == tag)
            {
                Some(at) => at,
                None => {
                    let Some(client) = self.transactions.client(calling.tx) else {
                        return;
                    };
                    let dialog = Dialog::of_response(&response.headers, &client.request.uri);
                    let Some(dialog) = dialog.filter(|_| calling.early.len() < MAX_EARLY) else {
                        return;
                    };
                    calling.early.push(Early {
                        dialog,
                        rseq: None,
                        agreed: false,
                    });
                    calling.early.len() - 1
                }
            };
            call.peer.learn(&response.headers);
            let early = &mut calling.early[at];
            let rseq = read::number(&response.headers, "RSeq");
            let reliable = rseq.filter(|_| response.headers.lists("Require", "100rel"));
            if let Some(rseq) = reliable {
                // RFC 3262 section 4: in order, each once; a lost PRACK is its transaction's to repeat.
                if early.rseq.is_some_and(|last| rseq != last + 1) {
                    return;
                }
                early.rseq = Some(rseq);
                early.dialog.refresh(&response.headers);
            }
            if calling.offered {
                if let Some(sdp) = sdp {
                    early.agreed |= reliable.is_some();
                    if calling.told.is_none() {
                        calling.told = Some((tag.to_owned(), sdp.clone()));
                        call.remote = Some(sdp.clone());
                        answer = Some(sdp);
                    }
                }
            } else if let (Some(rseq), Some(offer), None) = (reliable, &sdp, &call.theirs) {
                // They offer; the PRACK carries our answer.
                if !early.agreed {
                    let (tx, tag) = (calling.tx, tag.to_owned());
                    call.theirs = Some(Theirs::early(tx, tag, rseq, offer.clone()));
                    let name = call.name();
                    self.told_progress(name, status, None, response);
                    self.wire.tell(Event::Change {
                        call: name,
                        offer: sdp,
                    });
                    return;
                }
            }
            if let Some(rseq) = reliable {
                let tag = tag.to_owned();
                self.send_prack(call, &tag, rseq, None);
            }
        }
        self.told_progress(call.name(), status, answer, response);
    }

    fn told_progress(
        &mut self,
        call: CallId,
        status: Status,
        answer: Option<String>,
        response: Response,
    ) {
        self.wire.tell(Event::Progress {
            call,
            status,
            answer,
            response: Box::new(response),
        });
    }

    pub(super) fn send_prack(
        &mut self,
        call: &mut Call,
        tag: &str,
        rseq: u64,
        answer: Option<&str>,
    ) {
        let cseq = call.next_seq();
        let flow = call.flow;
        let Phase::Calling(calling) = &mut call.phase else {
            return;
        };
        let invite = calling.cseq;
        let Some(early) = calling
            .early
            .iter_mut()
            .find(|early| early.dialog.remote_tag == tag)
        else {
            return;
        };
        let mut request = early
            .dialog
            .request(&mut self.wire, flow, Method::Prack, cseq);
        request.headers.push("RAck", rack(rseq, invite));
        if let Some(answer) = answer {
            early.agreed = true;
            wire::describe(&mut request.headers, &mut request.body, answer);
        }
        self.dispatch(call, request, Purpose::Prack(call.id));
    }
}

/// RAck of a PRACK: which provisional of which INVITE.
pub(super) fn rack(rseq: u64, invite: u32) -> String {
    [&rseq.to_string(), " ", &invite.to_string(), " INVITE"].concat()
}
