//! SIP and SIPS URIs (RFC 3261 section 19.1); `tel:` and others are kept as they are.

mod parse;

pub(crate) use parse::{is_host, is_uri};

/// A URI. Parameters and headers keep their order and spelling. Two spellings of one URI (escapes
/// where none are needed, letter case of the host) read alike and print alike; a message that was
/// parsed keeps the original spelling of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri {
    /// `sip`, `sips`, `tel` or whatever was written, in lower case.
    pub scheme: String,
    /// The user part, percent-decoded; empty when there is none.
    pub user: String,
    /// Deprecated in practice, kept so that printing is lossless.
    pub password: Option<String>,
    /// Host in lower case, IPv6 with its brackets (`[::1]` stays `[::1]`). For schemes other than
    /// sip and sips: everything after the colon, as written.
    pub host: String,
    pub port: Option<u16>,
    /// `;name=value` in order; names in lower case, values as written.
    pub params: Vec<(String, Option<String>)>,
    /// `?name=value&...` as written, without the question mark.
    pub headers: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a URI")]
pub struct BadUri(pub String);

impl Uri {
    /// `sip:user@host`.
    #[must_use]
    pub fn sip(user: &str, host: &str) -> Self {
        Self {
            scheme: "sip".to_owned(),
            user: user.to_owned(),
            password: None,
            host: host.to_ascii_lowercase(),
            port: None,
            params: Vec::new(),
            headers: None,
        }
    }

    /// `sip` or `sips`: the schemes whose parts we understand.
    #[must_use]
    pub fn is_sip(&self) -> bool {
        self.scheme == "sip" || self.scheme == "sips"
    }

    /// The value of a URI parameter; `Some("")` for one without a value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_deref().unwrap_or(""))
    }

    /// Replaces or appends a parameter; `None` writes the name alone.
    pub fn set_param(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.params.iter_mut().find(|(n, _)| n == name) {
            Some(param) => param.1 = value,
            None => self.params.push((name.to_ascii_lowercase(), value)),
        }
    }

    /// RFC 3261 section 19.1.4 equality, except that it also ignores URI headers.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        // these count even when only one of the two has them
        const WEIGHTY: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
        let agrees = |(name, value): &(String, Option<String>), with: &Self| match with
            .params
            .iter()
            .find(|(n, _)| n == name)
        {
            Some((_, theirs)) => {
                let (a, b) = (value.as_deref(), theirs.as_deref());
                a.unwrap_or("").eq_ignore_ascii_case(b.unwrap_or(""))
            }
            None => !WEIGHTY.contains(&name.as_str()),
        };
        self.scheme == other.scheme
            && self.user == other.user
            && self.password == other.password
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port == other.port
            && self.params.iter().all(|param| agrees(param, other))
            && other.params.iter().all(|param| agrees(param, self))
    }
}

impl std::fmt::Display for Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.scheme)?;
        f.write_str(":")?;
        if !self.user.is_empty() || self.password.is_some() {
            f.write_str(&parse::escape_user(&self.user))?;
            if let Some(password) = &self.password {
                f.write_str(":")?;
                f.write_str(password)?;
            }
            f.write_str("@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            f.write_str(":")?;
            port.fmt(f)?;
        }
        for (name, value) in &self.params {
            f.write_str(";")?;
            f.write_str(name)?;
            if let Some(value) = value {
                f.write_str("=")?;
                f.write_str(value)?;
            }
        }
        if let Some(headers) = &self.headers {
            f.write_str("?")?;
            f.write_str(headers)?;
        }
        Ok(())
    }
}
