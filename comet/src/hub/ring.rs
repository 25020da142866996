//! The messages of a pipe that may still be wanted.

use std::{collections::VecDeque, sync::Arc};

use crate::{Message, Position};

/// Newest at the back. Everything after `floor` that was ever published is in it.
#[derive(Debug)]
pub(super) struct Ring {
    pub epoch: u64,
    pub last: u64,
    floor: u64,
    messages: VecDeque<Arc<Message>>,
}

/// What somebody who comes back has missed.
#[derive(Debug, PartialEq)]
pub(super) struct Missed {
    /// What is missed comes after this.
    pub start: Position,
    pub messages: Vec<Arc<Message>>,
    /// There was more, but it is gone.
    pub gap: bool,
}

impl Ring {
    pub fn new(last: Position, messages: Vec<Message>) -> Self {
        let floor = messages
            .first()
            .map_or(last.offset, |first| first.position.offset - 1);
        Self {
            epoch: last.epoch,
            last: last.offset,
            floor,
            messages: messages.into_iter().map(Arc::new).collect(),
        }
    }

    pub fn next(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.last + 1,
        }
    }

    /// `false`: it is in already, read from the archive.
    pub fn push(&mut self, message: Arc<Message>) -> bool {
        let position = message.position;
        if position.epoch != self.epoch || position.offset <= self.last {
            return false;
        }
        self.last = position.offset;
        self.messages.push_back(message);
        true
    }

    /// What came after `have`. Of another life of the pipe, what is younger than `since`.
    pub fn after(&self, have: Position, since: u64) -> Missed {
        if have.epoch != self.epoch || have.offset > self.last {
            let old = self.messages.partition_point(|message| message.at < since);
            let messages: Vec<_> = self.messages.range(old..).cloned().collect();
            return self.missed(messages, true);
        }
        let messages = self.newer_than(have.offset);
        if have.offset < self.floor {
            return self.missed(messages, true);
        }
        Missed {
            start: have,
            messages,
            gap: false,
        }
    }

    /// From the first of these on.
    pub fn missed(&self, messages: Vec<Arc<Message>>, gap: bool) -> Missed {
        let first = messages.first().map(|first| first.position.offset - 1);
        let start = Position {
            epoch: self.epoch,
            offset: first.unwrap_or(self.last),
        };
        Missed {
            start,
            messages,
            gap,
        }
    }

    pub fn newer_than(&self, offset: u64) -> Vec<Arc<Message>> {
        let start = self
            .messages
            .partition_point(|message| message.position.offset <= offset);
        self.messages.range(start..).cloned().collect()
    }

    /// The newest `limit`, oldest first.
    pub fn latest(&self, limit: usize) -> Vec<Arc<Message>> {
        let start = self.messages.len().saturating_sub(limit);
        self.messages.range(start..).cloned().collect()
    }

    /// Lets go what is not among the newest `length` and either too old or too many, and not after
    /// `wanted`.
    pub fn trim(&mut self, length: usize, most: usize, since: u64, wanted: u64) {
        while self.messages.len() > length
            && let Some(first) = self.messages.front()
            && first.position.offset <= wanted
            && (first.at < since || self.messages.len() > most)
        {
            self.floor = first.position.offset;
            self.messages.pop_front();
        }
        if self.messages.is_empty() && self.messages.capacity() > 0 {
            self.messages = VecDeque::new();
        }
    }

    pub fn clear(&mut self) {
        self.floor = self.last;
        self.messages = VecDeque::new();
    }
}
