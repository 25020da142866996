//! What pages ask for.

use super::{Asker, BURST, Draft, Effect, Hub, Line, Out, Publishing, SessionId, pages::Outcome};
use crate::{
    Kind, PRIVATE, is_event, is_pipe,
    wire::{Answer, Problem, Request},
};

/// Messages of a history that go into one answer.
const HISTORY: usize = 100;

impl<L: Line> Hub<L> {
    /// A page asks something. `Seen` is for the shell: the hub does not know who was here long ago.
    pub fn ask(&mut self, now: u64, id: SessionId, request: Request) {
        match request {
            Request::Hello { page, .. } => self.hello(now, id, &page),
            Request::Listen { id: number, pipes } => self.listen(now, id, number, pipes),
            Request::Leave { pipes } => {
                for pipe in pipes {
                    self.leave(now, id, &pipe);
                }
            }
            Request::Publish {
                id: number,
                pipe,
                event,
                body,
                anonymous,
            } => {
                let from = self.seats.get(&id).filter(|_| !anonymous);
                let from = from.and_then(|seat| seat.visitor.user.clone());
                let draft = Draft {
                    pipe,
                    event,
                    body,
                    from,
                    asker: None,
                };
                self.publish_for(now, id, number, draft);
            }
            Request::Ack { position } => self.ack(now, id, position),
            Request::History {
                id: number,
                pipe,
                limit,
            } => match self.may_listen(id, &pipe) {
                Ok(()) => {
                    let messages = self.history(now, &pipe, limit.min(HISTORY));
                    self.answer(
                        id,
                        Answer::History {
                            id: number,
                            messages,
                        },
                    );
                }
                Err(problem) => self.fail(id, number, problem),
            },
            Request::Presence { id: number, pipe } => self.look(id, number, &pipe),
            Request::Seen { id: number, .. } => self.fail(id, number, Problem::Unavailable),
        }
        self.settle(now);
    }

    /// For the shell, which knows more about some answers.
    pub fn reply(&mut self, now: u64, id: SessionId, answer: Answer) {
        self.answer(id, answer);
        self.settle(now);
    }

    fn listen(
        &mut self,
        now: u64,
        id: SessionId,
        number: u32,
        pipes: Vec<(String, Option<crate::Position>)>,
    ) {
        let (mut at, mut gaps, mut refused, mut missed) = (vec![], vec![], vec![], vec![]);
        for (pipe, have) in pipes {
            let joined = match pipe.as_str() {
                PRIVATE => self.join_mailbox(now, id, have),
                name if is_pipe(name) => self.join_pipe(now, id, name, have),
                _ => Err(Problem::BadName),
            };
            match joined {
                Ok(joined) => {
                    missed.extend(joined.messages);
                    if joined.gap {
                        gaps.push(pipe.clone());
                    }
                    at.push((pipe, joined.start));
                }
                Err(problem) => refused.push((pipe, problem)),
            }
        }
        self.answer(
            id,
            Answer::Listening {
                id: number,
                pipes: at,
                gaps,
                refused,
                missed: missed.len(),
            },
        );
        for message in missed {
            self.tell(id, Out::Message(message));
        }
    }

    fn publish_for(&mut self, now: u64, id: SessionId, number: u32, mut draft: Draft) {
        let Some(seat) = self.seats.get(&id) else {
            return;
        };
        let (page, known) = (seat.page.clone(), seat.visitor.user.is_some());
        let outcome = page
            .as_ref()
            .and_then(|page| self.pages.outcome(page, number));
        if let Some(outcome) = outcome {
            // asked again because the answer was lost with the socket
            if let Some(answer) = outcome.answer(number) {
                self.answer(id, answer);
            }
            return;
        }
        let kind = Kind::of(&draft.pipe);
        let problem = if !is_pipe(&draft.pipe) || !is_event(&draft.event) {
            Some(Problem::BadName)
        } else if kind == Kind::WebAuth && !known {
            Some(Problem::LoginFirst)
        } else if !kind.may_publish(known) || !seat.visitor.may_publish {
            Some(Problem::Forbidden)
        } else if !self.has_credit(now, id) {
            Some(Problem::TooMany)
        } else {
            None
        };
        if let Some(problem) = problem {
            return self.fail(id, number, problem);
        }
        draft.asker = Some(Asker {
            session: id,
            page: page.clone(),
            id: number,
        });
        let outcome = match self.publish_draft(now, draft) {
            Publishing::Done {
                position,
                listeners,
            } => Outcome::Published {
                position,
                listeners,
            },
            Publishing::Keep(draft) => {
                self.effects.push_back(Effect::Keep(draft));
                Outcome::UnderWay
            }
        };
        if let Some(page) = &page {
            self.pages.note(page, number, outcome);
        }
        if let Some(answer) = outcome.answer(number) {
            self.answer(id, answer);
        }
    }

    fn has_credit(&mut self, now: u64, id: SessionId) -> bool {
        let rate = u64::from(self.limits.publishes_per_second);
        let Some(seat) = self.seats.get_mut(&id) else {
            return false;
        };
        let (credit, at) = seat.credit;
        // a millisecond earns a thousandth of what a second does
        let credit = (credit + now.saturating_sub(at) * rate).min(rate * BURST);
        let enough = credit >= 1_000;
        seat.credit = (if enough { credit - 1_000 } else { credit }, now);
        enough
    }

    fn may_listen(&self, id: SessionId, pipe: &str) -> Result<(), Problem> {
        let seat = self.seats.get(&id).ok_or(Problem::LoginFirst)?;
        match Kind::of(pipe) {
            Kind::Private => Err(Problem::Forbidden),
            kind if !kind.may_listen(seat.visitor.user.is_some()) => Err(Problem::LoginFirst),
            _ if !seat.visitor.may_listen => Err(Problem::Forbidden),
            _ => Ok(()),
        }
    }

    fn look(&mut self, id: SessionId, number: u32, pipe: &str) {
        let kind = Kind::of(pipe);
        if !kind.may_count() {
            return self.fail(id, number, Problem::Forbidden);
        }
        let mut listeners = Vec::new();
        if kind.may_look() {
            let who = self.in_pipe(pipe).into_iter();
            listeners = who
                .map(|who| (who.user.clone(), who.page.clone()))
                .collect();
        }
        let count = self.listeners(pipe);
        self.answer(
            id,
            Answer::Presence {
                id: number,
                count,
                listeners,
            },
        );
    }

    /// Takes everything for a reader whose own wire has no `listen`: private messages from what
    /// nobody has had on.
    pub fn listen_private(&mut self, now: u64, id: SessionId) {
        if let Ok(missed) = self.join_mailbox(now, id, None) {
            for message in missed.messages {
                self.tell(id, Out::Message(message));
            }
        }
        self.settle(now);
    }
}
