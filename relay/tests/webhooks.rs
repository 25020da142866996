//! Webhooks against a real HTTP server that fails in every way there is.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "webhooks/receiver.rs"]
mod receiver;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clinicall_relay::{
    config::{Secret, Webhook},
    events::{Event, Events},
    metrics::Metrics,
    store::{Store, outbox},
    webhook::{self, Filter},
};
use receiver::{Answer, Receiver};

const SECRET: &str = "the clinic's own long secret";

/// Enough of a relay to tell what happens.
struct Relay {
    store: Store,
    events: Events,
    metrics: Arc<Metrics>,
}

fn webhook(url: String) -> Webhook {
    Webhook {
        url,
        secret: Some(Secret(SECRET.to_owned())),
        timeout_seconds: 1,
        ..Webhook::default()
    }
}

impl Relay {
    fn start(path: Option<&PathBuf>, webhook: &Webhook) -> Self {
        let store = Store::open(path.map(PathBuf::as_path)).unwrap();
        let metrics = Arc::<Metrics>::default();
        let hooks = vec![Filter::of(webhook)];
        let events = Events::start(store.clone(), 1000, hooks, metrics.clone());
        webhook::start(std::slice::from_ref(webhook), &store, &events, &metrics).unwrap();
        Self {
            store,
            events,
            metrics,
        }
    }

    fn joined(&self, room: &str, user: u32) {
        self.events.emit(Event::MemberJoined {
            room: room.to_owned(),
            user: user.to_string(),
        });
    }
}

#[tokio::test]
async fn the_clinic_can_tell_that_an_event_is_ours() {
    let mut clinic = Receiver::start(|_, _| Answer::Status(200)).await;
    let relay = Relay::start(None, &webhook(clinic.url()));
    relay.joined("12", 2);
    let request = clinic.next().await;
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("clinicall-event"), "member.joined");
    assert_eq!(request.header("clinicall-event-id"), "1");
    let record: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (&record["type"], &record["user"]),
        (&"member.joined".into(), &"2".into())
    );
    let signature = request.header("clinicall-signature");
    let time = signature
        .strip_prefix("t=")
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    let made = webhook::sign::header(
        &Secret(SECRET.to_owned()),
        time.parse().unwrap(),
        &request.body,
    );
    assert_eq!(signature, made);
}

#[tokio::test]
async fn each_room_hears_its_events_in_order_whatever_fails() {
    // the first time each event of room 1 is refused, each in another way
    let mut clinic = Receiver::start(|user, seen| match (user, seen) {
        ("1", 0) => Answer::Status(500),
        ("2", 0) => Answer::Close,
        ("3", 0) => Answer::Hang,
        ("4", 0) => Answer::Redirect,
        _ => Answer::Status(204),
    })
    .await;
    let relay = Relay::start(None, &webhook(clinic.url()));
    for user in 1..=4 {
        relay.joined("1", user);
        relay.joined("2", user + 10);
    }
    let (mut one, mut two) = (Vec::new(), Vec::new());
    while one.len() < 4 || two.len() < 4 {
        let request = clinic.accepted().await;
        let user: u32 = request.user().parse().unwrap();
        if user > 10 { &mut two } else { &mut one }.push(user);
    }
    assert_eq!(one, [1, 2, 3, 4]);
    assert_eq!(two, [11, 12, 13, 14]);
    assert_eq!(clinic.redirected(), 0, "a redirect was followed");
    assert!(relay.metrics.webhook_failed_total.get() >= 4);
}

#[tokio::test]
async fn answers_that_are_huge_or_never_end_cost_little() {
    let mut clinic = Receiver::start(|user, seen| match (user, seen) {
        ("1", 0) => Answer::Huge,
        ("2", 0) => Answer::Drip,
        ("3", 0) => Answer::Nonsense,
        ("4", 0) => Answer::EndlessHead,
        _ => Answer::Status(200),
    })
    .await;
    let relay = Relay::start(None, &webhook(clinic.url()));
    for user in 1..=5 {
        relay.joined("1", user);
    }
    loop {
        if clinic.accepted().await.user() == "5" {
            break;
        }
    }
    // what was written lies in the kernel's buffers; a reader would have taken far more in a second.
    // 200 with too long a body counts; one that drips until the deadline does not
    assert_eq!(clinic.times("1"), 1);
    assert!(clinic.times("2") > 1 && clinic.times("3") > 1 && clinic.times("4") > 1);
    assert!(
        clinic.sent() < 32 << 20,
        "{} bytes of an endless answer were read",
        clinic.sent()
    );
}

#[test]
fn what_a_relay_owed_when_it_ended_the_next_one_pays() {
    let path = std::env::temp_dir().join(format!("clinicall-owed-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    // nobody listens at this address yet
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let hook = webhook(format!("http://{address}/events"));

    let first = runtime();
    first.block_on(async {
        let relay = Relay::start(Some(&path), &hook);
        for user in 1..=3 {
            relay.joined("12", user);
        }
        while relay.metrics.webhook_failed_total.get() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    first.shutdown_timeout(Duration::from_secs(5));

    runtime().block_on(async {
        let mut clinic = Receiver::start_at(address, |_, _| Answer::Status(200)).await;
        let relay = Relay::start(Some(&path), &hook);
        relay.joined("12", 4);
        let mut users = Vec::new();
        for _ in 0..4 {
            users.push(clinic.accepted().await.user());
        }
        assert_eq!(users, ["1", "2", "3", "4"]);
        // and when all is told nothing is owed
        let owed = || {
            let owed = |view: &clinicall_relay::store::View<'_>| {
                outbox::deliveries(view, &hook.url, 0, 10)
            };
            relay.store.read(owed).unwrap().len()
        };
        while owed() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn an_event_nobody_takes_is_given_up_and_can_be_sent_once_more() {
    let mut clinic = Receiver::start(|_, seen| match seen {
        0..4 => Answer::Status(503),
        _ => Answer::Status(200),
    })
    .await;
    let hook = Webhook {
        give_up_seconds: 1,
        ..webhook(clinic.url())
    };
    let relay = Relay::start(None, &hook);
    relay.joined("12", 1);
    while relay.metrics.webhook_dead_total.get() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let tried = clinic.times("1");
    assert!((1..4).contains(&tried), "{tried}");
    // each replay is a delivery of its own, with a time of its own
    let mut taken = false;
    while !taken {
        // nothing is queued while the one before still waits
        relay.events.replay(0, None).await.unwrap();
        let next = tokio::time::timeout(Duration::from_millis(100), clinic.next());
        taken = next.await.is_ok_and(|request| request.accepted);
    }
    assert_eq!(clinic.times("1"), 5);
}
