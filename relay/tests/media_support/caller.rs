//! A light caller: one check, one DTLS handshake, then SRTP. It misbehaves on request, it can be
//! held to one SRTP profile, and two hundred of them fit on a core.
#![allow(dead_code, reason = "each test, and the bench, uses its part")]

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use clinicall_relay::media::{
    srtp::{Inbound, OVERHEAD, Outbound, Profile, contexts, header_len},
    stun,
};
use clinicall_sip::sdp::Sdp;
use rtc_dtls::{
    cipher_suite::CipherSuiteId,
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig},
    crypto::Certificate,
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::TransportProtocol;

/// A certificate, shared by as many callers as you like.
pub struct Papers {
    pub fingerprint: String,
    config: Arc<HandshakeConfig>,
}

impl Papers {
    pub fn new(profile: Profile) -> Self {
        let provider = rtc_crypto::default_provider().unwrap();
        let certificate =
            Certificate::generate_self_signed(vec!["caller".to_owned()], provider.crypto())
                .unwrap();
        let digest =
            ring::digest::digest(&ring::digest::SHA256, certificate.certificate[0].as_ref());
        let pairs: Vec<String> = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        let profile = match profile {
            Profile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            Profile::Aes128CmSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![certificate])
            .with_cipher_suites(vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256])
            .with_srtp_protection_profiles(vec![profile])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .with_server_name("relay".to_owned())
            .build(true, None)
            .unwrap();
        Self {
            fingerprint: pairs.join(":"),
            config: Arc::new(config),
        }
    }
}

/// Every caller's, as its descriptions tell.
pub const PASSWORD: &str = "callerspasswordcallerspassword";

/// Speech and a picture; `direction` as in SDP.
pub fn offer(fingerprint: &str, direction: &str, ssrc: u32) -> Sdp {
    let common = format!(
        "c=IN IP4 0.0.0.0\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=ice-ufrag:call\r\n\
         a=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {fingerprint}\r\n\
         a=setup:actpass\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    );
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n{common}\
         a=rtpmap:111 opus/48000/2\r\na=ssrc:{ssrc} cname:c\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:1\r\n{common}\
         a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
         a=rtcp-fb:96 transport-cc\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
         a=ssrc:{} cname:c\r\n",
        ssrc + 1
    );
    Sdp::parse(&text).unwrap()
}

pub struct Caller {
    pub socket: UdpSocket,
    pub relay: SocketAddr,
    pub ssrc: u32,
    ufrag: String,
    password: String,
    endpoint: Endpoint,
    papers: Arc<Papers>,
    pub srtp: Option<(Outbound, Inbound)>,
    /// Says nothing more before the other side has checked the path too.
    pub awaits_check: bool,
    transactions: u64,
}

impl Caller {
    /// With the relay's answer to [`offer`].
    pub fn new(papers: &Arc<Papers>, answer: &Sdp, ssrc: u32) -> Self {
        let socket = UdpSocket::bind(SocketAddr::new([127, 0, 0, 1].into(), 0)).unwrap();
        Self::on(socket, papers, answer, ssrc)
    }

    /// With the other side's offer or answer, on a socket that is there already.
    pub fn on(socket: UdpSocket, papers: &Arc<Papers>, answer: &Sdp, ssrc: u32) -> Self {
        let section = &answer.media[0];
        let attribute = |name| answer.inherited(section, name).unwrap().to_owned();
        let candidate = section.attribute("candidate").unwrap();
        let words: Vec<&str> = candidate.split(' ').collect();
        let relay = SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap());
        Self {
            socket,
            relay,
            ssrc,
            ufrag: attribute("ice-ufrag"),
            password: attribute("ice-pwd"),
            endpoint: Endpoint::new(relay, TransportProtocol::UDP, None),
            papers: papers.clone(),
            srtp: None,
            awaits_check: false,
            transactions: 0,
        }
    }

    pub fn check(&mut self) {
        self.transactions += 1;
        let mut transaction = [0; 12];
        transaction[4..].copy_from_slice(&self.transactions.to_be_bytes());
        let name = format!("{}:call", self.ufrag);
        let key = stun::key(&self.password);
        let check = stun::request(transaction, &name, &key, true, stun::Role::Controlling);
        self.socket.send_to(check.as_bytes(), self.relay).unwrap();
    }

    /// Finds the path and shakes hands; false when it did not work out in `limit`.
    pub fn connect(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        self.socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        self.check();
        let (mut found, mut begun) = (false, false);
        let mut buffer = [0; 2048];
        while Instant::now() < end {
            let now = Instant::now();
            match self.socket.recv_from(&mut buffer) {
                Ok((len, _)) if buffer[0] < 4 => {
                    let message = stun::Message::parse(&buffer[..len]);
                    let is = |kind| message.is_some_and(|message| message.kind == kind);
                    if let Some(check) = message.filter(|_| is(stun::Kind::Request)) {
                        // ours never checks; others (libnice, even where it calls itself lite) do
                        let key = stun::key(PASSWORD);
                        let response = stun::success(check.transaction, self.relay, &key);
                        self.socket
                            .send_to(response.as_bytes(), self.relay)
                            .unwrap();
                        if std::mem::take(&mut self.awaits_check) {
                            // it makes its DTLS endpoint when it reads that, and hears nothing before
                            std::thread::sleep(Duration::from_millis(3));
                        }
                    }
                    found |= is(stun::Kind::Success);
                    if found && !self.awaits_check && !begun {
                        begun = true;
                        let config = self.papers.config.clone();
                        self.endpoint
                            .connect(now, self.relay, config, None)
                            .unwrap();
                    }
                }
                Ok((len, _)) if (20..64).contains(&buffer[0]) => {
                    let data = BytesMut::from(&buffer[..len]);
                    let Ok(events) = self.endpoint.read(now, self.relay, None, data) else {
                        return false;
                    };
                    if events
                        .iter()
                        .any(|event| matches!(event, EndpointEvent::PeerClosed))
                    {
                        return false;
                    }
                    if events
                        .iter()
                        .any(|event| matches!(event, EndpointEvent::HandshakeComplete))
                    {
                        self.keys();
                        self.flush();
                        return self.srtp.is_some();
                    }
                }
                Ok(_) => {}
                Err(_) => {
                    if begun {
                        drop(self.endpoint.handle_timeout(self.relay, now));
                    } else {
                        self.check();
                    }
                }
            }
            self.flush();
        }
        false
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.socket.send_to(&transmit.message, self.relay).unwrap();
        }
    }

    fn keys(&mut self) {
        let state = self.endpoint.get_connection_state(self.relay).unwrap();
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
            _ => Profile::Aes128CmSha1_80,
        };
        let material = state
            .export_keying_material("EXTRACTOR-dtls_srtp", &[], profile.material_len())
            .unwrap();
        self.srtp = contexts(profile, material.as_ref(), true);
    }

    /// An RTP packet sealed into `buffer`; its length.
    pub fn seal(
        &mut self,
        buffer: &mut [u8],
        video: bool,
        sequence: u16,
        time: u32,
        payload: &[u8],
    ) -> usize {
        let outbound = &mut self.srtp.as_mut().unwrap().0;
        seal(outbound, buffer, video, self.ssrc, sequence, time, payload)
    }

    pub fn say(&mut self, video: bool, sequence: u16, payload: &[u8]) {
        let mut buffer = [0; 2048];
        let time = u32::from(sequence) * 960;
        let len = self.seal(&mut buffer, video, sequence, time, payload);
        self.socket.send_to(&buffer[..len], self.relay).unwrap();
    }

    /// The payload of a packet from the relay, if it is RTP and genuine.
    pub fn open<'a>(&mut self, packet: &'a mut [u8]) -> Option<&'a [u8]> {
        open(&mut self.srtp.as_mut()?.1, packet)
    }

    /// Payloads that arrive in `time`.
    pub fn listen(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let end = Instant::now() + time;
        let mut heard = Vec::new();
        let mut buffer = [0; 2048];
        while let Some(left) = end
            .checked_duration_since(Instant::now())
            .filter(|t| !t.is_zero())
        {
            self.socket.set_read_timeout(Some(left)).unwrap();
            if let Ok((len, _)) = self.socket.recv_from(&mut buffer)
                && let Some(payload) = self.open(&mut buffer[..len])
            {
                heard.push(payload.to_vec());
            }
        }
        heard
    }
}

/// A caller's packet, with its SSRC for speech or the next one for the picture.
pub fn seal(
    outbound: &mut Outbound,
    buffer: &mut [u8],
    video: bool,
    ssrc: u32,
    sequence: u16,
    time: u32,
    payload: &[u8],
) -> usize {
    buffer[0] = 0x80;
    buffer[1] = if video { 96 } else { 111 };
    buffer[2..4].copy_from_slice(&sequence.to_be_bytes());
    buffer[4..8].copy_from_slice(&time.to_be_bytes());
    buffer[8..12].copy_from_slice(&(ssrc + u32::from(video)).to_be_bytes());
    buffer[12..12 + payload.len()].copy_from_slice(payload);
    let end = 12 + payload.len();
    let room = end + OVERHEAD;
    outbound.protect_rtp(&mut buffer[..room], 12, end).unwrap()
}

pub fn open<'a>(inbound: &mut Inbound, packet: &'a mut [u8]) -> Option<&'a [u8]> {
    if packet.len() < 12 || !(128..192).contains(&packet[0]) || (192..224).contains(&packet[1]) {
        return None;
    }
    let len = inbound.unprotect_rtp(packet).ok()?;
    let header = header_len(&packet[..len])?;
    Some(&packet[header..len])
}
