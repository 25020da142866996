//! Contact (RFC 3261 section 20.10) with the parameters of registrations: expires, q, outbound's
//! `+sip.instance` and `reg-id` (RFC 5626), `pub-gruu` and `temp-gruu` (RFC 5627).

use super::{
    NameAddr,
    grammar::{bare, number},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// `*`: every binding, in a REGISTER that removes them.
    All,
    At(NameAddr),
}

impl Contact {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.trim_ascii() == "*" {
            Some(Self::All)
        } else {
            NameAddr::parse(text).map(Self::At)
        }
    }

    /// The address, when it is one.
    #[must_use]
    pub const fn addr(&self) -> Option<&NameAddr> {
        match self {
            Self::All => None,
            Self::At(addr) => Some(addr),
        }
    }

    #[must_use]
    pub fn into_addr(self) -> Option<NameAddr> {
        match self {
            Self::All => None,
            Self::At(addr) => Some(addr),
        }
    }
}

impl NameAddr {
    /// `expires` in seconds. An unreadable value counts as absent here; RFC 3261 section 10.2.1.1
    /// says 3600 for it.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        number(self.params.get("expires")?)
    }

    /// `q` in thousandths, 1000 when there is none (RFC 3261 section 16.6 treats them alike).
    #[must_use]
    pub fn q(&self) -> u16 {
        let Some(q) = self.params.get("q") else {
            return 1000;
        };
        let (whole, decimals) = q.split_once('.').unwrap_or((q, ""));
        let mut thousandths = 0;
        for at in 0..3 {
            let digit = decimals.as_bytes().get(at).unwrap_or(&b'0');
            thousandths = thousandths * 10 + u16::from(digit.saturating_sub(b'0').min(9));
        }
        if whole == "1" { 1000 } else { thousandths }
    }

    /// The URN of `+sip.instance` without its angle brackets.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        let urn = self.params.get("+sip.instance")?;
        Some(bare(urn, '<', '>'))
    }

    #[must_use]
    pub fn reg_id(&self) -> Option<u32> {
        number(self.params.get("reg-id")?)
    }

    #[must_use]
    pub fn pub_gruu(&self) -> Option<&str> {
        self.params.get("pub-gruu")
    }

    #[must_use]
    pub fn temp_gruu(&self) -> Option<&str> {
        self.params.get("temp-gruu")
    }
}

impl std::fmt::Display for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::At(addr) => addr.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jssip_registration() {
        let text = "<sip:k2j3@df7jal23ls0d.invalid;transport=ws>;+sip.instance=\"<urn:uuid:0f>\"\
                    ;reg-id=1;expires=600;q=0.25";
        let contact = Contact::parse(text).unwrap();
        let addr = contact.addr().unwrap();
        assert_eq!(addr.instance(), Some("urn:uuid:0f"));
        assert_eq!(addr.reg_id(), Some(1));
        assert_eq!(addr.expires(), Some(600));
        assert_eq!(addr.q(), 250);
        assert_eq!(contact.to_string(), text);
    }

    #[test]
    fn the_star_means_all() {
        assert_eq!(Contact::parse(" * "), Some(Contact::All));
        assert_eq!(Contact::All.to_string(), "*");
    }

    #[test]
    fn a_registrars_gruu_is_read() {
        let text =
            "<sip:a@b>;pub-gruu=\"sip:2@clinic.example;gr=urn:uuid:0f\";temp-gruu=\"sip:x@c;gr\"";
        let addr = Contact::parse(text).and_then(Contact::into_addr).unwrap();
        assert_eq!(addr.pub_gruu(), Some("sip:2@clinic.example;gr=urn:uuid:0f"));
        assert_eq!(addr.temp_gruu(), Some("sip:x@c;gr"));
    }

    #[test]
    fn q_counts_in_thousandths() {
        for (q, thousandths) in [
            ("1.0", 1000),
            ("0", 0),
            ("0.5", 500),
            ("0.123", 123),
            ("x", 0),
        ] {
            let mut addr = NameAddr::parse("<sip:a@b>").unwrap();
            addr.params.set("q", q);
            assert_eq!(addr.q(), thousandths, "{q}");
        }
    }
}
