use std::path::PathBuf;

use super::*;
use crate::{
    config::Secret,
    signal::users::{Keys, User},
};

/// A file of its own that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let file = format!("clinicall-store-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(file);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
    fn open(&self) -> Store {
        Store::open(Some(&self.0)).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn doctor() -> User {
    User {
        id: "2".to_owned(),
        name: "Doctor Ivanova".to_owned(),
        keys: Keys::derive("2", "visits.example", "spring in Vologda"),
    }
}

#[test]
fn a_user_is_kept_without_the_password() {
    let place = Place::new("user");
    let store = place.open();
    assert_eq!(store.read(|view| users::all(view)).unwrap(), []);
    store
        .write_blocking(|changes| users::put(changes, &doctor()))
        .unwrap();
    drop(store);

    let store = place.open();
    assert_eq!(store.read(|view| users::all(view)).unwrap(), [doctor()]);
    let bytes = std::fs::read(&place.0).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"Vologda"));
    assert!(
        store
            .write_blocking(|changes| users::remove(changes, "2"))
            .unwrap()
    );
    assert!(
        !store
            .write_blocking(|changes| users::remove(changes, "2"))
            .unwrap()
    );
    assert_eq!(store.read(|view| users::get(view, "2")).unwrap(), None);
}

#[test]
fn the_users_of_the_first_stores_are_still_there() {
    let place = Place::new("first");
    let first = redb::Database::create(&place.0).unwrap();
    let transaction = first.begin_write().unwrap();
    let users: redb::TableDefinition<'_, &str, &str> = redb::TableDefinition::new("users");
    let record = r#"{"name":"Nurse Okafor","ha1_sha256":"ab","ha1_md5":null}"#;
    transaction
        .open_table(users)
        .unwrap()
        .insert("5", record)
        .unwrap();
    transaction.commit().unwrap();
    drop(first);
    for _ in 0..2 {
        let everybody = place.open().read(|view| users::all(view)).unwrap();
        assert_eq!(everybody.len(), 1);
        assert_eq!(
            (everybody[0].id.as_str(), everybody[0].name.as_str()),
            ("5", "Nurse Okafor")
        );
        assert_eq!(everybody[0].keys.sha256.as_deref(), Some("ab"));
    }
}

#[test]
fn the_epoch_is_the_files_own() {
    let place = Place::new("epoch");
    let epoch = place.open().epoch();
    assert_eq!(place.open().epoch(), epoch);
    assert_ne!(Store::open(None).unwrap().epoch(), epoch);
    assert!(epoch < 1 << 53);
}

#[tokio::test]
async fn a_change_that_fails_harms_none_of_its_neighbours() {
    let store = Store::open(None).unwrap();
    // the first holds the thread until all the others wait, so that they share one commit
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let first = store.write(move |changes| {
        let _ = wait.recv();
        user_data::put(changes, "first", "1")
    });
    let good = store.write(|changes| user_data::put(changes, "good", "1"));
    let bad = store.write(|changes| -> Result<(), _> {
        user_data::put(changes, "good", "overwritten")?;
        user_data::put(changes, "bad", "1")?;
        user_data::remove(changes, "first")?;
        Err(StoreError::Refused("on second thoughts".to_owned()))
    });
    let broken = store.write(|changes| -> Result<(), _> {
        user_data::put(changes, "broken", "1")?;
        panic!("a mistake of ours");
    });
    let last = store.write(|changes| user_data::get(changes, "good"));
    let release = async {
        tokio::task::yield_now().await;
        go.send(()).unwrap();
    };
    let (first, good, bad, broken, last, ()) =
        tokio::join!(first, good, bad, broken, last, release);
    first.unwrap();
    good.unwrap();
    assert_eq!(bad.unwrap_err().to_string(), "on second thoughts");
    assert!(matches!(broken, Err(StoreError::Panicked)));
    assert_eq!(last.unwrap().as_deref(), Some("1"));
    let get = |user: &'static str| store.read(|view| user_data::get(view, user)).unwrap();
    assert_eq!(get("first").as_deref(), Some("1"));
    assert_eq!(get("good").as_deref(), Some("1"));
    assert_eq!((get("bad"), get("broken")), (None, None));
}

#[tokio::test]
async fn a_look_sees_one_moment() {
    let store = Store::open(None).unwrap();
    store
        .write(|changes| user_data::put(changes, "3", "before"))
        .await
        .unwrap();
    let writer = store.clone();
    let handle = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let reader = writer.clone();
        reader.read(|view| {
            handle.block_on(writer.write(|changes| user_data::put(changes, "3", "after")))?;
            assert_eq!(user_data::get(view, "3")?.as_deref(), Some("before"));
            Ok(())
        })
    })
    .await
    .unwrap()
    .unwrap();
    assert_eq!(
        store
            .read(|view| user_data::get(view, "3"))
            .unwrap()
            .as_deref(),
        Some("after")
    );
}

#[tokio::test]
async fn whoever_watches_users_hears_of_a_new_key() {
    let store = Store::open(None).unwrap();
    let mut watch = store.users_changed();
    store
        .write(|changes| user_data::put(changes, "3", "x"))
        .await
        .unwrap();
    assert!(!watch.has_changed().unwrap());
    let key = Secret("a key".to_owned());
    store
        .write(move |changes| users::put_key(changes, "3", &key))
        .await
        .unwrap();
    watch.changed().await.unwrap();
    let key = store.read(|view| users::key(view, "3")).unwrap();
    assert_eq!(key.map(|key| key.0).as_deref(), Some("a key"));
}

fn queued(store: &Store, user: &'static str, after: u64) -> Vec<(u64, String)> {
    let messages = store
        .read(|view| messages::after(view, user, after, 100))
        .unwrap();
    let text = |message: messages::Message| String::from_utf8(message.body).unwrap();
    messages.into_iter().map(|m| (m.offset, text(m))).collect()
}

#[test]
fn messages_wait_for_a_patient_who_is_away() {
    let store = Store::open(None).unwrap();
    store
        .write_blocking(|changes| {
            for (n, body) in ["come at ten", "{\"room\":\n12}", "bring the card"]
                .iter()
                .enumerate()
            {
                messages::push(changes, "3", "note", body.as_bytes(), 1000 + n as u64, 3)?;
            }
            messages::push(changes, "33", "note", b"not for 3", 500, 3)?;
            Ok(())
        })
        .unwrap();
    let full = store.write_blocking(|c| messages::push(c, "3", "note", b"a fourth", 1, 3));
    assert!(matches!(full, Err(StoreError::Full(3))));
    assert_eq!(
        queued(&store, "3", 1),
        [(2, "{\"room\":\n12}".into()), (3, "bring the card".into())]
    );

    // the first two arrive
    assert_eq!(
        store
            .write_blocking(|c| messages::forget_through(c, "3", 2))
            .unwrap(),
        2
    );
    assert_eq!(queued(&store, "3", 0), [(3, "bring the card".into())]);
    let next = store
        .write_blocking(|c| messages::push(c, "3", "note", b"later", 2000, 3))
        .unwrap();
    assert_eq!(next.offset, 4);

    // what is too old goes, whoever's it is, a few at a time
    let expire = |limit| {
        store
            .write_blocking(move |c| messages::expire(c, 1500, limit))
            .unwrap()
    };
    let first = expire(1);
    assert_eq!(
        (first[0].user.as_str(), first[0].message.body.as_slice()),
        ("33", &b"not for 3"[..])
    );
    assert_eq!(expire(10).len(), 1);
    assert_eq!(expire(10), []);
    assert_eq!(queued(&store, "3", 0), [(4, "later".into())]);
    assert_eq!(store.read(|view| messages::waiting(view, "3")).unwrap(), 1);
    assert_eq!(
        store.write_blocking(|c| messages::clear(c, "3")).unwrap(),
        1
    );
    assert_eq!(store.read(|view| messages::last(view, "3")).unwrap(), 4);
}

#[test]
fn a_pipe_keeps_its_last_messages_and_its_count() {
    let store = Store::open(None).unwrap();
    let publish = |body: String| {
        store
            .write_blocking(move |changes| {
                let message = pipes::PipeMessage::new("news", body.as_bytes(), Some("2"), 7)?;
                pipes::append(changes, "web_ward", message)
            })
            .unwrap()
    };
    let history = |after| {
        let messages = store
            .read(|view| pipes::history(view, "web_ward", after, 100))
            .unwrap();
        messages
            .iter()
            .map(|message| message.offset)
            .collect::<Vec<_>>()
    };
    // no history was asked for
    assert_eq!(publish("lost".into()), 1);
    assert!(history(0).is_empty());
    store
        .write_blocking(|c| pipes::set_length(c, "web_ward", 3))
        .unwrap();
    for n in 2..=6 {
        assert_eq!(publish(n.to_string()), n);
    }
    assert_eq!(history(0), [4, 5, 6]);
    assert_eq!(history(5), [6]);
    let latest = store
        .read(|view| pipes::latest(view, "web_ward", 2))
        .unwrap();
    assert_eq!(latest.iter().map(|m| m.offset).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(
        (latest[1].body.as_slice(), latest[1].from.as_deref()),
        (&b"6"[..], Some("2"))
    );

    store
        .write_blocking(|c| pipes::set_length(c, "web_ward", 1))
        .unwrap();
    assert_eq!(history(0), [6]);
    assert!(
        store
            .write_blocking(|c| pipes::drop_pipe(c, "web_ward"))
            .unwrap()
    );
    assert_eq!(
        store.read(|view| pipes::length(view, "web_ward")).unwrap(),
        None
    );
    // a listener that has seen 6 is not told that 1 comes next
    store
        .write_blocking(|c| pipes::set_length(c, "web_ward", 1))
        .unwrap();
    assert_eq!(publish("again".into()), 7);
    assert_eq!(history(6), [7]);
}

#[test]
fn a_room_knows_its_guests_and_a_guest_the_rooms() {
    let store = Store::open(None).unwrap();
    let invite = |room: &str, user: &str, message: &str| {
        let invitation = conference::Invitation {
            room: room.to_owned(),
            user: user.to_owned(),
            message: message.to_owned(),
            ..conference::Invitation::default()
        };
        store
            .write_blocking(move |changes| conference::put(changes, &invitation))
            .unwrap()
    };
    assert!(!invite("1", "2", "come"));
    assert!(invite("1", "2", "come soon"));
    invite("1", "3", "");
    invite("10", "2", "");
    store
        .read(|view| {
            let of_room = conference::of_room(view, "1")?;
            let users: Vec<_> = of_room.iter().map(|i| (&*i.user, &*i.message)).collect();
            assert_eq!(users, [("2", "come soon"), ("3", "")]);
            let rooms = conference::of_user(view, "2")?;
            let rooms: Vec<_> = rooms.iter().map(|i| &*i.room).collect();
            assert_eq!(rooms, ["1", "10"]);
            assert_eq!(conference::rooms(view, "", 9)?, ["1", "10"]);
            assert_eq!(conference::rooms(view, "1", 9)?, ["10"]);
            Ok(())
        })
        .unwrap();
    assert!(
        store
            .write_blocking(|c| conference::remove(c, "1", "2"))
            .unwrap()
    );
    assert!(
        !store
            .write_blocking(|c| conference::remove(c, "1", "2"))
            .unwrap()
    );
    assert_eq!(
        store
            .read(|view| conference::of_user(view, "2"))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_revoked_token_is_forgotten_when_it_would_have_expired() {
    let store = Store::open(None).unwrap();
    let revoke = |hash: [u8; 32], until| {
        let revoked = revoked::Revoked {
            token: Secret("a.b.c".to_owned()),
            until,
        };
        store
            .write_blocking(move |changes| revoked::add(changes, &hash, &revoked))
            .unwrap();
    };
    let contains = |hash| store.read(|view| revoked::contains(view, &hash)).unwrap();
    revoke([1; 32], 1000);
    revoke([1; 32], 3000);
    revoke([2; 32], 2000);
    assert_eq!(
        store
            .write_blocking(|c| revoked::expire(c, 2001, 10))
            .unwrap(),
        1
    );
    assert!(contains([1; 32]) && !contains([2; 32]));
    assert!(
        store
            .write_blocking(|c| revoked::remove(c, &[1; 32]))
            .unwrap()
    );
    assert!(!contains([1; 32]));
    assert_eq!(
        store
            .write_blocking(|c| revoked::expire(c, u64::MAX, 10))
            .unwrap(),
        0
    );
}

#[test]
fn a_request_sent_twice_is_answered_the_same_for_a_day() {
    let store = Store::open(None).unwrap();
    let answer = idempotency::Answer {
        at: 1000,
        request: [7; 32],
        status: 201,
        body: b"{\"rung\":1}\n".to_vec(),
    };
    let kept = answer.clone();
    store
        .write_blocking(move |c| idempotency::put(c, "clinic", "visit-12", &kept))
        .unwrap();
    let get = |caller| {
        store
            .read(|view| idempotency::get(view, caller, "visit-12"))
            .unwrap()
    };
    assert_eq!(get("clinic"), Some(answer));
    assert_eq!(get("another clinic"), None);
    assert_eq!(
        store
            .write_blocking(|c| idempotency::expire(c, 1000, 10))
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .write_blocking(|c| idempotency::expire(c, 1001, 10))
            .unwrap(),
        1
    );
    assert_eq!(get("clinic"), None);
}

#[test]
fn a_user_is_last_seen_at_the_latest_time() {
    let store = Store::open(None).unwrap();
    for at in [5, 9, 7] {
        store
            .write_blocking(move |changes| last_seen::put(changes, "2", at))
            .unwrap();
    }
    assert_eq!(
        store.read(|view| last_seen::get(view, "2")).unwrap(),
        Some(9)
    );
    assert_eq!(store.read(|view| last_seen::get(view, "3")).unwrap(), None);
}
