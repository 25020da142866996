use axum::{body::to_bytes, http::HeaderValue};

use super::{stream::Item, *};

fn online(user: &str) -> Event {
    Event::UserOnline {
        user: user.to_owned(),
    }
}

fn start(store: &Store, keep: u64, hooks: Vec<Filter>) -> Events {
    Events::start(store.clone(), keep, hooks, Arc::default())
}

fn hook(url: &str, wanted: &[&str]) -> Filter {
    Filter {
        url: url.to_owned(),
        events: wanted.iter().map(|kind| (*kind).to_owned()).collect(),
    }
}

async fn written(store: &Store, events: &Events, last: u64) {
    let mut moved = events.written();
    while store.read(|view| outbox::last_event(view)).unwrap() < last {
        moved.changed().await.unwrap();
    }
}

#[test]
fn an_event_in_json_is_what_the_readme_shows() {
    let record = Record {
        id: 7,
        at: 1_790_000_000_000,
        event: Event::CallEnded {
            call: 3,
            room: None,
            from: "2".to_owned(),
            to: "3".to_owned(),
            cause: "hangup".to_owned(),
            duration_ms: Some(61_000),
        },
    };
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(
        text,
        "{\"id\":7,\"at\":1790000000000,\"type\":\"call.ended\",\"call\":3,\"room\":null,\
         \"from\":\"2\",\"to\":\"3\",\"cause\":\"hangup\",\"duration_ms\":61000}"
    );
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
}

#[tokio::test]
async fn a_reader_that_comes_back_hears_what_it_missed() {
    let store = Store::open(None).unwrap();
    let events = start(&store, 100, Vec::new());
    let mut early = events.subscribe(None).unwrap();
    for user in ["2", "3", "4"] {
        events.emit(online(user));
    }
    for id in 1..=3 {
        let item = early.next().await.unwrap().unwrap();
        assert!(matches!(item, Item::Event(record) if record.id == id));
    }
    let mut back = events.subscribe(Some(2)).unwrap();
    let missed = back.next().await.unwrap().unwrap();
    assert!(matches!(missed, Item::Event(record) if record.event == online("4")));
    events.emit(online("5"));
    for reader in [&mut early, &mut back] {
        let item = reader.next().await.unwrap().unwrap();
        assert!(matches!(item, Item::Event(record) if record.id == 4));
    }
}

#[tokio::test]
async fn a_reader_that_was_away_too_long_is_told_so() {
    let store = Store::open(None).unwrap();
    let events = start(&store, 3, Vec::new());
    for _ in 0..10 {
        events.emit(online("2"));
    }
    written(&store, &events, 10).await;
    let mut late = events.subscribe(Some(4)).unwrap();
    let gap = late.next().await.unwrap().unwrap();
    assert_eq!(gap, Item::Missing { through: 7 });
    let next = late.next().await.unwrap().unwrap();
    assert!(matches!(next, Item::Event(record) if record.id == 8));
}

#[tokio::test]
async fn the_stream_is_made_of_server_sent_events() {
    let store = Store::open(None).unwrap();
    let events = start(&store, 100, Vec::new());
    events.emit(online("2"));
    events.emit(online("3"));
    written(&store, &events, 2).await;
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("last-event-id", HeaderValue::from_static("1"));
    // the header goes before the query: a browser sets it when it comes back
    let response = stream::respond(&events, &headers, Some(0));
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let first = futures_util::StreamExt::next(&mut body)
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(first.to_vec()).unwrap();
    assert!(
        text.contains("id: 2\n") && text.contains("event: user.online\n"),
        "{text}"
    );
    assert!(text.contains("\"user\":\"3\"}\n"), "{text}");
}

#[tokio::test]
async fn there_is_an_end_to_streams() {
    let store = Store::open(None).unwrap();
    let events = start(&store, 100, Vec::new());
    let open: Vec<_> = (0..STREAMS)
        .map(|_| events.subscribe(None).unwrap())
        .collect();
    let refused = stream::respond(&events, &axum::http::HeaderMap::new(), None);
    assert_eq!(refused.status(), 503);
    assert!(
        !to_bytes(refused.into_body(), 1000)
            .await
            .unwrap()
            .is_empty()
    );
    drop(open);
    assert!(events.subscribe(None).is_ok());
}

#[tokio::test]
async fn what_was_given_up_can_be_replayed_in_order() {
    let store = Store::open(None).unwrap();
    let hooks = vec![
        hook("http://a/", &["user.*"]),
        hook("http://b/", &["call.*"]),
    ];
    // a ring so short that some events live on as dead letters only
    let events = start(&store, 2, hooks);
    for user in ["2", "3", "4", "5"] {
        events.emit(online(user));
    }
    written(&store, &events, 4).await;
    let waiting = |url| {
        let deliveries = store
            .read(|view| outbox::deliveries(view, url, 0, 100))
            .unwrap();
        let each = deliveries
            .iter()
            .map(|delivery| (delivery.number, delivery.head.event));
        each.collect::<Vec<_>>()
    };
    assert_eq!(waiting("http://a/"), [(1, 1), (2, 2), (3, 3), (4, 4)]);
    assert_eq!(waiting("http://b/"), []);
    store
        .write(|changes| {
            outbox::bury(changes, "http://a/", 2, "answered 500")?;
            outbox::done(changes, "http://a/", 3)?;
            outbox::failed(changes, "http://a/", 4, 99, "answered 500")
        })
        .await
        .unwrap();
    let dead = store
        .read(|view| outbox::dead(view, "http://a/", 0, 100))
        .unwrap();
    assert_eq!(
        (dead.len(), dead[0].head.event, &*dead[0].head.why),
        (1, 2, "answered 500")
    );

    // 2 from the dead letters, 3 from the ring; 1 and 4 wait already
    assert_eq!(events.replay(0, None).await.unwrap(), 2);
    assert_eq!(waiting("http://a/"), [(1, 1), (4, 4), (5, 2), (6, 3)]);
    assert_eq!(
        store
            .read(|view| outbox::dead(view, "http://a/", 0, 100))
            .unwrap(),
        []
    );
    assert_eq!(
        events
            .replay(0, Some("http://b/".to_owned()))
            .await
            .unwrap(),
        0
    );
    let body = store
        .read(|view| outbox::body(view, "http://a/", 5))
        .unwrap()
        .unwrap();
    let record: Record = serde_json::from_slice(&body).unwrap();
    assert_eq!((record.id, record.event), (2, online("3")));
}

#[test]
fn dead_letters_are_bounded() {
    let store = Store::open(None).unwrap();
    let a = [hook("http://a/", &[])];
    store
        .write_blocking(move |changes| {
            for _ in 0..12 {
                let thousand: Vec<_> = (0..1000).map(|_| (1, online("2"))).collect();
                outbox::keep(changes, &thousand, 10, &a)?;
            }
            for number in 1..=outbox::DEAD + 5 {
                outbox::bury(changes, "http://a/", number, "nobody there")?;
            }
            let dead = outbox::dead(changes, "http://a/", 0, usize::MAX)?;
            assert_eq!((dead.len() as u64, dead[0].number), (outbox::DEAD, 6));
            assert!(outbox::events_after(changes, 0, usize::MAX)?.len() <= 10);
            Ok(())
        })
        .unwrap();
}
