//! What the hub finds in the store when it first touches a pipe or a user.

use clinicall_comet::{
    Kind, Message, PRIVATE, Position,
    hub::{Archive, KeptPipe},
};

use crate::store::{Store, StoreError, content::body, messages, pipes};

/// A `trust_` pipe keeps that many messages, unless the clinic set another length.
pub(super) const TRUSTED: u64 = 100;

/// Private messages read at a time; the queue's limit is the clinic's to set, and lower.
const ALL: usize = 100_000;

#[derive(Debug)]
pub(super) struct Shelf(pub Store);

impl Shelf {
    fn read_pipe(&self, name: &str) -> Result<Option<KeptPipe>, StoreError> {
        let epoch = self.0.epoch();
        self.0.read(|view| {
            let trusted = (Kind::of(name) == Kind::Trust).then_some(TRUSTED);
            let set = pipes::length(view, name)?.filter(|length| *length > 0);
            let Some(length) = set.or(trusted) else {
                return Ok(None);
            };
            let length = usize::try_from(length).unwrap_or(ALL);
            let kept = pipes::latest(view, name, length)?;
            Ok(Some(KeptPipe {
                length,
                last: Position {
                    epoch,
                    offset: pipes::last(view, name)?,
                },
                messages: kept
                    .into_iter()
                    .map(|kept| {
                        let position = Position {
                            epoch,
                            offset: kept.offset,
                        };
                        let body = body(kept.body, kept.text);
                        Message::new(name, position, &kept.event, body, kept.at)
                            .from_user(kept.from.as_deref())
                    })
                    .collect(),
            }))
        })
    }

    fn read_mailbox(&self, user: &str) -> Result<(Position, Vec<Message>), StoreError> {
        let epoch = self.0.epoch();
        self.0.read(|view| {
            let last = Position {
                epoch,
                offset: messages::last(view, user)?,
            };
            let waiting = messages::after(view, user, 0, ALL)?;
            let waiting = waiting.into_iter().map(|kept| private(epoch, kept));
            Ok((last, waiting.collect()))
        })
    }
}

impl Archive for Shelf {
    fn pipe(&self, pipe: &str) -> Option<KeptPipe> {
        self.read_pipe(pipe).unwrap_or_else(|error| {
            tracing::error!(%error, pipe, "a pipe's history cannot be read");
            None
        })
    }

    fn mailbox(&self, user: &str) -> (Position, Vec<Message>) {
        self.read_mailbox(user).unwrap_or_else(|error| {
            tracing::error!(%error, user, "a user's messages cannot be read");
            (Position::default(), Vec::new())
        })
    }
}

pub(super) fn private(epoch: u64, kept: messages::Message) -> Message {
    let position = Position {
        epoch,
        offset: kept.offset,
    };
    let body = body(kept.body, kept.text);
    Message::new(PRIVATE, position, &kept.event, body, kept.at)
}
