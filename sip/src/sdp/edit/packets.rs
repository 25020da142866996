//! How much speech a packet carries (RFC 8866 section 6.4). Both lines speak of what their writer
//! receives, so in our description they are for the peer and in the peer's for our browser.

use crate::{header::grammar::number, sdp::Section};

/// Asks for packets of `millis` of speech; a smaller `maxptime` grows to it.
pub fn set_packet_time(section: &mut Section, millis: u32) {
    section.set_attribute("ptime", &millis.to_string());
    let most = section.attribute("maxptime").and_then(number::<u32>);
    if most.is_some_and(|most| most < millis) {
        section.set_attribute("maxptime", &millis.to_string());
    }
}

/// Asks for packets of no more than `millis` of speech; a larger `ptime` shrinks to it.
pub fn cap_packet_time(section: &mut Section, millis: u32) {
    section.set_attribute("maxptime", &millis.to_string());
    let wanted = section.attribute("ptime").and_then(number::<u32>);
    if wanted.is_some_and(|wanted| wanted > millis) {
        section.set_attribute("ptime", &millis.to_string());
    }
}

/// Leaves it to the sender.
pub fn remove_packet_times(section: &mut Section) {
    section.remove_attributes("ptime");
    section.remove_attributes("maxptime");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_never_exceeds_what_is_taken() {
        let lines = ["m=audio 9 RTP/AVP 0", "a=ptime:20", "a=maxptime:40"];
        let mut section = Section::from_lines(lines.map(str::to_owned).to_vec());
        set_packet_time(&mut section, 60);
        assert_eq!(section.lines()[1..], ["a=ptime:60", "a=maxptime:60"]);
        set_packet_time(&mut section, 20);
        assert_eq!(section.lines()[1..], ["a=ptime:20", "a=maxptime:60"]);
        cap_packet_time(&mut section, 120);
        assert_eq!(section.lines()[1..], ["a=ptime:20", "a=maxptime:120"]);
        cap_packet_time(&mut section, 10);
        assert_eq!(section.lines()[1..], ["a=ptime:10", "a=maxptime:10"]);
        remove_packet_times(&mut section);
        assert_eq!(section.lines(), &lines[..1]);
    }
}
