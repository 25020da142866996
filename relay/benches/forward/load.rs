//! One person who speaks and shows, and receivers who report and lose packets: a room under load,
//! on virtual time and without a socket.

use clinicall_relay::media::{
    MemberId,
    downlink::Limits,
    negotiated::{Codec, Extensions, Feedback, Negotiated, Track},
    room::{Room, Sink},
    rtcp::{Block, Writer},
    rtp::Header,
};

/// What came out of the room.
#[derive(Debug, Default)]
pub struct Count {
    pub rtp: u64,
    pub bytes: u64,
    pub rtcp: u64,
}

impl Sink for Count {
    fn rtp(&mut self, _to: MemberId, header: &[u8], payload: &[u8]) {
        self.rtp += 1;
        self.bytes += (header.len() + payload.len()) as u64;
        // keeps the compiler from leaving the header unwritten
        std::hint::black_box(header[header.len() - 1]);
    }

    fn rtcp(&mut self, _to: MemberId, packet: &[u8]) {
        self.rtcp += 1;
        self.bytes += packet.len() as u64;
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    sequence: u16,
    transport: u16,
    packets: u32,
}

/// 4 packets of 1,100 bytes a picture, 32.5 pictures and 50 words a second: 130 + 50 packets/s.
#[derive(Debug)]
pub struct Load {
    pub room: Room,
    pub now: u64,
    pub count: Count,
    /// Every so many packets one is lost, each way; 0: none.
    pub loss: u32,
    /// Pictures are in two temporal layers.
    layered: bool,
    senders: Vec<MemberId>,
    receivers: u64,
    streams: Vec<Stream>,
    packet: Vec<u8>,
    writer: Writer,
    turn: u64,
}

/// A turn: 2 pictures' worth of time and 3 words', near enough.
const TURN: u64 = 61_538;

impl Load {
    /// One sends, the others receive.
    pub fn broadcast(receivers: u64) -> Self {
        Self::new(1, receivers)
    }

    /// Both send and receive.
    pub fn call() -> Self {
        Self::new(2, 2)
    }

    /// One sends in layers, the others have room for the base alone (and so much that nothing waits
    /// for their links).
    pub fn thinned(receivers: u64) -> Self {
        let mut load = Self::broadcast(receivers);
        load.layered = true;
        let limits = Limits {
            audio: None,
            video: Some(1_000_000),
        };
        for id in 2..=load.receivers {
            load.room.limit(MemberId(id), limits, load.now);
        }
        load
    }

    fn new(senders: u64, receivers: u64) -> Self {
        let mut room = Room::new();
        let members = if senders == 1 {
            1 + receivers
        } else {
            receivers
        };
        for id in 1..=members {
            let member = MemberId(id);
            room.join(member, negotiated(member, id <= senders), 0);
            room.admit(member, 0);
        }
        Self {
            room,
            now: 1_000_000,
            count: Count::default(),
            loss: 0,
            layered: false,
            senders: (1..=senders).map(MemberId).collect(),
            receivers: members,
            streams: vec![Stream::default(); 2 * senders as usize],
            packet: vec![0x5a; 1_200],
            writer: Writer::default(),
            turn: 0,
        }
    }

    pub fn run(&mut self, turns: u64) {
        for _ in 0..turns {
            self.turn += 1;
            for at in 0..self.senders.len() {
                for picture in 0..2 {
                    for part in 0..4 {
                        self.video(at, picture, part);
                    }
                }
                for _ in 0..3 {
                    self.audio(at);
                }
            }
            if self.turn.is_multiple_of(16) {
                self.report();
            }
            let end = self.now + TURN;
            while let Some(wake) = self.room.next_wake().filter(|wake| *wake <= end) {
                self.now = self.now.max(wake);
                self.room.tick(self.now, &mut self.count);
            }
            self.now = end;
        }
    }

    fn video(&mut self, at: usize, picture: u64, part: u8) {
        let number = self.turn * 2 + picture;
        let key = number.is_multiple_of(300) || self.turn == 1;
        let [high, low] = ((number as u16 & 0x7fff) | 0x8000).to_be_bytes();
        let start = u8::from(part == 0) << 4;
        let (tl0, layer) = match (self.layered, number % 4) {
            (true, 1) => (number / 2, 0x60),
            (true, 3) => (number / 2, 0x40),
            (true, _) => (number / 2, 0),
            (false, _) => (number, 0x20),
        };
        let descriptor = [
            0x80 | start,
            0xe0,
            high,
            low,
            tl0 as u8,
            layer,
            u8::from(!key),
        ];
        let timestamp = (number * 2_769) as u32;
        self.send(2 * at + 1, 97, part == 3, timestamp, &descriptor, 1_100);
    }

    fn audio(&mut self, at: usize) {
        let timestamp = self.streams[2 * at].packets * 960;
        self.send(2 * at, 111, false, timestamp, &[], 80);
    }

    fn send(
        &mut self,
        stream: usize,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        descriptor: &[u8],
        length: usize,
    ) {
        let from = self.senders[stream / 2];
        let this = &mut self.streams[stream];
        this.sequence = this.sequence.wrapping_add(1);
        this.packets += 1;
        let lost = self.loss > 0 && this.packets.is_multiple_of(self.loss);
        let (sequence, ssrc) = (this.sequence, 0xf00 + stream as u32);
        let transport = &mut self.streams[stream / 2 * 2].transport;
        *transport = transport.wrapping_add(1);
        let mut header = Header::new(marker, payload_type, sequence, timestamp, ssrc);
        header.extend(5, &transport.to_be_bytes());
        if descriptor.is_empty() {
            header.extend(1, &[0x80 | 30]);
        }
        let header = header.finish();
        let start = header.len();
        self.packet[..start].copy_from_slice(header);
        self.packet[start..start + descriptor.len()].copy_from_slice(descriptor);
        if !lost {
            self.room.rtp(
                self.now,
                from,
                &self.packet[..start + length],
                &mut self.count,
            );
        }
    }

    /// Everybody reports once a second; some lost a packet.
    fn report(&mut self) {
        for id in 1..=self.receivers {
            let ssrc = slot(MemberId(id), false);
            self.writer.clear();
            let block = Block {
                ssrc,
                ..Block::default()
            };
            // who loses something has its speech carried along by the next packet
            let speech = Block {
                ssrc: slot(MemberId(id), true),
                fraction_lost: if self.loss > 0 { 26 } else { 0 },
                ..Block::default()
            };
            self.writer.receiver_report(ssrc, &[block, speech]);
            if self.loss > 0 {
                let newest = 0x1_0000 + (ssrc as u64 & 0xfff) + self.turn * 8;
                self.writer
                    .nack(1, ssrc, [(newest - 5) as u16, (newest - 9) as u16]);
            }
            self.room
                .rtcp(self.now, MemberId(id), self.writer.bytes(), &mut self.count);
        }
    }
}

fn slot(member: MemberId, audio: bool) -> u32 {
    (member.0 as u32) << 1 | u32::from(audio)
}

fn negotiated(member: MemberId, sends: bool) -> Negotiated {
    let track = |audio: bool| Track {
        mid: if audio { "0" } else { "1" }.to_owned(),
        codec: if audio { Codec::Opus } else { Codec::Vp8 },
        payload_type: if audio { 111 } else { 97 },
        rtx: (!audio).then_some(98),
        red: audio.then_some(63),
        dtx: false,
        clock_rate: if audio { 48_000 } else { 90_000 },
        receives: true,
        sends,
        extensions: Extensions {
            mid: Some(4),
            audio_level: audio.then_some(1),
            transport_cc: Some(5),
            ..Extensions::default()
        },
        feedback: Feedback {
            nack: !audio,
            pli: !audio,
            fir: !audio,
            transport_cc: true,
            remb: false,
        },
        local_ssrc: slot(member, audio),
        local_rtx_ssrc: (!audio).then(|| 0x1_0000 + slot(member, audio)),
        remote_ssrcs: Vec::new(),
        remote_fid: None,
        bandwidth: None,
    };
    Negotiated {
        audio: Some(track(true)),
        video: Some(track(false)),
    }
}
