//! Changes and refreshes of a session: re-INVITE (RFC 3261 section 14) and UPDATE (RFC 3311), ours and
//! the peer's, and what happens when both come at once.

mod ours;
mod theirs;

/// A re-INVITE or UPDATE of ours under way.
#[derive(Debug)]
pub(super) struct Ours {
    update: bool,
    cseq: u32,
    /// The application's offer; a refresh has none.
    offer: Option<String>,
    retries: u8,
    /// The last reliable provisional taken in order, and the answer that came in one.
    rseq: Option<u64>,
    early: Option<String>,
}

/// A change of the peer's that waits for the application.
#[derive(Debug)]
pub(super) struct Theirs {
    kind: Kind,
    tx: u64,
    /// Whose it is, while there may be several early dialogs.
    tag: String,
    /// RSeq of their provisional, or CSeq of our INVITE.
    number: u64,
    offer: Option<String>,
    session: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Answered by a 2xx to their re-INVITE.
    Invite,
    /// Answered by a 2xx to their UPDATE or PRACK.
    Update,
    /// Their 2xx offered: our ACK answers.
    Ack,
    /// Their reliable provisional offered: our PRACK answers.
    Prack,
}

impl Theirs {
    pub(super) fn update(tx: u64, offer: String) -> Self {
        Self {
            kind: Kind::Update,
            tx,
            tag: String::new(),
            number: 0,
            offer: Some(offer),
            session: None,
        }
    }
    pub(super) fn ack(tx: u64, tag: String, cseq: u32, offer: String) -> Self {
        Self {
            kind: Kind::Ack,
            tx,
            tag,
            number: cseq.into(),
            offer: Some(offer),
            session: None,
        }
    }
    pub(super) fn early(tx: u64, tag: String, rseq: u64, offer: String) -> Self {
        Self {
            kind: Kind::Prack,
            tx,
            tag,
            number: rseq,
            offer: Some(offer),
            session: None,
        }
    }
    /// Their provisional's offer died with the early dialogs.
    pub(super) fn is_early(&self) -> bool {
        self.kind == Kind::Prack
    }
    pub(super) const fn is_of(&self, tx: u64) -> bool {
        self.tx == tx
    }
}
