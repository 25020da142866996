//! What somebody who was let in may do.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub user: String,
    /// Shown to those they call; the clinic's word, never the browser's.
    pub name: Option<String>,
    pub rooms: Rooms,
    pub rights: Rights,
    /// Unix seconds after which nothing new may be begun with it; calls under way go on.
    pub expires: Option<u64>,
    /// The token it came from.
    pub token: Option<TokenId>,
}

impl Grant {
    /// A user of the clinic who has shown a key: may do what users may.
    #[must_use]
    pub fn of_user(user: &str, name: Option<&str>) -> Self {
        Self {
            user: user.to_owned(),
            name: name.map(str::to_owned),
            rooms: Rooms::All,
            rights: Rights::USER,
            expires: None,
            token: None,
        }
    }

    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.rights.has(right)
    }
}

/// The rooms somebody may ask to enter. Whether the room lets them in is the room's own matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rooms {
    All,
    Only(Vec<String>),
}

impl Rooms {
    #[must_use]
    pub fn admit(&self, room: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(rooms) => rooms.iter().any(|own| own == room),
        }
    }
}

/// One thing a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Ring other users.
    Call,
    /// Be rung.
    Answer,
    /// Enter rooms.
    Join,
    /// Publish to the public pipes (`web_`, `webauth_`).
    Publish,
    /// Listen to pipes.
    Subscribe,
    /// Mute others and send them out of a room.
    Moderate,
    /// Ring telephone numbers.
    Trunk,
    /// Start and stop recordings.
    Record,
}

impl Right {
    pub const ALL: [Self; 8] = [
        Self::Call,
        Self::Answer,
        Self::Join,
        Self::Publish,
        Self::Subscribe,
        Self::Moderate,
        Self::Trunk,
        Self::Record,
    ];

    /// As a token's `rights` claim spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Answer => "answer",
            Self::Join => "join",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Moderate => "moderate",
            Self::Trunk => "trunk",
            Self::Record => "record",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == name)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of [`Right`]s.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights(u16);

impl Rights {
    pub const NONE: Self = Self(0);
    /// What everybody with an account may, unless their token says otherwise.
    pub const USER: Self = Self(
        Right::Call.bit()
            | Right::Answer.bit()
            | Right::Join.bit()
            | Right::Publish.bit()
            | Right::Subscribe.bit(),
    );
    /// Somebody with a link to a room: in that room, and nowhere else.
    pub const GUEST: Self = Self(Right::Join.bit() | Right::Publish.bit() | Right::Subscribe.bit());

    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | right.bit())
    }

    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.has(*right))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A hash of what a token says and was signed for: names it without giving it away. The signature is
/// left out, since an ECDSA signature can be written in two ways.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub [u8; 32]);

impl TokenId {
    #[must_use]
    pub fn of(token: &str) -> Self {
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        Self(Sha256::digest(signed.as_bytes()).into())
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_enters_one_room_and_rings_nobody() {
        let guest = Grant {
            rooms: Rooms::Only(vec!["visit-7".to_owned()]),
            rights: Rights::GUEST,
            ..Grant::of_user("guest-1", None)
        };
        assert!(guest.rooms.admit("visit-7") && !guest.rooms.admit("visit-8"));
        assert!(guest.may(Right::Join) && !guest.may(Right::Call));
    }

    #[test]
    fn every_right_is_its_own_and_has_its_own_name() {
        for right in Right::ALL {
            assert_eq!(Right::named(right.name()), Some(right));
            let alone = Rights::NONE.with(right);
            assert_eq!(alone.iter().collect::<Vec<_>>(), [right]);
        }
        assert_eq!(Right::named("everything"), None);
    }
}
