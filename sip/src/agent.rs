//! The user agent core: transactions, dialogs, INVITE sessions and registrations of many
//! connections behind one door.
//!
//! Both the phone in the page (one flow) and the relay (one flow per socket) drive this type.

use crate::{
    digest::Credentials,
    message::{Headers, Method, Request, Status},
    time::{Millis, Time},
    uri::Uri,
};

mod auth;
mod cause;
mod dialog;
mod inbound;
mod read;
mod registration;
mod requests;
mod session;
mod store;
mod timers;
mod transaction;
mod wire;

use auth::Auth;
use registration::Binding;
use session::Call;
use store::{Index, Table};
use timers::Alarm;
use transaction::Transactions;
use wire::Wire;

/// A connection (a WebSocket, or a UDP peer), named by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow(pub u64);

/// What a flow runs over: decides the Via transport and whether timers A, E and G run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Ws,
    Wss,
    Udp,
    Tcp,
    Tls,
}

/// An INVITE session, from the INVITE to its end. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A request other than INVITE that waits for [`Agent::respond`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pending(pub u64);

/// A registration kept by the agent (client side).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registration(pub u64);

/// An out-of-dialog or in-dialog request sent by [`Agent::request`] or [`Agent::request_within`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent(pub u64);

#[derive(Clone, Debug)]
pub struct Config {
    /// `User-Agent` in requests, `Server` in responses.
    pub product: String,
    /// Contact host and Via sent-by: a random `xxxx.invalid` for a browser (RFC 7118 section 5),
    /// the public name for a server.
    pub host: String,
    /// User part of our Contact; empty for a server that serves many users.
    pub contact_user: String,
    /// From the operating system or the browser; fixed in tests.
    pub seed: [u8; 32],
    /// How many requests may wait for an answer of ours before a new INVITE is answered 503 with
    /// Retry-After, without keeping anything of it. Other requests have four times that room.
    pub max_calls: usize,
    /// `Session-Expires` asked for and `Min-SE` (RFC 4028); 1800 s and 90 s unless you know better.
    pub session_expires: Millis,
    pub min_se: Millis,
    /// How long a call of ours may ring before the agent gives up with [`Cause::NoAnswer`].
    pub ring_timeout: Millis,
}

/// A call to place.
#[derive(Clone, Debug)]
pub struct Invite {
    pub to: Uri,
    /// Request-URI when it differs from `to` (a registered Contact).
    pub target: Option<Uri>,
    pub from: Uri,
    pub from_name: Option<String>,
    /// The offer; without it the INVITE asks the peer for one.
    pub offer: Option<String>,
    pub headers: Headers,
    /// Answer 401 and 407 with these. A relay gives none (it must never lend its own).
    pub credentials: Option<Credentials>,
}

/// What to keep registered.
#[derive(Clone, Debug)]
pub struct Registering {
    pub registrar: Uri,
    pub aor: Uri,
    pub expires: Millis,
    /// `+sip.instance` URN (RFC 5626); the same for the life of the device.
    pub instance: Option<String>,
    pub reg_id: Option<u32>,
    pub credentials: Option<Credentials>,
    pub headers: Headers,
}

/// Why a call ended, in words a page can show. Status codes map to these; `status` keeps the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub cause: Cause,
    pub by: By,
    /// The final response or the cause of a Reason header (RFC 3326), when there was one.
    pub status: Option<Status>,
    /// The reason phrase or the Reason text, as it came.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Local,
    Remote,
    /// The transport, a timer, or this agent's own checks.
    System,
}

/// JsSIP's vocabulary, which pages know, with gaps filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// An established call was ended by BYE.
    Hangup,
    /// The caller gave up before the answer (CANCEL).
    Canceled,
    /// Another socket of the same user accepted (Reason: SIP;cause=200).
    AnsweredElsewhere,
    /// 486, 600.
    Busy,
    /// 403, 603.
    Rejected,
    /// 404, 604.
    NotFound,
    /// 480, 410, 430: known, but not there now.
    Unavailable,
    /// 408, 487 after a timeout, ring timeout.
    NoAnswer,
    /// 301, 302.
    Redirected,
    /// 401, 407 that could not be satisfied.
    AuthenticationFailed,
    /// 488, 606, 415, or an unusable description.
    IncompatibleMedia,
    /// 5xx.
    ServerError,
    /// Other 4xx and 6xx.
    Failed,
    /// Timer B or F: the peer never answered.
    RequestTimeout,
    /// The socket went away and nothing else can carry the call.
    ConnectionLost,
    /// No ACK for our 200, no PRACK for our 183, no session refresh in time.
    PeerVanished,
    /// The peer broke the protocol within the dialog (481, malformed answers).
    DialogError,
}

#[derive(Debug)]
pub enum Output {
    /// One message for one flow.
    Send {
        flow: Flow,
        bytes: Vec<u8>,
    },
    Event(Event),
    /// Call [`Agent::tick`] no later than this. The last one said counts.
    WakeAt(Time),
}

#[derive(Debug)]
pub enum Event {
    /// An INVITE that starts a call. 100 has been sent. Answer with [`Agent::progress`],
    /// [`Agent::accept`], [`Agent::reject`].
    Incoming {
        call: CallId,
        flow: Flow,
        invite: Box<Request>,
    },
    /// A provisional response to our INVITE (not 100). `answer` is given once: the answer to our
    /// offer, when it came in this response (reliable or not; the 200 then repeats it and we do
    /// not report it again, unless another of the peer's phones accepted with an answer of its own).
    Progress {
        call: CallId,
        status: Status,
        answer: Option<String>,
        response: Box<crate::message::Response>,
    },
    /// Established: our INVITE got its 200 (the ACK has been sent), or our own 200 got its ACK
    /// (`answer` is then the answer in the ACK to an offer in our 200, or in a PRACK, if any).
    Established {
        call: CallId,
        answer: Option<String>,
    },
    /// The peer changes the session: re-INVITE or UPDATE with an offer (or without: `None`, then
    /// answer with an offer of ours; its answer comes as [`Event::Changed`]). Answer within 25 s with
    /// [`Agent::answer_change`] or [`Agent::refuse_change`]. A refresh without change never shows up
    /// here. The offer in a 200 or a reliable provisional to an INVITE of ours that had none comes
    /// here too: the answer then leaves in the ACK (and [`Event::Established`] follows) or PRACK.
    Change {
        call: CallId,
        offer: Option<String>,
    },
    /// The peer answered [`Agent::change`].
    Changed {
        call: CallId,
        result: Result<Option<String>, Status>,
    },
    /// An answer that arrived in a PRACK for our reliable provisional that carried an offer.
    EarlyAnswer {
        call: CallId,
        answer: String,
    },
    /// The call is over; the id is dead.
    Ended {
        call: CallId,
        ending: Ending,
    },
    /// A request inside a call other than the ones handled here (INFO, REFER, NOTIFY, MESSAGE):
    /// answer with [`Agent::respond`].
    Within {
        call: CallId,
        pending: Pending,
        request: Box<Request>,
    },
    /// A request outside any dialog (REGISTER, OPTIONS, MESSAGE, SUBSCRIBE, ...): answer with
    /// [`Agent::respond`].
    Asked {
        pending: Pending,
        flow: Flow,
        request: Box<Request>,
    },
    /// The final response to [`Agent::request`] and [`Agent::request_within`]; 408 when none came.
    Replied {
        sent: Sent,
        status: Status,
        response: Option<Box<crate::message::Response>>,
    },
    Registered {
        registration: Registration,
        expires: Millis,
        gruu: Option<Uri>,
    },
    /// `retry_after`: the agent tries again by itself then; `None`: it has given up.
    RegistrationFailed {
        registration: Registration,
        ending: Ending,
        retry_after: Option<Millis>,
    },
    Unregistered {
        registration: Registration,
    },
}

/// A wish that does not fit the state of what it names. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this call is over or never was")]
    NoSuchCall,
    #[error("this request was answered already or never was")]
    NoSuchRequest,
    #[error("the call is not in a state that allows this")]
    WrongState,
    #[error("the connection is closed")]
    Closed,
}

#[derive(Debug)]
pub struct Agent {
    config: Config,
    wire: Wire,
    transactions: Transactions,
    auth: Auth,
    calls: Table<Call>,
    calls_by_flow: Index,
    registrations: Table<Binding>,
    /// The Contact a registrar gave us to use on a flow (a GRUU).
    contacts: Vec<(Flow, String)>,
    /// The last [`Output::WakeAt`] said.
    woken_at: Option<Time>,
}

impl Agent {
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            wire: Wire::new(&config),
            config,
            transactions: Transactions::default(),
            auth: Auth::default(),
            calls: Table::default(),
            calls_by_flow: Index::default(),
            registrations: Table::default(),
            contacts: Vec::new(),
            woken_at: None,
        }
    }

    // --- the world ---------------------------------------------------------------------------

    /// A connection exists. A flow may be opened again under a new id after it was closed.
    pub fn open(&mut self, flow: Flow, transport: Transport) {
        self.wire.open(flow, transport);
    }

    /// The connection is gone. Established calls on it stay (media may well go on) until
    /// [`Agent::move_call`] gives them another flow or `hangup`; transactions on it fail.
    pub fn closed(&mut self, now: Time, flow: Flow) {
        self.at(now);
        self.flow_closed(flow);
    }

    /// From now on `call` uses `flow` (its socket was replaced). A re-INVITE or UPDATE of the peer's
    /// that comes by another flow moves the call by itself.
    pub fn move_call(&mut self, now: Time, call: CallId, flow: Flow) -> Result<(), Refused> {
        self.at(now);
        self.move_call_to(call, flow)
    }

    /// One frame or datagram. Bad bytes are answered or dropped as RFC 3261 says; CRLF keep-alives
    /// (RFC 5626 section 3.5.1) are answered.
    pub fn receive(&mut self, now: Time, flow: Flow, bytes: &[u8]) {
        self.at(now);
        self.bytes(flow, bytes);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time) {
        self.at(now);
        // Whoever comes early is told again when to come back.
        self.woken_at = None;
        while let Some((owner, alarm)) = self.wire.timers.pop(self.wire.now) {
            if self.transactions.owns(owner) {
                let report = self.transactions.alarm(&mut self.wire, owner, alarm);
                self.reported(report);
            } else if alarm == Alarm::Register {
                self.send_register(owner);
            } else {
                self.call_alarm(owner, alarm);
            }
        }
    }

    /// The next thing to do; `None`: wait for input or the last [`Output::WakeAt`].
    pub fn poll(&mut self) -> Option<Output> {
        if let Some(output) = self.wire.out.pop_front() {
            return Some(output);
        }
        let next = self.wire.timers.next()?;
        if self.woken_at == Some(next) {
            return None;
        }
        self.woken_at = Some(next);
        Some(Output::WakeAt(next))
    }

    /// Calls that are not forgotten yet; those that say goodbye count as well. For gauges.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Whether a call goes over this flow.
    #[must_use]
    pub fn has_call_on(&self, flow: Flow) -> bool {
        !self.calls_by_flow.all(flow.0).is_empty()
    }

    /// Transactions kept, waiting and lingering. For gauges.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Time never goes back: a clock that does is taken to stand still.
    fn at(&mut self, now: Time) {
        self.wire.now = self.wire.now.max(now);
    }

    fn contact(&self, flow: Flow) -> String {
        let given = self.contacts.iter().find(|(of, _)| *of == flow);
        given
            .map(|(_, contact)| contact.clone())
            .unwrap_or_else(|| self.wire.contact(flow))
    }

    // --- calls -------------------------------------------------------------------------------

    /// Places a call.
    pub fn invite(&mut self, now: Time, flow: Flow, invite: Invite) -> Result<CallId, Refused> {
        self.at(now);
        self.start_invite(flow, invite)
    }

    /// 180, 181 or 183. With `sdp` it is sent reliably (100rel) when the caller supports that.
    pub fn progress(
        &mut self,
        now: Time,
        call: CallId,
        status: Status,
        sdp: Option<String>,
        headers: Headers,
    ) -> Result<(), Refused> {
        self.say_early(now, call, (status, sdp, headers), true)
    }

    /// As [`Agent::progress`], but unreliably although the caller supports 100rel, unless it requires
    /// it. For an answer that the 200 follows soon: that has to wait for the PRACK of a reliable one
    /// (RFC 3262 section 3), a round trip, and repeats an unreliable one (RFC 6337 section 2.1).
    pub fn preview(
        &mut self,
        now: Time,
        call: CallId,
        status: Status,
        sdp: String,
        headers: Headers,
    ) -> Result<(), Refused> {
        self.say_early(now, call, (status, Some(sdp), headers), false)
    }

    fn say_early(
        &mut self,
        now: Time,
        call: CallId,
        said: session::Provisional,
        reliably: bool,
    ) -> Result<(), Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        let done = self.progress_call(&mut call, said, reliably);
        self.put(call);
        done
    }

    /// Sends the 200. `sdp` may be `None` when it was given in a reliable provisional; one that was
    /// given in an unreliable provisional is repeated by the agent when `sdp` is `None`.
    pub fn accept(
        &mut self,
        now: Time,
        call: CallId,
        sdp: Option<String>,
        headers: Headers,
    ) -> Result<(), Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        let done = self.accept_call(&mut call, sdp, headers);
        self.put(call);
        done
    }

    /// A final response of 300 to 699 to an incoming INVITE.
    pub fn reject(
        &mut self,
        now: Time,
        call: CallId,
        status: Status,
        headers: Headers,
    ) -> Result<(), Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        let done = self.reject_call(&mut call, status, &headers);
        self.put(call);
        done
    }

    /// Ends the call whatever its state: CANCEL (held back until a provisional came), BYE, or 603 for
    /// an incoming one. `reason` becomes a Reason header (`SIP ;cause=200 ;text="..."`).
    /// [`Event::Ended`] comes at once; what is left to say to the peer is said behind it.
    pub fn hangup(
        &mut self,
        now: Time,
        call: CallId,
        reason: Option<String>,
    ) -> Result<(), Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        self.hang_up(&mut call, reason);
        self.put(call);
        Ok(())
    }

    /// Offers a change by re-INVITE (UPDATE while still early). Glare is resolved and retried here.
    pub fn change(&mut self, now: Time, call: CallId, offer: String) -> Result<(), Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        let done = self.change_call(&mut call, offer);
        self.put(call);
        done
    }

    /// Tells the peer that the call is still wanted and where we are, in an UPDATE without a
    /// description (RFC 3311 section 5.1); in a re-INVITE towards peers without UPDATE. A peer that
    /// has forgotten the call says so, and the call ends.
    pub fn refresh(&mut self, now: Time, call: CallId) -> Result<(), Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        self.refresh_session(&mut call);
        self.put(call);
        Ok(())
    }

    pub fn answer_change(&mut self, now: Time, call: CallId, sdp: String) -> Result<(), Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        let done = self.answer_their_change(&mut call, sdp);
        self.put(call);
        done
    }

    pub fn refuse_change(
        &mut self,
        now: Time,
        call: CallId,
        status: Status,
    ) -> Result<(), Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        let done = self.refuse_their_change(&mut call, status);
        self.put(call);
        done
    }

    /// A request within the call's dialog (INFO, REFER, NOTIFY, MESSAGE).
    pub fn request_within(
        &mut self,
        now: Time,
        call: CallId,
        method: Method,
        headers: Headers,
        body: Vec<u8>,
    ) -> Result<Sent, Refused> {
        self.at(now);
        let mut call = self.grab(call)?;
        let sent = self.send_within(&mut call, method, &headers, body);
        self.put(call);
        sent
    }

    // --- the rest ----------------------------------------------------------------------------

    /// A request outside a call (OPTIONS, MESSAGE, SUBSCRIBE). Who keeps dialogs of his own
    /// (subscriptions) gives To, From, Call-ID, CSeq and Route in `headers`.
    #[allow(clippy::too_many_arguments)]
    pub fn request(
        &mut self,
        now: Time,
        flow: Flow,
        method: Method,
        to: Uri,
        from: Uri,
        headers: Headers,
        body: Vec<u8>,
        credentials: Option<Credentials>,
    ) -> Result<Sent, Refused> {
        self.at(now);
        self.send_outside(flow, method, &to, &from, &headers, body, credentials)
    }

    /// The To tag of our answer to this request: ours in the dialog it opens.
    #[must_use]
    pub fn local_tag(&self, pending: Pending) -> Option<&str> {
        let server = self.transactions.server(pending.0)?;
        server.is_applications().then_some(server.tag.as_str())
    }

    pub fn respond(
        &mut self,
        now: Time,
        pending: Pending,
        status: Status,
        headers: Headers,
        body: Vec<u8>,
    ) -> Result<(), Refused> {
        self.at(now);
        self.answer_request(pending, status, &headers, body)
    }

    /// Registers and keeps registered until told otherwise.
    pub fn register(&mut self, now: Time, flow: Flow, what: Registering) -> Registration {
        self.at(now);
        self.start_registration(flow, what)
    }

    /// The registration's socket was replaced: register anew over this one.
    pub fn reregister(&mut self, now: Time, registration: Registration, flow: Flow) {
        self.at(now);
        self.register_anew(registration.0, flow);
    }

    /// Registers again now and from now on with these headers: a newer token, say. What comes of it is
    /// told as of a first registration.
    pub fn renew(&mut self, now: Time, registration: Registration, headers: Headers) {
        self.at(now);
        self.register_with(registration.0, headers);
    }

    pub fn unregister(&mut self, now: Time, registration: Registration) {
        self.at(now);
        self.leave_registrar(registration.0);
    }
}
