//! The way out of a room: seal, and put into the outbox or on a connection.

use crate::media::{
    MemberId, ice::Route, outbox::Outbox, room::Sink, roster::Members, srtp::OVERHEAD,
    sys::LONGEST, tcp::Connections,
};

#[derive(Debug)]
pub struct Post<'a> {
    pub members: &'a mut Members,
    pub outbox: &'a mut Outbox,
    pub connections: &'a mut Connections,
}

impl Sink for Post<'_> {
    fn rtp(&mut self, to: MemberId, header: &[u8], payload: &[u8]) {
        let len = header.len() + payload.len();
        let Some((slot, member)) = self.members.by_id(to) else {
            return;
        };
        if !member.open || len + OVERHEAD > LONGEST || header.len() < 12 {
            return;
        }
        let (Some(srtp), Some(route)) = (&mut member.srtp, member.agent.route()) else {
            return;
        };
        let seal = |buffer: &mut [u8]| {
            buffer[..header.len()].copy_from_slice(header);
            buffer[header.len()..len].copy_from_slice(payload);
            srtp.0.protect_rtp(buffer, header.len(), len)
        };
        match route {
            Route::Udp(address) => self.outbox.write(slot, address, len + OVERHEAD, seal),
            Route::Tcp(connection) => {
                let droppable = member.droppable.contains(&Some(header[1] & 0x7f));
                self.connections
                    .write(connection, len + OVERHEAD, droppable, seal);
            }
        }
    }

    fn rtcp(&mut self, to: MemberId, packet: &[u8]) {
        let Some((slot, member)) = self.members.by_id(to) else {
            return;
        };
        if !member.open || packet.len() + OVERHEAD > LONGEST {
            return;
        }
        let (Some(srtp), Some(route)) = (&mut member.srtp, member.agent.route()) else {
            return;
        };
        let len = packet.len();
        let seal = |buffer: &mut [u8]| {
            buffer[..len].copy_from_slice(packet);
            srtp.0.protect_rtcp(buffer, len)
        };
        match route {
            Route::Udp(address) => self.outbox.write(slot, address, len + OVERHEAD, seal),
            Route::Tcp(connection) => {
                self.connections
                    .write(connection, len + OVERHEAD, false, seal)
            }
        }
    }
}

impl Post<'_> {
    /// A datagram that is neither RTP nor RTCP.
    pub fn plain(&mut self, slot: u32, route: Route, datagram: &[u8]) {
        let fill = |buffer: &mut [u8]| {
            buffer.copy_from_slice(datagram);
            Some(datagram.len())
        };
        match route {
            Route::Udp(address) => self.outbox.write(slot, address, datagram.len(), fill),
            Route::Tcp(connection) => {
                self.connections
                    .write(connection, datagram.len(), false, fill)
            }
        }
    }
}
