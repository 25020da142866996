//! What a peer says again because it has not heard our last flight.
//!
//! `rtc-dtls` 0.21 stops its retransmission timer at every handshake message that comes, and starts it again only with
//! its next flight. A repeated flight brings no next one: ours, which was lost, is then never sent again, and peer and
//! engine wait for each other for ever. On a link that loses 5 % that was one call in ten. So the engine does not
//! see what it has answered already; its timer runs on and sends the answer again (RFC 6347 section 4.2.4).

use super::{Side, record};

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Whether our answer to the peer's flight has gone out, the last but one of the handshake or the last but none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered(Option<Side>);

impl Answered {
    /// A datagram of ours goes out.
    pub fn sends(&mut self, datagram: &[u8]) {
        for record in records(datagram) {
            match (record.kind, record.message) {
                // with the ServerHello begins the server's flight 4
                (HANDSHAKE, Some(SERVER_HELLO)) => self.0 = Some(Side::Server),
                // which the client answers with flight 5, whose end this is
                (CHANGE_CIPHER_SPEC, _) if self.0 != Some(Side::Server) => {
                    self.0 = Some(Side::Client);
                }
                _ => {}
            }
        }
    }

    /// Whether a datagram of the peer's is nothing but a flight that we have answered.
    pub fn has_answered(self, datagram: &[u8]) -> bool {
        let Some(side) = self.0 else {
            return false;
        };
        records(datagram).all(|record| {
            let old = record.kind == HANDSHAKE && record.epoch == 0;
            // what a server is sent in the clear after its flight is the client's next one
            old && (side == Side::Client || record.message == Some(CLIENT_HELLO))
        })
    }
}

struct Record {
    kind: u8,
    epoch: u16,
    /// The type of the handshake message it begins with, where that can be read.
    message: Option<u8>,
}

fn records(mut datagram: &[u8]) -> impl Iterator<Item = Record> {
    std::iter::from_fn(move || {
        let (header, content, rest) = record(datagram)?;
        datagram = rest;
        let epoch = u16::from_be_bytes([header[3], header[4]]);
        Some(Record {
            kind: header[0],
            epoch,
            message: content.first().copied().filter(|_| epoch == 0),
        })
    })
}
