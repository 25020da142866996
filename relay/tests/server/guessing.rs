//! Somebody guesses keys. Every door counts, and every door knows what the others have counted.

use clinicall_relay::{config::Secret, server::Server};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use super::{
    api::{ask, token_on},
    phone::{Socket, relay_with},
    web::get_with,
};

const THIEF: &str = "203.0.113.66";
const DOCTOR: &str = "203.0.113.7";

/// A clinic behind a proxy of its own, where three guesses a minute are enough.
async fn clinic() -> Server {
    relay_with(|config| {
        config.limits.failed_logins_per_minute = 3;
        config.http.trusted_proxies = vec![[127, 0, 0, 1].into()];
        config.cometql.listen = Some(([127, 0, 0, 1], 0).into());
        config.cometql.password = Some(Secret("CometQLPassword".to_owned()));
    })
    .await
}

/// A socket of a browser at `from`.
async fn socket(server: &Server, path: &str, protocol: &str, from: &str) -> Socket {
    let url = format!("ws://{}{path}", server.http());
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
    headers.insert("x-forwarded-for", from.parse().unwrap());
    connect_async(request).await.unwrap().0
}

async fn heard(socket: &mut Socket) -> Value {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).unwrap();
        }
    }
    Value::Null
}

/// What `/comet` answers to a key of the doctor's.
async fn comet(server: &Server, from: &str, key: &str) -> Value {
    let mut socket = socket(server, "/comet", "clinicall.comet.v1", from).await;
    let hello = json!({ "do": "hello", "page": "p", "user": "2", "key": key });
    let hello = Message::text(hello.to_string());
    socket.send(hello).await.unwrap();
    heard(&mut socket).await
}

/// The first packet of CometQL: a greeting, or an error.
async fn cometql(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.cometql().unwrap()).await.unwrap();
    let mut packet = vec![0; 512];
    let length = stream.read(&mut packet).await.unwrap();
    String::from_utf8_lossy(&packet[..length]).into_owned()
}

/// Seconds to wait, out of the one sentence that every door says.
fn wait(told: &str) -> u64 {
    let (_, rest) = told
        .split_once("too many tries: wait ")
        .unwrap_or_else(|| panic!("{told}"));
    let (seconds, _) = rest.split_once(" s").unwrap();
    seconds.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_who_guessed_at_one_door_finds_the_others_shut_and_the_doctor_comes_in() {
    let server = clinic().await;
    let told = comet(&server, DOCTOR, "demo-doctor").await;
    assert_eq!(told["welcome"], "2", "{told}");
    for guess in ["a", "b", "c"] {
        let told = comet(&server, THIEF, guess).await;
        assert_eq!(told["error"], "LoginRefused", "{told}");
    }
    // comet's own socket: even the right key, or guessing would go on
    let told = comet(&server, THIEF, "demo-doctor").await;
    assert_eq!(told["error"], "TooManyTries", "{told}");
    assert_eq!(told["wait"], wait(told["text"].as_str().unwrap()));
    assert!((1..=60).contains(&told["wait"].as_u64().unwrap()));
    // the HTTP API, even with the right key
    let from = format!("x-forwarded-for: {THIEF}\r\n");
    let key = format!("{from}authorization: Bearer demo-key\r\n");
    let reply = ask(&server, "GET", "/rooms", &key, "").await;
    reply.problem(429, "too_many");
    let seconds = wait(reply.body["detail"].as_str().unwrap());
    assert_eq!(reply.body["retry_after"], seconds);
    assert!(reply.head.contains(&format!("retry-after: {seconds}")));
    // comet over plain HTTP
    let login = format!("{from}authorization: Clinicall 2:demo-doctor\r\n");
    let answer = get_with(&server, "/comet?pipes=msg", &login).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains("retry-after: ") && answer.contains("application/problem+json"));
    // CppComet's socket; its end is no clean one, after which its client would not come back
    let knock = "/ws/sesion=demo-doctor&myid=2&devid=1&v=4.08&uuid=u&api=js";
    let mut page = socket(&server, knock, "chat", THIEF).await;
    let told = heard(&mut page).await;
    assert_eq!([&told["pipe"], &told["event"]], ["sys", "error"], "{told}");
    assert_eq!(told["data"]["error_code"], 429);
    wait(told["data"]["error_info"].as_str().unwrap());
    assert!(!matches!(page.next().await, Some(Ok(Message::Close(_)))));
    // a telephone
    let phone = socket(&server, "/sip", "sip", THIEF).await;
    assert_eq!(token_on(phone, "2", "a.b.c").await.err(), Some(503));

    // behind the same proxy, from the desk at which the key was shown before
    let told = comet(&server, DOCTOR, "demo-doctor").await;
    assert_eq!(told["welcome"], "2", "{told}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_passwords_of_cometql_is_sent_away_with_a_number_of_mysql() {
    let server = clinic().await;
    assert!(cometql(&server).await.contains("mysql_native_password"));
    let wrong = "authorization: Bearer wrong\r\n";
    for _ in 0..3 {
        let reply = ask(&server, "GET", "/rooms", wrong, "").await;
        reply.problem(401, "unauthorized");
    }
    let packet = cometql(&server).await;
    // ERR, 1040 in two bytes, its state
    assert!(packet[4..].contains("#08004"), "{packet:?}");
    wait(&packet);
    server.stop().await;
}
