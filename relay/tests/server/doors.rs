//! Who is let in, and who is shown out.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use super::{
    phone::{PATIENCE, Phone, Socket, open, relay, relay_with},
    web::get,
};

/// The code of the relay's Close, or `None` when the connection just ends.
pub async fn close_code(mut socket: Socket) -> Option<u16> {
    let closing = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(PATIENCE, closing)
        .await
        .expect("it is closed in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subprotocol_is_required_and_ours_is_preferred() {
    let server = relay().await;
    assert_eq!(open(&server, "", None).await.unwrap_err(), 400);
    assert_eq!(open(&server, "mqtt", None).await.unwrap_err(), 400);
    assert_eq!(open(&server, "sip", None).await.unwrap().1, "sip");
    assert_eq!(
        open(&server, "sip, clinicall.v1", None).await.unwrap().1,
        "clinicall.v1"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_is_refused() {
    let server = relay().await;
    let own = format!("http://{}", server.http());
    assert!(open(&server, "sip", Some(&own)).await.is_ok());
    assert_eq!(
        open(&server, "sip", Some("https://evil.example"))
            .await
            .unwrap_err(),
        403
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_holds_so_many_sockets() {
    let server = relay_with(|config| config.limits.sockets_per_address = 2).await;
    let (first, _) = open(&server, "sip", None).await.unwrap();
    let _second = open(&server, "sip", None).await.unwrap();
    assert_eq!(open(&server, "sip", None).await.unwrap_err(), 503);
    drop(first);
    // the place is free when the relay has seen the end
    let again = async { while open(&server, "sip", None).await.is_err() {} };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_over_64_kib_closes_that_socket_and_no_other() {
    let server = relay().await;
    let (mut big, _) = open(&server, "sip", None).await.unwrap();
    let _ = big.send(Message::text("x".repeat(65 * 1024))).await;
    close_code(big).await;
    Phone::registered(&server, "2").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_without_a_login_is_closed() {
    let server = relay_with(|config| config.limits.login_seconds = 1).await;
    let (idle, _) = open(&server, "sip", None).await.unwrap();
    assert_eq!(close_code(idle).await, Some(1008));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_never_reads_is_dropped_and_others_are_served() {
    let server = relay_with(|config| config.limits.messages_per_second = 1_000_000).await;
    let doctor = Phone::registered(&server, "2").await;
    let (mut send, receive) = doctor.into_socket().split();
    let flood = async {
        for number in 0..2_000_000 {
            let text = format!(
                "OPTIONS sip:localhost SIP/2.0\r\n\
                 Via: SIP/2.0/WS flood.invalid;branch=z9hG4bK{number};pad={}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:2@localhost>;tag=f\r\nTo: <sip:localhost>\r\n\
                 Call-ID: {number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                "x".repeat(8_000)
            );
            if send.send(Message::text(text)).await.is_err() {
                return;
            }
        }
        panic!("two million answers were kept for a reader that reads none");
    };
    tokio::time::timeout(PATIENCE * 3, flood)
        .await
        .expect("it is dropped in time");
    drop(receive);
    Phone::registered(&server, "3").await;
    let page = get(&server, "/metrics").await;
    assert!(
        page.contains("clinicall_sockets_dropped_total 1\n"),
        "{page}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_neither_http_nor_tls_goes_to_the_media_workers() {
    let server = relay().await;
    let mut stream = TcpStream::connect(server.http()).await.unwrap();
    stream.write_all(&[0, 20, 0, 1, 0, 0]).await.unwrap();
    let seen = async {
        while !get(&server, "/metrics")
            .await
            .contains("clinicall_ice_tcp_total 1\n")
        {}
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_ice_tcp_share_the_port_and_plain_http_is_told_so() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = std::env::temp_dir().join(format!("clinicall-tls-{}", std::process::id()));
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(files.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let server = relay_with(|config| {
        config.http.cert = Some(files.join("cert.pem"));
        config.http.key = Some(files.join("key.pem"));
    })
    .await;
    std::fs::remove_dir_all(&files).unwrap();

    assert!(get(&server, "/").await.contains("This port speaks HTTPS"));

    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let tcp = TcpStream::connect(server.http()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut tls = connector.connect(name, tcp).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    tls.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // some peers end without a close_notify, which reads as an error after the last byte
    let _ = tls.read_to_end(&mut answer).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );

    // a phone's socket, to its end
    let tcp = TcpStream::connect(server.http()).await.unwrap();
    let tls = connector
        .connect("localhost".try_into().unwrap(), tcp)
        .await
        .unwrap();
    let mut request = "wss://localhost/sip".into_client_request().unwrap();
    let sip = "sip".parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", sip);
    let (mut socket, _) = tokio_tungstenite::client_async(request, tls).await.unwrap();
    let options = "OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/WSS page.invalid;branch=z9hG4bK1\r\n\
                   Max-Forwards: 70\r\nFrom: <sip:2@localhost>;tag=f\r\nTo: <sip:localhost>\r\n\
                   Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    socket.send(Message::text(options)).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    assert!(
        answer.to_text().unwrap().starts_with("SIP/2.0 "),
        "{answer}"
    );
    socket.close(None).await.unwrap();
    let end = socket.next().await.unwrap().unwrap();
    assert!(end.is_close(), "{end}");
    server.stop().await;
}
