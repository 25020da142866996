//! One reader's end inside the relay: what a transport holds.

use clinicall_comet::{
    hub::{Ended, Out, SessionId},
    wire::{Answer, Problem, Request},
};
use tokio::sync::mpsc;

use super::{line::Line, task::Note};

/// A connection's place in the hub; dropping it gives the place up, as a lost socket does.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    line: Line,
    mailbox: mpsc::Sender<Note>,
    how: Option<Ended>,
}

impl Session {
    pub(super) fn new(id: SessionId, line: Line, mailbox: mpsc::Sender<Note>) -> Self {
        Self {
            id,
            line,
            mailbox,
            how: Some(Ended::Lost),
        }
    }

    /// The next thing to tell the reader; `None` after [`Out::Closed`]. Nothing is lost when the
    /// future is dropped.
    pub async fn next(&self) -> Option<Out> {
        self.line.next().await
    }

    /// What waits now.
    pub fn try_next(&self) -> Option<Out> {
        self.line.try_next()
    }

    /// What the reader asks. Its answer comes by [`Session::next`].
    pub async fn ask(&self, request: Request) {
        let _ = self.mailbox.send(Note::Ask(self.id, request)).await;
    }

    /// A frame of our own wire.
    pub async fn frame(&self, frame: &str) {
        match Request::parse(frame) {
            Ok(request) => self.ask(request).await,
            Err((id, problem)) => self.refuse(id, problem).await,
        }
    }

    /// Tells the reader that something was wrong.
    pub async fn refuse(&self, id: Option<u32>, problem: Problem) {
        let answer = Answer::Failed { id, problem };
        let _ = self.mailbox.send(Note::Reply(self.id, answer)).await;
    }

    /// From now on private messages come, those that nobody has had first: for a wire that has no
    /// [`Request::Listen`].
    pub async fn listen_private(&self) {
        let _ = self.mailbox.send(Note::ListenPrivate(self.id)).await;
    }

    /// The reader left for good: its user is offline at once, if this was the last connection.
    pub fn leave(mut self) {
        self.close(Ended::Left);
    }

    fn close(&mut self, how: Ended) {
        let Some(_) = self.how.take() else { return };
        let note = Note::Closed(self.id, how);
        if let Err(mpsc::error::TrySendError::Full(note)) = self.mailbox.try_send(note) {
            let mailbox = self.mailbox.clone();
            tokio::spawn(async move {
                let _ = mailbox.send(note).await;
            });
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close(Ended::Lost);
    }
}
