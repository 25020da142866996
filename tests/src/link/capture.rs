//! What went over a link: every packet with its time, size, flow and fate.

use std::{collections::BTreeMap, fmt, net::IpAddr, ops::Range};

/// Seen from the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heading {
    Up,
    Down,
}

/// At which station a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// Handed to the link, whatever became of it: what somebody sends.
    Sent,
    /// Handed to the link and refused by its full queue.
    Dropped,
    Lost,
    Arrived,
}

/// Two ends and a protocol, as the packet names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Of IP: 6 is TCP, 17 UDP.
    pub protocol: u8,
    pub from: (IpAddr, u16),
    pub to: (IpAddr, u16),
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            6 => "tcp",
            17 => "udp",
            _ => "ip",
        };
        let (from, to) = (self.from, self.to);
        write!(f, "{protocol} {}:{} -> {}:{}", from.0, from.1, to.0, to.1)
    }
}

/// What is in a packet, as far as it can be told without keys (RFC 7983).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    Stun,
    Dtls,
    /// With its payload type and SSRC.
    Rtp(u8, u32),
    Rtcp,
    Tcp,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Microseconds since the wire was laid.
    pub at: u64,
    pub heading: Heading,
    pub station: Station,
    pub flow: Option<Flow>,
    pub content: Content,
    /// Bytes of the whole IP packet.
    pub size: u32,
}

impl Seen {
    #[must_use]
    pub fn of(at: u64, heading: Heading, station: Station, packet: &[u8]) -> Self {
        let (flow, payload) = read(packet).unzip();
        Self {
            at,
            heading,
            station,
            flow,
            content: content(flow, payload.unwrap_or_default()),
            size: u32::try_from(packet.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Packets in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    seen: Vec<Seen>,
}

impl Capture {
    pub fn note(&mut self, seen: Seen) {
        self.seen.push(seen);
    }

    /// All packets of this heading at this station.
    pub fn at(&self, heading: Heading, station: Station) -> impl Iterator<Item = &Seen> {
        let same = move |seen: &&Seen| seen.heading == heading && seen.station == station;
        self.seen.iter().filter(same)
    }

    /// Bytes in each whole window of this length (microseconds) in `during`.
    #[must_use]
    pub fn windows(
        &self,
        heading: Heading,
        station: Station,
        during: Range<u64>,
        length: u64,
    ) -> Vec<u64> {
        let count = during.end.saturating_sub(during.start) / length;
        let mut windows = vec![0; usize::try_from(count).unwrap_or(0)];
        for seen in self.at(heading, station) {
            let Some(since) = seen.at.checked_sub(during.start) else {
                continue;
            };
            let window = usize::try_from(since / length).unwrap_or(usize::MAX);
            if let Some(bytes) = windows.get_mut(window) {
                *bytes += u64::from(seen.size);
            }
        }
        windows
    }

    /// Packets and bytes of each flow in `during`.
    #[must_use]
    pub fn flows(
        &self,
        heading: Heading,
        station: Station,
        during: &Range<u64>,
    ) -> BTreeMap<Flow, (u64, u64)> {
        let mut flows = BTreeMap::new();
        for seen in self.at(heading, station) {
            if let Some(flow) = seen.flow
                && during.contains(&seen.at)
            {
                let (packets, bytes) = flows.entry(flow).or_insert((0, 0));
                (*packets, *bytes) = (*packets + 1, *bytes + u64::from(seen.size));
            }
        }
        flows
    }

    /// Packets and bytes of each content in `during`; RTP by payload type.
    #[must_use]
    pub fn contents(
        &self,
        heading: Heading,
        station: Station,
        during: &Range<u64>,
    ) -> BTreeMap<Content, (u64, u64)> {
        let mut contents = BTreeMap::new();
        for seen in self.at(heading, station) {
            if during.contains(&seen.at) {
                let content = match seen.content {
                    Content::Rtp(payload_type, _) => Content::Rtp(payload_type, 0),
                    other => other,
                };
                let (packets, bytes) = contents.entry(content).or_insert((0, 0));
                (*packets, *bytes) = (*packets + 1, *bytes + u64::from(seen.size));
            }
        }
        contents
    }
}

/// The flow and what is inside UDP or TCP.
fn read(packet: &[u8]) -> Option<(Flow, &[u8])> {
    let address = |at: usize, length: usize| -> Option<IpAddr> {
        let bytes = packet.get(at..at + length)?;
        Some(match length {
            4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
            _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        })
    };
    let (protocol, from, to, header) = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet[0] & 15) * 4;
            (*packet.get(9)?, address(12, 4)?, address(16, 4)?, header)
        }
        6 => (*packet.get(6)?, address(8, 16)?, address(24, 16)?, 40),
        _ => return None,
    };
    let rest = packet.get(header..)?;
    let port = |at: usize| Some(u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?));
    let ports = match protocol {
        6 | 17 => (port(0)?, port(2)?),
        _ => (0, 0),
    };
    let inside = match protocol {
        17 => rest.get(8..)?,
        _ => &[],
    };
    let flow = Flow {
        protocol,
        from: (from, ports.0),
        to: (to, ports.1),
    };
    Some((flow, inside))
}

fn content(flow: Option<Flow>, payload: &[u8]) -> Content {
    match (flow.map(|flow| flow.protocol), payload) {
        (Some(6), _) => Content::Tcp,
        (Some(17), [0..=3, ..]) => Content::Stun,
        (Some(17), [20..=63, ..]) => Content::Dtls,
        (Some(17), [128..=191, 192..224, ..]) => Content::Rtcp,
        (Some(17), [128..=191, second, _, _, _, _, _, _, a, b, c, d, ..]) => {
            Content::Rtp(second & 127, u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => Content::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A UDP packet over IPv4 with this inside.
    fn udp(inside: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
        packet.extend([10, 77, 0, 2, 10, 77, 0, 1]);
        packet.extend(5_000_u16.to_be_bytes());
        packet.extend(443_u16.to_be_bytes());
        packet.extend([0, 0, 0, 0]);
        packet.extend(inside);
        packet
    }

    #[test]
    fn a_packet_tells_its_flow_and_content() {
        let inside = [0x80, 0x80 | 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9, 1, 2, 3];
        let seen = Seen::of(7, Heading::Up, Station::Sent, &udp(&inside));
        assert_eq!(
            seen.flow.map(|flow| flow.to_string()).as_deref(),
            Some("udp 10.77.0.2:5000 -> 10.77.0.1:443")
        );
        assert_eq!((seen.content, seen.size), (Content::Rtp(111, 9), 43));
        let content = |inside: &[u8]| Seen::of(0, Heading::Up, Station::Sent, &udp(inside)).content;
        assert_eq!(content(&[0, 1]), Content::Stun);
        assert_eq!(content(&[22, 254]), Content::Dtls);
        assert_eq!(content(&[0x81, 201]), Content::Rtcp);
        assert_eq!(content(&[]), Content::Other);
    }

    #[test]
    fn broken_packets_are_counted_all_the_same() {
        for length in 0..28 {
            let seen = Seen::of(0, Heading::Up, Station::Sent, &udp(&[])[..length]);
            assert_eq!(seen.size as usize, length);
        }
    }

    #[test]
    fn windows_are_whole_and_sum_up() {
        let mut capture = Capture::default();
        for at in 0..100 {
            let station = if at % 10 == 0 {
                Station::Lost
            } else {
                Station::Arrived
            };
            capture.note(Seen::of(at * 100, Heading::Down, station, &udp(&[0; 72])));
        }
        let windows = capture.windows(Heading::Down, Station::Arrived, 1_000..4_500, 1_000);
        assert_eq!(windows, [900, 900, 900]);
        let flows = capture.flows(Heading::Down, Station::Lost, &(0..10_000));
        assert_eq!(flows.into_values().collect::<Vec<_>>(), [(10, 1_000)]);
    }
}
