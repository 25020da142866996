//! A clinic whose server has a certificate of the clinic's own making.

use std::{path::PathBuf, sync::Arc};

use clinicall_relay::config::{Config, Secret, Webhook};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring::default_provider},
};

use super::phone::{PATIENCE, Phone, relay_with};

/// HTTPS on loopback, and the file with its CA's certificate.
async fn clinic() -> (TcpListener, TlsAcceptor, PathBuf) {
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let issuer = Issuer::new(params, authority);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();

    let file = format!("clinicall-ca-{}.pem", std::process::id());
    let file = std::env::temp_dir().join(file);
    std::fs::write(&file, root.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener, TlsAcceptor::from(Arc::new(config)), file)
}

fn tells(config: &mut Config, port: u16, ca: Option<PathBuf>) {
    config.webhook = vec![Webhook {
        url: format!("https://localhost:{port}/events"),
        secret: Some(Secret("a secret of sixteen and more".to_owned())),
        ca,
        ..Webhook::default()
    }];
}

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_it_over_tls_once_its_ca_is_named_and_not_before() {
    let (listener, acceptor, ca) = clinic().await;
    let port = listener.local_addr().unwrap().port();
    let visit = async {
        // a relay that does not know the CA breaks the handshake off
        let stranger = relay_with(|config| tells(config, port, None)).await;
        let _doctor = Phone::registered(&stranger, "2").await;
        let (stream, _) = listener.accept().await.unwrap();
        let broken = match acceptor.accept(stream).await {
            Err(_) => true,
            Ok(mut stream) => stream.read(&mut [0; 1]).await.unwrap_or(0) == 0,
        };
        assert!(broken, "it spoke to a server it cannot know");
        stranger.stop().await;

        let server = relay_with(|config| tells(config, port, Some(ca.clone()))).await;
        let _doctor = Phone::registered(&server, "2").await;
        let request = loop {
            let (stream, _) = listener.accept().await.unwrap();
            // one of the stranger's tries may still be in the queue
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut request = String::new();
                while !request.contains('}') {
                    let mut piece = [0; 4_096];
                    let length = stream.read(&mut piece).await.unwrap_or(0);
                    if length == 0 {
                        break;
                    }
                    request.push_str(&String::from_utf8_lossy(&piece[..length]));
                }
                if request.is_empty() {
                    continue;
                }
                let answer = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                break request;
            }
        };
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /events HTTP/1.1\r\n"), "{head}");
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event["type"], "user.online");
        server.stop().await;
    };
    tokio::time::timeout(PATIENCE * 2, visit).await.unwrap();
    std::fs::remove_file(&ca).unwrap();
}
