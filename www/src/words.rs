//! Everything the page says about a call, in plain sentences with the next step in them.

use crate::people::Person;
use crate::visit::{Call, Line, Media, Notice, Screen, Seat, Visit};

/// Why a call is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    HungUpHere,
    HungUpThere,
    Declined,
    DeclinedHere,
    NoAnswer,
    Busy,
    /// Another of this person's screens took it.
    Elsewhere,
    /// The caller gave up while it rang.
    Cancelled,
    /// They have no screen open.
    NotHere,
    NobodyOfThatName,
    LineLost,
    /// No path for sound and pictures was found.
    NoMedia,
    Trouble(Trouble),
    /// In the words of the phone.
    Other(String),
}

/// What keeps somebody from signing in or from calling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    WrongPassword,
    NoDevice,
    DeviceForbidden,
    DeviceBusy,
    /// The page is neither on `https` nor on this computer, so browsers lock the camera away.
    NotSecure,
    BrowserCannotCall,
    /// In the words of the phone.
    Other(String),
}

impl Trouble {
    pub fn sentence(&self) -> String {
        match self {
            Self::WrongPassword => "The password is not right. Check it and try again.".into(),
            Self::NoDevice => {
                "No microphone or camera was found. Plug one in, then call again.".into()
            }
            Self::DeviceForbidden => "This page may not use the microphone or the camera. \
                Allow them beside the address of the page, then call again."
                .into(),
            Self::DeviceBusy => "Another program is using the camera or the microphone. \
                Close it, then call again."
                .into(),
            Self::NotSecure => "The browser allows calls on a secure page only. \
                Open this page with an address that begins with https."
                .into(),
            Self::BrowserCannotCall => "This browser cannot make video calls. \
                Open the page in a current Chrome, Firefox, Edge or Safari."
                .into(),
            Self::Other(text) => full_sentence(text),
        }
    }

    pub fn notice(&self) -> Notice {
        Notice {
            text: self.sentence(),
            trouble: true,
            again: None,
        }
    }
}

impl Ending {
    /// What to tell on the list, and whether calling again makes sense. Nothing for a call this
    /// person ended on purpose before it was a talk.
    pub fn notice(&self, call: &Call, now: f64) -> Option<Notice> {
        let (who, video, out) = match call {
            Call::None => return None,
            Call::Calling { with, video, .. } => (with, *video, true),
            Call::Incoming { from, video } => (from, *video, false),
            Call::Talking { with, video, .. } => (with, *video, true),
        };
        let lasted = match call {
            Call::Talking { media, .. } => media.since().map(|since| clock(now - since)),
            _ => None,
        };
        let name = &who.name;
        let (text, again) = match (self, lasted) {
            (Self::HungUpHere, Some(time)) => (format!("Call ended after {time}."), false),
            (Self::HungUpThere, Some(time)) => {
                (format!("{name} ended the call after {time}."), false)
            }
            (Self::HungUpHere | Self::DeclinedHere, _) => return None,
            (Self::HungUpThere, None) => (format!("{name} ended the call."), true),
            (Self::Declined, _) => (format!("{name} declined."), false),
            (Self::Cancelled | Self::NoAnswer, _) if !out => {
                (format!("You missed a call from {name}."), true)
            }
            (Self::Cancelled, _) => return None,
            (Self::NoAnswer, _) => (format!("No answer from {name}."), true),
            (Self::Busy, _) => (
                format!("{name} is in another call. Try again in a few minutes."),
                true,
            ),
            (Self::Elsewhere, _) => ("Answered on another device.".into(), false),
            (Self::NotHere, _) => (format!("{name} is not here now. Try again later."), true),
            (Self::NobodyOfThatName, _) => (
                format!("Nobody here is called “{}”. Check the name.", who.id),
                false,
            ),
            (Self::LineLost, _) => (
                "The line was lost. Check the Internet connection, then call again.".into(),
                true,
            ),
            (Self::NoMedia, _) => (
                "Sound and picture found no way through this network. \
                 Try another one, then call again."
                    .into(),
                true,
            ),
            (Self::Trouble(trouble), _) => (trouble.sentence(), true),
            (Self::Other(text), _) => (full_sentence(text), true),
        };
        let trouble = !matches!(self, Self::HungUpHere | Self::HungUpThere | Self::Elsewhere);
        Some(Notice {
            text,
            trouble,
            again: again.then(|| (who.clone(), video)),
        })
    }
}

/// The one line a screen reader hears when something changes.
pub fn status(visit: &Visit) -> String {
    if let Some(notice) = &visit.notice
        && matches!(visit.screen(), Screen::Choose | Screen::People)
    {
        return notice.text.clone();
    }
    match &visit.call {
        Call::None => seat(&visit.seat).unwrap_or_default(),
        Call::Calling { with, ringing, .. } => format!("{}. {}", with.name, calling(*ringing)),
        Call::Incoming { from, video } => {
            format!("{} is calling. {}.", from.name, kind(*video))
        }
        Call::Talking {
            media, microphone, ..
        } => {
            let muted = if *microphone { "" } else { " Microphone off." };
            full_sentence(state(*media)) + muted
        }
    }
}

/// How signing in goes, when there is something to say about it.
pub fn seat(seat: &Seat) -> Option<String> {
    match seat {
        Seat::Empty => None,
        Seat::Entering { tries: 0, me } => Some(format!("Signing in as {}…", me.name)),
        Seat::Entering { .. } => {
            Some("The clinic cannot be reached. Trying again by itself…".into())
        }
        Seat::Taken {
            line: Line::Lost, ..
        } => Some("The connection is lost. Connecting again by itself…".into()),
        Seat::Taken { line: Line::Up, .. } => None,
    }
}

pub fn calling(ringing: bool) -> &'static str {
    if ringing { "Ringing…" } else { "Calling…" }
}

pub fn kind(video: bool) -> &'static str {
    if video { "Video call" } else { "Voice call" }
}

pub fn state(media: Media) -> &'static str {
    match media {
        Media::Connecting => "Connecting…",
        Media::Connected { .. } => "Connected",
        Media::Reconnecting { .. } => "Reconnecting…",
    }
}

/// `0:07`, `12:05`, `1:02:03` of a duration in milliseconds.
pub fn clock(millis: f64) -> String {
    let seconds = (millis / 1000.0).max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// What the browser's tab says.
pub fn title(visit: &Visit) -> String {
    match &visit.call {
        Call::Calling { with: person, .. } | Call::Talking { with: person, .. } => {
            format!("{} · Clinicall", person.name)
        }
        Call::Incoming { from, .. } => format!("{} is calling · Clinicall", from.name),
        Call::None => match visit.me() {
            Some(me) => format!("{} · Clinicall", me.name),
            None => "Clinicall".into(),
        },
    }
}

/// The label of a call button: the visible word first, then whom.
pub fn call_label(person: &Person, video: bool) -> String {
    let kind = if video { "Video" } else { "Voice" };
    format!("{kind} call to {}", person.name)
}

/// The phone's words may lack the capital and the full stop.
fn full_sentence(text: &str) -> String {
    let text = text.trim();
    let mut letters = text.chars();
    let mut sentence: String = match letters.next() {
        None => return "Something went wrong. Try again.".into(),
        Some(first) => std::iter::once(first.to_ascii_uppercase())
            .chain(letters)
            .collect(),
    };
    if !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests;
