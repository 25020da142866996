//! ICE over TCP, the passive side (RFC 6544), with RFC 4571 frames: for networks that let no UDP
//! through.
//!
//! Everything is bounded: connections, bytes waiting to be read as a frame, bytes waiting to be
//! sent. A connection that does not keep up loses video first, then everything, never its framing.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::sys::{LONGEST, prefer_fresh};

/// Connections of one worker; a member has one or two.
const CONNECTIONS: usize = 2_048;
/// Waiting to be sent before video is dropped: half a second at 256 kbit/s.
const VIDEO_BACKLOG: usize = 16 * 1024;
/// And before all is: speech is 50 packets of 100 bytes a second, so this is ten seconds of it.
const BACKLOG: usize = 64 * 1024;
/// Read at once.
const CHUNK: usize = 16 * 1024;

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    /// Bytes of frames that are not complete.
    read: Vec<u8>,
    unsent: Vec<u8>,
    /// How much of `unsent` is sent.
    sent: usize,
    /// The poll is told to report room to write.
    watching: bool,
    since: u64,
    dirty: bool,
}

/// The connections of one worker.
#[derive(Debug, Default)]
pub struct Connections {
    all: HashMap<u32, Connection>,
    next: u32,
    /// With something to send.
    dirty: Vec<u32>,
    /// Over; the worker has yet to forget their routes.
    over: Vec<u32>,
    pub packets: u64,
    pub bytes: u64,
    pub dropped: u64,
}

impl Connections {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn stream(&self, id: u32) -> Option<&TcpStream> {
        self.all.get(&id).map(|connection| &connection.stream)
    }

    pub fn peer(&self, id: u32) -> Option<SocketAddr> {
        self.all.get(&id).map(|connection| connection.peer)
    }

    /// Takes a connection, or drops it when it is unusable or one too many.
    pub fn insert(&mut self, stream: TcpStream, read: Vec<u8>, now: u64) -> Option<u32> {
        if self.all.len() >= CONNECTIONS || read.len() > CHUNK {
            return None;
        }
        stream.set_nonblocking(true).ok()?;
        stream.set_nodelay(true).ok()?;
        prefer_fresh(&stream);
        let peer = stream.peer_addr().ok()?;
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.all.insert(
            id,
            Connection {
                stream,
                peer,
                read,
                unsent: Vec::new(),
                sent: 0,
                watching: false,
                since: now,
                dirty: false,
            },
        );
        Some(id)
    }

    /// Reads what waits (not more than [`CHUNK`], for fairness) and hands out the bytes collected
    /// so far; give what is left back with [`Connections::unread`].
    pub fn read(&mut self, id: u32) -> Option<Vec<u8>> {
        let connection = self.all.get_mut(&id)?;
        let mut bytes = std::mem::take(&mut connection.read);
        let had = bytes.len();
        bytes.resize(had + CHUNK, 0);
        match connection.stream.read(&mut bytes[had..]) {
            Ok(0) => {
                self.finish(id);
                None
            }
            Ok(got) => {
                bytes.truncate(had + got);
                Some(bytes)
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                bytes.truncate(had);
                Some(bytes)
            }
            Err(_) => {
                self.finish(id);
                None
            }
        }
    }

    /// `bytes` without the `used` ones in front.
    pub fn unread(&mut self, id: u32, mut bytes: Vec<u8>, used: usize) {
        if let Some(connection) = self.all.get_mut(&id) {
            bytes.drain(..used);
            connection.read = bytes;
        }
    }

    /// One frame of at most `room` bytes, as [`super::outbox::Outbox::write`]. `droppable`: video.
    pub fn write(
        &mut self,
        id: u32,
        room: usize,
        droppable: bool,
        fill: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        let Some(connection) = self.all.get_mut(&id) else {
            return;
        };
        let waiting = connection.unsent.len() - connection.sent;
        let limit = if droppable { VIDEO_BACKLOG } else { BACKLOG };
        if waiting + 2 + room > limit {
            self.dropped += 1;
            return;
        }
        if connection.sent > BACKLOG {
            connection.unsent.drain(..connection.sent);
            connection.sent = 0;
        }
        let at = connection.unsent.len();
        connection.unsent.resize(at + 2 + room, 0);
        let filled = fill(&mut connection.unsent[at + 2..]);
        let Some((len, header)) = filled.and_then(|len| Some((len, u16::try_from(len).ok()?)))
        else {
            connection.unsent.truncate(at);
            return;
        };
        connection.unsent[at..at + 2].copy_from_slice(&header.to_be_bytes());
        connection.unsent.truncate(at + 2 + len);
        self.packets += 1;
        self.bytes += len as u64;
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(id);
        }
    }

    /// Writes out what this turn collected. `watch` hears which connections want to be told of
    /// room to write, or no longer.
    pub fn flush(&mut self, mut watch: impl FnMut(u32, &TcpStream, bool)) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            if self.flush_one(id, &mut watch).is_none() {
                self.finish(id);
            }
        }
        self.dirty = dirty;
    }

    /// There is room again.
    pub fn writable(&mut self, id: u32) {
        if let Some(connection) = self.all.get_mut(&id)
            && !connection.dirty
        {
            connection.dirty = true;
            self.dirty.push(id);
        }
    }

    fn flush_one(&mut self, id: u32, watch: &mut impl FnMut(u32, &TcpStream, bool)) -> Option<()> {
        let Some(connection) = self.all.get_mut(&id) else {
            return Some(());
        };
        connection.dirty = false;
        while connection.sent < connection.unsent.len() {
            match connection
                .stream
                .write(&connection.unsent[connection.sent..])
            {
                Ok(0) => return None,
                Ok(written) => connection.sent += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !connection.watching {
                        connection.watching = true;
                        watch(id, &connection.stream, true);
                    }
                    return Some(());
                }
                Err(_) => return None,
            }
        }
        connection.unsent.clear();
        connection.sent = 0;
        if connection.watching {
            connection.watching = false;
            watch(id, &connection.stream, false);
        }
        Some(())
    }

    /// Takes a connection out, with the bytes it has read: it belongs to another worker.
    pub fn hand_over(&mut self, id: u32) -> Option<TcpStream> {
        self.all.remove(&id).map(|connection| connection.stream)
    }

    /// Closes a connection.
    pub fn finish(&mut self, id: u32) {
        if self.all.remove(&id).is_some() {
            self.over.push(id);
        }
    }

    /// A connection that is over and not yet forgotten by the members.
    pub fn next_over(&mut self) -> Option<u32> {
        self.over.pop()
    }

    /// Connections older than `age` microseconds.
    pub fn older_than(&self, age: u64, now: u64) -> Vec<u32> {
        let old = |connection: &Connection| connection.since + age < now;
        self.all
            .iter()
            .filter(|(_, connection)| old(connection))
            .map(|(id, _)| *id)
            .collect()
    }
}

/// The first frame (RFC 4571 section 2) in `bytes[at..]`: where its content begins and ends.
/// `Ok(None)`: not all of it is there yet. `Err`: no frame we would take is that long.
pub fn frame(bytes: &[u8], at: usize) -> Result<Option<(usize, usize)>, ()> {
    let Some(header) = bytes.get(at..at + 2) else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([header[0], header[1]]));
    if len > LONGEST {
        return Err(());
    }
    let end = at + 2 + len;
    Ok((end <= bytes.len()).then_some((at + 2, end)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Says things of `len` bytes over a connection, each with its kind and number in front.
    struct Talk {
        connections: Connections,
        id: u32,
        number: u32,
    }

    impl Talk {
        /// False: it was dropped.
        fn say(&mut self, kind: u8, len: usize) -> bool {
            self.number += 1;
            let (number, dropped) = (self.number, self.connections.dropped);
            self.connections
                .write(self.id, len, kind == b'v', |buffer| {
                    buffer[0] = kind;
                    buffer[1..5].copy_from_slice(&number.to_be_bytes());
                    Some(len)
                });
            self.connections.flush(|_, _, _| {});
            self.connections.dropped == dropped
        }
    }

    #[test]
    fn a_link_that_stalls_loses_pictures_first_then_speech_and_never_its_framing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut patient = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        let mut connections = Connections::default();
        let id = connections.insert(ours, Vec::new(), 0).unwrap();
        let (mut talk, mut kept) = (
            Talk {
                connections,
                id,
                number: 0,
            },
            Vec::new(),
        );
        // the patient reads nothing: first the kernel fills up, some megabytes, then we do
        let mut say = |talk: &mut Talk, kind, len| {
            let took = talk.say(kind, len);
            if took {
                kept.push((kind, talk.number));
            }
            took
        };
        let mut refused = 0;
        while refused < 50 {
            if say(&mut talk, b'v', 1_200) {
                refused = 0;
            } else {
                // what is on its way between the two ends of the kernel settles
                refused += 1;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            assert!(talk.number < 100_000, "nothing is ever dropped");
        }
        for _ in 0..300 {
            assert!(say(&mut talk, b'a', 100), "there is for speech");
        }
        while say(&mut talk, b'a', 100) {
            assert!(talk.number < 100_000, "memory is bounded");
        }
        let connection = &talk.connections.all[&id];
        assert!(connection.unsent.len() - connection.sent <= BACKLOG);

        // now it reads, and gets all that was taken, whole and in order
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            patient.read_to_end(&mut bytes).unwrap();
            bytes
        });
        while !talk.connections.all[&id].unsent.is_empty() {
            talk.connections.writable(id);
            talk.connections.flush(|_, _, _| {});
            std::thread::yield_now();
        }
        let connections = &mut talk.connections;
        connections.finish(id);
        assert_eq!(connections.next_over(), Some(id));
        let bytes = reader.join().unwrap();
        let (mut at, mut got) = (0, Vec::new());
        while let Some((start, end)) = frame(&bytes, at).unwrap() {
            let number = bytes[start + 1..start + 5].try_into().unwrap();
            got.push((bytes[start], u32::from_be_bytes(number)));
            at = end;
        }
        assert_eq!(at, bytes.len());
        assert!(got == kept, "{} of {}", got.len(), kept.len());
    }
}
