//! Batches through a real loopback socket.

use super::*;

fn pair() -> (Udp, UdpSocket, SocketAddr) {
    let relay = Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let patient = UdpSocket::bind("127.0.0.1:0").unwrap();
    patient
        .set_read_timeout(Some(std::time::Duration::from_secs(5)))
        .unwrap();
    let address = patient.local_addr().unwrap();
    (relay, patient, address)
}

#[test]
fn segments_of_one_send_arrive_as_separate_datagrams() {
    let (mut relay, patient, to) = pair();
    let slab: Vec<u8> = (0..=255).cycle().take(3_500).collect();
    let pieces = [
        Piece {
            start: 0,
            len: 1000,
        },
        Piece {
            start: 2000,
            len: 1000,
        },
        Piece {
            start: 1000,
            len: 900,
        },
        Piece {
            start: 3000,
            len: 7,
        },
    ];
    let messages = [
        Message {
            to,
            first: 0,
            count: 3,
        },
        Message {
            to,
            first: 3,
            count: 1,
        },
    ];
    for segmentation in [true, false] {
        relay.segmentation = segmentation;
        let sent = relay.send(&slab, &pieces, &messages);
        assert_eq!((sent.datagrams, sent.dropped), (4, 0));
        let mut buffer = [0; 2000];
        for piece in pieces {
            let len = patient.recv(&mut buffer).unwrap();
            assert_eq!(
                buffer[..len],
                slab[piece.start as usize..][..piece.len as usize]
            );
        }
    }
}

#[test]
fn a_batch_longer_than_one_call_arrives_whole_and_an_oversize_datagram_is_seen_as_empty() {
    let (mut relay, patient, to) = pair();
    let slab = [7; 4];
    let pieces = vec![Piece { start: 0, len: 4 }; 150];
    let messages: Vec<Message> = (0..150)
        .map(|first| Message {
            to,
            first,
            count: 1,
        })
        .collect();
    assert_eq!(relay.send(&slab, &pieces, &messages).datagrams, 150);
    let mut buffer = [0; 16];
    for _ in 0..150 {
        assert_eq!(patient.recv(&mut buffer).unwrap(), 4);
    }
    let at = relay.local_addr().unwrap();
    patient.send_to(&[1; LONGEST + 1], at).unwrap();
    patient.send_to(&[2; LONGEST], at).unwrap();
    let mut inbox = Inbox::default();
    assert_eq!(relay.receive(&mut inbox), 2);
    assert_eq!(inbox.datagram(0).1.len(), 0);
    assert_eq!(inbox.datagram(1), (to, &mut [2; LONGEST][..]));
    assert_eq!(relay.receive(&mut inbox), 0);
}

#[test]
fn a_waker_wakes_a_waiting_poll() {
    let poll = Poll::new().unwrap();
    let waker = Waker::new().unwrap();
    poll.add(&waker, 9).unwrap();
    let mut ready = [Ready {
        token: 0,
        readable: false,
        writable: false,
    }; BATCH];
    assert!(poll.wait(&mut ready, 0).is_empty());
    waker.wake();
    let seen = poll.wait(&mut ready, 5_000);
    assert_eq!((seen.len(), seen[0].token, seen[0].readable), (1, 9, true));
    waker.clear();
    assert!(poll.wait(&mut ready, 0).is_empty());
}
