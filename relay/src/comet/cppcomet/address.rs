//! What a page says in the path it connects to:
//! `/ws/sesion=KEY&myid=USER&devid=TENANT&v=VERSION&uuid=PAGE&api=js`. The names are not looked at,
//! the places count. A value that the page never set arrives as the text `undefined`.

use crate::percent::decode;

/// Who knocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knock {
    /// A `users_auth` key or a JWT; empty: none.
    pub key: String,
    /// `None`: nobody. 0 is nobody too.
    pub user: Option<String>,
    /// The tenant as it was written.
    pub tenant: String,
    /// What the browser calls itself; empty or 1 to 64 harmless characters.
    pub uuid: String,
}

/// Why somebody is sent away, by CppComet's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the address names no session or no user")]
    NoSession = 401,
    #[error("the address names no tenant")]
    NoTenant = 406,
    #[error("the address names no version")]
    NoVersion = 418,
    #[error("pages of this origin may not listen here")]
    Origin = 423,
}

/// Longest first: a JWT with a few claims.
const MAX_KEY: usize = 4_096;

impl Knock {
    /// `path` is the request's path, as it came.
    pub fn parse(path: &str) -> Result<Self, Refusal> {
        let at = path.find("/ws/").ok_or(Refusal::NoSession)?;
        let mut places = path[at + 4..].split('&').map(|pair| {
            let value = pair.split_once('=').map_or("", |(_, value)| value);
            if value == "undefined" { "" } else { value }
        });
        let mut next = |missing| places.next().ok_or(missing);
        let key = decode(next(Refusal::NoSession)?);
        let user = next(Refusal::NoSession)?;
        let tenant = next(Refusal::NoTenant)?;
        let version = next(Refusal::NoVersion)?;
        let uuid = places.next().unwrap_or("");
        if key.len() > MAX_KEY {
            return Err(Refusal::NoSession);
        }
        if tenant.len() > 16 || !tenant.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::NoTenant);
        }
        if !version.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(Refusal::NoVersion);
        }
        let user = Some(user).filter(|user| crate::config::is_user_id(user) && *user != "0");
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let uuid = Some(uuid).filter(|uuid| uuid.len() <= 64 && uuid.bytes().all(harmless));
        Ok(Self {
            key,
            user: user.map(str::to_owned),
            tenant: tenant.to_owned(),
            uuid: uuid.unwrap_or_default().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_who_it_is_in_its_path() {
        let expected = Knock {
            key: "a=b/c+d_e".to_owned(),
            user: Some("2".to_owned()),
            tenant: "15".to_owned(),
            uuid: "0123456789abcdef0123456789abcdef".to_owned(),
        };
        let tail = "myid=2&devid=15&v=4.08&uuid=0123456789abcdef0123456789abcdef&api=js";
        for head in ["/ws/", "//ws/", "/comet-server/ws/", "//comet-server/ws/"] {
            let path = format!("{head}sesion=a=b/c+d_e&{tail}");
            assert_eq!(Knock::parse(&path), Ok(expected.clone()), "{path}");
        }
        let escaped = format!("/ws/sesion=a%3Db/c%2bd_e&{tail}");
        assert_eq!(Knock::parse(&escaped), Ok(expected));
    }

    #[test]
    fn a_guest_has_set_nothing() {
        let path = "/ws/sesion=undefined&myid=undefined&devid=1&v=4.08&uuid=undefined&api=js";
        let knock = Knock::parse(path).unwrap();
        assert_eq!(
            (knock.key.as_str(), knock.user, knock.uuid.as_str()),
            ("", None, "")
        );
        let zero = Knock::parse("/ws/sesion=x&myid=0&devid=1&v=4&uuid=&api=js").unwrap();
        assert_eq!(zero.user, None);
    }

    #[test]
    fn what_is_missing_has_its_number() {
        for (path, refusal) in [
            ("/ws/", Refusal::NoSession),
            ("/ws/sesion=x", Refusal::NoSession),
            ("/ws/sesion=x&myid=2", Refusal::NoTenant),
            ("/ws/sesion=x&myid=2&devid=one&v=4.08", Refusal::NoTenant),
            ("/ws/sesion=x&myid=2&devid=1", Refusal::NoVersion),
            (
                "/ws/sesion=x&myid=2&devid=1&v=undefined",
                Refusal::NoVersion,
            ),
            ("/elsewhere", Refusal::NoSession),
        ] {
            assert_eq!(Knock::parse(path), Err(refusal), "{path}");
        }
        assert_eq!(Refusal::Origin as u16, 423);
    }
}
