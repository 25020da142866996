//! Who is here, by telephone or by page: the clinic hears of a user once, for all of the user's
//! sockets, and of the end when nobody came back.
//!
//! Pages wait for their own comeback in comet's hub; telephones wait here.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{Event, Events};
use crate::{
    clock::unix_ms,
    store::{Store, last_seen},
};

/// By what a user is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A device that is registered.
    Phone,
    /// A comet connection.
    Page,
}

#[derive(Debug)]
enum Note {
    Came(String, By),
    Left(String, By),
    Banished(String),
}

/// Cheap to clone; tells never block.
#[derive(Clone, Debug)]
pub struct Attendance {
    notes: mpsc::UnboundedSender<Note>,
}

impl Attendance {
    /// Starts the task. `grace`: how long a telephone that lost its socket still counts as here.
    #[must_use]
    pub fn start(events: Events, store: Store, grace: Duration) -> Self {
        let (notes, waiting) = mpsc::unbounded_channel();
        tokio::spawn(attend(waiting, events, store, grace));
        Self { notes }
    }

    pub fn came(&self, user: String, by: By) {
        self.tell(Note::Came(user, by));
    }

    pub fn left(&self, user: String, by: By) {
        self.tell(Note::Left(user, by));
    }

    /// The user's login was taken back: no comeback is waited for.
    pub fn banished(&self, user: String) {
        self.tell(Note::Banished(user));
    }

    fn tell(&self, note: Note) {
        // the task ends with the runtime only
        let _ = self.notes.send(note);
    }
}

async fn attend(
    mut notes: mpsc::UnboundedReceiver<Note>,
    events: Events,
    store: Store,
    grace: Duration,
) {
    let mut hall = Hall::new(grace);
    loop {
        let wake = hall.wakes_at();
        let note = tokio::select! {
            note = notes.recv() => match note {
                Some(note) => Some(note),
                None => return,
            },
            () = until(wake) => None,
        };
        let now = Instant::now();
        let news = match note {
            Some(Note::Came(user, by)) => hall.came(&user, by),
            Some(Note::Left(user, by)) => hall.left(now, &user, by),
            Some(Note::Banished(user)) => hall.banished(&user),
            None => None,
        };
        for event in news.into_iter().chain(hall.depart(now)) {
            if let Event::UserOffline { user } = &event {
                let (user, at) = (user.clone(), unix_ms());
                let write = store.write(move |changes| last_seen::put(changes, &user, at));
                if let Err(error) = write.await {
                    tracing::error!(%error, "when somebody left is not kept");
                }
            }
            events.emit(event);
        }
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Whom the clinic was told of.
#[derive(Debug)]
struct Hall {
    grace: Duration,
    people: HashMap<String, Person>,
}

#[derive(Debug, Default)]
struct Person {
    phone: bool,
    page: bool,
    /// When the last telephone was lost, while it may come back.
    lost: Option<Instant>,
}

impl Person {
    const fn is_here(&self) -> bool {
        self.phone || self.page || self.lost.is_some()
    }

    const fn by(&mut self, by: By) -> &mut bool {
        match by {
            By::Phone => &mut self.phone,
            By::Page => &mut self.page,
        }
    }
}

impl Hall {
    fn new(grace: Duration) -> Self {
        Self {
            grace,
            people: HashMap::new(),
        }
    }

    fn came(&mut self, user: &str, by: By) -> Option<Event> {
        let new = !self.people.contains_key(user);
        let person = self.people.entry(user.to_owned()).or_default();
        *person.by(by) = true;
        if by == By::Phone {
            person.lost = None;
        }
        let user = user.to_owned();
        new.then_some(Event::UserOnline { user })
    }

    fn left(&mut self, now: Instant, user: &str, by: By) -> Option<Event> {
        let person = self.people.get_mut(user)?;
        let was = std::mem::replace(person.by(by), false);
        if by == By::Phone && was {
            person.lost = Some(now);
        }
        self.settle(user)
    }

    fn banished(&mut self, user: &str) -> Option<Event> {
        self.people.get_mut(user)?.lost = None;
        self.settle(user)
    }

    /// Those who were waited for in vain.
    fn depart(&mut self, now: Instant) -> Vec<Event> {
        let mut over = Vec::new();
        for (user, person) in &mut self.people {
            if person.lost.is_some_and(|lost| lost + self.grace <= now) {
                person.lost = None;
                over.push(user.clone());
            }
        }
        over.iter().filter_map(|user| self.settle(user)).collect()
    }

    fn wakes_at(&self) -> Option<Instant> {
        let lost = self.people.values().filter_map(|person| person.lost);
        lost.min().map(|lost| lost + self.grace)
    }

    fn settle(&mut self, user: &str) -> Option<Event> {
        if self.people.get(user)?.is_here() {
            return None;
        }
        self.people.remove(user);
        let user = user.to_owned();
        Some(Event::UserOffline { user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn online(user: &str) -> Option<Event> {
        let user = user.to_owned();
        Some(Event::UserOnline { user })
    }

    fn offline(user: &str) -> Option<Event> {
        let user = user.to_owned();
        Some(Event::UserOffline { user })
    }

    #[test]
    fn a_doctor_with_a_phone_and_two_pages_comes_once_and_goes_once() {
        let mut hall = Hall::new(GRACE);
        let nine = Instant::now();
        assert_eq!(hall.came("2", By::Page), online("2"));
        assert_eq!(hall.came("2", By::Phone), None);
        assert_eq!(hall.came("2", By::Page), None);
        // the phone's socket is lost and comes back, and nobody hears of it
        assert_eq!(hall.left(nine, "2", By::Phone), None);
        assert_eq!(hall.came("2", By::Phone), None);
        assert_eq!(hall.depart(nine + GRACE), []);
        // the pages are closed, the phone is lost for good
        assert_eq!(hall.left(nine, "2", By::Page), None);
        assert_eq!(hall.left(nine, "2", By::Phone), None);
        assert_eq!(hall.wakes_at(), Some(nine + GRACE));
        assert_eq!(hall.depart(nine + GRACE / 2), []);
        assert_eq!(hall.depart(nine + GRACE), offline("2").as_slice());
        assert!(hall.people.is_empty() && hall.wakes_at().is_none());
    }

    #[test]
    fn nobody_waits_for_a_doctor_who_was_shown_out() {
        let nine = Instant::now();
        // whichever of the two is heard of first
        let mut hall = Hall::new(GRACE);
        hall.came("2", By::Phone);
        hall.came("2", By::Page);
        assert_eq!(hall.left(nine, "2", By::Phone), None);
        assert_eq!(hall.banished("2"), None);
        assert_eq!(hall.left(nine, "2", By::Page), offline("2"));
        hall.came("3", By::Phone);
        hall.came("3", By::Page);
        assert_eq!(hall.left(nine, "3", By::Page), None);
        assert_eq!(hall.left(nine, "3", By::Phone), None);
        assert_eq!(hall.banished("3"), offline("3"));
        assert_eq!(hall.banished("4"), None);
    }
}
