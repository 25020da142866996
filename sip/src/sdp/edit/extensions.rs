//! Which RTP header extensions (RFC 8285) a section offers: each costs bytes in every packet.

use crate::sdp::Section;

/// Removes the extension of this URI.
pub fn remove_extension(section: &mut Section, uri: &str) {
    section.keep_lines(&|line| extension(line) != Some(uri));
}

/// Removes every extension but these.
pub fn keep_extensions(section: &mut Section, uris: &[&str]) {
    section.keep_lines(&|line| extension(line).is_none_or(|uri| uris.contains(&uri)));
}

fn extension(line: &str) -> Option<&str> {
    line.strip_prefix("a=extmap:")?
        .split_ascii_whitespace()
        .nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_goes() {
        let lines = [
            "m=audio 9 RTP/AVP 0",
            "a=extmap:1 urn:level",
            "a=extmap-allow-mixed",
            "a=extmap:2/recvonly urn:other x=1",
            "a=extmap:3 urn:level2",
        ];
        let section = Section::from_lines(lines.map(str::to_owned).to_vec());
        let mut without = section.clone();
        remove_extension(&mut without, "urn:level");
        assert_eq!(without.lines(), [lines[0], lines[2], lines[3], lines[4]]);
        let mut with = section;
        keep_extensions(&mut with, &["urn:other"]);
        assert_eq!(with.lines(), [lines[0], lines[2], lines[3]]);
    }
}
