//! What goes out in one turn of a worker: sealed packets in a slab, grouped by receiver at the end.
//!
//! Packets to one receiver are cut out of one send call by the kernel (UDP_SEGMENT), which is where
//! two thirds of a forwarded packet's cost is saved. A group is never waited for: it is what the
//! turn made.

use std::{io, net::SocketAddr};

use super::sys::{Message, Piece, SEGMENTED, SEGMENTS, Udp};

/// Small enough to stay in the second-level cache of one core between sealing and sending.
const SLAB: usize = 1 << 20;
/// Packets between two flushes.
const ENTRIES: usize = 1_536;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    to: SocketAddr,
    piece: Piece,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    head: u32,
    tail: u32,
}

const EMPTY: Chain = Chain {
    head: NONE,
    tail: NONE,
};

#[derive(Debug)]
pub struct Outbox {
    udp: Udp,
    slab: Box<[u8]>,
    used: usize,
    entries: Vec<Entry>,
    /// By the receiver's slot.
    chains: Vec<Chain>,
    /// Slots whose chain is not empty, in the order they were first written to.
    touched: Vec<u32>,
    pieces: Vec<Piece>,
    messages: Vec<Message>,
    pub packets: u64,
    pub bytes: u64,
    pub dropped: u64,
}

impl Outbox {
    #[must_use]
    pub fn new(udp: Udp) -> Self {
        Self {
            udp,
            slab: vec![0; SLAB].into_boxed_slice(),
            used: 0,
            entries: Vec::with_capacity(ENTRIES),
            chains: Vec::new(),
            touched: Vec::with_capacity(ENTRIES),
            pieces: Vec::with_capacity(ENTRIES),
            messages: Vec::with_capacity(ENTRIES),
            packets: 0,
            bytes: 0,
            dropped: 0,
        }
    }

    #[must_use]
    pub const fn udp(&self) -> &Udp {
        &self.udp
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Packets that the next flush will send.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.entries.len()
    }

    /// Slots below `slots` may be written to.
    pub fn grow(&mut self, slots: usize) {
        if self.chains.len() < slots {
            self.chains.resize(slots, EMPTY);
        }
    }

    /// One datagram of at most `room` bytes: `fill` writes it and tells its length, or `None` to
    /// send nothing.
    pub fn write(
        &mut self,
        slot: u32,
        to: SocketAddr,
        room: usize,
        fill: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        if room > SLAB {
            return;
        }
        if self.used + room > SLAB || self.entries.len() == ENTRIES {
            self.flush();
        }
        let Some(len) = fill(&mut self.slab[self.used..self.used + room]) else {
            return;
        };
        let Some(chain) = self.chains.get_mut(slot as usize) else {
            return;
        };
        // SLAB and ENTRIES fit u32
        let piece = Piece {
            start: self.used as u32,
            len: len as u32,
        };
        let at = self.entries.len() as u32;
        self.entries.push(Entry {
            to,
            piece,
            next: NONE,
        });
        if chain.head == NONE {
            chain.head = at;
            self.touched.push(slot);
        } else {
            self.entries[chain.tail as usize].next = at;
        }
        chain.tail = at;
        self.used += len;
        self.bytes += len as u64;
    }

    pub fn flush(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        for slot in self.touched.drain(..) {
            let chain = std::mem::replace(&mut self.chains[slot as usize], EMPTY);
            let mut at = chain.head;
            let mut group: Option<Group> = None;
            while let Some(entry) = self.entries.get(at as usize) {
                let first = self.pieces.len() as u32;
                self.pieces.push(entry.piece);
                match &mut group {
                    Some(group) if group.takes(entry) => group.add(entry),
                    _ => {
                        let next = Group::new(entry, first);
                        self.messages
                            .extend(group.replace(next).map(|group| group.message));
                    }
                }
                at = entry.next;
            }
            self.messages.extend(group.map(|group| group.message));
        }
        let sent = self.udp.send(&self.slab, &self.pieces, &self.messages);
        self.packets += sent.datagrams;
        self.dropped += sent.dropped;
        self.entries.clear();
        self.pieces.clear();
        self.messages.clear();
        self.used = 0;
    }
}

/// Pieces one send call may carry.
struct Group {
    message: Message,
    segment: u32,
    total: u32,
    /// A shorter piece ends it.
    closed: bool,
}

impl Group {
    const fn new(entry: &Entry, first: u32) -> Self {
        Self {
            message: Message {
                to: entry.to,
                first,
                count: 1,
            },
            segment: entry.piece.len,
            total: entry.piece.len,
            closed: false,
        }
    }
    fn takes(&self, entry: &Entry) -> bool {
        !self.closed
            && entry.to == self.message.to
            && entry.piece.len <= self.segment
            && self.message.count < SEGMENTS as u32
            && self.total + entry.piece.len <= SEGMENTED as u32
    }
    const fn add(&mut self, entry: &Entry) {
        self.message.count += 1;
        self.total += entry.piece.len;
        self.closed = entry.piece.len < self.segment;
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn what_two_patients_get_is_grouped_and_arrives_in_order() {
        let mut outbox = Outbox::new(Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap());
        outbox.grow(2);
        let patients = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        // a frame in pieces that differ by a byte, speech in between
        let lens = [1_100, 1_100, 90, 1_101, 1_101, 1_100, 60_usize];
        for (number, len) in lens.into_iter().enumerate() {
            for (slot, patient) in patients.iter().enumerate() {
                let to = patient.local_addr().unwrap();
                outbox.write(slot as u32, to, 1_500, |buffer| {
                    buffer[..len].fill(number as u8 * 2 + slot as u8);
                    Some(len)
                });
            }
        }
        outbox.write(0, patients[0].local_addr().unwrap(), 100, |_| None);
        outbox.flush();
        assert_eq!((outbox.packets, outbox.dropped), (14, 0));
        for (slot, patient) in patients.iter().enumerate() {
            patient
                .set_read_timeout(Some(std::time::Duration::from_secs(5)))
                .unwrap();
            let mut buffer = [0; 1_500];
            for (number, len) in lens.into_iter().enumerate() {
                assert_eq!(patient.recv(&mut buffer).unwrap(), len);
                assert_eq!(buffer[0], number as u8 * 2 + slot as u8);
            }
        }
    }

    #[test]
    fn more_than_the_slab_holds_goes_out_in_parts() {
        let mut outbox = Outbox::new(Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap());
        outbox.grow(1);
        let patient = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = patient.local_addr().unwrap();
        for _ in 0..2_000 {
            outbox.write(0, to, 1_200, |_| Some(1_200));
        }
        outbox.flush();
        assert_eq!(outbox.packets + outbox.dropped, 2_000);
    }
}
