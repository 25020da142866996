//! Session descriptions for members: answers to their offers, offers of ours, what both settled.
//!
//! Pure. A [`Describer`] is one member's side of the conversation and remembers what must stay the
//! same over renegotiations: SSRCs, credentials, which section is which.

mod codecs;
mod write;

use std::net::IpAddr;

use clinicall_sip::sdp::{Direction, Sdp, Section, edit::bandwidth};

use super::{
    Refusal, Wants,
    dtls::{Fingerprint, Link, Peer, Side, parse_fingerprint},
    negotiated::{Negotiated, Track},
};
use codecs::Chosen;
pub use codecs::VideoCodec;

/// Sections beyond these are refused; a page of sixteen tiles has 17.
const SECTIONS: usize = 32;
/// SSRCs remembered of a section.
const SSRCS: usize = 16;

/// What is the same in every description a worker's members get.
#[derive(Clone, Debug)]
pub struct Surface {
    pub fingerprint: String,
    pub addresses: Vec<IpAddr>,
    pub udp_port: Option<u16>,
    pub tcp_port: Option<u16>,
}

/// ICE credentials of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub ufrag: String,
    pub password: String,
}

/// Random numbers a new member needs.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    pub session: u64,
    pub audio: u32,
    pub video: u32,
    pub rtx: u32,
}

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Audio,
    Video,
    /// Accepted but idle: room for another sender, once slots are told to pages.
    Slot,
    Refused,
}

/// What an answer of either side means for the transport.
#[derive(Clone, Debug)]
pub struct Settled {
    pub negotiated: Negotiated,
    pub peer: Peer,
    /// The peer came with new ICE credentials: ours must change as well (RFC 8839 section 4.4.2).
    pub restart: bool,
}

/// Bit/s of both media together up to which bytes are dearer than cycles, and up to which half a kilobyte takes long.
const SLOW: u64 = 160_000;
const NARROW: u64 = 40_000;

#[derive(Debug)]
pub struct Describer {
    credentials: Credentials,
    seeds: Seeds,
    version: u64,
    /// What we offered, while it is unanswered.
    offered: Option<Wants>,
    /// Mids of the main audio and video sections.
    audio_mid: Option<String>,
    video_mid: Option<String>,
    peer: Option<Peer>,
    peer_ufrag: Option<String>,
}

impl Describer {
    #[must_use]
    pub fn new(credentials: Credentials, seeds: Seeds) -> Self {
        Self {
            credentials,
            seeds,
            version: 0,
            offered: None,
            audio_mid: None,
            video_mid: None,
            peer: None,
            peer_ufrag: None,
        }
    }

    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Reads an offer. Nothing is changed but what [`Describer::answer`] needs; `video` is the
    /// room's codec, chosen here when the room has none yet.
    pub fn read_offer(
        &mut self,
        offer: &Sdp,
        video: &mut Option<VideoCodec>,
    ) -> Result<(Settled, Reply), Refusal> {
        if offer.media.len() > SECTIONS {
            return Err(refusal("too many media sections"));
        }
        check_protocols(offer)?;
        let bundle = offer.bundle();
        let mut reply = Reply {
            parts: Vec::new(),
            bundled: !bundle.is_empty(),
        };
        let mut negotiated = Negotiated::default();
        let mut video_now = *video;
        // a renegotiation finds the sections it knew; a first offer takes the first of each kind
        let mut audio_mid = keep_mid(offer, self.audio_mid.as_deref());
        let mut video_mid = keep_mid(offer, self.video_mid.as_deref());
        for section in &offer.media {
            let mid = section.mid().unwrap_or_default();
            let mut part = Part::refused(section);
            let main = match section.kind() {
                "audio" => audio_mid.get_or_insert_with(|| mid.to_owned()) == mid,
                "video" => video_mid.get_or_insert_with(|| mid.to_owned()) == mid,
                _ => false,
            };
            let chosen = if wanted(section) {
                match section.kind() {
                    "audio" => codecs::choose_audio(section),
                    "video" => codecs::choose_video(section, &mut video_now),
                    _ => None,
                }
            } else {
                None
            };
            if let Some(chosen) = chosen {
                part.direction = mirrored(section.direction());
                if main {
                    let track = self.track(section, &chosen);
                    let slot = if section.kind() == "audio" {
                        part.used = Use::Audio;
                        &mut negotiated.audio
                    } else {
                        part.used = Use::Video;
                        &mut negotiated.video
                    };
                    *slot = Some(track);
                } else if section.direction() == Direction::RecvOnly {
                    part.used = Use::Slot;
                    part.direction = Direction::Inactive;
                }
                part.chosen = Some(chosen);
            }
            reply.parts.push(part);
        }
        let accepted: Vec<&Section> = reply
            .parts
            .iter()
            .zip(&offer.media)
            .filter(|(part, _)| part.used != Use::Refused)
            .map(|(_, section)| section)
            .collect();
        let Some(first) = accepted.first() else {
            return Err(refusal("no audio or video section with a codec we know"));
        };
        check_bundle(&bundle, &accepted)?;
        let (peer, peer_ufrag) = transport(offer, first, true)?;
        let peer = self.same_association(peer, offer, first)?;
        let restart = self
            .peer_ufrag
            .as_ref()
            .is_some_and(|known| *known != peer_ufrag);
        if reply.parts.iter().all(|part| part.used != Use::Audio) {
            audio_mid = None;
        }
        if reply.parts.iter().all(|part| part.used != Use::Video) {
            video_mid = None;
        }
        *video = video_now;
        self.audio_mid = audio_mid;
        self.video_mid = video_mid;
        self.peer = Some(peer.clone());
        self.peer_ufrag = Some(peer_ufrag);
        self.offered = None;
        Ok((
            Settled {
                negotiated,
                peer,
                restart,
            },
            reply,
        ))
    }

    /// New credentials for an ICE restart.
    pub fn restart(&mut self, credentials: Credentials) {
        self.credentials = credentials;
    }

    /// Writes the answer to what [`Describer::read_offer`] read.
    pub fn answer(&mut self, reply: &Reply, surface: &Surface) -> Sdp {
        self.version += 1;
        let setup = match self.peer.as_ref().map(|peer| peer.side) {
            Some(Side::Client) => "active",
            _ => "passive",
        };
        write::description(self, surface, setup, &reply.parts, reply.bundled)
    }

    /// Writes an offer. A room that has its codec offers only that.
    pub fn offer(&mut self, wants: Wants, video: Option<VideoCodec>, surface: &Surface) -> Sdp {
        self.version += 1;
        self.offered = Some(wants);
        let mut parts = Vec::new();
        if wants.audio {
            parts.push(Part::ours("audio", parts.len(), vec![codecs::our_opus()]));
            self.audio_mid = Some("0".to_owned());
        }
        if wants.video {
            let mid = parts.len();
            self.video_mid = Some(mid.to_string());
            parts.push(Part::ours("video", mid, codecs::our_video(video)));
        }
        write::description(self, surface, "actpass", &parts, true)
    }

    /// Reads the answer to our offer.
    pub fn read_answer(
        &mut self,
        answer: &Sdp,
        video: &mut Option<VideoCodec>,
    ) -> Result<Settled, Refusal> {
        let wants = self
            .offered
            .ok_or_else(|| refusal("an answer without an offer of ours"))?;
        let kinds = [
            wants.audio.then_some("audio"),
            wants.video.then_some("video"),
        ];
        let kinds: Vec<&str> = kinds.into_iter().flatten().collect();
        if answer.media.len() != kinds.len()
            || answer
                .media
                .iter()
                .zip(&kinds)
                .any(|(section, kind)| section.kind() != *kind)
        {
            return Err(refusal("the answer's sections are not those of the offer"));
        }
        check_protocols(answer)?;
        let mut negotiated = Negotiated::default();
        let mut video_now = *video;
        let mut accepted = Vec::new();
        for (at, section) in answer.media.iter().enumerate() {
            if section.port() == 0 {
                continue;
            }
            if section.mid().is_some_and(|mid| mid != at.to_string()) {
                return Err(refusal("the answer renames a section"));
            }
            let chosen = match section.kind() {
                "audio" => codecs::choose_audio(section),
                _ => codecs::choose_video(section, &mut video_now),
            }
            .ok_or_else(|| refusal("the answer has none of the codecs offered"))?;
            let mut track = self.track(section, &chosen);
            track.mid = at.to_string();
            accepted.push(section);
            match section.kind() {
                "audio" => negotiated.audio = Some(track),
                _ => negotiated.video = Some(track),
            }
        }
        let Some(first) = accepted.first() else {
            return Err(refusal("the answer refuses every section"));
        };
        check_bundle(&answer.bundle(), &accepted)?;
        let (peer, peer_ufrag) = transport(answer, first, false)?;
        *video = video_now;
        self.offered = None;
        self.peer = Some(peer.clone());
        self.peer_ufrag = Some(peer_ufrag);
        Ok(Settled {
            negotiated,
            peer,
            restart: false,
        })
    }

    fn track(&self, section: &Section, chosen: &Chosen) -> Track {
        let direction = section.direction();
        let audio = section.kind() == "audio";
        Track {
            mid: section.mid().unwrap_or_default().to_owned(),
            codec: chosen.codec.clone(),
            payload_type: chosen.payload_type,
            rtx: chosen.rtx,
            red: chosen.red,
            dtx: chosen.dtx,
            clock_rate: chosen.clock_rate,
            receives: matches!(direction, Direction::SendRecv | Direction::RecvOnly),
            sends: matches!(direction, Direction::SendRecv | Direction::SendOnly),
            extensions: chosen.extensions,
            feedback: chosen.feedback,
            local_ssrc: if audio {
                self.seeds.audio
            } else {
                self.seeds.video
            },
            local_rtx_ssrc: chosen.rtx.map(|_| self.seeds.rtx),
            remote_ssrcs: remote_ssrcs(section),
            remote_fid: remote_fid(section),
            bandwidth: bandwidth(section),
        }
    }

    /// A renegotiation keeps the DTLS association and its roles (RFC 8842 section 5.5).
    fn same_association(&self, new: Peer, sdp: &Sdp, section: &Section) -> Result<Peer, Refusal> {
        let Some(known) = &self.peer else {
            return Ok(new);
        };
        if new.fingerprints != known.fingerprints {
            return Err(refusal("a new certificate needs a new call"));
        }
        let fixed = sdp
            .inherited(section, "setup")
            .is_some_and(|setup| setup != "actpass");
        if fixed && new.side != known.side {
            return Err(refusal("the DTLS roles cannot change during a call"));
        }
        Ok(known.clone())
    }
}

/// The plan of an answer.
#[derive(Debug)]
pub struct Reply {
    parts: Vec<Part>,
    bundled: bool,
}

/// One section of a description of ours.
#[derive(Debug)]
struct Part {
    kind: String,
    proto: String,
    mid: Option<String>,
    used: Use,
    /// As we write it.
    direction: Direction,
    chosen: Option<Chosen>,
    /// Further codecs, in an offer.
    others: Vec<Chosen>,
    /// For the `m=` line of a refused section.
    formats: String,
    reduced_size: bool,
}

impl Part {
    fn refused(section: &Section) -> Self {
        Self {
            kind: section.kind().to_owned(),
            proto: section.proto().to_owned(),
            mid: section.mid().map(ToOwned::to_owned),
            used: Use::Refused,
            direction: Direction::Inactive,
            chosen: None,
            others: Vec::new(),
            formats: section.formats().first().copied().unwrap_or("0").to_owned(),
            reduced_size: section.attribute("rtcp-rsize").is_some(),
        }
    }

    fn ours(kind: &str, mid: usize, mut codecs: Vec<Chosen>) -> Self {
        let chosen = (!codecs.is_empty()).then(|| codecs.remove(0));
        Self {
            kind: kind.to_owned(),
            proto: "UDP/TLS/RTP/SAVPF".to_owned(),
            mid: Some(mid.to_string()),
            used: if kind == "audio" {
                Use::Audio
            } else {
                Use::Video
            },
            direction: Direction::SendRecv,
            chosen,
            others: codecs,
            formats: String::new(),
            reduced_size: true,
        }
    }
}

fn refusal(why: &str) -> Refusal {
    Refusal(why.to_owned())
}

/// The mid if the offer still has it alive.
fn keep_mid(offer: &Sdp, mid: Option<&str>) -> Option<String> {
    let mid = mid?;
    offer
        .media
        .iter()
        .find(|section| section.mid() == Some(mid) && wanted(section))?;
    Some(mid.to_owned())
}

/// Not refused by its offerer; port 0 with `bundle-only` is no refusal (RFC 9143 section 6).
fn wanted(section: &Section) -> bool {
    section.port() != 0 || section.attribute("bundle-only").is_some()
}

const fn mirrored(direction: Direction) -> Direction {
    match direction {
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        other => other,
    }
}

/// Some `m=` line must be RTP over DTLS; the others are looked at no further.
fn check_protocols(sdp: &Sdp) -> Result<(), Refusal> {
    let media = || {
        sdp.media
            .iter()
            .filter(|section| matches!(section.kind(), "audio" | "video"))
    };
    let secure =
        |section: &&Section| matches!(section.proto().rsplit('/').next(), Some("SAVP" | "SAVPF"));
    if media().next().is_none() {
        return Err(refusal("no audio or video section"));
    }
    let Some(section) = media().find(secure) else {
        return Err(refusal(
            "media must be encrypted: RTP/AVP is not taken, only DTLS-SRTP",
        ));
    };
    if sdp.inherited(section, "fingerprint").is_none() {
        let what = if section.attribute("crypto").is_some() {
            "keys in SDP (SDES) are not taken, only DTLS-SRTP"
        } else {
            "no a=fingerprint: only DTLS-SRTP is taken"
        };
        return Err(refusal(what));
    }
    Ok(())
}

fn check_bundle(bundle: &[&str], accepted: &[&Section]) -> Result<(), Refusal> {
    if accepted
        .iter()
        .any(|section| section.attribute("rtcp-mux").is_none())
    {
        return Err(refusal("RTP and RTCP must share a port (a=rtcp-mux)"));
    }
    let bundled = |section: &&Section| section.mid().is_some_and(|mid| bundle.contains(&mid));
    if accepted.len() > 1 && !accepted.iter().all(bundled) {
        return Err(refusal(
            "all sections must share a transport (a=group:BUNDLE)",
        ));
    }
    Ok(())
}

/// The peer's DTLS side and fingerprints, and its ufrag.
fn transport(sdp: &Sdp, section: &Section, offered: bool) -> Result<(Peer, String), Refusal> {
    if sdp.session.attribute("ice-lite").is_some() {
        return Err(refusal(
            "ICE-lite on both sides: nobody would check the path",
        ));
    }
    let ufrag = sdp
        .inherited(section, "ice-ufrag")
        .ok_or_else(|| refusal("ICE is needed"))?;
    let own: Vec<&str> = section.attributes("fingerprint").collect();
    let all = if own.is_empty() {
        sdp.session.attributes("fingerprint").collect()
    } else {
        own
    };
    let fingerprints: Vec<Fingerprint> = all
        .into_iter()
        .filter_map(|line| {
            let (hash, digest) = line.split_once(' ')?;
            hash.eq_ignore_ascii_case("sha-256")
                .then(|| parse_fingerprint(digest))
                .flatten()
        })
        .take(4)
        .collect();
    if fingerprints.is_empty() {
        return Err(refusal("no SHA-256 fingerprint"));
    }
    let link = link_of(sdp);
    let side = match (sdp.inherited(section, "setup"), offered) {
        // A browser's ClientHello with its post-quantum share has 1.5 kB and is sent twice, for the engine wants
        // its cookie back; ours has a tenth of that, and browsers ask for no cookie.
        (Some("actpass"), true) if link != Link::Fast => Side::Client,
        (Some("active"), _) | (Some("actpass"), true) | (None, _) => Side::Server,
        (Some("passive"), _) => Side::Client,
        _ => return Err(refusal("a=setup is neither active nor passive")),
    };
    let peer = Peer {
        side,
        fingerprints,
        link,
    };
    Ok((peer, ufrag.to_owned()))
}

/// By the limits of every section; without one on each the link is fast.
fn link_of(sdp: &Sdp) -> Link {
    let used = || sdp.media.iter().filter(|section| wanted(section));
    let total: Option<u64> = used().map(bandwidth).sum();
    match total.filter(|_| used().next().is_some()) {
        Some(..=NARROW) => Link::Narrow,
        Some(..=SLOW) => Link::Slow,
        _ => Link::Fast,
    }
}

fn remote_ssrcs(section: &Section) -> Vec<u32> {
    let mut ssrcs = Vec::new();
    for line in section.attributes("ssrc") {
        let number = line.split(' ').next().and_then(|word| word.parse().ok());
        if let Some(ssrc) = number
            && !ssrcs.contains(&ssrc)
            && ssrcs.len() < SSRCS
        {
            ssrcs.push(ssrc);
        }
    }
    ssrcs
}

fn remote_fid(section: &Section) -> Option<(u32, u32)> {
    section.attributes("ssrc-group").find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let fid = words.next()? == "FID";
        let pair = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        fid.then_some(pair)
    })
}

#[cfg(test)]
mod tests;
