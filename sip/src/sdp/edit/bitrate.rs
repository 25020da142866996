//! `b=` lines: how much a section may be sent.

use crate::sdp::Section;

/// Asks the other side to send this section at no more than `kbps` of RTP payload, in both
/// spellings: `b=AS`, which telephones, PBXs and Chromium read, and `b=TIAS`, which Firefox reads
/// (and Chromium, which takes the one written last).
pub fn cap_bitrate(section: &mut Section, kbps: u32) {
    set_bandwidth(section, kbps, kbps.saturating_mul(1_000));
}

/// As [`cap_bitrate`], with values of their own: by the letter, `b=AS` (kbit/s, RFC 8866) counts
/// UDP and IP headers and `b=TIAS` (bit/s, RFC 3890) does not.
pub fn set_bandwidth(section: &mut Section, as_kbps: u32, tias_bps: u32) {
    remove_bandwidth(section);
    let lines = section.lines_mut();
    // RFC 8866 section 5: m= (or v= o= s=), i=, u=, e=, p=, c=, then b=, then t=, k=, a=
    let at = lines
        .iter()
        .position(|line| {
            matches!(
                line.as_bytes(),
                [b't' | b'r' | b'z' | b'k' | b'a' | b'b', ..]
            )
        })
        .unwrap_or(lines.len());
    for (start, value) in [("b=TIAS:", tias_bps), ("b=AS:", as_kbps)] {
        lines.insert(at, [start, &value.to_string()].concat());
    }
}

/// What a section asks for, bit/s: `b=TIAS`, else `b=AS`, which counts in kbit/s (RFC 8866 section 5.8, RFC 3890).
#[must_use]
pub fn bandwidth(section: &Section) -> Option<u64> {
    value(section, "b=TIAS:", 1).or_else(|| application_specific(section))
}

/// What a section asks for by `b=AS`, bit/s: of everything, UDP and IP headers too (RFC 8866 section 5.8).
#[must_use]
pub fn application_specific(section: &Section) -> Option<u64> {
    value(section, "b=AS:", 1_000)
}

/// Bit/s that no link has: a limit as high is none, and whoever counts with it is safe.
const ENDLESS: u64 = 1_000_000_000_000;

fn value(section: &Section, name: &str, unit: u64) -> Option<u64> {
    let mut written = section
        .lines()
        .iter()
        .filter_map(|line| line.strip_prefix(name));
    let number = written.find_map(|value| value.trim().parse::<u64>().ok())?;
    Some(number.saturating_mul(unit)).filter(|limit| *limit < ENDLESS)
}

/// Removes `b=AS` and `b=TIAS`. Others (`b=RS` and `b=RR` of RFC 3556) speak of other things.
pub fn remove_bandwidth(section: &mut Section) {
    section.keep_lines(&|line| !line.starts_with("b=AS:") && !line.starts_with("b=TIAS:"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidth_stands_between_the_connection_and_the_attributes() {
        let lines = [
            "m=video 9 RTP/AVP 31",
            "i=face",
            "c=IN IP4 0.0.0.0",
            "b=RS:0",
            "b=AS:9",
            "a=mid:1",
        ];
        let mut section = Section::from_lines(lines.map(str::to_owned).to_vec());
        cap_bitrate(&mut section, 256);
        let expected = [
            "m=video 9 RTP/AVP 31",
            "i=face",
            "c=IN IP4 0.0.0.0",
            "b=AS:256",
            "b=TIAS:256000",
            "b=RS:0",
            "a=mid:1",
        ];
        assert_eq!(section.lines(), expected);
        // again, with another value
        set_bandwidth(&mut section, 300, 256_000);
        assert_eq!(section.lines()[3..5], ["b=AS:300", "b=TIAS:256000"]);
        assert_eq!(bandwidth(&section), Some(256_000));
        assert_eq!(application_specific(&section), Some(300_000));
        for endless in ["b=TIAS:18446744073709551615", "b=AS:4294967295"] {
            let lines = vec!["m=video 9 RTP/AVP 96".to_owned(), endless.to_owned()];
            assert_eq!(bandwidth(&Section::from_lines(lines)), None, "{endless}");
        }
        assert_eq!(section.lines().len(), expected.len());
        remove_bandwidth(&mut section);
        assert_eq!(section.lines().len(), expected.len() - 2);
    }

    #[test]
    fn a_section_may_be_nothing_but_its_first_line() {
        let mut section = Section::from_lines(vec!["m=audio 9 RTP/AVP 0".to_owned()]);
        cap_bitrate(&mut section, 32);
        assert_eq!(section.lines()[1..], ["b=AS:32", "b=TIAS:32000"]);
    }
}
