//! What the registrar says.

use clinicall_sip::{
    Headers, Millis, Time,
    agent::{self, By},
};

use super::{Act, Event, Output, Phone, State};
use crate::{
    options::is_token,
    reason::{Cause, Error, Reason},
};

/// The number under which [`Phone::set_token`] is answered; comet's begin at 1.
pub const TOKEN: u32 = 0;

impl Phone {
    /// Hands over a newer token, at once or with the next connection. [`Event::Answered`] tells, as
    /// number [`TOKEN`], whether the server took it; if not, the one before stays.
    pub fn set_token(&mut self, now: Time, token: &str) -> Result<(), Error> {
        if self.is_finished() {
            return Err(Error::of(Cause::NotConnected));
        }
        if !is_token(token) {
            return Err(Error::bad_option("`token` is no token."));
        }
        if self.older_token.is_some() {
            return Err(Error::of(Cause::TooMany));
        }
        let Some(older) = &mut self.account.token else {
            return Err(Error::bad_option("This phone came in with a password."));
        };
        self.older_token = Some(std::mem::replace(older, token.to_owned()));
        self.show_token(now);
        self.settle(now);
        Ok(())
    }

    pub(super) fn token_header(&self) -> Headers {
        let mut headers = Headers::new();
        if let Some(token) = &self.account.token {
            headers.push("Authorization", ["Bearer ", token.as_str()].concat());
        }
        headers
    }

    fn show_token(&mut self, now: Time) {
        let headers = self.token_header();
        if let Some(registration) = self.registration {
            self.agent.renew(now, registration, headers);
        }
    }

    /// What came of handing a token over, if one was.
    pub(super) fn token_over(&mut self, answer: Result<String, Error>) {
        if self.older_token.take().is_some() {
            let event = Event::Answered { id: TOKEN, answer };
            self.out.push_back(Output::Event(event));
        }
    }

    pub(super) fn registered(&mut self, now: Time) {
        if self.is_finished() {
            return;
        }
        let again = std::mem::replace(&mut self.entered, true);
        let rerouted = self.link.rerouted();
        if again && self.state == State::Reconnecting {
            let (calls, mut desk) = self.desk(now);
            for call in calls {
                call.moved(&mut desk, rerouted);
            }
        }
        self.turn(State::Registered);
        self.token_over(Ok("null".to_owned()));
        self.comet_begin(now);
    }

    pub(super) fn not_registered(
        &mut self,
        now: Time,
        ending: agent::Ending,
        retry: Option<Millis>,
    ) {
        // the socket's loss is told already, and whatever follows registers anew
        let lost = ending.cause == agent::Cause::ConnectionLost;
        if self.is_finished() || self.link.flow().is_none() || lost {
            return;
        }
        if retry.is_none()
            && let Some(older) = self.older_token.clone()
        {
            // the newer token is not good, the one before may still be
            self.account.token = Some(older);
            let reason = Reason::from(ending);
            self.token_over(Err(reason.into()));
            return self.show_token(now);
        }
        // 403 and 404 to a REGISTER are how servers without a second challenge (FreeSWITCH, our own
        // relay) say that user or password is wrong
        let refused = matches!(
            ending.cause,
            agent::Cause::AuthenticationFailed | agent::Cause::Rejected | agent::Cause::NotFound
        );
        if refused {
            let status = ending.status.map(|status| status.0);
            let cause = Cause::Sip(agent::Cause::AuthenticationFailed);
            let reason = Reason::of(cause, By::Remote);
            let text = match self.account.token {
                // why, in the relay's words: it has expired, it was revoked
                Some(_) if !ending.text.is_empty() => ending.text,
                _ => reason.text,
            };
            self.fail(
                now,
                Reason {
                    status,
                    text,
                    ..reason
                },
            );
        } else if !self.entered {
            self.fail(now, ending.into());
        } else if retry.is_some() {
            self.turn(State::Reconnecting);
        } else if let Some(flow) = self.link.flow() {
            // a server that does not answer is as good as a dead socket
            self.link.closed(now, flow);
            self.act(
                now,
                Act::Drop {
                    socket: flow,
                    was_open: true,
                },
            );
        }
    }
}
