//! The low-bandwidth edits on descriptions as they really are: Chromium 156 and Firefox ESR 153 wrote theirs,
//! FreeSWITCH's and the telephone's are written by hand from what those are known to send. The golden files are
//! the lines that change and nothing else; all others stay as they were, in their order.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use clinicall_sip::sdp::{
    Sdp, Section,
    edit::{
        OpusParameters, cap_bitrate, keep_codecs, keep_extensions, prefer_codecs,
        remove_all_candidates, remove_bandwidth, remove_extension, remove_feedback,
        set_opus_parameters,
    },
};

const REAL: [(&str, &str); 4] = [
    ("chromium-offer", include_str!("sdp/chromium-offer.sdp")),
    ("firefox-offer", include_str!("sdp/firefox-offer.sdp")),
    ("chromium-answer", include_str!("sdp/chromium-answer.sdp")),
    ("firefox-answer", include_str!("sdp/firefox-answer.sdp")),
];
const BY_HAND: [(&str, &str); 2] = [
    (
        "freeswitch-answer",
        include_str!("sdp/freeswitch-answer.sdp"),
    ),
    ("phone-offer", include_str!("sdp/phone-offer.sdp")),
];

type Edit = fn(&mut Section);

fn speech_in_60_ms(section: &mut Section) {
    let speech = OpusParameters {
        maxaveragebitrate: Some(8_000),
        ptime: Some(60),
        stereo: Some(false),
        usedtx: Some(true),
        useinbandfec: Some(true),
        ..OpusParameters::default()
    };
    if section.kind() == "audio" {
        set_opus_parameters(section, &speech);
    }
}

/// What each does, and the edit.
const EDITS: [(&str, Edit); 9] = [
    ("cap at 64 kbit/s", |section| cap_bitrate(section, 64)),
    ("speech of 8 kbit/s in 60 ms", speech_in_60_ms),
    ("Opus and VP8 alone", |section| {
        keep_codecs(section, &|map, _| map.is("opus") || map.is("VP8"));
    }),
    ("H.264 first", |section| {
        prefer_codecs(section, &["H264"]);
    }),
    ("no REMB", |section| {
        remove_feedback(section, "goog-remb");
    }),
    ("mid alone", |section| {
        keep_extensions(section, &["urn:ietf:params:rtp-hdrext:sdes:mid"]);
    }),
    ("no audio level", |section| {
        remove_extension(section, "urn:ietf:params:rtp-hdrext:ssrc-audio-level");
    }),
    ("no candidates", remove_all_candidates),
    ("no cap", remove_bandwidth),
];

fn edited(text: &str, edit: Edit) -> String {
    let mut sdp = Sdp::parse(text).unwrap();
    sdp.media.iter_mut().for_each(edit);
    sdp.to_string()
}

/// The lines taken out and put in, by the longest common subsequence.
fn changes(before: &str, after: &str) -> Vec<String> {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let mut common = vec![vec![0; after.len() + 1]; before.len() + 1];
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            common[i][j] = if old == new {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut told) = (0, 0, Vec::new());
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == after.len() || i < before.len() && common[i + 1][j] >= common[i][j + 1] {
            told.push(format!("- {}", before[i]));
            i += 1;
        } else {
            told.push(format!("+ {}", after[j]));
            j += 1;
        }
    }
    told
}

#[test]
fn edits_change_what_they_say_and_nothing_else() {
    let mut golden = String::new();
    for (from, text) in REAL.into_iter().chain(BY_HAND) {
        for (name, edit) in EDITS {
            golden += &format!("{from}: {name}\n");
            for change in changes(text, &edited(text, edit)) {
                golden += &format!("  {change}\n");
            }
        }
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn an_edit_done_twice_is_done_once_and_sections_stay() {
    for (from, text) in REAL.into_iter().chain(BY_HAND) {
        for (name, edit) in EDITS {
            let once = edited(text, edit);
            assert_eq!(edited(&once, edit), once, "{from}: {name}");
            let sections = |text: &str| -> Vec<String> {
                let sdp = Sdp::parse(text).unwrap();
                sdp.media
                    .iter()
                    .map(|section| section.kind().to_owned())
                    .collect()
            };
            assert_eq!(sections(&once), sections(text), "{from}: {name}");
        }
    }
}
