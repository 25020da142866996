//! The pages and the pages about the relay.

use clinicall_relay::server::Server;

use super::{
    line::ask,
    phone::{Phone, relay, relay_with},
};

/// One GET; status line, headers and body as they came.
pub async fn get(server: &Server, path: &str) -> String {
    get_with(server, path, "").await
}

pub async fn get_with(server: &Server, path: &str, headers: &str) -> String {
    ask(server, "GET", path, headers, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roster_tells_who_is_online_and_the_passwords_of_the_demo() {
    let server = relay().await;
    let _doctor = Phone::registered(&server, "2").await;
    let answer = get(&server, "/demo/users").await;
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let users: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        users[0],
        serde_json::json!({
            "id": "2", "name": "Doctor Ivanova", "password": "demo-doctor", "online": true
        })
    );
    assert_eq!(users[1]["online"], false);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_dev_there_is_no_roster() {
    let mut config = clinicall_relay::config::Config::dev();
    config.http.listen.set_port(0);
    config.media.workers = 1;
    config.cometql.listen = Some("127.0.0.1:0".parse().unwrap());
    let server = Server::start(config, false).await.unwrap();
    assert!(
        get(&server, "/demo/users")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_answer() {
    let server = relay_with(|config| config.http.metrics_for = Vec::new()).await;
    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(&server, "/metrics").await.starts_with("HTTP/1.1 403 "));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_compressed_to_those_who_take_it_and_nothing_above_them_is_served() {
    let www = std::env::temp_dir().join(format!("clinicall-www-{}", std::process::id()));
    std::fs::create_dir_all(&www).unwrap();
    std::fs::write(www.join("index.html"), "<p>hello</p>").unwrap();
    std::fs::write(www.join("phone.wasm"), "plain").unwrap();
    std::fs::write(www.join("phone.wasm.br"), "small").unwrap();
    let server = relay_with(|config| config.http.pages = Some(www.clone())).await;
    assert!(get(&server, "/").await.ends_with("<p>hello</p>"));
    assert!(get(&server, "/phone.wasm").await.ends_with("plain"));
    let small = get_with(&server, "/phone.wasm", "accept-encoding: br\r\n").await;
    assert!(
        small.ends_with("small") && small.contains("content-encoding: br"),
        "{small}"
    );
    assert!(small.contains("content-type: application/wasm"), "{small}");
    for path in [
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "//etc/passwd",
        "/nothing",
    ] {
        let answer = get(&server, path).await;
        assert!(!answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    std::fs::remove_dir_all(&www).unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_get_of_the_socket_says_what_it_is() {
    let server = relay().await;
    let answer = get(&server, "/sip").await;
    assert!(
        answer.starts_with("HTTP/1.1 426 ") && answer.contains("RFC 7118"),
        "{answer}"
    );
    server.stop().await;
}
