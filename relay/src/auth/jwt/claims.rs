//! What a token says.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    auth::{Refused, Right, Rights, Rooms},
    config::is_user_id,
};

/// The payload of a token, understood but not believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub user: String,
    pub name: Option<String>,
    pub rooms: Rooms,
    pub rights: Rights,
    pub issuer: Option<String>,
    pub audience: Vec<String>,
    /// Unix seconds.
    pub expires: u64,
    /// Unix seconds.
    pub not_before: Option<u64>,
}

/// Longer names are no names; as for those in the configuration.
const MAX_NAME: usize = 128;
/// Rooms in one token.
const MAX_ROOMS: usize = 64;

/// Claims by which a secret would travel in plain sight: a token's bearer reads all of it. Somebody
/// who puts one there is told at the first try, not after a year in production.
const SECRETS: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "client_secret",
    "api_key",
    "apikey",
    "private_key",
    "credentials",
    "ha1",
];

#[derive(Debug, Deserialize)]
struct Written {
    sub: Option<Text>,
    /// What CppComet's tokens say instead of `sub`.
    user_id: Option<Text>,
    name: Option<String>,
    rooms: Option<List>,
    rights: Option<List>,
    iss: Option<String>,
    aud: Option<List>,
    exp: Option<Date>,
    nbf: Option<Date>,
}

/// PHP writes a user's number as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Number(u64),
}

impl Text {
    fn into_id(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum List {
    One(Text),
    Many(Vec<Text>),
}

impl List {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.into_id()],
            Self::Many(many) => many.into_iter().map(Text::into_id).collect(),
        }
    }
}

/// RFC 7519 section 2: a NumericDate may have a fraction.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Date {
    Whole(u64),
    Fraction(f64),
}

impl Date {
    fn seconds(&self) -> u64 {
        match self {
            Self::Whole(seconds) => *seconds,
            // as: saturates, a negative date is 0
            Self::Fraction(seconds) => *seconds as u64,
        }
    }
}

impl Claims {
    /// What a token says, whoever wrote it.
    #[must_use]
    pub fn peek(token: &str) -> Option<Self> {
        let mut parts = token.split('.').skip(1);
        Self::parse(&super::decode(parts.next()?).ok()?).ok()
    }

    pub(super) fn parse(payload: &[u8]) -> Result<Self, Refused> {
        let written: Written = serde_json::from_slice(payload).map_err(|_| Refused::Malformed)?;
        let all: Value = serde_json::from_slice(payload).map_err(|_| Refused::Malformed)?;
        if carries_secret(&all) {
            return Err(Refused::Indiscreet);
        }
        let user = written.sub.or(written.user_id).ok_or(Refused::Malformed)?;
        let user = user.into_id();
        let name = written.name.filter(|name| !name.is_empty());
        let named = name.as_ref().is_none_or(|name| is_name(name));
        if !is_user_id(&user) || !named {
            return Err(Refused::Malformed);
        }
        Ok(Self {
            user,
            name,
            rooms: written.rooms.map_or(Ok(Rooms::All), rooms)?,
            rights: written.rights.map_or(Rights::USER, rights),
            issuer: written.iss,
            audience: written.aud.map(List::into_vec).unwrap_or_default(),
            // a token for ever could never be forgotten
            expires: written.exp.ok_or(Refused::Malformed)?.seconds(),
            not_before: written.nbf.map(|date| date.seconds()),
        })
    }
}

/// What may be shown to others as somebody's name.
pub fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

fn rooms(list: List) -> Result<Rooms, Refused> {
    let rooms = list.into_vec();
    if rooms == ["*"] {
        return Ok(Rooms::All);
    }
    if rooms.len() > MAX_ROOMS || !rooms.iter().all(|room| is_user_id(room)) {
        return Err(Refused::Malformed);
    }
    Ok(Rooms::Only(rooms))
}

/// An array, or one text with spaces. A right that we do not know grants nothing.
fn rights(list: List) -> Rights {
    list.into_vec()
        .iter()
        .flat_map(|text| text.split_ascii_whitespace())
        .filter_map(Right::named)
        .collect()
}

/// serde_json stops at a depth of 128, so this ends too.
fn carries_secret(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            SECRETS.iter().any(|name| key.eq_ignore_ascii_case(name)) || carries_secret(value)
        }),
        Value::Array(values) => values.iter().any(carries_secret),
        _ => false,
    }
}
