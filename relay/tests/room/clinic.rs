//! A room on virtual time, people who send into it, and a wire that remembers what came out.

use std::collections::{BTreeMap, HashMap};

use clinicall_relay::media::{
    MemberId,
    negotiated::{Codec, Extensions, Feedback, Negotiated, Track},
    room::{Room, Sink},
    rtcp::{Block, Item, Writer, items},
    rtp::{Header, Packet},
};

pub const MS: u64 = 1_000;

/// A packet of ours as its receiver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub marker: bool,
    pub mid: Option<String>,
    pub level: Option<u8>,
    pub transport_cc: Option<u16>,
    pub payload: Vec<u8>,
}

/// RTCP of ours, as its receiver sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Sent {
        ssrc: u32,
        ntp: u64,
        rtp: u32,
        packets: u32,
    },
    Block(Block),
    Nack {
        media: u32,
        lost: Vec<u16>,
    },
    Pli {
        media: u32,
    },
    Fir {
        media: u32,
    },
    Feedback {
        came: u32,
        lost: u32,
    },
    Remb {
        bitrate: u64,
    },
}

#[derive(Debug, Default)]
pub struct Wire {
    rtp: Vec<(MemberId, Vec<u8>)>,
    rtcp: Vec<(MemberId, Vec<u8>)>,
    /// Every packet ever sent: the same number twice must be the same bytes.
    sent: HashMap<(MemberId, u32, u16), Vec<u8>>,
}

impl Sink for Wire {
    fn rtp(&mut self, to: MemberId, header: &[u8], payload: &[u8]) {
        let bytes = [header, payload].concat();
        let packet = Packet::parse(&bytes).expect("what the relay writes is RTP");
        let before = self
            .sent
            .insert((to, packet.ssrc, packet.sequence), bytes.clone());
        assert!(
            before.is_none_or(|before| before == bytes),
            "a nonce was used twice"
        );
        self.rtp.push((to, bytes));
    }

    fn rtcp(&mut self, to: MemberId, packet: &[u8]) {
        assert!(packet.len() >= 8 && packet.len().is_multiple_of(4) && packet.len() < 1_200);
        self.rtcp.push((to, packet.to_vec()));
    }
}

/// What somebody's browser counts.
#[derive(Debug)]
pub struct Person {
    pub negotiated: Negotiated,
    pub audio_sequence: u16,
    pub audio_time: u32,
    pub video_sequence: u16,
    video_base: u32,
    pub picture: u16,
    pub transport: u16,
    /// Their wall clock minus the room's, in NTP units.
    pub clock: u64,
}

#[derive(Debug, Default)]
pub struct Clinic {
    pub room: Room,
    pub now: u64,
    pub people: BTreeMap<MemberId, Person>,
    wire: Wire,
}

pub const DOCTOR: MemberId = MemberId(1);
pub const PATIENT: MemberId = MemberId(2);
pub const INTERPRETER: MemberId = MemberId(3);

pub fn audio_ssrc(who: MemberId) -> u32 {
    0xa000 + who.0 as u32
}

pub fn video_ssrc(who: MemberId) -> u32 {
    0xb000 + who.0 as u32
}

pub fn rtx_ssrc(who: MemberId) -> u32 {
    0xc000 + who.0 as u32
}

pub fn audio_slot(who: MemberId) -> u32 {
    0x1a00 + who.0 as u32
}

pub fn video_slot(who: MemberId) -> u32 {
    0x1b00 + who.0 as u32
}

/// Everybody has payload types and extension ids of their own.
pub fn negotiated(who: MemberId) -> Negotiated {
    let own = who.0 as u8 % 3;
    let extensions = Extensions {
        mid: Some(1 + own),
        audio_level: Some(4 + own),
        transport_cc: Some(7 + own),
        ..Extensions::default()
    };
    let track = |audio: bool| Track {
        mid: if audio { "a" } else { "v" }.to_owned(),
        codec: if audio { Codec::Opus } else { Codec::Vp8 },
        payload_type: if audio { 110 } else { 96 } + own,
        rtx: (!audio).then_some(100 + own),
        red: None,
        dtx: false,
        clock_rate: if audio { 48_000 } else { 90_000 },
        receives: true,
        sends: true,
        extensions: Extensions {
            audio_level: extensions.audio_level.filter(|_| audio),
            ..extensions
        },
        feedback: Feedback {
            nack: !audio,
            pli: !audio,
            fir: !audio,
            transport_cc: true,
            remb: !audio,
        },
        local_ssrc: if audio {
            audio_slot(who)
        } else {
            video_slot(who)
        },
        local_rtx_ssrc: (!audio).then_some(0x1c00 + who.0 as u32),
        remote_ssrcs: Vec::new(),
        remote_fid: None,
        bandwidth: None,
    };
    Negotiated {
        audio: Some(track(true)),
        video: Some(track(false)),
    }
}

impl Person {
    /// The timestamp of a picture taken now: 90 ticks a millisecond.
    pub fn video_time_at(&self, now: u64) -> u32 {
        self.video_base.wrapping_add((now * 9 / 100) as u32)
    }
}

impl Clinic {
    /// These people are in the room and were let in.
    pub fn with(people: &[MemberId]) -> Self {
        let mut clinic = Self {
            now: 3_600_000 * MS,
            ..Self::default()
        };
        for &who in people {
            clinic.joins(who, negotiated(who));
            clinic.admits(who);
        }
        clinic
    }

    pub fn joins(&mut self, who: MemberId, negotiated: Negotiated) {
        self.room.join(who, negotiated.clone(), self.now);
        let own = who.0 as u16 % 16;
        self.people.insert(
            who,
            Person {
                negotiated,
                audio_sequence: 65_500 - own * 1_000,
                audio_time: own.into(),
                video_sequence: 30_000 + own * 100,
                video_base: u32::from(own).wrapping_mul(0x4321_0000),
                picture: 0x7fff - own * 7,
                transport: 0,
                clock: 0x1234_5678_9abc * who.0,
            },
        );
    }

    pub fn admits(&mut self, who: MemberId) {
        self.room.admit(who, self.now);
    }

    pub fn leaves(&mut self, who: MemberId) {
        self.room.leave(who, self.now);
    }

    /// Time passes; the room is woken when it asks to be.
    pub fn run(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds * MS;
        while let Some(wake) = self.room.next_wake().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.room.tick(self.now, &mut self.wire);
            let next = self.room.next_wake();
            assert!(
                next.is_none_or(|next| next > self.now),
                "the room would spin"
            );
        }
        self.now = end;
    }

    /// 20 ms of speech.
    pub fn speaks(&mut self, who: MemberId, level: u8, payload: &[u8]) {
        let packet = self.speech(who, level, payload);
        self.sends(who, &packet);
    }

    pub fn speech(&mut self, who: MemberId, level: u8, payload: &[u8]) -> Vec<u8> {
        let person = self.people.get_mut(&who).unwrap();
        person.audio_sequence = person.audio_sequence.wrapping_add(1);
        person.audio_time = person.audio_time.wrapping_add(960);
        person.transport = person.transport.wrapping_add(1);
        let track = person.negotiated.audio.as_ref().unwrap();
        let mut header = Header::new(
            false,
            track.payload_type,
            person.audio_sequence,
            person.audio_time,
            audio_ssrc(who),
        );
        let mut extend = |id: Option<u8>, value: &[u8]| {
            if let Some(id) = id {
                header.extend(id, value);
            }
        };
        extend(track.extensions.mid, track.mid.as_bytes());
        extend(track.extensions.audio_level, &[level]);
        extend(
            track.extensions.transport_cc,
            &person.transport.to_be_bytes(),
        );
        [header.finish(), payload].concat()
    }

    /// A picture of one packet, 33 ms long.
    pub fn shows(&mut self, who: MemberId, key: bool) {
        let packet = self.picture(who, key, &[who.0 as u8; 20]);
        self.sends(who, &packet);
    }

    /// A picture of one packet in the making: not sent.
    pub fn picture(&mut self, who: MemberId, key: bool, body: &[u8]) -> Vec<u8> {
        let person = self.people.get_mut(&who).unwrap();
        person.picture = person.picture.wrapping_add(1) & 0x7fff;
        let [high, low] = (person.picture | 0x8000).to_be_bytes();
        let descriptor = [
            0x90,
            0xe0,
            high,
            low,
            person.picture as u8,
            0x20,
            u8::from(!key),
        ];
        let payload = [&descriptor, body].concat();
        self.video(who, &payload)
    }

    /// A video packet with any payload.
    pub fn video(&mut self, who: MemberId, payload: &[u8]) -> Vec<u8> {
        let person = self.people.get_mut(&who).unwrap();
        person.video_sequence = person.video_sequence.wrapping_add(1);
        let video_time = person.video_time_at(self.now);
        person.transport = person.transport.wrapping_add(1);
        let track = person.negotiated.video.as_ref().unwrap();
        let mut header = Header::new(
            true,
            track.payload_type,
            person.video_sequence,
            video_time,
            video_ssrc(who),
        );
        if let Some(id) = track.extensions.transport_cc {
            header.extend(id, &person.transport.to_be_bytes());
        }
        [header.finish(), payload].concat()
    }

    /// Sends a packet made before again, as RFC 4588 has it.
    pub fn repairs(&mut self, who: MemberId, packet: &[u8], sequence: u16) {
        let original = Packet::parse(packet).unwrap();
        let track = self.people[&who].negotiated.video.as_ref().unwrap();
        let mut header = Header::new(
            original.marker,
            track.rtx.unwrap(),
            sequence,
            original.timestamp,
            rtx_ssrc(who),
        );
        let osn = original.sequence.to_be_bytes();
        let repair = [header.finish(), &osn, original.payload].concat();
        self.sends(who, &repair);
    }

    pub fn sends(&mut self, who: MemberId, packet: &[u8]) {
        self.room.rtp(self.now, who, packet, &mut self.wire);
    }

    pub fn reports(&mut self, who: MemberId, write: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::default();
        write(&mut writer);
        self.room
            .rtcp(self.now, who, writer.bytes(), &mut self.wire);
    }

    pub fn sends_rtcp(&mut self, who: MemberId, packet: &[u8]) {
        self.room.rtcp(self.now, who, packet, &mut self.wire);
    }

    /// What came out for somebody since the last look.
    pub fn got(&mut self, who: MemberId) -> Vec<Got> {
        let person = &self.people[&who];
        let tracks = [&person.negotiated.audio, &person.negotiated.video];
        let parse = |bytes: &[u8]| {
            let packet = Packet::parse(bytes).unwrap();
            let track = tracks.into_iter().flatten().find(|track| {
                let known = [Some(track.payload_type), track.rtx, track.red];
                known.contains(&Some(packet.payload_type))
            });
            let ids = track
                .expect("a payload type of the receiver's own")
                .extensions;
            let value = |id: Option<u8>| id.and_then(|id| packet.extension(id));
            Got {
                payload_type: packet.payload_type,
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                ssrc: packet.ssrc,
                marker: packet.marker,
                mid: value(ids.mid).map(|mid| String::from_utf8(mid.to_vec()).unwrap()),
                level: value(ids.audio_level).map(|level| level[0]),
                transport_cc: value(ids.transport_cc)
                    .map(|number| u16::from_be_bytes(number.try_into().unwrap())),
                payload: packet.payload.to_vec(),
            }
        };
        take(&mut self.wire.rtp, who)
            .iter()
            .map(|bytes| parse(bytes))
            .collect()
    }

    pub fn seen(&mut self, who: MemberId) -> Vec<Got> {
        let slot = video_slot(who);
        self.got(who)
            .into_iter()
            .filter(|got| got.ssrc == slot)
            .collect()
    }

    pub fn told(&mut self, who: MemberId) -> Vec<Told> {
        let packets = take(&mut self.wire.rtcp, who);
        packets.iter().flat_map(|packet| told(packet)).collect()
    }

    /// How many RTCP packets came out for somebody, and their bytes.
    pub fn rtcp_size(&mut self, who: MemberId) -> (usize, usize) {
        let packets = take(&mut self.wire.rtcp, who);
        (packets.len(), packets.iter().map(Vec::len).sum())
    }
}

fn take(from: &mut Vec<(MemberId, Vec<u8>)>, who: MemberId) -> Vec<Vec<u8>> {
    let (theirs, others) = std::mem::take(from)
        .into_iter()
        .partition(|(to, _)| *to == who);
    *from = others;
    let theirs: Vec<_> = theirs;
    theirs.into_iter().map(|(_, bytes)| bytes).collect()
}

fn told(packet: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    for item in items(packet) {
        match item {
            Item::SenderReport {
                ssrc,
                ntp,
                rtp,
                packets,
                blocks,
                ..
            } => {
                told.push(Told::Sent {
                    ssrc,
                    ntp,
                    rtp,
                    packets,
                });
                told.extend(blocks.map(Told::Block));
            }
            Item::ReceiverReport { blocks, .. } => told.extend(blocks.map(Told::Block)),
            Item::Nack { media, lost } => told.push(Told::Nack {
                media,
                lost: lost.collect(),
            }),
            Item::Pli { media } => told.push(Told::Pli { media }),
            Item::Fir { media } => told.extend(media.map(|media| Told::Fir { media })),
            Item::TransportCc(feedback) => {
                let (came, lost) = feedback.tally();
                told.push(Told::Feedback { came, lost });
            }
            Item::Remb { bitrate } => told.push(Told::Remb { bitrate }),
            Item::Bye { .. } => panic!("the relay does not send these"),
        }
    }
    told
}
