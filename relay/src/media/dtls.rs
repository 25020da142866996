//! DTLS for one member: the handshake of `rtc-dtls`, our certificate, the peer's fingerprint.
//!
//! The caller hands in datagrams from ICE-validated addresses only. `rtc-dtls` files associations by
//! address; here there is one, under a fixed name, so that it survives a change of network.

mod hello;
mod repeat;

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use ring::digest;
use rtc_dtls::{
    cipher_suite::CipherSuiteId,
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig},
    crypto::Certificate,
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::{TransportProtocol, error::Error};

use super::srtp::{Inbound, Outbound, Profile, contexts};
use hello::Hello;
use repeat::Answered;

/// The label of RFC 5764 section 4.2.
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";
/// Stands for the peer, wherever it is.
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));
/// Datagrams taken before the handshake is done. A handshake with 1 KiB certificates, split
/// finely and repeated seven times, stays below 100.
const PATIENCE: u32 = 300;

/// SHA-256 of a certificate in DER.
pub type Fingerprint = [u8; 32];

/// This process's certificate and the ways to use it.
pub struct Identity {
    /// As `a=fingerprint` writes it: colons, upper case.
    pub fingerprint: String,
    /// For a peer that offers GCM: nothing else, since `rtc-dtls` takes the first profile of the
    /// client's list and Chromium lists GCM last.
    server_gcm: Arc<HandshakeConfig>,
    server: Arc<HandshakeConfig>,
    client: Arc<HandshakeConfig>,
    /// For slow links: AES-CM alone, whose tag has 10 bytes where GCM's has 16.
    server_slow: Arc<HandshakeConfig>,
    client_slow: Arc<HandshakeConfig>,
}

/// How fast a member's link is, as its descriptions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Fast,
    /// Bytes are dearer than cycles.
    Slow,
    /// And one flight takes a good part of a second.
    Narrow,
}

impl Link {
    /// After so long a flight is sent again that was sent again so often. RFC 9147 section 5.8.2 recommends 400 ms for
    /// DTLS-SRTP; half a kilobyte to and fro over 16 kbit/s and 600 ms takes longer than a second. Twice as long each time
    /// (RFC 6347 section 4.2.4.1) but for the first, for one flight in twenty is lost on a village's link and somebody
    /// waits for a voice, and never longer than three seconds: the engine gives up after seven times.
    fn patience(self, repeats: u32) -> Duration {
        let first = Duration::from_millis(match self {
            Self::Fast => 400,
            Self::Slow => 700,
            Self::Narrow => 1_500,
        });
        const LONGEST: Duration = Duration::from_secs(3);
        (first * 2_u32.pow(repeats.saturating_sub(1).min(8))).min(LONGEST)
    }
}

/// The engine's own timer, which is always as long; ours goes before it.
const TICK: Duration = Duration::from_millis(100);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Makes an ECDSA P-256 certificate.
    pub fn generate() -> Result<Self, String> {
        let provider = rtc_crypto::default_provider().map_err(|error| error.to_string())?;
        let certificate =
            Certificate::generate_self_signed(vec!["clinicall".to_owned()], provider.crypto())
                .map_err(|error| error.to_string())?;
        let der = certificate
            .certificate
            .first()
            .ok_or("no certificate was made")?;
        let fingerprint = print(&sha256(der));
        let config = |profiles: &[SrtpProtectionProfile], client| {
            ConfigBuilder::default()
                .with_flight_interval(TICK)
                .with_crypto_provider(provider.clone())
                .with_certificates(vec![certificate.clone()])
                // the certificate's kind and no other (webrtc#808)
                .with_cipher_suites(vec![
                    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
                    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
                    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_256_Cbc_Sha,
                ])
                .with_srtp_protection_profiles(profiles.to_vec())
                .with_extended_master_secret(ExtendedMasterSecretType::Require)
                // there is no chain to verify: the fingerprint is, in `finish`
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .with_server_name("clinicall".to_owned())
                .build(client, None)
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        let gcm = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
        let cm = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
        Ok(Self {
            fingerprint,
            server_gcm: config(&[gcm], false)?,
            server: config(&[gcm, cm], false)?,
            client: config(&[gcm, cm], true)?,
            server_slow: config(&[cm], false)?,
            client_slow: config(&[cm], true)?,
        })
    }
}

/// `AB:CD:...`
fn print(digest: &Fingerprint) -> String {
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// Reads `AB:CD:...` in either case; `None` when it is not 32 octets.
#[must_use]
pub fn parse_fingerprint(text: &str) -> Option<Fingerprint> {
    let mut octets = text
        .trim()
        .split(':')
        .map(|pair| u8::from_str_radix(pair, 16));
    let mut fingerprint = [0; 32];
    for byte in &mut fingerprint {
        *byte = octets.next()?.ok()?;
    }
    octets.next().is_none().then_some(fingerprint)
}

fn sha256(bytes: &[u8]) -> Fingerprint {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Header, content and what follows of a DTLS 1.0 or 1.2 record (RFC 6347 section 4.1); `None`: it is none.
fn record(bytes: &[u8]) -> Option<(&[u8; 13], &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
    let (content, rest) = rest.split_at_checked(len)?;
    let known = (20..=23).contains(&header[0]) && header[1] == 0xfe;
    known.then_some((header, content, rest))
}

/// Whether a datagram is made of whole records.
fn is_records(mut datagram: &[u8]) -> bool {
    let is_empty = datagram.is_empty();
    while let Some((_, _, rest)) = record(datagram) {
        datagram = rest;
    }
    !is_empty && datagram.is_empty()
}

/// Which side begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `a=setup:active`: we send the ClientHello.
    Client,
    /// `a=setup:passive`.
    Server,
}

/// What a member's descriptions say about its DTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Ours.
    pub side: Side,
    /// Any one of them must match.
    pub fingerprints: Vec<Fingerprint>,
    pub link: Link,
}

#[derive(Debug)]
pub enum Step {
    /// Nothing to tell.
    None,
    /// The keys; DTLS is done.
    Keys(Box<(Outbound, Inbound)>),
    /// It will not work, or is over. No key will be handed out any more.
    Over(String),
}

enum State {
    /// Nobody has spoken. A ClientHello may come in pieces.
    Fresh(Hello),
    Shaking,
    Done,
    Over,
}

/// The association with one member.
pub struct Dtls {
    endpoint: Endpoint,
    identity: Arc<Identity>,
    /// `None` while our offer is unanswered: the peer may begin, but gets no keys yet.
    peer: Option<Peer>,
    state: State,
    complete: bool,
    taken: u32,
    answered: Answered,
    /// How often our last flight was sent again.
    repeats: u32,
}

impl std::fmt::Debug for Dtls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dtls")
    }
}

impl Dtls {
    #[must_use]
    pub fn new(identity: Arc<Identity>, peer: Option<Peer>) -> Self {
        let config = Some(identity.server.clone());
        Self {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, config),
            identity,
            peer,
            state: State::Fresh(Hello::default()),
            complete: false,
            taken: 0,
            answered: Answered::default(),
            repeats: 0,
        }
    }

    /// The answer to our offer came.
    pub fn set_peer(&mut self, peer: Peer) -> Step {
        self.peer = Some(peer);
        self.finish()
    }

    /// As long as nobody has said otherwise it is fast.
    fn link(&self) -> Link {
        self.peer.as_ref().map_or(Link::Fast, |peer| peer.link)
    }

    /// There is a path: time for our ClientHello if we are to begin.
    pub fn path_is_up(&mut self, now: Instant) -> Step {
        let begins = self
            .peer
            .as_ref()
            .is_some_and(|peer| peer.side == Side::Client);
        if !begins || !matches!(self.state, State::Fresh(_)) {
            return Step::None;
        }
        self.state = State::Shaking;
        let config = match self.link() {
            Link::Fast => &self.identity.client,
            Link::Slow | Link::Narrow => &self.identity.client_slow,
        };
        match self.endpoint.connect(now, PEER, config.clone(), None) {
            Ok(()) => Step::None,
            Err(error) => self.over(error.to_string()),
        }
    }

    /// A datagram from a validated address.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Step {
        // RFC 6347 section 4.1.2.7: invalid records are dropped, the association lives on. The
        // engine calls a datagram that is no sequence of records an error, so it never sees one.
        if !is_records(datagram) {
            return Step::None;
        }
        let slow = self.link() != Link::Fast;
        match &mut self.state {
            State::Over => return Step::None,
            State::Fresh(hello) => {
                if !hello.take(datagram) {
                    return Step::None;
                }
                let config = if slow {
                    &self.identity.server_slow
                } else if hello.offers_gcm() {
                    &self.identity.server_gcm
                } else {
                    &self.identity.server
                };
                self.endpoint.set_server_config(Some(config.clone()));
                let held = hello.datagrams();
                self.state = State::Shaking;
                for datagram in held {
                    match self.read(&datagram, now) {
                        Step::None => {}
                        step => return step,
                    }
                }
                return Step::None;
            }
            State::Shaking => {
                self.taken += 1;
                if self.taken > PATIENCE {
                    return self.over("the DTLS handshake does not end".to_owned());
                }
                if self.answered.has_answered(datagram) {
                    return Step::None;
                }
            }
            State::Done => {}
        }
        self.read(datagram, now)
    }

    fn read(&mut self, datagram: &[u8], now: Instant) -> Step {
        self.repeats = 0;
        match self
            .endpoint
            .read(now, PEER, None, BytesMut::from(datagram))
        {
            Ok(events) => {
                for event in events {
                    match event {
                        EndpointEvent::HandshakeComplete => {
                            self.complete = true;
                            return self.finish();
                        }
                        EndpointEvent::PeerClosed => {
                            return self.over("the member closed DTLS".to_owned());
                        }
                        _ => {}
                    }
                }
                Step::None
            }
            // once it is done only an authenticated alert may end it; what else fails is a stranger's
            Err(error) if self.complete && error != Error::ErrAlertFatalOrClose => Step::None,
            Err(error) => self.over(format!("DTLS: {error}")),
        }
    }

    /// Gives out keys once the handshake is complete and the fingerprint known and right.
    fn finish(&mut self) -> Step {
        if !self.complete || !matches!(self.state, State::Shaking) {
            return Step::None;
        }
        let (Some(peer), Some(state)) = (&self.peer, self.endpoint.get_connection_state(PEER))
        else {
            return Step::None;
        };
        let right = state
            .peer_certificates
            .first()
            .is_some_and(|certificate| peer.fingerprints.contains(&sha256(certificate)));
        if !right {
            let why = "the member's certificate is not the one its description names";
            return self.over(why.to_owned());
        }
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Aes128CmSha1_80,
            _ => return self.over("the member agreed to no SRTP profile".to_owned()),
        };
        let keys = state
            .export_keying_material(EXPORTER, &[], profile.material_len())
            .ok()
            .and_then(|material| contexts(profile, material.as_ref(), state.is_client()));
        let Some(keys) = keys else {
            return self.over("no SRTP keys came out of DTLS".to_owned());
        };
        self.state = State::Done;
        Step::Keys(Box::new(keys))
    }

    fn over(&mut self, why: String) -> Step {
        self.state = State::Over;
        Step::Over(why)
    }

    /// Tells the peer that it is over.
    pub fn close(&mut self, now: Instant) {
        drop(self.endpoint.stop(now, PEER));
        self.state = State::Over;
    }

    /// Retransmissions that are due.
    pub fn tick(&mut self, now: Instant) -> Step {
        // the engine's timer was set when it sent the flight last
        let passed = self.link().patience(self.repeats).saturating_sub(TICK);
        if self.is_shaking()
            && let Some(tick) = self.endpoint.poll_timeout(&PEER)
            && tick + passed <= now
        {
            self.repeats += 1;
            if let Err(error) = self.endpoint.handle_timeout(PEER, now) {
                return self.over(format!("DTLS: {error}"));
            }
        }
        Step::None
    }

    /// Whether the handshake is under way, and so [`Dtls::tick`] wanted.
    #[must_use]
    pub fn is_shaking(&self) -> bool {
        matches!(self.state, State::Shaking)
    }

    /// The next datagram to send.
    pub fn poll(&mut self) -> Option<BytesMut> {
        let datagram = self.endpoint.poll_transmit()?.message;
        self.answered.sends(&datagram);
        Some(datagram)
    }
}

#[cfg(test)]
mod tests;
