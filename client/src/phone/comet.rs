//! Messages beside the calls: pipes on the phone's own socket, once it is logged in.

use clinicall_comet::session::Event as News;
use clinicall_sip::Time;

use super::{Event, Output, Phone, State};
use crate::reason::{Cause, Error};

impl Phone {
    /// Listens to a pipe, now and after every reconnect. `msg` is the person's own.
    pub fn listen(&mut self, now: Time, pipe: &str) {
        self.comet.listen(pipe);
        self.comet_begin(now);
    }

    pub fn leave(&mut self, now: Time, pipe: &str) {
        self.comet.leave(pipe);
        self.settle(now);
    }

    /// Asks the relay: a frame of `clinicall_comet::wire` without `id`. The answer is an
    /// [`Event::Answered`] with the number returned; without a connection it comes after the next.
    pub fn ask(&mut self, now: Time, request: &str) -> Result<u32, Error> {
        if self.is_finished() {
            return Err(Error::of(Cause::NotConnected));
        }
        if self.state == State::Registered && !self.ours {
            return Err(Error::of(Cause::NotSupported));
        }
        let asked = self.comet.ask(request);
        self.comet_begin(now);
        asked.map_err(|_| Error::of(Cause::TooMany))
    }

    /// Says hello as soon as there is anything to say.
    pub(super) fn comet_begin(&mut self, now: Time) {
        if self.state == State::Registered
            && self.ours
            && !self.comet.is_up()
            && self.comet.is_wanted()
        {
            self.comet.opened();
        }
        self.settle(now);
    }

    /// A frame that is no SIP.
    pub(super) fn comet_receive(&mut self, bytes: &[u8]) {
        if let Ok(frame) = str::from_utf8(bytes) {
            self.comet.receive(frame);
        }
    }

    /// What is asked and will not be answered.
    pub(super) fn comet_over(&mut self) {
        let pending: Vec<u32> = self.comet.pending().collect();
        for id in pending {
            self.comet.forget(id);
            let answer = Err(Error::of(Cause::NotConnected));
            self.tell(Event::Answered { id, answer });
        }
    }

    pub(super) fn comet_settle(&mut self, now: Time) {
        while let Some(news) = self.comet.poll() {
            match news {
                News::Send(text) => {
                    if let Some(socket) = self.link.flow() {
                        self.send(now, socket, text);
                    }
                }
                News::Message(frame) => self.tell(Event::Message(frame)),
                News::Gap(pipe) => self.tell(Event::Gap(pipe)),
                News::Answered { id, answer } => {
                    let answer = Ok(answer);
                    self.tell(Event::Answered { id, answer });
                }
                News::Refused {
                    pipe: Some(pipe),
                    problem,
                    ..
                } => {
                    self.tell(Event::Refused {
                        pipe,
                        cause: cause_of(&problem),
                    });
                }
                News::Refused {
                    id, problem, text, ..
                } => {
                    let error = Error::of(cause_of(&problem));
                    let answer = Err(Error {
                        message: text,
                        ..error
                    });
                    self.tell(Event::Answered { id, answer });
                }
                // the relay closes the socket; the phone opens another
                News::Closed(_) => {}
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}

fn cause_of(problem: &str) -> Cause {
    match problem {
        "Forbidden" | "LoginFirst" => Cause::Forbidden,
        "TooMany" => Cause::TooMany,
        "Unavailable" => Cause::NotConnected,
        _ => Cause::BadOption,
    }
}
