//! A patient or a doctor: `str0m`, a WebRTC engine that shares no code with ours, on a real socket.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use clinicall_relay::media::{Config, Media};
use clinicall_sip::sdp::Sdp;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    media::{Direction, MediaKind, Mid, Pt},
    net::{Protocol, Receive, TcpType},
    rtp::{RtpPacket, RtpWrite},
};

/// A relay on loopback.
pub fn config() -> Config {
    Config {
        bind: [127, 0, 0, 1].into(),
        port: 0,
        public: vec![[127, 0, 0, 1].into()],
        tcp_port: None,
        udp: true,
        workers: 1,
    }
}

#[derive(Debug)]
enum Wire {
    Udp(UdpSocket),
    Tcp {
        stream: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
        read: Vec<u8>,
    },
}

pub struct Peer {
    pub rtc: Rtc,
    wire: Wire,
    pub audio: Option<Mid>,
    pub video: Option<Mid>,
    pub heard: Vec<RtpPacket>,
    pub keyframes_asked: usize,
    pub connected: bool,
    pub closed: bool,
    /// Datagrams or frames that left.
    pub sent: u64,
    /// Packets of speech and picture among them, repairs and padding too.
    pub spoken: usize,
    sequence: [u64; 2],
    talked: Instant,
    pending: Option<SdpPendingOffer>,
}

impl Peer {
    pub fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let mut rtc = engine();
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Self::with(rtc, Wire::Udp(socket))
    }

    /// Behind a firewall that lets only TCP out: connected to `remote` already.
    pub fn over_tcp(remote: SocketAddr) -> Self {
        let stream = TcpStream::connect(remote).unwrap();
        stream.set_nonblocking(true).unwrap();
        let local = stream.local_addr().unwrap();
        let mut rtc = engine();
        let candidate = Candidate::builder()
            .tcp()
            .host(local)
            .tcptype(TcpType::Active)
            .build()
            .unwrap();
        rtc.add_local_candidate(candidate);
        Self::with(
            rtc,
            Wire::Tcp {
                stream,
                local,
                remote,
                read: Vec::new(),
            },
        )
    }

    fn with(rtc: Rtc, wire: Wire) -> Self {
        Self {
            rtc,
            wire,
            audio: None,
            video: None,
            heard: Vec::new(),
            keyframes_asked: 0,
            connected: false,
            closed: false,
            sent: 0,
            spoken: 0,
            sequence: [1_000; 2],
            talked: Instant::now(),
            pending: None,
        }
    }

    pub fn address(&self) -> SocketAddr {
        match &self.wire {
            Wire::Udp(socket) => socket.local_addr().unwrap(),
            Wire::Tcp { local, .. } => *local,
        }
    }

    /// An offer of speech and a picture.
    pub fn offer(&mut self, direction: Direction) -> Sdp {
        let mut api = self.rtc.sdp_api();
        self.audio = Some(api.add_media(MediaKind::Audio, direction, None, None, None));
        self.video = Some(api.add_media(MediaKind::Video, direction, None, None, None));
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        Sdp::parse(&offer.to_sdp_string()).unwrap()
    }

    /// An offer that changes both directions.
    pub fn change(&mut self, direction: Direction) -> Sdp {
        let (audio, video) = (self.audio.unwrap(), self.video.unwrap());
        let mut api = self.rtc.sdp_api();
        api.set_direction(audio, direction);
        api.set_direction(video, direction);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        Sdp::parse(&offer.to_sdp_string()).unwrap()
    }

    /// An offer with new ICE credentials.
    pub fn restart(&mut self) -> Sdp {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        Sdp::parse(&offer.to_sdp_string()).unwrap()
    }

    pub fn accept(&mut self, answer: &Sdp) {
        let answer = SdpAnswer::from_sdp_string(&answer.to_string()).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    /// Answers the relay's offer.
    pub fn answer(&mut self, offer: &Sdp) -> Sdp {
        let offer = SdpOffer::from_sdp_string(&offer.to_string()).unwrap();
        let answer = self.rtc.sdp_api().accept_offer(offer).unwrap();
        Sdp::parse(&answer.to_sdp_string()).unwrap()
    }

    /// One packet of speech or picture.
    pub fn say(&mut self, kind: MediaKind, payload: &[u8]) {
        let mid = match kind {
            MediaKind::Audio => self.audio,
            MediaKind::Video => self.video,
        };
        let pt = self.payload_type(mid.unwrap());
        let sequence = &mut self.sequence[usize::from(kind == MediaKind::Video)];
        *sequence += 1;
        // 20 ms of speech, 33 ms of picture
        let step = if kind == MediaKind::Audio { 960 } else { 3_000 };
        let (sequence, time) = (*sequence, (*sequence * step) as u32);
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid.unwrap(), None).unwrap();
        let write = RtpWrite::new(pt, sequence.into(), time, Instant::now(), payload.to_vec());
        stream.write_rtp(write.marker(true));
    }

    /// Speech, and a picture if it is not empty, every 10 ms: call it as often as you like.
    pub fn talk(&mut self, speech: &[u8], picture: &[u8]) {
        if self.talked.elapsed() < Duration::from_millis(10) {
            return;
        }
        self.talked = Instant::now();
        self.say(MediaKind::Audio, speech);
        // the engine queues per stream and takes one packet per turn
        self.turn();
        if !picture.is_empty() {
            self.say(MediaKind::Video, picture);
        }
    }

    fn payload_type(&self, mid: Mid) -> Pt {
        let media = self.rtc.media(mid).unwrap();
        media.remote_pts()[0]
    }

    /// Payloads heard so far that begin with `prefix`.
    pub fn heard_of(&self, prefix: &[u8]) -> usize {
        self.heard
            .iter()
            .filter(|packet| packet.payload.starts_with(prefix))
            .count()
    }

    /// Sends and receives what is due.
    pub fn turn(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => break,
                Output::Transmit(transmit) => self.send(transmit.destination, &transmit.contents),
                Output::Event(event) => match event {
                    Event::Connected => self.connected = true,
                    Event::RtpPacket(packet) => self.heard.push(packet),
                    Event::KeyframeRequest(_) => self.keyframes_asked += 1,
                    Event::Closed => self.closed = true,
                    Event::MediaAdded(added) => match added.kind {
                        MediaKind::Audio => self.audio = Some(added.mid),
                        MediaKind::Video => self.video = Some(added.mid),
                    },
                    _ => {}
                },
            }
        }
        while let Some((proto, source, destination, len)) = self.receive(&mut buffer) {
            let Ok(contents) = buffer[..len].try_into() else {
                continue;
            };
            let receive = Receive {
                proto,
                source,
                destination,
                contents,
            };
            self.rtc
                .handle_input(Input::Receive(Instant::now(), receive))
                .unwrap();
        }
        self.rtc
            .handle_input(Input::Timeout(Instant::now()))
            .unwrap();
    }

    fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.sent += 1;
        if let [128..=191, second, ..] = datagram {
            self.spoken += usize::from(!(192..224).contains(second));
        }
        match &mut self.wire {
            Wire::Udp(socket) => drop(socket.send_to(datagram, to)),
            Wire::Tcp { stream, .. } => {
                let mut frame = (datagram.len() as u16).to_be_bytes().to_vec();
                frame.extend(datagram);
                stream.write_all(&frame).unwrap();
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<(Protocol, SocketAddr, SocketAddr, usize)> {
        match &mut self.wire {
            Wire::Udp(socket) => {
                let (len, from) = socket.recv_from(buffer).ok()?;
                Some((Protocol::Udp, from, socket.local_addr().unwrap(), len))
            }
            Wire::Tcp {
                stream,
                local,
                remote,
                read,
            } => {
                let mut chunk = [0; 4096];
                loop {
                    match stream.read(&mut chunk) {
                        Ok(0) => break,
                        Ok(got) => read.extend(&chunk[..got]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(_) => break,
                    }
                }
                let len = usize::from(u16::from_be_bytes(read.get(..2)?.try_into().unwrap()));
                let frame = read.get(2..2 + len)?;
                buffer[..len].copy_from_slice(frame);
                read.drain(..2 + len);
                Some((Protocol::Tcp, *remote, *local, len))
            }
        }
    }

    /// The phone changes networks: another socket, another address.
    pub fn move_to_another_network(&mut self) {
        let old = self.address();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let new = socket.local_addr().unwrap();
        assert_ne!(old, new);
        self.rtc
            .add_local_candidate(Candidate::host(new, "udp").unwrap());
        self.wire = Wire::Udp(socket);
    }
}

fn engine() -> Rtc {
    Rtc::builder()
        .set_crypto_provider(std::sync::Arc::new(str0m::crypto::from_feature_flags()))
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .enable_h264(true)
        .build(Instant::now())
}

/// Runs the peers until `done`, at most `seconds`; tells whether it was.
pub fn run(
    peers: &mut [&mut Peer],
    seconds: u64,
    mut done: impl FnMut(&mut [&mut Peer]) -> bool,
) -> bool {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        for peer in peers.iter_mut() {
            peer.turn();
        }
        if done(peers) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// A member with its offer answered.
pub fn joined(
    media: &Media,
    room: clinicall_relay::media::RoomId,
) -> (Peer, clinicall_relay::media::MemberId) {
    let mut peer = Peer::new();
    let offer = peer.offer(Direction::SendRecv);
    let (member, answer) = media.join_by_offer(room, &offer).unwrap();
    peer.accept(&answer);
    (peer, member)
}
