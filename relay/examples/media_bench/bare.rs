//! The least any relay pays: copy a packet, seal it, hand it to the kernel in batches.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use clinicall_relay::media::sys::{Message, Piece, Udp};
use ring::aead;

const RECEIVERS: usize = 200;
/// Packets of a picture.
const BURST: usize = 4;
const PACKET: usize = 1_112;
const SEALED: usize = PACKET + 16;
const ROUNDS: usize = 60;

/// `segments` packets to one receiver leave in one message of the send call: 1, or at most 4.
pub fn microseconds_per_packet(segments: usize) -> f64 {
    let mut udp = Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let sockets: Vec<UdpSocket> = (0..RECEIVERS)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        })
        .collect();
    let keys: Vec<aead::LessSafeKey> = (0..RECEIVERS as u8)
        .map(|n| {
            aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &[n; 16]).unwrap())
        })
        .collect();
    let messages: Vec<Message> = (0..RECEIVERS * BURST)
        .step_by(segments)
        .map(|first| Message {
            to: sockets[first / BURST].local_addr().unwrap(),
            first: first as u32,
            count: segments as u32,
        })
        .collect();
    let pieces: Vec<Piece> = (0..RECEIVERS * BURST)
        .map(|n| Piece {
            start: (n * SEALED) as u32,
            len: SEALED as u32,
        })
        .collect();
    let mut slab = vec![0; RECEIVERS * BURST * SEALED];
    let packet = [7; PACKET];
    let mut spent = Duration::ZERO;
    let mut buffer = [0; 2048];
    for round in 0..ROUNDS as u64 {
        let began = Instant::now();
        for (n, chunk) in slab.chunks_exact_mut(SEALED).enumerate() {
            chunk[..PACKET].copy_from_slice(&packet);
            let (clear, rest) = chunk.split_at_mut(12);
            let (text, tag) = rest.split_at_mut(PACKET - 12);
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&(round * BURST as u64 + (n % BURST) as u64).to_be_bytes());
            let nonce = aead::Nonce::assume_unique_for_key(nonce);
            let sealed = keys[n / BURST]
                .seal_in_place_separate_tag(nonce, aead::Aad::from(&*clear), text)
                .unwrap();
            tag.copy_from_slice(sealed.as_ref());
        }
        let sent = udp.send(&slab, &pieces, &messages);
        spent += began.elapsed();
        assert_eq!(sent.dropped, 0);
        for socket in &sockets {
            while socket.recv(&mut buffer).is_ok() {}
        }
    }
    spent.as_secs_f64() * 1e6 / (ROUNDS * RECEIVERS * BURST) as f64
}
