//! How much speech a packet carries (RFC 8866 section 6.4). Both lines speak of what their writer
//! receives, so in our description they are for the peer and in the peer's for our browser.
//!
//! FreeSWITCH writes both a second time among the parameters of Opus (RFC 7587 section 6.1), where browsers
//! look for what no line says.

use crate::{header::grammar::number, sdp::Section};

/// Asks for packets of `millis` of speech; a smaller `maxptime` grows to it.
pub fn set_packet_time(section: &mut Section, millis: u32) {
    section.set_attribute("ptime", &millis.to_string());
    let most = section.attribute("maxptime").and_then(number::<u32>);
    if most.is_some_and(|most| most < millis) {
        section.set_attribute("maxptime", &millis.to_string());
    }
    restate(section, &|name, old| match name {
        Name::Ptime => Some(millis),
        Name::Maxptime => Some(old.unwrap_or(0).max(millis)),
    });
}

/// Asks for packets of no more than `millis` of speech; a larger `ptime` shrinks to it.
pub fn cap_packet_time(section: &mut Section, millis: u32) {
    section.set_attribute("maxptime", &millis.to_string());
    let wanted = section.attribute("ptime").and_then(number::<u32>);
    if wanted.is_some_and(|wanted| wanted > millis) {
        section.set_attribute("ptime", &millis.to_string());
    }
    restate(section, &|name, old| match name {
        Name::Ptime => Some(old.unwrap_or(millis).min(millis)),
        Name::Maxptime => Some(millis),
    });
}

/// Leaves it to the sender.
pub fn remove_packet_times(section: &mut Section) {
    section.remove_attributes("ptime");
    section.remove_attributes("maxptime");
    restate(section, &|_, _| None);
}

#[derive(Clone, Copy)]
enum Name {
    Ptime,
    Maxptime,
}

const NAMES: [(&str, Name); 2] = [("ptime", Name::Ptime), ("maxptime", Name::Maxptime)];

/// Puts in the place of each `ptime` and `maxptime` of an `fmtp` what `new` makes of it and its number, if
/// it is one; `None` takes it out, and with the last parameter the line.
fn restate(section: &mut Section, new: &dyn Fn(Name, Option<u32>) -> Option<u32>) {
    section.lines_mut().retain_mut(|line| {
        let about = line
            .strip_prefix("a=fmtp:")
            .and_then(|about| about.split_once(' '));
        let Some((format, parameters)) = about else {
            return true;
        };
        let mut found = false;
        let mut restated = String::new();
        for parameter in parameters.split(';').map(str::trim_ascii) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = name.trim_ascii_end();
            let known = NAMES
                .iter()
                .find(|(known, _)| name.eq_ignore_ascii_case(known));
            let parameter = match known {
                Some((_, known)) => {
                    found = true;
                    new(*known, number(value.trim_ascii()))
                        .map(|millis| [name, "=", &millis.to_string()].concat())
                }
                None if parameter.is_empty() => None,
                None => Some(parameter.to_owned()),
            };
            if let Some(parameter) = parameter {
                restated.push(if restated.is_empty() { ' ' } else { ';' });
                restated.push_str(&parameter);
            }
        }
        if found {
            *line = ["a=fmtp:", format, &restated].concat();
        }
        !found || !restated.is_empty()
    });
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

    #[test]
    fn freeswitchs_second_word_in_the_fmtp_is_the_same_as_the_first() {
        let fmtp = "a=fmtp:102 useinbandfec=1; ptime=20; minptime=10; maxptime=40; stereo=1";
        let lines = [
            "m=audio 9 RTP/SAVPF 102 0",
            "a=rtpmap:102 opus/48000/2",
            fmtp,
        ];
        let mut section = Section::from_lines(lines.map(str::to_owned).to_vec());
        set_packet_time(&mut section, 60);
        let longer = "a=fmtp:102 useinbandfec=1;ptime=60;minptime=10;maxptime=60;stereo=1";
        assert_eq!(section.lines()[2..], [longer, "a=ptime:60"]);
        cap_packet_time(&mut section, 40);
        let shorter = "a=fmtp:102 useinbandfec=1;ptime=40;minptime=10;maxptime=40;stereo=1";
        assert_eq!(
            section.lines()[2..],
            [shorter, "a=ptime:40", "a=maxptime:40"]
        );
        remove_packet_times(&mut section);
        let free = "a=fmtp:102 useinbandfec=1;minptime=10;stereo=1";
        assert_eq!(section.lines()[2..], [free]);
    }

    #[test]
    fn a_parameter_that_is_no_number_and_one_that_is_alone() {
        let lines = [
            "m=audio 9 RTP/SAVPF 102 103",
            "a=fmtp:102 Ptime = x",
            "a=fmtp:103 ",
        ];
        let mut section = Section::from_lines(lines.map(str::to_owned).to_vec());
        cap_packet_time(&mut section, 20);
        let expected = ["a=fmtp:102 Ptime=20", "a=fmtp:103 ", "a=maxptime:20"];
        assert_eq!(section.lines()[1..], expected);
        remove_packet_times(&mut section);
        assert_eq!(section.lines()[1..], ["a=fmtp:103 "]);
    }
}
