//! Supported, Require, Proxy-Require, Unsupported (option tags) and Allow (methods): lists of
//! tokens (RFC 3261 sections 20.5, 20.29, 20.32, 20.37, 20.40).

use crate::message::{Headers, Method};

/// A list of tokens to write: `100rel, timer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionTags<'a>(pub Vec<&'a str>);

impl Headers {
    /// Does a Supported or Require field name this option? (Who requires also supports.)
    #[must_use]
    pub fn supports(&self, option: &str) -> bool {
        self.lists("Supported", option) || self.requires(option)
    }

    #[must_use]
    pub fn requires(&self, option: &str) -> bool {
        self.lists("Require", option)
    }

    /// Is the method in Allow? `None` when there is no Allow, which says nothing.
    #[must_use]
    pub fn allows(&self, method: &Method) -> Option<bool> {
        self.contains("Allow")
            .then(|| self.all("Allow").any(|name| name == method.as_str()))
    }

    /// What Require demands beyond `known`: the Unsupported of a 420.
    #[must_use]
    pub fn required_beyond(&self, known: &[&str]) -> OptionTags<'_> {
        let unknown = |option: &&str| !known.iter().any(|k| k.eq_ignore_ascii_case(option));
        OptionTags(self.all("Require").filter(unknown).collect())
    }

    /// Is `token` among the values of the list field `name`, without case?
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .any(|value| value.eq_ignore_ascii_case(token))
    }
}

impl std::fmt::Display for OptionTags<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, tag) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            f.write_str(tag)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_any_field_of_the_name() {
        let mut headers = Headers::new();
        headers.push("k", "timer, 100REL");
        headers.push("Supported", "gruu");
        headers.push("Require", "outbound,nothingSupportsThis");
        assert!(headers.supports("100rel") && headers.supports("gruu"));
        assert!(headers.supports("outbound") && !headers.requires("gruu"));
        let unknown = headers.required_beyond(&["outbound", "100rel"]);
        assert_eq!(unknown.to_string(), "nothingSupportsThis");
        assert_eq!(
            OptionTags(vec!["100rel", "timer"]).to_string(),
            "100rel, timer"
        );
    }

    #[test]
    fn silence_about_methods_is_not_a_no() {
        let mut headers = Headers::new();
        assert_eq!(headers.allows(&Method::Update), None);
        headers.push("Allow", "INVITE, ACK,BYE");
        assert_eq!(headers.allows(&Method::Update), Some(false));
        assert_eq!(headers.allows(&Method::Bye), Some(true));
    }
}
