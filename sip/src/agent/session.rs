//! INVITE sessions: one [`Call`] from its INVITE to its end.
//!
//! ```text
//!   Calling ----2xx----> Talking <--ACK-- Answered <--accept-- Ringing
//!      | 3xx-6xx, hangup    | BYE either way, expiry               | reject, CANCEL
//!      v                    v                                      v
//!     Over               Leaving --last answer--> Over            Over
//! ```

use std::sync::Arc;

use super::{
    Agent, CallId, Ending, Event, Flow, Refused, auth::Login, dialog::Dialog, read, store::Key,
    transaction::Purpose, wire,
};
use crate::{
    digest::Credentials,
    message::{Headers, Method, Request, Response, Status},
    time::Millis,
};

mod callee;
mod caller;
mod change;
mod early;
mod ending;
mod reliable;
mod timer;

use callee::Ringing;
use caller::Calling;
use change::{Ours, Theirs};
pub(super) use reliable::Provisional;
use timer::SessionTimer;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) flow: Flow,
    /// Under which flow the agent lists it.
    listed: Option<Flow>,
    phase: Phase,
    /// Confirmed, or that of the callee from the first moment. A caller's early ones are in
    /// [`Calling`].
    dialog: Option<Dialog>,
    pub(super) local_tag: String,
    local_seq: u32,
    /// We sent the first INVITE: the owner of the Call-ID waits longer after glare.
    caller: bool,
    peer: Peer,
    /// The descriptions in force.
    local: Option<String>,
    remote: Option<String>,
    timer: SessionTimer,
    ours: Option<Ours>,
    /// An offer that waits until nothing else is under way.
    wanted: Option<String>,
    /// How often it was tried already.
    tries: u8,
    theirs: Option<Theirs>,
    unacked: Option<Unacked>,
    pub(super) credentials: Option<Arc<Credentials>>,
}

#[derive(Debug)]
enum Phase {
    Calling(Calling),
    Ringing(Ringing),
    /// Our 200 waits for its ACK.
    Answered,
    Talking,
    /// The application was told of the end. `bye`: owed to the peer as soon as its ACK came, with
    /// this Reason.
    Leaving {
        bye: Option<Option<String>>,
    },
    Over,
}

/// What the peer said it can do.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    reliable: bool,
    timer: bool,
    update: bool,
}

/// A 2xx of ours to an INVITE that waits for its ACK (RFC 3261 section 13.3.1.4).
#[derive(Debug)]
struct Unacked {
    cseq: u32,
    flow: Flow,
    bytes: Vec<u8>,
    interval: Millis,
    /// It carried our offer: the ACK carries the answer.
    offered: bool,
}

impl Peer {
    /// A message without these headers takes nothing back.
    fn learn(&mut self, headers: &Headers) {
        if headers.get("Allow").is_some() {
            self.update = headers.lists("Allow", "UPDATE");
        }
        if headers.get("Supported").is_some() {
            self.timer = headers.lists("Supported", "timer");
            self.reliable = headers.lists("Supported", "100rel");
        }
        self.reliable |= headers.lists("Require", "100rel");
        self.timer |= headers.lists("Require", "timer");
    }
}

impl Call {
    fn new(id: u64, flow: Flow, phase: Phase, local_tag: String, caller: bool) -> Box<Self> {
        Box::new(Self {
            id,
            flow,
            listed: None,
            phase,
            dialog: None,
            local_tag,
            local_seq: 0,
            caller,
            peer: Peer::default(),
            local: None,
            remote: None,
            timer: SessionTimer::default(),
            ours: None,
            wanted: None,
            tries: 0,
            theirs: None,
            unacked: None,
            credentials: None,
        })
    }

    pub(super) const fn name(&self) -> CallId {
        CallId(self.id)
    }

    pub(super) fn next_seq(&mut self) -> u32 {
        self.local_seq += 1;
        self.local_seq
    }

    /// Looks at a request within the call before anything is kept of it: a status that refuses it.
    pub(super) fn admit(&mut self, request: &Request) -> Option<Status> {
        let leaving = matches!(self.phase, Phase::Leaving { .. });
        let early_caller = matches!(self.phase, Phase::Calling(_));
        let Some(dialog) = self.dialog_of(&request.headers) else {
            return Some(Status(481));
        };
        // After the end only the peer's own BYE is welcome; an early dialog ends by a response.
        if (leaving && request.method != Method::Bye)
            || (early_caller && request.method == Method::Bye)
        {
            return Some(Status(481));
        }
        if dialog.take_cseq(&request.headers) {
            None
        } else {
            Some(Status(500))
        }
    }

    /// The dialog a response of the peer's belongs to.
    fn dialog_of_response(&mut self, headers: &Headers) -> Option<&mut Dialog> {
        let tag = read::tag(headers, "To").unwrap_or_default();
        match &mut self.phase {
            Phase::Calling(calling) => calling
                .early
                .iter_mut()
                .map(|early| &mut early.dialog)
                .find(|dialog| dialog.remote_tag == tag),
            _ => self.dialog.as_mut(),
        }
    }

    /// The dialog a request of the peer's belongs to.
    fn dialog_of(&mut self, headers: &Headers) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Calling(calling) => calling
                .early
                .iter_mut()
                .map(|early| &mut early.dialog)
                .find(|dialog| dialog.is_of(headers)),
            _ => self.dialog.as_mut().filter(|dialog| dialog.is_of(headers)),
        }
    }

    /// The dialog our own requests go by: the only one, or the first early one that answered.
    fn dialog(&self) -> Option<&Dialog> {
        match &self.phase {
            Phase::Calling(calling) => calling
                .early
                .iter()
                .max_by_key(|early| early.agreed)
                .map(|early| &early.dialog),
            _ => self.dialog.as_ref(),
        }
    }

    /// Whether an offer may be made: the first exchange is through.
    fn agreed(&self) -> bool {
        match &self.phase {
            Phase::Calling(calling) => calling.early.iter().any(|early| early.agreed),
            Phase::Ringing(ringing) => ringing.agreed(),
            Phase::Talking => true,
            Phase::Answered | Phase::Leaving { .. } | Phase::Over => false,
        }
    }
}

impl Agent {
    /// Takes a living call out of the map; [`Self::put`] brings it back or buries it.
    pub(super) fn grab(&mut self, call: CallId) -> Result<Box<Call>, Refused> {
        match self.calls.get(call.0) {
            Some(call) if !matches!(call.phase, Phase::Leaving { .. }) => {}
            _ => return Err(Refused::NoSuchCall),
        }
        self.calls.remove(call.0).ok_or(Refused::NoSuchCall)
    }

    pub(super) fn dialog_key(&self, local_tag: &str) -> Key {
        self.wire.namer.key(&["d", local_tag])
    }

    /// The call in whose dialogs that tag is ours: it is random and so names one call.
    pub(super) fn call_of(&self, local_tag: &str) -> Option<u64> {
        self.wire.names.get(self.dialog_key(local_tag))
    }

    pub(super) fn put(&mut self, mut call: Box<Call>) {
        let over = matches!(call.phase, Phase::Over);
        let flow = (!over).then_some(call.flow);
        if call.listed != flow {
            if let Some(old) = call.listed {
                self.calls_by_flow.take((old.0, call.id));
            }
            if let Some(new) = flow {
                self.calls_by_flow.set((new.0, call.id), 0);
            }
            call.listed = flow;
        }
        if over {
            self.wire.timers.cancel_all(call.id);
            let key = self.dialog_key(&call.local_tag);
            self.wire.names.take(key);
        } else {
            self.calls.insert(call.id, call);
        }
    }

    /// A request that the call answers by itself, and no [`super::Pending`].
    fn claim(&mut self, tx: u64, call: u64) {
        if let Some(server) = self.transactions.server_mut(tx) {
            server.call = Some(call);
        }
    }

    /// Tells the end of a call, which the phases `Leaving` and `Over` then keep from being told again.
    fn ended(&mut self, call: &mut Call, ending: Ending, next: Phase) {
        if !matches!(call.phase, Phase::Leaving { .. } | Phase::Over) {
            self.wire.tell(Event::Ended {
                call: call.name(),
                ending,
            });
        }
        call.phase = next;
    }

    /// A request within the call's dialog, with our Contact where it refreshes the target.
    pub(super) fn within(&mut self, call: &mut Call, method: Method) -> Option<Request> {
        let target_refresh = matches!(
            method,
            Method::Invite | Method::Update | Method::Refer | Method::Subscribe | Method::Notify
        );
        let cseq = call.next_seq();
        let flow = call.flow;
        let mut request = call.dialog()?.request(&mut self.wire, flow, method, cseq);
        if target_refresh {
            request.headers.push("Contact", self.contact(flow));
        }
        Some(request)
    }

    /// Sends a request of the call's.
    pub(super) fn dispatch(&mut self, call: &Call, mut request: Request, purpose: Purpose) -> u64 {
        let login = self.login(call.flow, &mut request, call.credentials.as_ref());
        self.transactions
            .send(&mut self.wire, call.flow, request, purpose, login)
    }

    /// Authorizes a fresh request ahead of any challenge.
    pub(super) fn login(
        &mut self,
        flow: Flow,
        request: &mut Request,
        credentials: Option<&Arc<Credentials>>,
    ) -> Option<Login> {
        Some(self.auth.ahead(&mut self.wire, flow, request, credentials?))
    }

    /// What an INVITE, an UPDATE and their 2xx say of us.
    fn capabilities(&self, headers: &mut Headers) {
        headers.push("Allow", wire::ALLOW);
        headers.push("Supported", wire::SUPPORTED);
    }

    /// A response to a request of the call's; `None` when it was answered before.
    fn call_response(&mut self, call: &Call, tx: u64, status: Status) -> Option<Response> {
        let mut response = self.transactions.response(&self.wire, tx, status)?;
        if status.0 > 100 && status.0 < 300 {
            response.headers.push("Contact", self.contact(call.flow));
        }
        Some(response)
    }

    /// Our description in force.
    #[must_use]
    pub fn local_description(&self, call: CallId) -> Option<&str> {
        self.calls.get(call.0)?.local.as_deref()
    }

    pub(super) fn move_call_to(&mut self, call: CallId, flow: Flow) -> Result<(), Refused> {
        if !self.wire.is_open(flow) {
            return Err(Refused::Closed);
        }
        let mut call = self.grab(call)?;
        if self.goes_on_by(&mut call, flow) {
            self.next_change(&mut call);
        }
        self.put(call);
        Ok(())
    }

    /// The peer is reached by `flow` from now on. A change that came by another is answered there in vain, and the ACK
    /// of an answer of ours is lost with it: the next change must not find the call busy with either. `true`: an offer
    /// that waits may leave.
    pub(super) fn goes_on_by(&mut self, call: &mut Call, flow: Flow) -> bool {
        let moves = call.flow != flow && matches!(call.phase, Phase::Talking);
        call.flow = flow;
        if moves {
            self.drop_their_change(call);
            self.no_ack_will_come(call);
        }
        moves
    }
}
