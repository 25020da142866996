//! What waits for one reader: a short queue that costs nothing while it is empty.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use clinicall_comet::{
    hub::{self, Full, Out},
    wire::Why,
};

/// Bytes of bodies that may wait for one reader, whatever their number.
const MAX_BYTES: usize = 1 << 20;
/// An empty queue that once was longer gives its memory back.
const KEEP: usize = 4;

/// One end in the hub, the other in a [`Session`](super::Session).
#[derive(Clone, Debug)]
pub(super) struct Line(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    limit: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    outs: VecDeque<Out>,
    bytes: usize,
    over: bool,
    reader: Option<Waker>,
}

impl Waiting {
    fn take(&mut self) -> Option<Out> {
        let out = self.outs.pop_front()?;
        self.bytes -= weight(&out);
        if self.outs.is_empty() && self.outs.capacity() > KEEP {
            self.outs = VecDeque::new();
        }
        Some(out)
    }
}

impl Line {
    /// At most `limit` things wait.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Queue {
            limit,
            waiting: Mutex::default(),
        }))
    }

    /// The next thing; `None` after the goodbye.
    pub async fn next(&self) -> Option<Out> {
        poll_fn(|context| {
            let mut waiting = self.lock();
            if let Some(out) = waiting.take() {
                return Poll::Ready(Some(out));
            }
            if waiting.over {
                return Poll::Ready(None);
            }
            match &waiting.reader {
                Some(reader) if reader.will_wake(context.waker()) => {}
                _ => waiting.reader = Some(context.waker().clone()),
            }
            Poll::Pending
        })
        .await
    }

    /// What is there now, without waiting.
    pub fn try_next(&self) -> Option<Out> {
        self.lock().take()
    }

    fn push(&self, out: Out, last: bool) -> Result<(), Full> {
        let mut waiting = self.lock();
        let weight = weight(&out);
        let full = waiting.outs.len() >= self.0.limit
            || (waiting.bytes + weight > MAX_BYTES && !waiting.outs.is_empty());
        if waiting.over || (full && !last) {
            return Err(Full);
        }
        waiting.bytes += weight;
        waiting.over = last;
        waiting.outs.push_back(out);
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(out: &Out) -> usize {
    match out {
        Out::Message(message) => message.body.bytes().len(),
        Out::Answer(_) | Out::Closed(_) => 0,
    }
}

impl hub::Line for Line {
    fn send(&self, out: Out) -> Result<(), Full> {
        self.push(out, false)
    }

    fn close(&self, why: Why) {
        // closed already: then the first reason stands
        let _ = self.push(Out::Closed(why), true);
    }
}

#[cfg(test)]
mod tests {
    use clinicall_comet::hub::Line as _;

    use super::*;

    #[tokio::test]
    async fn a_slow_reader_still_gets_what_waited_and_is_told_why() {
        let line = Line::new(2);
        let problem = clinicall_comet::wire::Problem::TooMany;
        let out = || {
            Out::Answer(Arc::new(clinicall_comet::wire::Answer::Failed {
                id: None,
                problem,
            }))
        };
        assert_eq!(line.send(out()), Ok(()));
        assert_eq!(line.send(out()), Ok(()));
        assert_eq!(line.send(out()), Err(Full));
        line.close(Why::TooSlow);
        line.close(Why::Stopping);
        assert_eq!(line.next().await, Some(out()));
        assert_eq!(line.next().await, Some(out()));
        assert_eq!(line.next().await, Some(Out::Closed(Why::TooSlow)));
        assert_eq!(line.next().await, None);
    }
}
