//! Provisional responses of ours, and their reliable delivery (RFC 3262 section 3).

use std::collections::VecDeque;

use super::{Call, Phase, change::Theirs};
use crate::{
    agent::{
        Agent, By, Cause, Ending, Event, Refused, read,
        timers::{Alarm, T1, T64},
        wire,
    },
    message::{Headers, Request, Status},
    time::Millis,
};

/// More queued provisionals than an application has reason for.
const MAX_QUEUE: usize = 16;

/// A provisional response in the making, with a description and headers of the application's.
pub(in crate::agent) type Provisional = (Status, Option<String>, Headers);

#[derive(Debug, Default)]
pub(super) struct Reliable {
    rseq: u32,
    waiting: Option<Waiting>,
    queue: VecDeque<Provisional>,
}

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    interval: Millis,
    described: bool,
    /// It carried our offer: the PRACK carries the answer.
    offered: bool,
    direct: bool,
}

impl Reliable {
    /// Whether a description is under way that the 200 must wait for.
    pub(super) fn describes(&self) -> bool {
        self.waiting
            .as_ref()
            .is_some_and(|waiting| waiting.described)
            || self.queue.iter().any(|(_, sdp, _)| sdp.is_some())
    }
}

impl Agent {
    pub(in crate::agent) fn progress_call(
        &mut self,
        call: &mut Call,
        (status, sdp, headers): Provisional,
        reliably: bool,
    ) -> Result<(), Refused> {
        let Phase::Ringing(ringing) = &mut call.phase else {
            return Err(Refused::WrongState);
        };
        if ringing.accepting.is_some() || !(101..200).contains(&status.0) {
            return Err(Refused::WrongState);
        }
        // One exchange per provisional phase; later descriptions go by UPDATE.
        let sdp = sdp.filter(|_| !ringing.done && !ringing.reliable.describes());
        let reliably = ringing.must || (reliably && call.peer.reliable && sdp.is_some());
        if reliably && ringing.reliable.waiting.is_some() {
            if ringing.reliable.queue.len() >= MAX_QUEUE {
                return Err(Refused::WrongState);
            }
            ringing.reliable.queue.push_back((status, sdp, headers));
            return Ok(());
        }
        self.send_18x(call, status, sdp, &headers, reliably);
        Ok(())
    }

    fn send_18x(
        &mut self,
        call: &mut Call,
        status: Status,
        sdp: Option<String>,
        more: &Headers,
        reliably: bool,
    ) {
        let Phase::Ringing(ringing) = &call.phase else {
            return;
        };
        let tx = ringing.tx;
        let Some(mut response) = self.call_response(call, tx, status) else {
            return;
        };
        let direct = self
            .transactions
            .server(tx)
            .is_some_and(|server| server.direct);
        let first = self.wire.entropy.u32() >> 8;
        let Phase::Ringing(ringing) = &mut call.phase else {
            return;
        };
        wire::append(&mut response.headers, more);
        if reliably {
            let reliable = &mut ringing.reliable;
            // RFC 3262 section 3: the first RSeq is random, below 2**31, the next ones follow.
            reliable.rseq = if reliable.rseq == 0 {
                first.max(1)
            } else {
                reliable.rseq + 1
            };
            response.headers.push("Require", "100rel");
            response.headers.push("RSeq", reliable.rseq.to_string());
            response.headers.push("Allow", wire::ALLOW);
        }
        let described = sdp.is_some();
        if let Some(sdp) = sdp {
            if !reliably {
                // The 200 repeats it. Without an offer of theirs this is ours, and an offer must not
                // go unreliably: it waits for the 200.
                ringing.preview = Some(sdp.clone());
            }
            if reliably || ringing.offered {
                wire::describe(&mut response.headers, &mut response.body, &sdp);
                call.local = Some(sdp);
            }
        }
        let offered = described && !ringing.offered;
        let bytes = self.transactions.respond(&mut self.wire, tx, response);
        if reliably {
            // Repeating is for hops that lose messages; see `respond_2xx_invite`.
            if !direct {
                self.wire
                    .timers
                    .set(call.id, Alarm::Resend18x, self.wire.now + T1);
            }
            self.wire
                .timers
                .set(call.id, Alarm::NoPrack, self.wire.now + T64);
            ringing.reliable.waiting = Some(Waiting {
                bytes,
                interval: T1,
                described,
                offered,
                direct,
            });
        }
    }

    pub(super) fn resend_18x(&mut self, call: &mut Call) {
        let flow = call.flow;
        let Phase::Ringing(ringing) = &mut call.phase else {
            return;
        };
        if let Some(waiting) = &mut ringing.reliable.waiting {
            waiting.interval = waiting.interval * 2;
            self.wire
                .timers
                .set(call.id, Alarm::Resend18x, self.wire.now + waiting.interval);
            self.wire.send(flow, waiting.bytes.clone());
        }
    }

    pub(super) fn never_pracked(&mut self, call: &mut Call) {
        let ending = Ending::new(Cause::PeerVanished, By::System);
        self.end_ringing(call, Status(504), &Headers::new(), ending);
    }

    /// A PRACK of the caller's; its CSeq was checked.
    pub(in crate::agent) fn pracked(&mut self, call: &mut Call, tx: u64, request: &Request) {
        let sdp = read::description(&request.headers, &request.body);
        let invite_seq = match &call.phase {
            Phase::Ringing(ringing) => self
                .transactions
                .server(ringing.tx)
                .and_then(|server| read::seq(&server.skeleton)),
            _ => None,
        };
        let matches = match (&call.phase, invite_seq) {
            (Phase::Ringing(ringing), Some(seq)) => {
                let expected = [
                    &ringing.reliable.rseq.to_string(),
                    " ",
                    &seq.to_string(),
                    " INVITE",
                ]
                .concat();
                let rack = request.headers.get("RAck").unwrap_or_default();
                ringing.reliable.waiting.is_some()
                    && rack
                        .split_ascii_whitespace()
                        .eq(expected.split_ascii_whitespace())
            }
            _ => false,
        };
        let Phase::Ringing(ringing) = &mut call.phase else {
            self.transactions
                .refuse(&mut self.wire, tx, Status(481), &[]);
            return;
        };
        let waiting = if matches {
            ringing.reliable.waiting.take()
        } else {
            None
        };
        let Some(waiting) = waiting else {
            self.transactions
                .refuse(&mut self.wire, tx, Status(481), &[]);
            return;
        };
        if waiting.offered && sdp.is_none() {
            // RFC 3262 section 5: the answer belongs here; the next try may have it.
            ringing.reliable.waiting = Some(waiting);
            self.transactions
                .refuse(&mut self.wire, tx, Status(400), &[]);
            return;
        }
        self.wire.timers.cancel(call.id, Alarm::Resend18x);
        self.wire.timers.cancel(call.id, Alarm::NoPrack);
        ringing.done |= waiting.described;
        match sdp {
            Some(answer) if waiting.offered => {
                self.transactions
                    .refuse(&mut self.wire, tx, Status(200), &[]);
                call.remote = Some(answer.clone());
                self.wire.tell(Event::EarlyAnswer {
                    call: call.name(),
                    answer,
                });
            }
            // RFC 3262 section 5: after an answer the PRACK may offer anew; its 200 answers.
            Some(offer) if ringing.done => {
                let name = call.name();
                self.claim(tx, call.id);
                call.theirs = Some(Theirs::update(tx, offer.clone()));
                self.wire.tell(Event::Change {
                    call: name,
                    offer: Some(offer),
                });
            }
            _ => self
                .transactions
                .refuse(&mut self.wire, tx, Status(200), &[]),
        }
        let Phase::Ringing(ringing) = &mut call.phase else {
            return;
        };
        debug_assert!(!waiting.direct || ringing.reliable.waiting.is_none());
        if let Some((status, sdp, headers)) = ringing.reliable.queue.pop_front() {
            self.send_18x(call, status, sdp, &headers, true);
        } else if let Some((sdp, headers)) = ringing.accepting.take() {
            self.send_200(call, sdp, &headers);
        }
    }
}
