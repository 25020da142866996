//! Between the page and the phone: grants the wishes of the one, tells the other's news.
//!
//! The desk keeps what cannot be drawn: the phone itself and the call in progress. News of a call
//! that is not the one in progress is dropped here, so the [`Visit`] never hears of it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use gloo_timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;
use web_sys::MediaStream;
use yew::{UseReducerDispatcher, UseStateSetter};

use crate::browser;
use crate::people::Person;
use crate::phone::{Call, Failure, News, Phone};
use crate::visit::{Action, Visit, Wish};
use crate::words::{Ending, Trouble};

/// Soon enough for a relay that was restarted, seldom enough for one that is down all night.
const ENTRY_RETRY_MILLIS: u32 = 3_000;

/// What the two videos of a call show.
#[derive(Clone, PartialEq, Default)]
pub struct Streams {
    pub local: Option<MediaStream>,
    pub remote: Option<MediaStream>,
}

pub struct Desk {
    myself: Weak<Self>,
    tell: UseReducerDispatcher<Visit>,
    show: UseStateSetter<Streams>,
    held: RefCell<Held>,
}

#[derive(Default)]
struct Held {
    phone: Option<Phone>,
    call: Option<Call>,
    /// Counts signing in and out, so that a late answer to an earlier wish is known as such.
    entry: u32,
}

impl Desk {
    pub fn new(tell: UseReducerDispatcher<Visit>, show: UseStateSetter<Streams>) -> Rc<Self> {
        Rc::new_cyclic(|myself| Self {
            myself: myself.clone(),
            tell,
            show,
            held: RefCell::default(),
        })
    }

    pub fn grant(&self, wish: Wish) {
        match wish {
            Wish::SignIn(me) => self.sign_in(me),
            Wish::SignOut => self.sign_out(),
            Wish::Call { with, video } => self.call(with, video),
            Wish::Answer { video } => self.answer(video),
            Wish::Decline => self.end(Call::reject, Ending::DeclinedHere),
            Wish::HangUp => self.end(Call::hang_up, Ending::HungUpHere),
            Wish::Microphone(on) => {
                self.with_call(|call| call.turn_microphone(on));
                self.tell.dispatch(Action::MicrophoneTurned(on));
            }
            Wish::Camera(on) => {
                self.with_call(|call| call.turn_camera(on));
                self.tell.dispatch(Action::CameraTurned(on));
            }
            Wish::ReadNotice => self.tell.dispatch(Action::NoticeRead),
        }
    }

    fn sign_in(&self, me: Person) {
        let entry = self.turn_entry();
        browser::remember_user(Some(&me.id));
        self.tell.dispatch(Action::Enter(me.clone()));
        let desk = self.myself.clone();
        spawn_local(async move {
            loop {
                let ear = desk.clone();
                let listen = move |news| {
                    if let Some(desk) = ear.upgrade() {
                        desk.hear(entry, news);
                    }
                };
                let answer = Phone::connect(&me, listen).await;
                let Some(desk) = desk
                    .upgrade()
                    .filter(|desk| desk.held.borrow().entry == entry)
                else {
                    return; // signed out, or in as somebody else, in the meantime
                };
                match answer {
                    Ok(phone) => {
                        desk.held.borrow_mut().phone = Some(phone);
                        return desk.tell.dispatch(Action::Entered);
                    }
                    Err(Failure::Trouble(trouble)) => {
                        return desk.tell.dispatch(Action::Refused(trouble));
                    }
                    Err(Failure::Unreachable) => desk.tell.dispatch(Action::EntryDelayed),
                }
                TimeoutFuture::new(ENTRY_RETRY_MILLIS).await;
            }
        });
    }

    fn sign_out(&self) {
        self.turn_entry();
        browser::remember_user(None);
        self.show.set(Streams::default());
        self.tell.dispatch(Action::Leave);
    }

    /// Let go of whoever was signed in. Returns the number of the new entry.
    fn turn_entry(&self) -> u32 {
        // taken out first: the phone may call back while it is put down
        let (phone, entry) = {
            let mut held = self.held.borrow_mut();
            held.call = None;
            held.entry += 1;
            (held.phone.take(), held.entry)
        };
        if let Some(phone) = phone {
            phone.leave();
        }
        entry
    }

    fn call(&self, with: Person, video: bool) {
        let held = self.held.borrow();
        let (Some(phone), None) = (&held.phone, &held.call) else {
            return;
        };
        let placed = phone.call(&with.id, video);
        drop(held);
        match placed {
            Ok(call) => {
                self.held.borrow_mut().call = Some(call);
                self.tell.dispatch(Action::Called { with, video });
            }
            Err(trouble) => self.tell.dispatch(Action::Troubled(trouble)),
        }
    }

    fn answer(&self, video: bool) {
        let Some(call) = self.held.borrow().call.clone() else {
            return;
        };
        match call.accept(video) {
            Ok(()) => self.tell.dispatch(Action::Answered { video }),
            Err(trouble) => {
                self.held.borrow_mut().call = None;
                self.over(Ending::Trouble(trouble));
            }
        }
    }

    fn end(&self, how: impl FnOnce(&Call), ending: Ending) {
        self.with_call(how);
        // the phone may have told of the end already, from inside `how`
        if self.held.borrow_mut().call.take().is_some() {
            self.over(ending);
        }
    }

    fn over(&self, ending: Ending) {
        self.show.set(Streams::default());
        self.tell.dispatch(Action::Ended {
            ending,
            now: browser::now(),
        });
    }

    fn with_call(&self, act: impl FnOnce(&Call)) {
        let call = self.held.borrow().call.clone();
        if let Some(call) = call {
            act(&call);
        }
    }

    fn hear(&self, entry: u32, news: News) {
        if self.held.borrow().entry != entry {
            return;
        }
        match news {
            News::LineLost => self.tell.dispatch(Action::LineLost),
            News::LineBack => self.tell.dispatch(Action::LineBack),
            News::Out(failure) => self.put_out(failure),
            // a second caller hears from the phone that we are busy
            News::Incoming(call) if self.held.borrow().call.is_none() => {
                let (from, name) = (call.user().to_owned(), call.name().map(str::to_owned));
                let video = call.video();
                self.held.borrow_mut().call = Some(call);
                self.tell.dispatch(Action::Rung { from, name, video });
            }
            News::Ringing(call) => self.about(&call, Action::TheirPhoneRings),
            News::Agreed(call) => self.about(&call, Action::Agreed),
            News::Connected(call) => self.about(
                &call,
                Action::Connected {
                    now: browser::now(),
                },
            ),
            News::Wavered(call) => self.about(&call, Action::Wavered),
            News::Streams(call) if self.is_held(&call) => {
                self.show.set(Streams {
                    local: call.local(),
                    remote: Some(call.remote()),
                });
            }
            News::Ended(call, ending) if self.is_held(&call) => {
                self.held.borrow_mut().call = None;
                self.over(ending);
            }
            News::Incoming(_) | News::Streams(_) | News::Ended(..) => {}
        }
    }

    /// The phone gave up although it had been signed in once; before that, `sign_in` hears of it.
    fn put_out(&self, failure: Failure) {
        if self.held.borrow().phone.is_none() {
            return;
        }
        self.turn_entry();
        match failure {
            Failure::Trouble(trouble) => self.tell.dispatch(Action::Refused(trouble)),
            Failure::Unreachable => {
                self.tell.dispatch(Action::Refused(Trouble::Other(
                    "the clinic cannot be reached; sign in again in a while".into(),
                )));
            }
        }
    }

    fn about(&self, call: &Call, action: Action) {
        if self.is_held(call) {
            self.tell.dispatch(action);
        }
    }

    fn is_held(&self, call: &Call) -> bool {
        self.held
            .borrow()
            .call
            .as_ref()
            .is_some_and(|held| held == call)
    }
}
