//! The clinic's back end at `/api/v1`, and people who log in with what it gives them.

use clinicall_relay::server::Server;
use clinicall_sip::{
    Millis, Uri,
    agent::{Event, Registering},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    doors::close_code,
    phone::{Phone, Socket, bearer, open, relay, relay_with},
};

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

impl Reply {
    /// A problem document, whole and with a next step.
    pub fn problem(&self, status: u16, code: &str) {
        let head = &self.head;
        assert_eq!(self.status, status, "{head} {}", self.body);
        assert!(head.contains("application/problem+json"), "{head}");
        assert_eq!(self.body["code"], code, "{}", self.body);
        assert_eq!(self.body["status"], status);
        assert!(self.body["next"].as_str().unwrap().len() > 10);
        assert!(!self.body["detail"].as_str().unwrap().is_empty());
    }
}

pub async fn ask(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let mut stream = TcpStream::connect(server.http()).await.unwrap();
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: localhost\r\n{headers}\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // a refusal may come before the whole request was read
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Reply {
        status: head[9..12].parse().unwrap(),
        head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

/// As the demo's back end.
pub async fn site(server: &Server, method: &str, path: &str, body: Value) -> Reply {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    ask(server, method, path, KEY, &body).await
}

const KEY: &str = "authorization: Bearer demo-key\r\n";

pub async fn get(server: &Server, path: &str) -> Reply {
    site(server, "GET", path, Value::Null).await
}

/// A page that registers with a token; the status of the answer when it is refused.
async fn with_token(server: &Server, user: &'static str, token: &str) -> Result<Phone, u16> {
    let (socket, _) = open(server, "sip", None).await.unwrap();
    token_on(socket, user, token).await
}

pub async fn token_on(socket: Socket, user: &'static str, token: &str) -> Result<Phone, u16> {
    let mut phone = Phone::on(socket, user);
    phone.register(Registering {
        registrar: Uri::sip("", "localhost"),
        aor: Uri::sip(user, "localhost"),
        expires: Millis::from_secs(600),
        instance: None,
        reg_id: None,
        credentials: None,
        headers: bearer(token),
    });
    phone.logged_in().await.map(|()| phone)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_line_of_the_readme_rings_the_doctor() {
    let server = relay().await;
    let mut doctor = Phone::registered(&server, "2").await;
    let invitation = json!({
        "user": "2", "caller": "3", "message": {"visit": 42, "note": "\"2 < 3\""}, "profile": "video",
    });
    let rung = site(&server, "POST", "/rooms/1/invitations", invitation).await;
    assert_eq!(rung.status, 201, "{}", rung.body);
    assert_eq!(
        rung.body,
        json!({"room": "1", "user": "2", "rung": 1, "waiting": false})
    );
    let (call, invite) = doctor.incoming().await;
    assert_eq!(invite.headers.get("X-Clinicall-Room"), Some("1"));
    doctor.accept(call, &invite);
    doctor
        .until(|event| matches!(event, Event::Established { .. }))
        .await;
    let room = get(&server, "/rooms/1").await.body;
    assert_eq!(room["members"][0]["user"], "2");
    let told: Value =
        serde_json::from_str(room["invitations"][0]["message"].as_str().unwrap()).unwrap();
    assert_eq!(told, json!({"visit": 42, "note": "\"2 < 3\""}));
    assert_eq!(get(&server, "/rooms").await.body, json!({"rooms": ["1"]}));
    let calls = get(&server, "/calls").await.body;
    assert_eq!(calls[0]["room"], "1");
    assert_eq!(calls[0]["state"], "talking");

    let mute = json!({"audio": true});
    let muted = site(&server, "PUT", "/rooms/1/members/2/mute", mute).await;
    assert_eq!(muted.status, 204);
    let members = get(&server, "/rooms/1/members").await.body;
    assert_eq!(members[0]["audio_muted"], true);

    let removed = site(&server, "DELETE", "/rooms/1/members/2", Value::Null).await;
    assert_eq!(removed.status, 204);
    doctor.ended().await;
    get(&server, "/rooms/1").await.problem(404, "not_found");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_brings_two_people_together_and_hangs_up() {
    let server = relay().await;
    let mut doctor = Phone::registered(&server, "2").await;
    let mut patient = Phone::registered(&server, "3").await;
    let call = json!({"from": "2", "to": "3", "message": "your visit"});
    let made = site(&server, "POST", "/calls", call).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let room = made.body["room"].as_str().unwrap().to_owned();
    for phone in [&mut doctor, &mut patient] {
        let (call, invite) = phone.incoming().await;
        assert_eq!(invite.headers.get("X-Clinicall-Room"), Some(room.as_str()));
        phone.accept(call, &invite);
        phone
            .until(|event| matches!(event, Event::Established { .. }))
            .await;
    }
    let calls = get(&server, "/calls").await.body;
    let mine = calls.as_array().unwrap().iter().find(|c| c["to"] == "3");
    let id = mine.unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/calls/{id}");
    assert_eq!(
        site(&server, "DELETE", &path, Value::Null).await.status,
        204
    );
    patient.ended().await;
    let closed = site(&server, "DELETE", &format!("/rooms/{room}"), Value::Null).await;
    assert_eq!(closed.status, 204);
    doctor.ended().await;
    let wrong = site(&server, "DELETE", "/calls/none", Value::Null).await;
    wrong.problem(404, "not_found");
    let alone = json!({"from": "2", "to": "2"});
    site(&server, "POST", "/calls", alone)
        .await
        .problem(422, "invalid");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_away_is_rung_later_and_an_invitation_can_be_withdrawn() {
    let server = relay().await;
    let both = json!({"name": "visit-7", "invite": [{"user": "2"}, {"user": "3"}]});
    let made = site(&server, "POST", "/rooms", both).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body["invited"][0]["waiting"], true);
    let path = "/rooms/visit-7/invitations/3";
    assert_eq!(site(&server, "DELETE", path, Value::Null).await.status, 204);
    let again = site(&server, "DELETE", path, Value::Null).await;
    again.problem(404, "not_found");
    let mut doctor = Phone::registered(&server, "2").await;
    let (_, invite) = doctor.incoming().await;
    assert_eq!(invite.headers.get("X-Clinicall-Room"), Some("visit-7"));
    let made_up = site(&server, "POST", "/rooms", json!({})).await;
    assert!(made_up.body["name"].as_str().unwrap().starts_with("room-"));

    // page by page
    for room in ["a", "b", "c"] {
        let path = format!("/rooms/{room}/invitations");
        site(&server, "POST", &path, json!({"user": "4"})).await;
    }
    let first = get(&server, "/rooms?limit=2").await.body;
    assert_eq!(first, json!({"rooms": ["a", "b"], "next": "b"}));
    let rest = get(&server, "/rooms?limit=5&after=b").await.body;
    assert_eq!(rest, json!({"rooms": ["c", "visit-7"]}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_comes_in_with_a_token_and_is_sent_away_when_it_is_revoked() {
    let server = relay().await;
    let new = json!({"user": "77", "name": "Doctor Token", "ttl_seconds": 600});
    let ticket = site(&server, "POST", "/tokens", new).await;
    assert_eq!(ticket.status, 201);
    let token = ticket.body["token"].as_str().unwrap().to_owned();
    let doctor = with_token(&server, "77", &token).await.ok().unwrap();
    let seen = get(&server, "/users?ids=77,78").await.body;
    assert_eq!(seen[0], json!({"user": "77", "online": true}));
    assert_eq!(seen[1], json!({"user": "78", "online": false}));

    // nobody else's, and nothing bent
    assert_eq!(with_token(&server, "2", &token).await.err(), Some(403));
    let forged = format!("{}A", &token[..token.len() - 1]);
    let forged = match forged == token {
        true => format!("{}B", &token[..token.len() - 1]),
        false => forged,
    };
    assert_eq!(with_token(&server, "77", &forged).await.err(), Some(401));

    let revoke = json!({ "token": token });
    let revoked = site(&server, "POST", "/tokens/revocations", revoke.clone()).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(close_code(doctor.into_socket()).await, Some(1008));
    assert_eq!(with_token(&server, "77", &token).await.err(), Some(401));
    let list = get(&server, "/tokens/revocations").await.body;
    assert_eq!(list, json!([token]));
    let back = site(&server, "DELETE", "/tokens/revocations", revoke.clone()).await;
    assert_eq!(back.status, 204);
    assert!(with_token(&server, "77", &token).await.is_ok());
    let twice = site(&server, "DELETE", "/tokens/revocations", revoke).await;
    twice.problem(404, "not_found");
    for (bad, what) in [
        (json!({"user": "../2"}), "`user`"),
        (json!({"user": "2", "rights": ["root"]}), "no right `root`"),
        (json!({"user": "2", "name": "a\nb"}), "`name`"),
        (json!({"user": "2", "ttl": 5}), "unknown field `ttl`"),
    ] {
        let reply = site(&server, "POST", "/tokens", bad).await;
        reply.problem(422, "invalid");
        assert!(reply.body["detail"].as_str().unwrap().contains(what));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_a_link_enters_that_room_and_no_other() {
    let server = relay().await;
    let new = json!({"name": "Petrov's son", "ttl_seconds": 600});
    let link = site(&server, "POST", "/rooms/visit-7/guests", new).await;
    assert_eq!(link.status, 201);
    let token = link.body["token"].as_str().unwrap().to_owned();
    let user: &'static str = link.body["user"].as_str().unwrap().to_owned().leak();
    let mut guest = with_token(&server, user, &token).await.ok().unwrap();
    for closed in ["sip:visit-8@conference.localhost", "sip:2@localhost"] {
        guest.call_uri(closed.parse().unwrap());
        let ending = guest.ended().await;
        assert_eq!(ending.status.unwrap().0, 403, "{closed}");
    }
    guest.call_uri("sip:visit-7@conference.localhost".parse().unwrap());
    guest
        .until(|event| matches!(event, Event::Established { .. }))
        .await;
    let members = get(&server, "/rooms/visit-7/members").await.body;
    assert_eq!(members[0]["user"], user);
    assert_eq!(members[0]["name"], "Petrov's son");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nurse_logs_in_with_the_key_that_the_back_end_left() {
    let server = relay().await;
    let key = json!({"key": "demo-interpreter"});
    let put = site(&server, "PUT", "/users/55/key", key).await;
    assert_eq!(
        (put.status, &put.body["key"]),
        (200, &json!("demo-interpreter"))
    );
    let nurse = Phone::registered(&server, "55").await;
    let shown = get(&server, "/users/55").await.body;
    assert_eq!(
        shown,
        json!({"user": "55", "online": true, "has_key": true})
    );
    let removed = site(&server, "DELETE", "/users/55/key", Value::Null).await;
    assert_eq!(removed.status, 204);
    assert_eq!(close_code(nurse.into_socket()).await, Some(1008));
    let gone = site(&server, "DELETE", "/users/55/key", Value::Null).await;
    gone.problem(404, "not_found");
    // one is made up for those who bring none
    let made = site(&server, "PUT", "/users/56/key", Value::Null).await;
    assert!(made.body["key"].as_str().unwrap().len() > 30);

    let data = json!({"data": "{\"ward\": 5}"});
    assert_eq!(
        site(&server, "PUT", "/users/55/data", data).await.status,
        204
    );
    assert_eq!(
        get(&server, "/users/55").await.body["data"],
        "{\"ward\": 5}"
    );
    let path = "/users/55/data";
    assert_eq!(site(&server, "DELETE", path, Value::Null).await.status, 204);
    site(&server, "DELETE", path, Value::Null)
        .await
        .problem(404, "not_found");
    let bad = json!({"key": "with a space"});
    site(&server, "PUT", "/users/55/key", bad)
        .await
        .problem(422, "invalid");
    get(&server, "/users?ids=2,%20")
        .await
        .problem(422, "invalid");
    get(&server, "/users").await.problem(400, "invalid");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_and_pipes_remember() {
    let server = relay().await;
    // a number that is too long for a float, and keys in an order of the site's own
    let body = r#"{"event": "lab", "body": {"z": 12345678901234567890123, "a": "Проба <b>"}}"#;
    let sent = ask(&server, "POST", "/users/3/messages", KEY, body).await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    assert_eq!(sent.body["queued"], true);
    let mut stream = TcpStream::connect(server.http()).await.unwrap();
    let request = format!(
        "GET /api/v1/users/3/messages HTTP/1.1\r\nhost: a\r\n{KEY}connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut raw = String::new();
    stream.read_to_string(&mut raw).await.unwrap();
    let exact = r#"{"z": 12345678901234567890123, "a": "Проба <b>"}"#;
    assert!(raw.contains(exact), "{raw}");
    let path = "/users/3/messages";
    assert_eq!(site(&server, "DELETE", path, Value::Null).await.status, 204);
    assert_eq!(get(&server, path).await.body, json!([]));

    let keep = json!({"history": 2});
    assert_eq!(
        site(&server, "PUT", "/pipes/web_ward", keep).await.status,
        204
    );
    for n in 1..=3 {
        let news = json!({"event": "news", "body": format!("day {n}"), "from": "2"});
        let sent = site(&server, "POST", "/pipes/web_ward/messages", news).await;
        assert_eq!(sent.status, 201, "{}", sent.body);
        assert_eq!(sent.body["listeners"], 0);
    }
    let kept = get(&server, "/pipes/web_ward/messages").await.body;
    let days: Vec<_> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["body"])
        .collect();
    assert_eq!(days, ["day 2", "day 3"]);
    assert_eq!(kept[0]["from"], "2");
    let last = get(&server, "/pipes/web_ward/messages?limit=1").await.body;
    assert_eq!(last.as_array().unwrap().len(), 1);
    let pipe = get(&server, "/pipes/web_ward").await.body;
    assert_eq!(
        pipe,
        json!({"name": "web_ward", "listeners": 0, "users": [], "history": 2})
    );
    let path = "/pipes/web_ward/messages";
    assert_eq!(site(&server, "DELETE", path, Value::Null).await.status, 204);
    assert_eq!(get(&server, path).await.body, json!([]));
    let wrong = json!({"event": "x", "body": 1});
    let path = "/pipes/no%20pipe/messages";
    site(&server, "POST", path, wrong.clone())
        .await
        .problem(422, "invalid");
    let from = json!({"body": 1, "from": "2"});
    site(&server, "POST", "/users/3/messages", from)
        .await
        .problem(422, "invalid");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_is_done_once() {
    let server = relay().await;
    let headers = format!("{KEY}idempotency-key: visit-42\r\n");
    let body = r#"{"event": "lab", "body": "ready"}"#;
    let path = "/users/3/messages";
    let first = ask(&server, "POST", path, &headers, body).await;
    let second = ask(&server, "POST", path, &headers, body).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.body, second.body);
    assert!(second.head.contains("idempotent-replayed: true"));
    assert!(!first.head.contains("idempotent-replayed"));
    assert_eq!(get(&server, path).await.body.as_array().unwrap().len(), 1);
    let other = r#"{"event": "lab", "body": "not ready"}"#;
    let conflict = ask(&server, "POST", path, &headers, other).await;
    conflict.problem(409, "conflict");
    let elsewhere = ask(&server, "POST", "/users/2/messages", &headers, body).await;
    elsewhere.problem(409, "conflict");
    // an error is an answer too
    let headers = format!("{KEY}idempotency-key: wrong\r\n");
    for _ in 0..2 {
        let wrong = ask(&server, "POST", path, &headers, "{}").await;
        wrong.problem(422, "invalid");
    }
    let long = format!("{KEY}idempotency-key: {}\r\n", "k".repeat(200));
    ask(&server, "POST", path, &long, body)
        .await
        .problem(422, "invalid");
    server.stop().await;
}

/// Attack rows 17 and 21: no key, a wrong key, a key in the URL, another origin, giant bodies.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_a_key_gets_in_and_nobody_gets_more_than_the_key_allows() {
    let server = relay_with(|config| {
        let hash = clinicall_relay::auth::api::hash("ck_calls_only");
        let mut narrow = config.api_key[0].clone();
        narrow.name = "calls".to_owned();
        narrow.sha256 = Some(clinicall_relay::config::Secret(
            clinicall_relay::auth::api::hex(&hash),
        ));
        narrow.rights = vec!["calls".to_owned()];
        config.api_key.push(narrow);
        config.limits.failed_logins_per_minute = 5;
    })
    .await;
    for (path, headers) in [
        ("/rooms", ""),
        ("/rooms?api_key=demo-key", ""),
        ("/rooms?access_token=demo-key", "cookie: key=demo-key\r\n"),
        ("/rooms", "authorization: Basic ZGVtby1rZXk=\r\n"),
        ("/no/such/page", ""),
    ] {
        let reply = ask(&server, "GET", path, headers, "").await;
        reply.problem(401, "unauthorized");
        assert!(reply.head.contains("www-authenticate: Bearer"));
    }
    let narrow = "authorization: bearer ck_calls_only\r\n";
    assert_eq!(ask(&server, "GET", "/calls", narrow, "").await.status, 200);
    for (method, path) in [
        ("GET", "/rooms"),
        ("GET", "/rooms/1"),
        ("DELETE", "/rooms/1"),
        ("GET", "/rooms/1/invitations"),
        ("POST", "/rooms"),
        ("DELETE", "/rooms/1/invitations/2"),
        ("GET", "/rooms/1/members"),
        ("PUT", "/rooms/1/members/2/mute"),
        ("DELETE", "/rooms/1/members/2"),
        ("POST", "/rooms/1/guests"),
        ("GET", "/users?ids=2"),
        ("GET", "/users/2"),
        ("PUT", "/users/2/key"),
        ("DELETE", "/users/2/key"),
        ("DELETE", "/users/2/data"),
        ("GET", "/tokens/revocations"),
        ("GET", "/users/2/messages"),
        ("DELETE", "/users/2/messages"),
        ("GET", "/pipes/web_a/messages"),
        ("DELETE", "/pipes/web_a/messages"),
        ("GET", "/pipes/web_a"),
        ("GET", "/events"),
    ] {
        let reply = ask(&server, method, path, narrow, "").await;
        reply.problem(403, "forbidden");
    }
    for (path, body) in [
        ("/rooms/1/invitations", r#"{"user": "2"}"#),
        ("/tokens", r#"{"user": "2"}"#),
        ("/tokens/revocations", r#"{"token": "a.b.c"}"#),
        ("/users/2/messages", r#"{"body": 1}"#),
        ("/pipes/web_a/messages", r#"{"body": 1}"#),
    ] {
        let reply = ask(&server, "POST", path, narrow, body).await;
        reply.problem(403, "forbidden");
    }
    // a page of another site gets no leave from us
    let preflight = "origin: https://evil.example\r\naccess-control-request-method: POST\r\n";
    let reply = ask(
        &server,
        "OPTIONS",
        "/rooms",
        &format!("{KEY}{preflight}"),
        "",
    )
    .await;
    assert!(!reply.head.contains("access-control"), "{}", reply.head);
    reply.problem(405, "method_not_allowed");
    let nowhere = get(&server, "/no/such/page").await;
    nowhere.problem(404, "not_found");

    let giant = format!(r#"{{"user": "{}"}}"#, "2".repeat(200_000));
    let reply = ask(&server, "POST", "/tokens", KEY, &giant).await;
    reply.problem(413, "too_long");
    let again = format!("{KEY}idempotency-key: giant\r\n");
    let reply = ask(&server, "POST", "/tokens", &again, &giant).await;
    reply.problem(413, "too_long");
    let deep = "[".repeat(50_000);
    let reply = ask(&server, "POST", "/tokens", KEY, &deep).await;
    reply.problem(422, "invalid");
    let deep = format!(r#"{{"body": {}}}"#, "[".repeat(50_000));
    let reply = ask(&server, "POST", "/users/2/messages", KEY, &deep).await;
    reply.problem(400, "not_json");
    for bad in ["{", "nonsense", "\u{feff}{}", "{\"user\": \"2\"} x"] {
        let reply = ask(&server, "POST", "/tokens", KEY, bad).await;
        reply.problem(400, "not_json");
    }

    // guessing ends; so does trying the right key from there
    for _ in 0..5 {
        let wrong = "authorization: Bearer ck_guess\r\n";
        ask(&server, "GET", "/rooms", wrong, "")
            .await
            .problem(401, "unauthorized");
    }
    let blocked = get(&server, "/rooms").await;
    blocked.problem(429, "too_many");
    assert!(blocked.head.contains("retry-after: "));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_gone_wild_is_told_to_wait() {
    let server = relay_with(|config| config.limits.api_requests_per_second = 1).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(get(&server, "/calls").await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(statuses[0], 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_to_anybody() {
    let server = relay().await;
    let document = ask(&server, "GET", "/openapi.json", "", "").await;
    assert_eq!(document.status, 200);
    let paths = document.body["paths"].as_object().unwrap();
    assert!(paths.contains_key("/rooms/{room}/invitations"));
    let kept = clinicall_relay::http::api::document();
    assert_eq!(document.body, serde_json::to_value(kept).unwrap());
    server.stop().await;
}

/// A change of the API shows here, where a reviewer sees it.
#[test]
fn the_document_is_the_one_in_the_repository() {
    let document = clinicall_relay::http::api::document();
    insta::assert_snapshot!("openapi", document.to_pretty_json().unwrap());
}
