//! kill -9 in the middle of a load: what was acknowledged is there, and nothing is half there.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use clinicall_relay::{
    admin,
    store::{Store, messages, pipes, users},
};

/// Kills in one test; each at another moment.
const KILLS: u32 = 6;

/// A directory of its own that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("clinicall-crash-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn store(&self) -> PathBuf {
        self.0.join("clinicall.redb")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Between 20 and 276 ms: during the first commits, or well within the load.
fn some_time() -> Duration {
    let mut byte = [0];
    getrandom::fill(&mut byte).unwrap();
    Duration::from_millis(20 + u64::from(byte[0]))
}

/// SIGKILL, as `std` does it, and the end of the process.
fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What one operator's shell had done when the relay died.
#[derive(Default)]
struct Done {
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
    /// Asked for, and not answered.
    open: Option<String>,
}

/// Adds users and removes every third of them, until the relay is gone.
fn administer(socket: &Path, name: &str) -> Done {
    let mut done = Done::default();
    let Ok(stream) = UnixStream::connect(socket) else {
        return done;
    };
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut ask = |command: serde_json::Value| {
        let mut line = String::new();
        let asked = writeln!(&stream, "{command}").is_ok();
        let answered = asked && answers.read_line(&mut line).is_ok_and(|bytes| bytes > 0);
        assert!(!answered || line == "{\"done\":true}\n", "{line}");
        answered
    };
    for n in 0.. {
        let id = format!("{name}-{n}");
        done.open = Some(id.clone());
        let add = serde_json::json!({
            "do": "user-add", "id": id, "name": id, "ha1_sha256": "ab", "ha1_md5": "cd",
        });
        if !ask(add) {
            break;
        }
        done.added.insert(id.clone());
        if n % 3 == 0 {
            if !ask(serde_json::json!({ "do": "user-remove", "id": id })) {
                break;
            }
            done.added.remove(&id);
            done.removed.insert(id);
        }
    }
    done
}

#[test]
fn a_relay_killed_while_users_are_added_knows_them_all_afterwards() {
    let place = Place::new("relay");
    let config = place.0.join("clinicall.toml");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{}\"\n\
         [cometql]\nlisten = \"127.0.0.1:0\"\n",
        place.store().display()
    );
    std::fs::write(&config, text).unwrap();
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..KILLS {
        let mut relay = Command::new(env!("CARGO_BIN_EXE_clinicall"))
            .args(["run", "--dev", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(relay.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("listening"), "{line}");
        let socket = admin::socket(&place.store());
        let shells: Vec<_> = (0..4)
            .map(|shell| {
                let socket = socket.clone();
                std::thread::spawn(move || administer(&socket, &format!("r{round}-s{shell}")))
            })
            .collect();
        std::thread::sleep(some_time());
        kill(relay);
        let mut open = BTreeSet::new();
        for shell in shells {
            let done = shell.join().unwrap();
            added.extend(done.added);
            removed.extend(done.removed);
            open.extend(done.open);
        }
        let store = Store::open(Some(&place.store())).unwrap();
        let users = store.read(|view| users::all(view)).unwrap();
        let kept: BTreeSet<String> = users.into_iter().map(|user| user.id).collect();
        // what was asked for and not answered may have happened or not
        let lost: Vec<_> = added
            .difference(&kept)
            .filter(|id| !open.contains(*id))
            .collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        let risen: Vec<_> = removed.intersection(&kept).collect();
        assert!(
            risen.is_empty(),
            "round {round}: removed and there again {risen:?}"
        );
        added = kept;
    }
    assert!(added.len() > KILLS as usize, "no load: {}", added.len());
}

/// Set for the process that writes until it is killed.
const WRITER: &str = "CLINICALL_CRASH_WRITER";

/// The ring of the pipe in this test.
const RING: u64 = 20;

/// Four threads: each queues messages for a patient of its own and publishes into one pipe, in one
/// change, and prints both offsets when that is durable. Every tenth time the patient reads all but
/// the last.
fn write_for_ever(path: &Path) {
    let store = Store::open(Some(path)).unwrap();
    store
        .write_blocking(|changes| pipes::set_length(changes, "web_ward", RING))
        .unwrap();
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                let patient = format!("patient-{n}");
                for count in 1_u64.. {
                    let user = patient.clone();
                    let written = store.write_blocking(move |changes| {
                        let body = count.to_string().into_bytes();
                        let sent = messages::push(changes, &user, "n", &body, count, 1000)?;
                        if sent.offset % 10 == 0 {
                            messages::forget_through(changes, &user, sent.offset - 1)?;
                        }
                        let news = pipes::PipeMessage::new("n", &body, Some(&user), count)?;
                        Ok((sent.offset, pipes::append(changes, "web_ward", news)?))
                    });
                    let (message, news) = written.unwrap();
                    println!("ack {patient} {message} {news}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn messages_queued_before_a_kill_are_delivered_after_it() {
    if let Some(path) = std::env::var_os(WRITER) {
        return write_for_ever(Path::new(&path));
    }
    let place = Place::new("queue");
    // the last offset that was acknowledged, by patient, and of the pipe
    // (who was killed before any acknowledgement was seen may have messages all the same)
    let patients = (0..4).map(|n| (format!("patient-{n}"), 0));
    let mut acknowledged: BTreeMap<String, u64> = patients.collect();
    let mut published = 0;
    for round in 0..KILLS {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "messages_queued_before_a_kill_are_delivered_after_it",
            ])
            .args(["--nocapture", "--test-threads", "1"])
            .env(WRITER, place.store())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(writer.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            let acks = lines.filter_map(|line| {
                let mut words = line.strip_prefix("ack ")?.split(' ');
                let patient = words.next()?.to_owned();
                let offsets = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                Some((patient, offsets))
            });
            acks.collect::<Vec<(String, (u64, u64))>>()
        });
        std::thread::sleep(some_time() * 2);
        kill(writer);
        for (patient, (message, news)) in reader.join().unwrap() {
            let last = acknowledged.entry(patient).or_default();
            *last = message.max(*last);
            published = news.max(published);
        }

        let store = Store::open(Some(&place.store())).unwrap();
        for (patient, acknowledged) in &mut acknowledged {
            let (waiting, counted, last) = store
                .read(|view| {
                    let waiting = messages::after(view, patient, 0, usize::MAX)?;
                    let counted = messages::waiting(view, patient)?;
                    Ok((waiting, counted, messages::last(view, patient)?))
                })
                .unwrap();
            assert!(
                last >= *acknowledged,
                "round {round}: {patient} {last} < {acknowledged}"
            );
            // whole: what waits is everything since the last reading, and is counted right
            let offsets: Vec<u64> = waiting.iter().map(|message| message.offset).collect();
            let read = if last < 10 { 1 } else { last / 10 * 10 };
            assert_eq!(offsets, (read..=last).collect::<Vec<_>>(), "{patient}");
            assert_eq!(counted, offsets.len());
            *acknowledged = last;
        }
        let (history, last) = store
            .read(|view| {
                let history = pipes::history(view, "web_ward", 0, usize::MAX)?;
                Ok((history, pipes::last(view, "web_ward")?))
            })
            .unwrap();
        assert!(last >= published, "round {round}: {last} < {published}");
        // both halves of each change, or neither
        assert_eq!(last, acknowledged.values().sum::<u64>(), "round {round}");
        let offsets: Vec<u64> = history.iter().map(|message| message.offset).collect();
        let kept = last.saturating_sub(RING) + 1..=last;
        assert_eq!(offsets, kept.collect::<Vec<_>>(), "round {round}");
    }
    assert!(acknowledged.values().all(|last| *last > 0));
}
