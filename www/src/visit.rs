//! The visit as a state machine: what is on the screen, and how each thing that happens changes it.
//!
//! Nothing here touches the browser. A [`Visit`] and an [`Action`] give the next [`Visit`]; time
//! comes in with the action. What people *wish* for goes the other way, as a [`Wish`], to the desk.

use std::rc::Rc;

use yew::Reducible;

use crate::people::{People, Person};
use crate::words::{Ending, Trouble};

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Visit {
    pub people: People,
    pub seat: Seat,
    pub call: Call,
    pub notice: Option<Notice>,
    /// The list could not be fetched the last time: the relay may be down.
    pub unreachable: bool,
}

/// Who sits in front of this screen.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Seat {
    #[default]
    Empty,
    /// The relay was asked to let them in. `tries` counts the times it could not be reached.
    Entering {
        me: Person,
        tries: u32,
    },
    Taken {
        me: Person,
        line: Line,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    Up,
    /// The phone dials again by itself.
    Lost,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub enum Call {
    #[default]
    None,
    /// We rang them. `ringing` once their side says so.
    Calling {
        with: Person,
        video: bool,
        ringing: bool,
    },
    /// They ring us.
    Incoming { from: Person, video: bool },
    /// Accepted, by us or by them.
    Talking {
        with: Person,
        video: bool,
        microphone: bool,
        camera: bool,
        media: Media,
    },
}

/// How the pictures and the sound travel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Media {
    Connecting,
    /// `since` is in milliseconds, of whichever clock the actions bring along.
    Connected {
        since: f64,
    },
    Reconnecting {
        since: f64,
    },
}

impl Media {
    pub fn since(self) -> Option<f64> {
        match self {
            Self::Connecting => None,
            Self::Connected { since } | Self::Reconnecting { since } => Some(since),
        }
    }
}

/// A sentence that stays on the list until it is read.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    pub text: String,
    pub trouble: bool,
    /// Whom to call again, and whether with video.
    pub again: Option<(Person, bool)>,
}

/// What has happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    PeopleCame(Vec<Person>),
    PeopleArePrivate,
    PeopleUnreachable,
    Enter(Person),
    /// The relay could not be reached; the desk tries again soon.
    EntryDelayed,
    Entered,
    Refused(Trouble),
    Leave,
    LineLost,
    LineBack,
    Called {
        with: Person,
        video: bool,
    },
    TheirPhoneRings,
    /// They accepted; sound and picture may still be on their way.
    Agreed,
    /// `from` is their id, `name` what they call themselves.
    Rung {
        from: String,
        name: Option<String>,
        video: bool,
    },
    Answered {
        video: bool,
    },
    Connected {
        now: f64,
    },
    Wavered,
    MicrophoneTurned(bool),
    CameraTurned(bool),
    Ended {
        ending: Ending,
        now: f64,
    },
    Troubled(Trouble),
    NoticeRead,
}

/// What the person in front of the screen asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Wish {
    SignIn(Person),
    SignOut,
    Call { with: Person, video: bool },
    Answer { video: bool },
    Decline,
    HangUp,
    Microphone(bool),
    Camera(bool),
    ReadNotice,
}

/// The one screen that is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Screen {
    Choose,
    People,
    Calling,
    Incoming,
    Talking,
}

impl Visit {
    pub fn screen(&self) -> Screen {
        match (&self.seat, &self.call) {
            (Seat::Empty | Seat::Entering { .. }, _) => Screen::Choose,
            (_, Call::None) => Screen::People,
            (_, Call::Calling { .. }) => Screen::Calling,
            (_, Call::Incoming { .. }) => Screen::Incoming,
            (_, Call::Talking { .. }) => Screen::Talking,
        }
    }

    pub fn me(&self) -> Option<&Person> {
        match &self.seat {
            Seat::Empty => None,
            Seat::Entering { me, .. } | Seat::Taken { me, .. } => Some(me),
        }
    }

    /// The next state. An action that no longer fits (news of a call that is over) changes nothing.
    pub fn after(mut self, action: Action) -> Self {
        match action {
            Action::PeopleCame(list) => {
                self.people = People::Known(list);
                self.unreachable = false;
            }
            Action::PeopleArePrivate => {
                self.people = People::Private;
                self.unreachable = false;
            }
            Action::PeopleUnreachable => self.unreachable = true,
            Action::Enter(me) => {
                self.seat = Seat::Entering { me, tries: 0 };
                self.notice = None;
            }
            Action::EntryDelayed => {
                if let Seat::Entering { tries, .. } = &mut self.seat {
                    *tries += 1;
                }
            }
            Action::Entered => {
                if let Seat::Entering { me, .. } = self.seat {
                    self.seat = Seat::Taken { me, line: Line::Up };
                }
            }
            Action::Refused(trouble) => {
                self.notice = Some(trouble.notice());
                self.seat = Seat::Empty;
                self.call = Call::None;
            }
            Action::Leave => {
                self = Self {
                    people: self.people,
                    unreachable: self.unreachable,
                    ..Self::default()
                }
            }
            Action::LineLost => self.turn_line(Line::Lost),
            Action::LineBack => self.turn_line(Line::Up),
            Action::Called { with, video } => {
                if self.call == Call::None {
                    self.call = Call::Calling {
                        with,
                        video,
                        ringing: false,
                    };
                    self.notice = None;
                }
            }
            Action::TheirPhoneRings => {
                if let Call::Calling { ringing, .. } = &mut self.call {
                    *ringing = true;
                }
            }
            Action::Rung { from, name, video } => {
                if self.call == Call::None {
                    let from = self.people.find_or_call(&from, name.as_deref());
                    self.call = Call::Incoming { from, video };
                    self.notice = None;
                }
            }
            Action::Answered { video } => {
                if let Call::Incoming { from, .. } = self.call {
                    self.call = talking(from, video, Media::Connecting);
                }
            }
            Action::Agreed => {
                if let Call::Calling { with, video, .. } = self.call {
                    self.call = talking(with, video, Media::Connecting);
                }
            }
            Action::Connected { now } => self.connect(now),
            Action::Wavered => {
                if let Call::Talking { media, .. } = &mut self.call
                    && let Media::Connected { since } = *media
                {
                    *media = Media::Reconnecting { since };
                }
            }
            Action::MicrophoneTurned(on) => {
                if let Call::Talking { microphone, .. } = &mut self.call {
                    *microphone = on;
                }
            }
            Action::CameraTurned(on) => {
                if let Call::Talking { camera, .. } = &mut self.call {
                    *camera = on;
                }
            }
            Action::Ended { ending, now } => {
                if let Some(notice) = ending.notice(&self.call, now) {
                    self.notice = Some(notice);
                }
                self.call = Call::None;
            }
            Action::Troubled(trouble) => self.notice = Some(trouble.notice()),
            Action::NoticeRead => self.notice = None,
        }
        self
    }

    fn turn_line(&mut self, to: Line) {
        if let Seat::Taken { line, .. } = &mut self.seat {
            *line = to;
        }
    }

    fn connect(&mut self, now: f64) {
        match std::mem::take(&mut self.call) {
            Call::Calling { with, video, .. } => {
                self.call = talking(with, video, Media::Connected { since: now });
            }
            Call::Talking {
                with,
                video,
                microphone,
                camera,
                media,
            } => {
                let since = media.since().unwrap_or(now);
                let media = Media::Connected { since };
                self.call = Call::Talking {
                    with,
                    video,
                    microphone,
                    camera,
                    media,
                };
            }
            other => self.call = other,
        }
    }
}

fn talking(with: Person, video: bool, media: Media) -> Call {
    Call::Talking {
        with,
        video,
        microphone: true,
        camera: video,
        media,
    }
}

impl Reducible for Visit {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        Rc::new(Rc::unwrap_or_clone(self).after(action))
    }
}

#[cfg(test)]
mod tests;
