// What must hold for any body that a back end sends to `/api/v1`: through a relay's own door. The fuzz
// target and `tests/api_corpus.rs` share this file.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::OnceLock,
    time::Duration,
};

use clinicall_relay::{config::Config, server::Server};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 1] = [("api", api)];

/// The first byte of an input chooses among these.
const PAGES: [&str; 14] = [
    "POST rooms",
    "POST rooms/1/invitations",
    "POST rooms/1/guests",
    "POST users/3/messages",
    "POST pipes/web_a/messages",
    "PUT pipes/web_a",
    "PUT users/9/key",
    "PUT users/9/data",
    "POST tokens",
    "POST tokens/revocations",
    "DELETE tokens/revocations",
    "POST calls",
    "PUT rooms/1/members/3/mute",
    "PATCH nothing",
];

/// Answered in JSON, and never with an error of the relay's own making.
pub fn api(bytes: &[u8]) {
    let Some((page, body)) = bytes.split_first() else {
        return;
    };
    let page = PAGES[usize::from(*page) % PAGES.len()];
    let (status, kind, answer) = match ask(relay(), page, body) {
        Ok(answer) => answer,
        Err(error) => panic!("{page}: {error}"),
    };
    let text = String::from_utf8_lossy(&answer);
    assert!(status < 500, "{page}: {status} {text}");
    if !answer.is_empty() {
        let json = serde_json::from_slice::<serde_json::Value>(&answer);
        assert!(
            kind.ends_with("json") && json.is_ok(),
            "{page}: {kind} {text}"
        );
    }
    assert_eq!(
        status >= 400,
        kind == "application/problem+json",
        "{page}: {text}"
    );
}

fn relay() -> SocketAddr {
    static RELAY: OnceLock<SocketAddr> = OnceLock::new();
    *RELAY.get_or_init(|| {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(async {
                let mut config = Config::dev();
                config.http.listen.set_port(0);
                config.cometql.listen = None;
                config.media.workers = 1;
                config.limits.api_requests_per_second = u32::MAX;
                if let Ok(server) = Server::start(config, true).await {
                    let _ = tell.send(server.http());
                    std::future::pending::<()>().await;
                }
            });
            io::Result::Ok(())
        });
        match told.recv_timeout(Duration::from_secs(20)) {
            Ok(address) => address,
            Err(_) => panic!("the relay does not start"),
        }
    })
}

/// Status, kind and body of the answer.
fn ask(relay: SocketAddr, page: &str, body: &[u8]) -> io::Result<(u16, String, Vec<u8>)> {
    thread_local! {
        static LINE: std::cell::RefCell<Option<BufReader<TcpStream>>> = const { std::cell::RefCell::new(None) };
    }
    let (method, path) = page.split_once(' ').unwrap_or_default();
    let length = body.len();
    let mut request = format!(
        "{method} /api/v1/{path} HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Bearer demo-key\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    LINE.with_borrow_mut(|line| {
        let mut stream = match line.take() {
            Some(line) => line,
            None => BufReader::new(TcpStream::connect(relay)?),
        };
        stream.get_mut().write_all(&request)?;
        let mut status = String::new();
        stream.read_line(&mut status)?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("no status"))?;
        let (mut kind, mut length, mut closes) = (String::new(), 0, false);
        loop {
            let mut header = String::new();
            stream.read_line(&mut header)?;
            let header = header.trim_end();
            match header.split_once(": ") {
                Some(("content-type", value)) => value.clone_into(&mut kind),
                Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                Some(("connection", value)) => closes = value == "close",
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        if !closes {
            *line = Some(stream);
        }
        Ok((status, kind, answer))
    })
}
