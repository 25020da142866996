//! Replaces (RFC 3891 section 6.1): the dialog that a new INVITE takes over.

use super::{Params, grammar::is_token};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    pub to_tag: String,
    pub from_tag: String,
    pub early_only: bool,
}

impl Replaces {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (call_id, params) = text.split_at(text.find(';')?);
        let params = Params::parse(params)?;
        let call_id = call_id.trim_ascii();
        if call_id.is_empty() || call_id.bytes().any(|byte| byte <= b' ') {
            return None;
        }
        let tag = |name| params.get(name).filter(|tag| is_token(tag));
        Some(Self {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?.to_owned(),
            from_tag: tag("from-tag")?.to_owned(),
            early_only: params.contains("early-only"),
        })
    }
}

impl std::fmt::Display for Replaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let early = if self.early_only { ";early-only" } else { "" };
        for part in [
            &self.call_id,
            ";to-tag=",
            &self.to_tag,
            ";from-tag=",
            &self.from_tag,
            early,
        ] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attended_transfer_names_the_old_call() {
        let text = "98asjd8@phone.example;to-tag=7743;from-tag=6472;early-only";
        let replaces = Replaces::parse(text).unwrap();
        assert_eq!(replaces.call_id, "98asjd8@phone.example");
        assert!(replaces.early_only);
        assert_eq!(replaces.to_string(), text);
        assert_eq!(Replaces::parse("a;to-tag=1"), None);
    }
}
