//! Content-Type (RFC 3261 section 20.15).

use super::{Params, grammar::is_token};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// `application/sdp`: type and subtype in lower case.
    pub media: String,
    pub params: Params,
}

impl ContentType {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (media, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let (kind, subtype) = media.split_once('/')?;
        let (kind, subtype) = (kind.trim_ascii(), subtype.trim_ascii());
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut media = String::with_capacity(kind.len() + subtype.len() + 1);
        media.push_str(kind);
        media.push('/');
        media.push_str(subtype);
        media.make_ascii_lowercase();
        Some(Self {
            media,
            params: Params::parse(params)?,
        })
    }

    #[must_use]
    pub fn is_sdp(&self) -> bool {
        self.media == "application/sdp"
    }
}

impl std::fmt::Display for ContentType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.media)?;
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let sdp = ContentType::parse("Application / SDP").unwrap();
        assert!(sdp.is_sdp());
        assert_eq!(sdp.to_string(), "application/sdp");
        let mixed = ContentType::parse("multipart/mixed;boundary=\"a;b\"").unwrap();
        assert_eq!(mixed.params.get("boundary"), Some("a;b"));
        assert_eq!(ContentType::parse("sdp"), None);
    }
}
