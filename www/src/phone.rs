//! The door to the phone: what the page needs of it, in the page's words.

use web_sys::MediaStream;

use crate::words::{Ending, Trouble};

/// What the phone tells by itself.
pub enum News {
    LineLost,
    LineBack,
    Incoming {
        call: Call,
        from: String,
        name: Option<String>,
        video: bool,
    },
    Ringing(Call),
    Connected(Call),
    /// Sound and picture stopped; the phone looks for another way.
    Wavered(Call),
    /// The picture of one side came or went.
    Streams(Call),
    Ended(Call, Ending),
}

/// Why nobody was signed in.
pub enum Failure {
    /// No answer from the relay: worth trying again.
    Unreachable,
    Trouble(Trouble),
}

/// A connection to the relay. There is none yet: the client crate has no browser shell so far.
pub enum Phone {}

impl Phone {
    pub async fn connect(
        _user: &str,
        _password: &str,
        _listen: impl Fn(News) + 'static,
    ) -> Result<Self, Failure> {
        Err(Failure::Trouble(Trouble::Other(
            "this page has no phone yet".into(),
        )))
    }

    pub fn call(&self, _user: &str, _video: bool) -> Result<Call, Trouble> {
        match *self {}
    }

    pub fn leave(self) {
        match self {}
    }
}

#[derive(Clone)]
pub enum Call {}

impl Call {
    pub fn accept(&self, _video: bool) {
        match *self {}
    }

    pub fn reject(&self) {
        match *self {}
    }

    pub fn reject_as_busy(&self) {
        match *self {}
    }

    pub fn hang_up(&self) {
        match *self {}
    }

    pub fn turn_microphone(&self, _on: bool) {
        match *self {}
    }

    pub fn turn_camera(&self, _on: bool) {
        match *self {}
    }

    pub fn local(&self) -> Option<MediaStream> {
        match *self {}
    }

    pub fn remote(&self) -> Option<MediaStream> {
        match *self {}
    }

    pub fn is(&self, _other: &Self) -> bool {
        match *self {}
    }
}
