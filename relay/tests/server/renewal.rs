//! Tokens that run out while a page is connected, and their successors.

use clinicall_relay::server::Server;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use super::{
    api::{site, token_on},
    phone::{PATIENCE, Phone, Socket, open, relay},
};

/// Longer than a page needs to come in, shorter than a test may take.
const SHORT: u64 = 6;
const LONG: u64 = 600;

async fn token(server: &Server, user: &str, rights: &[&str], seconds: u64) -> String {
    let wish = json!({ "user": user, "rights": rights, "ttl_seconds": seconds });
    let made = site(server, "POST", "/tokens", wish).await;
    made.body["token"].as_str().unwrap().to_owned()
}

async fn phone(server: &Server, user: &'static str, token: &str) -> Phone {
    let (socket, _) = open(server, "clinicall.v1", None).await.unwrap();
    token_on(socket, user, token).await.unwrap()
}

/// The reason of the relay's Close.
async fn reason(mut socket: Socket) -> (u16, String) {
    let closing = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(Some(frame)) = message {
                return (frame.code.into(), frame.reason.to_string());
            }
        }
        panic!("it ends without a word");
    };
    tokio::time::timeout(PATIENCE, closing)
        .await
        .expect("it ends in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_with_a_newer_token_stays_and_one_without_is_told_why_it_goes() {
    let server = relay().await;
    let short = async |user: &'static str| token(&server, user, &["answer"], SHORT).await;
    let mut doctor = phone(&server, "2", &short("2").await).await;
    let newer = token(&server, "2", &["answer"], LONG).await;
    doctor.renew(&newer).await.unwrap();
    // another's token changes nothing
    let others = token(&server, "3", &["answer"], LONG).await;
    assert_eq!(doctor.renew(&others).await, Err(403));
    doctor.renew(&newer).await.unwrap();

    let patient = phone(&server, "3", &short("3").await).await;
    let told = reason(patient.into_socket()).await;
    assert_eq!(told, (1008, "this token has expired".to_owned()));
    // the doctor's first token ran out before that
    let mut nurse = Phone::registered(&server, "4").await;
    nurse.call("2");
    nurse.flush().await;
    doctor.incoming().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_on_the_phones_socket_have_the_rights_of_the_newest_token() {
    let server = relay().await;
    let listens = token(&server, "2", &["answer", "subscribe"], LONG).await;
    let speaks = token(&server, "2", &["answer", "subscribe", "publish"], LONG).await;
    let mut doctor = phone(&server, "2", &listens).await;
    let hello = json!({ "do": "hello", "page": "p" });
    assert_eq!(doctor.asks(hello).await["welcome"], "2");
    let says =
        |id: u32| json!({ "do": "publish", "id": id, "pipe": "web_a", "event": "e", "data": 1 });
    assert_eq!(doctor.asks(says(1)).await["error"], "Forbidden");
    doctor.renew(&speaks).await.unwrap();
    let answer = doctor.asks(says(2)).await;
    assert_eq!(answer["listeners"], 0, "{answer}");
    // and less again
    doctor.renew(&listens).await.unwrap();
    assert_eq!(doctor.asks(says(3)).await["error"], "Forbidden");
    // what the first token opened is the newest one's now: taking that back ends it
    doctor.renew(&speaks).await.unwrap();
    let revoke = json!({ "token": speaks });
    site(&server, "POST", "/tokens/revocations", revoke).await;
    let (code, _) = reason(doctor.into_socket()).await;
    assert_eq!(code, 1008);
    server.stop().await;
}

pub async fn page(server: &Server, name: &str, token: &str) -> Socket {
    let url = format!("ws://{}/comet", server.http());
    let mut request = url.into_client_request().unwrap();
    let protocol = "clinicall.comet.v1".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let mut socket = connect_async(request).await.unwrap().0;
    let hello = json!({ "do": "hello", "page": name, "token": token });
    assert_eq!(asks(&mut socket, hello).await["welcome"], "2");
    socket
}

pub async fn asks(socket: &mut Socket, frame: Value) -> Value {
    socket.send(Message::text(frame.to_string())).await.unwrap();
    let heard = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).unwrap();
            }
        }
        Value::Null
    };
    tokio::time::timeout(PATIENCE, heard).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_a_phone_shows_its_newer_token_in_a_second_hello() {
    let server = relay().await;
    let short = token(&server, "2", &["subscribe"], SHORT).await;
    let mut stays = page(&server, "stays", &short).await;
    let hello = |token: &str| json!({ "do": "hello", "page": "stays", "token": token });
    let long = token(&server, "2", &["subscribe", "publish"], LONG).await;
    assert_eq!(asks(&mut stays, hello(&long)).await["welcome"], "2");
    let others = token(&server, "3", &["subscribe"], LONG).await;
    for refused in [others.as_str(), "a.b.c"] {
        let told = asks(&mut stays, hello(refused)).await;
        assert_eq!(told["error"], "LoginRefused", "{told}");
    }
    let short = token(&server, "2", &["subscribe"], SHORT).await;
    let goes = page(&server, "goes", &short).await;
    assert_eq!(reason(goes).await, (1008, "Expired".to_owned()));
    let says = json!({ "do": "publish", "id": 1, "pipe": "web_a", "event": "e", "data": 1 });
    let answer = asks(&mut stays, says).await;
    assert_eq!(answer["listeners"], 0, "{answer}");
    server.stop().await;
}
