//! Names of pipes and events, and what a pipe's name says about who may do what with it.

/// The pipe of a user's own: what is sent to a person, not to whoever listens.
pub const PRIVATE: &str = "msg";

/// The longest name of a pipe or an event, in bytes.
pub const MAX_NAME: usize = 64;

/// 3 to 64 of `0-9 A-Z a-z _ -`, as CppComet has it.
#[must_use]
pub fn is_pipe(name: &str) -> bool {
    (3..=MAX_NAME).contains(&name.len()) && is_word(name)
}

/// Up to 64 of the same characters; an event may have no name. The dot is ours: `sip.call`.
#[must_use]
pub fn is_event(name: &str) -> bool {
    name.len() <= MAX_NAME && name.split('.').all(is_word)
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A pipe's rights, by the beginning of its name. The clinic's back end may publish into all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `msg`: to the person who is logged in.
    Private,
    /// `user_status_ID`: the relay tells `online` and `offline`.
    UserStatus,
    /// `web_...`: pages may publish, even of people who are not logged in.
    Web,
    /// `webauth_...`: pages of people who are logged in may publish.
    WebAuth,
    /// `track_...`: tells who comes and goes; pages may read who is there.
    Track,
    /// `private_...`: only for people who are logged in.
    Members,
    /// `trust_...`: every message is kept for two minutes, whatever happens to the relay.
    Trust,
    /// Any other name.
    Plain,
}

impl Kind {
    #[must_use]
    pub fn of(pipe: &str) -> Self {
        const PREFIXES: [(&str, Kind); 6] = [
            ("user_status_", Kind::UserStatus),
            ("webauth_", Kind::WebAuth),
            ("web_", Kind::Web),
            ("track_", Kind::Track),
            ("private_", Kind::Members),
            ("trust_", Kind::Trust),
        ];
        if pipe == PRIVATE {
            return Self::Private;
        }
        PREFIXES
            .iter()
            .find(|(prefix, _)| pipe.starts_with(prefix))
            .map_or(Self::Plain, |(_, kind)| *kind)
    }

    /// May a page listen? `known`: somebody is logged in there.
    #[must_use]
    pub const fn may_listen(self, known: bool) -> bool {
        known || !matches!(self, Self::Private | Self::Members)
    }

    /// May a page publish?
    #[must_use]
    pub const fn may_publish(self, known: bool) -> bool {
        match self {
            Self::Web => true,
            Self::WebAuth => known,
            _ => false,
        }
    }

    /// May a page ask who listens?
    #[must_use]
    pub const fn may_look(self) -> bool {
        matches!(self, Self::Track)
    }

    /// May a page ask how many listen?
    #[must_use]
    pub const fn may_count(self) -> bool {
        matches!(self, Self::Track | Self::Web | Self::WebAuth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_original() {
        assert!(is_pipe("web_visit-17"));
        assert!(is_pipe("msg"));
        for bad in ["", "ab", "web visit", "web_\u{e9}", "a.b", &"x".repeat(65)] {
            assert!(!is_pipe(bad), "{bad}");
        }
        assert!(is_event(""));
        assert!(is_event("sip.call"));
        assert!(!is_event("a b"));
        assert!(!is_event(&"x".repeat(65)));
    }

    #[test]
    fn the_beginning_of_a_name_says_who_may_do_what() {
        let stranger = false;
        assert!(Kind::of("web_chat").may_publish(stranger));
        assert!(!Kind::of("webauth_chat").may_publish(stranger));
        assert!(Kind::of("webauth_chat").may_publish(true));
        assert!(!Kind::of("news").may_publish(true));
        assert!(!Kind::of("track_room").may_publish(true));
        assert!(!Kind::of("private_x").may_listen(stranger));
        assert!(!Kind::of("msg").may_listen(stranger));
        assert!(Kind::of("news").may_listen(stranger));
        assert!(Kind::of("track_room").may_look());
        assert!(!Kind::of("web_chat").may_look());
    }
}
