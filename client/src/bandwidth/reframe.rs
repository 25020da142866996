//! The peer's last description told to the browser once more, with other limits.

use clinicall_sip::sdp::{
    Sdp, Section,
    edit::{
        bandwidth, keep_codecs, keep_extensions, prefer_codecs, remove_bandwidth, set_bandwidth,
        set_opus_parameters,
    },
};

use super::Speech;

/// Writes the ceiling of a picture another time, one bit a second apart from what it was.
///
/// A Chromium that hears the same `b=TIAS` twice forgets it (seen in 156: libwebrtc begins anew with the codec's own
/// bounds, and looks at the limit where that has changed). Then it asks the link at once whether 5 Mbit/s would fit: 11 kB
/// in one go, a second of a link of 64 kbit/s and more.
fn limit_anew(section: &mut Section, ceiling: Option<u32>) {
    let before = bandwidth(section);
    remove_bandwidth(section);
    if let ("video", Some(kbps)) = (section.kind(), ceiling) {
        let bits = kbps.saturating_mul(1_000);
        let same = before == Some(bits.into());
        set_bandwidth(section, kbps, bits.saturating_add(same.into()));
    }
}

/// A rate that nobody wrote is 0 where Firefox tells a description again; given back to it, that makes it forget all of
/// the line (RFC 7587 section 7 allows 8000 to 48000).
fn fullband_by_zero(section: &Section) -> bool {
    let types = section.formats().into_iter();
    let mut rates =
        types.filter_map(|format| section.fmtp_parameter(format.parse().ok()?, "maxplaybackrate"));
    rates.any(|rate| rate == "0")
}

/// The peer's last description as an answer with speech put into packets otherwise and another ceiling, for a browser
/// that offers anew what `local` said before. `None`: one of them cannot be read.
pub(crate) fn reframed(
    remote: &str,
    local: &str,
    speech: Option<Speech>,
    ceiling: Option<u32>,
) -> Option<String> {
    let (mut sdp, local) = (Sdp::parse(remote).ok()?, Sdp::parse(local).ok()?);
    // Firefox writes what is the same in all sections once, above them
    let session_offers = sdp.session.attribute("setup") == Some("actpass");
    if session_offers {
        sdp.session.remove_attributes("setup");
    }
    for (theirs, ours) in sdp.media.iter_mut().zip(&local.media) {
        // an offer becomes an answer: it has the codecs and the role we agreed to
        if session_offers || theirs.attribute("setup") == Some("actpass") {
            let role = match local.inherited(ours, "setup") {
                Some("passive") => "active",
                _ => "passive",
            };
            theirs.set_attribute("setup", role);
        }
        let agreed: Vec<u8> = ours.rtpmaps().iter().map(|map| map.payload_type).collect();
        keep_codecs(theirs, &|map, _| agreed.contains(&map.payload_type));
        let known: Vec<String> = ours.extmaps().into_iter().map(|map| map.uri).collect();
        keep_extensions(
            theirs,
            &known.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        if theirs.kind() == "audio" {
            let speech = speech.unwrap_or(Speech::FREE);
            remove_bandwidth(theirs);
            let mut parameters = speech.parameters();
            if fullband_by_zero(theirs) {
                parameters.maxplaybackrate = Some(48_000);
            }
            set_opus_parameters(theirs, &parameters);
            prefer_codecs(theirs, &[if speech.twice { "red" } else { "opus" }]);
        } else {
            limit_anew(theirs, ceiling);
        }
    }
    Some(sdp.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandwidth::Bandwidth;

    fn audio(kbps: u32) -> Speech {
        Bandwidth {
            audio: Some(kbps),
            ..Bandwidth::default()
        }
        .speech()
        .unwrap()
    }

    #[test]
    fn the_browser_hears_of_longer_packets_by_itself() {
        let offer = include_str!("../../../sip/tests/sdp/chromium-offer.sdp");
        let mut answered = Sdp::parse(offer).unwrap();
        for section in &mut answered.media {
            keep_codecs(section, &|map, _| map.is("opus") || map.is("VP8"));
            section.set_attribute("setup", "active");
        }
        // we answered the peer's offer; now it is our turn to offer, and what it said is the answer
        let speech = audio(16);
        let text = reframed(offer, &answered.to_string(), Some(speech), Some(54)).unwrap();
        let answer = Sdp::parse(&text).unwrap();
        assert_eq!(answer.media.len(), answered.media.len());
        for (section, ours) in answer.media.iter().zip(&answered.media) {
            assert_eq!(section.attribute("setup"), Some("passive"));
            assert_eq!(section.formats(), ours.formats());
            assert_eq!(section.attribute("ice-ufrag"), ours.attribute("ice-ufrag"));
        }
        assert!(text.contains("maxaveragebitrate=8267") && text.contains("a=ptime:60"));
        assert_eq!(
            text.matches("b=TIAS:54000").count(),
            1,
            "all that a picture may take"
        );
        // and again, from its own result, back to no limit
        let mut text = reframed(&text, &answered.to_string(), None, None).unwrap();
        assert!(text.contains("maxaveragebitrate=32000") && text.contains("a=ptime:20"));
        assert_eq!(text.matches("a=ptime").count(), 1);
        assert!(!text.contains("b="), "nothing holds it back");
        // the same limit again would be forgotten
        for tias in ["54000", "54001", "54000"].map(|bits| format!("b=TIAS:{bits}\r\n")) {
            text = reframed(&text, &answered.to_string(), Some(speech), Some(54)).unwrap();
            assert!(text.contains(&tias) && text.matches("b=TIAS").count() == 1);
        }
        // and said twice, when packets are lost
        let twice = Speech {
            twice: true,
            ..speech
        };
        let text = reframed(offer, offer, Some(twice), None).unwrap();
        assert!(
            Sdp::parse(&text).unwrap().media[0]
                .formats()
                .starts_with(&["63", "111"])
        );
        let text = reframed(&text, offer, Some(speech), None).unwrap();
        assert!(
            Sdp::parse(&text).unwrap().media[0]
                .formats()
                .starts_with(&["111", "63"])
        );
        assert_eq!(reframed("v=1", offer, None, None), None);
    }

    #[test]
    fn an_offer_as_firefox_tells_it_again_becomes_an_answer_too() {
        let offer = include_str!("../../../sip/tests/sdp/firefox-offer.sdp");
        let (mut theirs, mut ours) = (Sdp::parse(offer).unwrap(), Sdp::parse(offer).unwrap());
        for section in theirs.media.iter_mut().chain(&mut ours.media) {
            section.remove_attributes("setup");
        }
        theirs.session.add_attribute("setup", "actpass");
        theirs.media[0].set_fmtp_parameter(109, "maxplaybackrate", "0");
        let unknown = "9 urn:ietf:params:rtp-hdrext:unheard-of";
        theirs.media[0].add_attribute("extmap", unknown);
        ours.session.add_attribute("setup", "passive");
        let text = reframed(
            &theirs.to_string(),
            &ours.to_string(),
            Some(audio(17)),
            None,
        )
        .unwrap();
        let answer = Sdp::parse(&text).unwrap();
        assert!(!text.contains("actpass"), "{text}");
        let fmtp = answer.media[0].fmtp(109).unwrap();
        assert!(fmtp.contains("maxplaybackrate=48000;"), "{fmtp}");
        assert!(
            !text.contains("unheard-of"),
            "an answer has what was offered"
        );
        for section in &answer.media {
            assert_eq!(answer.inherited(section, "setup"), Some("active"));
        }
    }

    #[test]
    fn longer_packets_do_not_begin_the_estimate_again() {
        let offer = include_str!("../../../sip/tests/sdp/chromium-offer.sdp");
        let mut got = Sdp::parse(offer).unwrap();
        let limits = Bandwidth::profile("64k").unwrap();
        limits.allow(&mut got);
        let local = got.to_string();
        let video = |text: &str| Sdp::parse(text).unwrap().media.remove(1);
        let before = video(&local);
        assert_eq!(
            before.fmtp_parameter(96, "x-google-start-bitrate"),
            Some("52")
        );
        // the link gets worse, then the page lifts every limit
        let mut text = local.clone();
        for speech in [Some(audio(16)), None] {
            text = reframed(&text, &local, speech, limits.ceiling()).unwrap();
            let after = video(&text);
            let (before, after) = (before.attributes("fmtp"), after.attributes("fmtp"));
            assert!(before.eq(after), "{text}");
        }
    }
}
