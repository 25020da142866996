//! What the relay keeps, and what comes of it when it was started anew.

use std::path::{Path, PathBuf};

use clinicall_relay::server::Server;
use serde_json::{Value, json};

use super::{
    api::{get, site},
    phone::relay_with,
    renewal::{asks, page},
};

/// A store that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("clinicall-kept-{name}-{}", std::process::id());
        let place = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&place).unwrap();
        Self(place)
    }

    async fn relay(&self, name: &str) -> Server {
        let path = self.0.join(name);
        relay_with(|config| config.store.path = Some(path)).await
    }

    /// A relay with what was on the disk when the first one died.
    async fn another_relay(&self) -> Server {
        std::fs::copy(self.0.join("first"), self.0.join("second")).unwrap();
        self.relay("second").await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_looks_like_a_number_is_still_text_after_a_restart() {
    let place = Place::new("text");
    let server = place.relay("first").await;
    let length = json!({ "history": 10 });
    let set = site(&server, "PUT", "/pipes/web_ward", length).await;
    assert!(set.status < 300, "{}", set.body);
    for body in [json!("123"), json!(123), json!("good morning")] {
        for path in ["/users/77/messages", "/pipes/web_ward/messages"] {
            let sent = site(&server, "POST", path, json!({ "body": body })).await;
            assert_eq!(sent.status, 201, "{}", sent.body);
        }
    }
    let dead = server;
    let server = place.another_relay().await;
    for path in ["/users/77/messages", "/pipes/web_ward/messages"] {
        let kept = get(&server, path).await.body;
        let bodies: Vec<&Value> = kept
            .as_array()
            .unwrap()
            .iter()
            .map(|m| &m["body"])
            .collect();
        assert_eq!(bodies, [&json!("123"), &json!(123), &json!("good morning")]);
    }
    server.stop().await;
    dead.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_asks_again_of_a_new_relay_is_published_once() {
    let place = Place::new("once");
    let server = place.relay("first").await;
    site(&server, "PUT", "/pipes/web_ward", json!({ "history": 10 })).await;
    let made = site(&server, "POST", "/tokens", json!({ "user": "2" })).await;
    let token = made.body["token"].as_str().unwrap();
    let says = json!({ "do": "publish", "id": 7, "pipe": "web_ward", "event": "e", "data": 1 });
    let mut doctor = page(&server, "desk", token).await;
    let first = asks(&mut doctor, says.clone()).await;
    assert!(first["pos"].is_string(), "{first}");
    // the relay dies before the page has heard the answer, and the page asks again
    let dead = server;
    let server = place.another_relay().await;
    let mut doctor = page(&server, "desk", token).await;
    let again = asks(&mut doctor, says).await;
    assert_eq!(again["pos"], first["pos"]);
    let kept = get(&server, "/pipes/web_ward/messages").await.body;
    assert_eq!(kept.as_array().unwrap().len(), 1, "{kept}");
    // another page's seventh is another message
    let mut ward = page(&server, "ward", token).await;
    let says = json!({ "do": "publish", "id": 7, "pipe": "web_ward", "event": "e", "data": 2 });
    assert_ne!(asks(&mut ward, says).await["pos"], first["pos"]);
    server.stop().await;
    dead.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_so_many_invitations_in_all_rooms_and_the_next_is_refused_in_words() {
    let server = relay_with(|config| config.limits.invitations = 2).await;
    let invite = async |room: &str, user: &str| {
        let path = format!("/rooms/{room}/invitations");
        site(&server, "POST", &path, json!({ "user": user })).await
    };
    assert_eq!(invite("1", "2").await.status, 201);
    assert_eq!(invite("2", "2").await.status, 201);
    let full = invite("3", "2").await;
    full.problem(409, "conflict");
    let detail = full.body["detail"].as_str().unwrap();
    assert!(detail.contains("limits.invitations"), "{detail}");
    // once more to the same room is not one more
    assert_eq!(invite("1", "2").await.status, 201);
    site(&server, "DELETE", "/rooms/1", Value::Null).await;
    assert_eq!(invite("3", "2").await.status, 201);
    server.stop().await;
}
