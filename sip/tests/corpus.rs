//! The fuzz corpus, the torture messages and the browsers' descriptions through the checks of the
//! fuzz targets, whole, cut short and with bytes broken.

#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../fuzz/checks.rs"]
mod checks;

use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn here(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// Runs one check over an input and over damaged copies of it.
fn batter(check: fn(&[u8]), bytes: &[u8]) {
    check(bytes);
    // long inputs are sampled so that the test stays quick
    let step = (bytes.len() / 24).max(1);
    let mut damaged = bytes.to_vec();
    for at in (0..bytes.len()).step_by(step) {
        check(&bytes[..at]);
        for byte in [0, b'\r', b'\n', b' ', b'"', b'<', b',', b';', 0xff] {
            damaged[at] = byte;
            check(&damaged);
        }
        damaged[at] = bytes[at];
    }
}

#[test]
fn every_target_has_a_corpus_and_holds_on_it() {
    for (target, check) in checks::ALL {
        for (_, bytes) in files(&here("fuzz/corpus").join(target)) {
            batter(check, &bytes);
        }
    }
}

#[test]
fn torture_messages_may_be_damaged_further() {
    for (_, bytes) in files(&here("tests/torture")) {
        batter(checks::message, &bytes);
    }
}

#[test]
fn descriptions_may_be_damaged() {
    for (_, bytes) in files(&here("tests/sdp")) {
        batter(checks::sdp, &bytes);
    }
}

#[test]
fn the_longest_inputs_take_no_time() {
    // quadratic work on 64 KiB would take seconds, not milliseconds
    let started = std::time::Instant::now();
    let head = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS a\r\nFrom: sip:a@b\r\nTo: sip:b@b\r\n\
                Call-ID: 1\r\nCSeq: 1 INVITE\r\n";
    for filler in [
        "\"", ",", "\\", ";", "<", "a,", "\r\n ", "a=\"b\",", "(", ";a=\"x\"",
    ] {
        for name in ["Via", "Contact", "Route", "WWW-Authenticate", "X"] {
            let value = filler.repeat(16_000 / filler.len());
            let text = [head, name, ": ", &value, "\r\n\r\n"].concat();
            checks::message(text.as_bytes());
        }
    }
    let lines = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(1_000);
    checks::sdp(
        ["v=0\r\nm=audio 9 RTP/AVP 0\r\n", &lines]
            .concat()
            .as_bytes(),
    );
    let formats = "0 ".repeat(30_000);
    checks::sdp(
        ["v=0\r\nm=audio 9 RTP/AVP ", &formats, "\r\n"]
            .concat()
            .as_bytes(),
    );
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
