//! ICE candidates in a section.

use crate::sdp::{Candidate, Section};

/// Removes the candidates that `unwanted` says yes to. What cannot be read as a candidate goes
/// too. Tells how many went.
pub fn remove_candidates(
    section: &mut Section,
    unwanted: &dyn Fn(&Candidate<'_>) -> bool,
) -> usize {
    section.keep_lines(&|line| {
        line.strip_prefix("a=candidate:")
            .is_none_or(|value| Candidate::parse(value).is_some_and(|one| !unwanted(&one)))
    })
}

/// Removes all candidates and `end-of-candidates`: the peer has a public address and learns ours
/// from our checks.
pub fn remove_all_candidates(section: &mut Section) {
    section.remove_attributes("candidate");
    section.remove_attributes("end-of-candidates");
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 5] = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=candidate:1 1 udp 2122194687 192.0.2.2 56877 typ host generation 0",
        "a=candidate:2 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active",
        "a=candidate:3 1 udp 2122265343 4fd5.local 55669 typ host",
        "a=end-of-candidates",
    ];

    #[test]
    fn names_that_only_the_own_network_knows_are_left_out() {
        let mut section = Section::from_lines(LINES.map(str::to_owned).to_vec());
        let unwanted = |one: &Candidate<'_>| one.address.ends_with(".local");
        assert_eq!(remove_candidates(&mut section, &unwanted), 1);
        assert_eq!(section.lines()[3], LINES[4]);
        assert_eq!(remove_candidates(&mut section, &|one| one.is_tcp()), 1);
        remove_all_candidates(&mut section);
        assert_eq!(section.lines(), &LINES[..1]);
    }
}
