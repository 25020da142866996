use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::{
    auth::api::ApiKeys,
    config::Config,
    events::{Event, Events},
    store::Store,
};

/// A directory of its own that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Relaxed);
        let name = format!("clinicall-admin-{}-{next}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn store(&self) -> PathBuf {
        self.0.join("clinicall.redb")
    }
    fn config(&self) -> Config {
        let mut config = Config::dev();
        config.store.path = Some(self.store());
        config
    }
    /// As much of a relay as the socket needs.
    fn relay(&self) -> Desk {
        let store = Store::open(Some(&self.store())).unwrap();
        let events = Events::start(store.clone(), 100, Vec::new(), Arc::default());
        let desk = Desk {
            api_keys: ApiKeys::new(&self.config(), &store),
            store,
            events: Some(events),
            hooks: Vec::new(),
        };
        start(desk.clone(), &self.store()).unwrap();
        desk
    }
    async fn ask(&self, command: Command) -> anyhow::Result<Vec<serde_json::Value>> {
        let mut rows = Vec::new();
        client::ask(&self.config(), command, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn nurse() -> Command {
    let secret = |text: &str| crate::config::Secret(text.to_owned());
    Command::UserAdd {
        id: "5".to_owned(),
        name: "Nurse Okafor".to_owned(),
        ha1_sha256: secret("ab"),
        ha1_md5: secret("cd"),
    }
}

#[tokio::test]
async fn the_operator_gets_the_same_with_and_without_a_relay() {
    let place = Place::new();
    let listed = [json!({ "id": "5", "name": "Nurse Okafor" })];
    // no relay: the store itself
    assert_eq!(place.ask(nurse()).await.unwrap(), [json!(null); 0]);
    assert_eq!(place.ask(Command::UserList).await.unwrap(), listed);
    let desk = place.relay();
    assert_eq!(place.ask(Command::UserList).await.unwrap(), listed);
    let gone = || Command::UserRemove { id: "5".to_owned() };
    place.ask(gone()).await.unwrap();
    let error = place.ask(gone()).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no user `5` in the store");
    // whoever logs in now is judged by the change just made
    let mut changed = desk.store.users_changed();
    changed.mark_unchanged();
    place.ask(nurse()).await.unwrap();
    assert!(changed.has_changed().unwrap());
}

#[tokio::test]
async fn the_socket_is_its_owners_alone() {
    let place = Place::new();
    // a relay that was killed has left one behind
    drop(std::os::unix::net::UnixListener::bind(socket(&place.store())).unwrap());
    let _desk = place.relay();
    let mode = std::fs::metadata(socket(&place.store())).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mode = std::fs::metadata(place.store()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(place.ask(Command::UserList).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_backup_is_whole_and_replaces_nothing() {
    let place = Place::new();
    let desk = place.relay();
    place.ask(nurse()).await.unwrap();
    let file = place.0.join("copy.redb");
    let backup = || Command::Backup { file: file.clone() };
    place.ask(backup()).await.unwrap();
    let refused = place.ask(backup()).await.unwrap_err().to_string();
    assert!(
        refused.ends_with("there is such a file already"),
        "{refused}"
    );
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert!(!place.0.join("copy.redb.part").exists());
    place
        .ask(Command::UserRemove { id: "5".to_owned() })
        .await
        .unwrap();
    let copy = Store::open(Some(&file)).unwrap();
    assert_eq!(copy.epoch(), desk.store.epoch());
    let users = copy.read(|view| crate::store::users::all(view)).unwrap();
    assert_eq!((users.len(), &*users[0].name), (1, "Nurse Okafor"));
}

#[tokio::test]
async fn events_flow_until_the_reader_leaves() {
    let place = Place::new();
    let desk = place.relay();
    let mut socket = UnixStream::connect(socket(&place.store())).await.unwrap();
    socket
        .write_all(b"{\"do\":\"events\",\"after\":0}\n")
        .await
        .unwrap();
    let mut socket = BufReader::new(socket);
    for user in ["2", "3"] {
        let user = user.to_owned();
        desk.events
            .as_ref()
            .unwrap()
            .emit(Event::UserOnline { user: user.clone() });
        let mut line = String::new();
        socket.read_line(&mut line).await.unwrap();
        let Line::Row(row) = serde_json::from_str(&line).unwrap() else {
            panic!("{line}");
        };
        assert_eq!(
            (&row["type"], &row["user"]),
            (&json!("user.online"), &json!(user))
        );
    }
}

#[tokio::test]
async fn nonsense_is_answered_and_a_flood_is_not_kept() {
    let place = Place::new();
    let _desk = place.relay();
    let mut stream = UnixStream::connect(socket(&place.store())).await.unwrap();
    stream
        .write_all(b"{\"do\":\"format\"}\n\xff\xfe\n{\"do\":\"user-list\"}\n")
        .await
        .unwrap();
    let mut answers = BufReader::new(stream);
    for expected in [
        "{\"error\":\"not a command",
        "{\"error\":\"not a command",
        "{\"done\":true}",
    ] {
        let mut line = String::new();
        answers.read_line(&mut line).await.unwrap();
        assert!(line.starts_with(expected), "{line}");
    }
    let mut stream = answers.into_inner();
    // it hangs up, maybe before it has read everything
    let _ = stream.write_all(&vec![b'x'; 4 * LINE]).await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
}
