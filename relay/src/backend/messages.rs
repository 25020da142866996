//! Private messages, pipes and their history. The comet task decides; names and limits are its own.

use std::sync::Arc;

use super::{Backend, BackendError, check_name};
use crate::comet::{Along, Body, Listener, Message, MessageId, Published, Queued, Sent};

impl Backend {
    /// A private message to all of the user's sockets; it waits when there is none. Durable when
    /// this returns, and what is to be kept along with it too.
    pub async fn send(
        &self,
        user: &str,
        event: &str,
        body: Body,
        along: Option<Along<MessageId>>,
    ) -> Result<Sent, BackendError> {
        check_name("user", user)?;
        Ok(self.parts.comet.send(user, event, body, along).await?)
    }

    /// What waits for a user.
    pub async fn queued(&self, user: &str) -> Result<Vec<Queued>, BackendError> {
        Ok(self.parts.comet.queued(user).await?)
    }

    /// Forgets what waits for a user; how many messages that were.
    pub async fn clear_queue(&self, user: &str) -> Result<usize, BackendError> {
        Ok(self.parts.comet.clear(user).await?)
    }

    /// Publishes into any pipe. `from`: the user to name as its sender.
    pub async fn publish(
        &self,
        pipe: &str,
        event: &str,
        body: Body,
        from: Option<&str>,
        along: Option<Along<u64>>,
    ) -> Result<Published, BackendError> {
        let comet = &self.parts.comet;
        Ok(comet.publish(pipe, event, body, from, along).await?)
    }

    /// The last messages of a pipe, oldest first.
    pub async fn history(
        &self,
        pipe: &str,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BackendError> {
        Ok(self.parts.comet.history(pipe, limit).await?)
    }

    /// Forgets some messages of a pipe, by their offsets; how many there were.
    pub async fn forget(&self, pipe: &str, offsets: &[u64]) -> Result<usize, BackendError> {
        Ok(self.parts.comet.forget(pipe, offsets).await?)
    }

    /// Forgets a pipe's messages; how many it keeps stays as it was.
    pub async fn clear_history(&self, pipe: &str) -> Result<(), BackendError> {
        Ok(self.parts.comet.clear_history(pipe).await?)
    }

    /// How many messages of a pipe are kept.
    pub async fn history_length(&self, pipe: &str) -> Result<usize, BackendError> {
        Ok(self.parts.comet.history_length(pipe).await?)
    }

    /// Keeps that many messages of a pipe from now on; 0 forgets them.
    pub async fn set_history(&self, pipe: &str, length: usize) -> Result<(), BackendError> {
        Ok(self.parts.comet.set_history(pipe, length).await?)
    }

    /// Connections that listen to a pipe.
    pub async fn listeners(&self, pipe: &str) -> Result<usize, BackendError> {
        Ok(self.parts.comet.listeners(pipe).await?)
    }

    pub async fn in_pipe(&self, pipe: &str) -> Result<Vec<Listener>, BackendError> {
        Ok(self.parts.comet.in_pipe(pipe).await?)
    }
}
