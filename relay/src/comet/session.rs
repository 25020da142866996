//! One reader's end inside the relay: what a transport holds.

use std::sync::Arc;

use clinicall_comet::{
    Message,
    wire::{Answer, Request, Why},
};

/// What a reader is to be told, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    Message(Arc<Message>),
    Answer(Arc<Answer>),
    /// The last one.
    Closed(Why),
}

/// A connection's place in the hub; dropping it gives the place up, as a lost socket does.
#[derive(Debug)]
pub struct Session {
    _private: (),
}

impl Session {
    /// The next thing to tell the reader; `None` after [`Out::Closed`].
    #[allow(clippy::unused_async)]
    pub async fn next(&mut self) -> Option<Out> {
        None
    }

    /// What the reader asks. Its answer comes by [`Session::next`].
    #[allow(clippy::unused_async)]
    pub async fn ask(&self, _request: Request) {}

    /// The reader left for good: its user is offline at once, if this was the last connection.
    pub fn leave(self) {}
}
