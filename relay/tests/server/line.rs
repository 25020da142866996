//! A connection to the relay without any library: what is sent is what is written here.

use clinicall_relay::{
    server::Server,
    ws::frame::{Opcode, write},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::phone::PATIENCE;

/// One request on a connection of its own.
pub async fn ask(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.http()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A WebSocket without any library: what is sent is what was written here.
pub struct Line {
    stream: TcpStream,
    /// The answer to the request.
    pub head: String,
    read: Vec<u8>,
}

/// What a page asks for: path and subprotocol.
pub const WAYS: [(&str, &str); 3] = [
    ("/sip", "sip"),
    ("/comet", "clinicall.comet.v1"),
    (
        "/comet-server/ws/sesion=&myid=0&devid=15&v=4.08&uuid=page&api=js",
        "chat",
    ),
];

impl Line {
    pub async fn open(server: &Server, (path, protocol): (&str, &str), headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.http()).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {protocol}\r\n{headers}\r\n",
            server.http()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut line = Self {
            stream,
            head: String::new(),
            read: Vec::new(),
        };
        let end = loop {
            let end = line.read.windows(4).position(|four| four == b"\r\n\r\n");
            match end {
                Some(end) => break end + 4,
                None => assert!(line.more().await, "hung up before the answer"),
            }
        };
        line.head = String::from_utf8(line.read.drain(..end).collect()).unwrap();
        line
    }

    /// Like [`Line::open`], and the relay takes it.
    pub async fn opened(server: &Server, way: (&str, &str)) -> Self {
        let line = Self::open(server, way, "").await;
        assert!(line.head.starts_with("HTTP/1.1 101 "), "{}", line.head);
        line
    }

    pub async fn text(&mut self, text: &str) {
        self.say(&masked(0x81, text.as_bytes())).await;
    }

    /// True when a frame comes that contains this; false when the connection ends.
    pub async fn hears(&mut self, word: &str) -> bool {
        while let Some((_, payload)) = self.frame().await {
            if String::from_utf8_lossy(&payload).contains(word) {
                return true;
            }
        }
        false
    }

    pub async fn say(&mut self, frames: &[u8]) {
        // a relay that has had enough may be gone before all is said
        let _ = self.stream.write_all(frames).await;
    }

    /// False at a clean end; a connection that is cut panics.
    async fn more(&mut self) -> bool {
        let mut chunk = [0; 4_096];
        let read = timeout(PATIENCE, self.stream.read(&mut chunk)).await;
        let count = read.expect("it answers in time").expect("it is not cut");
        self.read.extend(&chunk[..count]);
        count > 0
    }

    /// First byte and payload of the next frame; `None` at the end.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let (start, length) = match self.read[..] {
                [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
                [_, length @ ..=125, ..] => (2, usize::from(length)),
                _ => (usize::MAX, 0),
            };
            if self.read.len().checked_sub(start) >= Some(length) {
                let first = self.read[0];
                let payload = self.read.drain(..start + length).skip(start).collect();
                return Some((first, payload));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The code of the relay's Close, after which the connection ends as it should.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some((0x88, reason)) => {
                    assert!(self.frame().await.is_none(), "nothing comes after a Close");
                    return u16::from_be_bytes([reason[0], reason[1]]);
                }
                Some(_) => {}
                None => panic!("it ended without a Close"),
            }
        }
    }
}

/// A frame as a page sends it, masked with zeros, from its first byte.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write(&mut frame, Opcode::Text, false, payload);
    frame[0] = first;
    frame[1] |= 0x80;
    let start = frame.len() - payload.len();
    frame.splice(start..start, [0; 4]);
    frame
}
