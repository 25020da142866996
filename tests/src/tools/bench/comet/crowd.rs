//! Many readers in one thread: WebSockets that say little and count what they hear.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd, RawFd},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::poll::readable;

/// One reader.
#[derive(Debug)]
pub struct Reader {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Reader {
    /// Opens a WebSocket, with a subprotocol if one is given.
    pub fn open(server: SocketAddr, path: &str, protocol: Option<&str>) -> Result<Self> {
        let mut socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        let protocol = protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        let protocol = protocol.unwrap_or_default();
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{protocol}\r\n"
        )?;
        let mut reader = Self {
            socket,
            buffer: Vec::new(),
        };
        let head = loop {
            if let Some(at) = reader
                .buffer
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
            {
                break at;
            }
            ensure!(reader.fill()? > 0, "{server} hung up");
        };
        let status = String::from_utf8_lossy(&reader.buffer[..head]).into_owned();
        ensure!(status.contains(" 101 "), "no WebSocket: {status}");
        reader.buffer.drain(..head + 4);
        Ok(reader)
    }

    /// Sends a text frame, masked with zeros.
    pub fn say(&mut self, text: &str) -> Result<()> {
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(short @ 0..126) => frame.push(0x80 | short),
            _ => {
                frame.push(0x80 | 126);
                let length = u16::try_from(text.len()).context("too long for this bench")?;
                frame.extend(length.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.socket.write_all(&frame).context("cannot send")
    }

    /// Waits for a text frame that contains `word`.
    pub fn until(&mut self, word: &str) -> Result<String> {
        loop {
            while let Some(text) = self.next_frame() {
                if text.contains(word) {
                    return Ok(text);
                }
            }
            ensure!(self.fill()? > 0, "hung up before `{word}`");
        }
    }

    /// One read; 0 at the end.
    fn fill(&mut self) -> Result<usize> {
        let mut chunk = [0; 16_384];
        let length = self.socket.read(&mut chunk)?;
        self.buffer.extend(&chunk[..length]);
        Ok(length)
    }

    /// The next whole text frame that was read.
    fn next_frame(&mut self) -> Option<String> {
        loop {
            let (start, length) = match *self.buffer.get(1)? {
                126 => {
                    let length = self.buffer.get(2..4)?;
                    (4, usize::from(u16::from_be_bytes([length[0], length[1]])))
                }
                127 => return None,
                short => (2, usize::from(short)),
            };
            let text = self.buffer.get(start..start + length)?;
            let text = String::from_utf8_lossy(text).into_owned();
            let kind = self.buffer[0] & 0x0f;
            self.buffer.drain(..start + length);
            match kind {
                1 => return Some(text),
                // a ping, answered; who is gone is noticed at the next read
                9 => drop(self.socket.write_all(&[0x8a, 0x80, 0, 0, 0, 0])),
                _ => {}
            }
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Crowd {
    pub readers: Vec<Reader>,
}

/// What one frame was and who read it.
pub type Heard<'a> = dyn FnMut(usize, &str) + 'a;

impl Crowd {
    /// Answers the pings of those who have nothing to hear.
    pub fn breathe(&mut self) -> Result<()> {
        let sockets: Vec<RawFd> = self
            .readers
            .iter()
            .map(|reader| reader.socket.as_raw_fd())
            .collect();
        for at in readable(&sockets, 0) {
            let reader = &mut self.readers[at];
            ensure!(reader.fill()? > 0, "reader {at} was hung up on");
            ensure!(reader.next_frame().is_none(), "reader {at} heard something");
        }
        Ok(())
    }

    /// Reads whatever comes until `enough`, or until nothing has come for `patience`.
    pub fn listen(
        &mut self,
        patience: Duration,
        heard: &mut Heard<'_>,
        enough: &dyn Fn() -> bool,
    ) -> Result<()> {
        let sockets: Vec<RawFd> = self
            .readers
            .iter()
            .map(|reader| reader.socket.as_raw_fd())
            .collect();
        let mut last = Instant::now();
        while !enough() {
            let ready = readable(&sockets, 50);
            if ready.is_empty() && last.elapsed() > patience {
                bail!("nothing more comes");
            }
            for at in ready {
                last = Instant::now();
                let reader = &mut self.readers[at];
                ensure!(reader.fill()? > 0, "reader {at} was hung up on");
                while let Some(text) = reader.next_frame() {
                    heard(at, &text);
                }
            }
        }
        Ok(())
    }
}
