//! The door to the phone: what the page needs of it, in the page's words.

use clinicall_client::{self as client, By, CallState, Cause, Media, Options, Reason, State};
use clinicall_sip::agent::Cause as Sip;
use std::rc::Rc;
use web_sys::MediaStream;

use crate::browser;
use crate::people::Person;
use crate::words::{Ending, Trouble};

/// What the phone tells by itself.
pub enum News {
    LineLost,
    LineBack,
    /// The phone gave up for good.
    Out(Failure),
    Incoming(Call),
    Ringing(Call),
    /// Both sides agreed to talk; sound and picture may still be on their way.
    Agreed(Call),
    /// Sound and picture get through.
    Connected(Call),
    /// Sound and picture stopped; the phone looks for another way.
    Wavered(Call),
    /// The pictures of a call came or went.
    Streams(Call),
    Ended(Call, Ending),
}

/// Why nobody is signed in.
pub enum Failure {
    /// No answer from the relay: worth trying again.
    Unreachable,
    Trouble(Trouble),
}

/// Whoever hears the news.
type Ear = Rc<dyn Fn(News)>;

pub struct Phone(client::Phone);

impl Phone {
    /// Signs in. `listen` hears everything from then on.
    pub async fn connect(me: &Person, listen: impl Fn(News) + 'static) -> Result<Self, Failure> {
        let options = Options {
            server: browser::sip_address(),
            user: Some(me.id.to_string()),
            password: me.password.to_string(),
            name: Some(me.name.to_string()),
            ..Options::default()
        };
        let listen: Ear = Rc::new(listen);
        let phone = client::Phone::connect(options, move |news| retell(news, &listen)).await;
        phone
            .map(Self)
            .map_err(|error| failure(error.cause, error.message))
    }

    pub fn call(&self, user: &str, video: bool) -> Result<Call, Trouble> {
        self.0
            .call(user, &media(video))
            .map(Call)
            .map_err(|error| trouble(error.cause, error.message))
    }

    pub fn leave(self) {
        self.0.disconnect();
    }
}

/// A call. Clones are the same call, and compare equal.
#[derive(Clone, PartialEq)]
pub struct Call(client::Call);

impl Call {
    /// The id of who is at the other end.
    pub fn user(&self) -> &str {
        &self.0.peer().user
    }

    /// What they call themselves.
    pub fn name(&self) -> Option<&str> {
        self.0.peer().name.as_deref()
    }

    pub fn video(&self) -> bool {
        self.0.video()
    }

    pub fn accept(&self, video: bool) -> Result<(), Trouble> {
        self.0
            .accept(&media(video))
            .map_err(|error| trouble(error.cause, error.message))
    }

    pub fn reject(&self) {
        // a call that is over already cannot be rejected, and need not be
        let _ = self.0.reject(None);
    }

    pub fn hang_up(&self) {
        self.0.hangup();
    }

    pub fn turn_microphone(&self, on: bool) {
        // refused only for a call that is over
        let _ = self.0.mute(Some(!on), None);
    }

    pub fn turn_camera(&self, on: bool) {
        let _ = self.0.mute(None, Some(!on));
    }

    pub fn local(&self) -> Option<MediaStream> {
        self.0.local()
    }

    pub fn remote(&self) -> MediaStream {
        self.0.remote()
    }
}

fn media(video: bool) -> Media {
    if video {
        Media::video()
    } else {
        Media::audio()
    }
}

fn retell(news: client::News, listen: &Ear) {
    match news {
        client::News::State(State::Reconnecting) => listen(News::LineLost),
        client::News::State(State::Registered) => listen(News::LineBack),
        client::News::State(State::Failed(reason)) => {
            listen(News::Out(failure(reason.cause, reason.text)));
        }
        client::News::State(State::Connecting | State::Disconnected)
        | client::News::Quality(..) => {}
        client::News::Incoming(call) => listen(News::Incoming(Call(call))),
        client::News::Ringing(call) => listen(News::Ringing(Call(call))),
        client::News::Connected(call) => {
            listen(News::Agreed(Call(call.clone())));
            listen(News::Streams(Call(call)));
        }
        client::News::Media(call) => listen(News::Connected(Call(call))),
        client::News::Changed(call) => {
            match call.state() {
                CallState::Reconnecting => listen(News::Wavered(Call(call.clone()))),
                CallState::Connected if call.has_media() => {
                    listen(News::Connected(Call(call.clone())));
                }
                _ => {}
            }
            listen(News::Streams(Call(call)));
        }
        client::News::Hangup(call, reason) => listen(News::Ended(Call(call), ending(reason))),
        // the demo says nothing beside its calls
        _ => {}
    }
}

fn failure(cause: Cause, text: String) -> Failure {
    match cause {
        Cause::ConnectionFailed
        | Cause::NotConnected
        | Cause::Sip(Sip::ConnectionLost | Sip::RequestTimeout | Sip::ServerError) => {
            Failure::Unreachable
        }
        Cause::Sip(Sip::AuthenticationFailed | Sip::NotFound | Sip::Rejected) => {
            Failure::Trouble(Trouble::WrongPassword)
        }
        cause => Failure::Trouble(trouble(cause, text)),
    }
}

fn trouble(cause: Cause, text: String) -> Trouble {
    match cause {
        Cause::MediaDenied => Trouble::DeviceForbidden,
        Cause::NoDevice => Trouble::NoDevice,
        Cause::DeviceBusy => Trouble::DeviceBusy,
        Cause::NotSupported if !browser::is_secure() => Trouble::NotSecure,
        Cause::NotSupported => Trouble::BrowserCannotCall,
        _ => Trouble::Other(text),
    }
}

fn ending(reason: Reason) -> Ending {
    let here = reason.by == By::Local;
    match reason.cause {
        Cause::Sip(Sip::Hangup) if here => Ending::HungUpHere,
        Cause::Sip(Sip::Hangup) => Ending::HungUpThere,
        Cause::Sip(Sip::Rejected) if here => Ending::DeclinedHere,
        Cause::Sip(Sip::Rejected) => Ending::Declined,
        Cause::Sip(Sip::Canceled) => Ending::Cancelled,
        Cause::Sip(Sip::AnsweredElsewhere) => Ending::Elsewhere,
        Cause::Sip(Sip::Busy) => Ending::Busy,
        Cause::Sip(Sip::NotFound) => Ending::NobodyOfThatName,
        Cause::Sip(Sip::Unavailable) => Ending::NotHere,
        Cause::Sip(Sip::NoAnswer) => Ending::NoAnswer,
        Cause::Sip(
            Sip::ConnectionLost | Sip::RequestTimeout | Sip::PeerVanished | Sip::DialogError,
        )
        | Cause::NotConnected => Ending::LineLost,
        Cause::MediaLost => Ending::NoMedia,
        Cause::MediaDenied | Cause::NoDevice | Cause::DeviceBusy | Cause::NotSupported => {
            Ending::Trouble(trouble(reason.cause, reason.text))
        }
        _ => Ending::Other(reason.text),
    }
}
