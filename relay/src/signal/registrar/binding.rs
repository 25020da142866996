//! One binding: a device or tab of a user, and the connection that reaches it.

use clinicall_sip::{Request, Time, Uri, agent::Flow, header::NameAddr};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub flow: Flow,
    /// The Contact it gave: the Request-URI of what we send there.
    pub contact: Uri,
    /// The URN of `+sip.instance`: the same device over every connection it makes.
    pub instance: Option<String>,
    pub reg_id: Option<u32>,
    pub expires: Time,
    call_id: String,
    cseq: u32,
}

/// URNs longer than this are no UUID, IMEI or anything else that RFC 5626 names.
const MAX_INSTANCE: usize = 128;

impl Binding {
    /// `None` when Call-ID or CSeq cannot be read.
    pub(super) fn new(
        flow: Flow,
        request: &Request,
        address: NameAddr,
        expires: Time,
    ) -> Option<Self> {
        let plain = |urn: &&str| urn.len() <= MAX_INSTANCE && urn.bytes().all(is_urn_byte);
        Some(Self {
            flow,
            instance: address.instance().filter(plain).map(str::to_owned),
            reg_id: address.reg_id(),
            contact: address.uri,
            expires,
            call_id: request.headers.call_id()?.to_owned(),
            cseq: request.headers.cseq()?.number,
        })
    }

    /// The same binding: by device and flow number (RFC 5626 section 6), else by URI.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.instance, &other.instance) {
            (Some(ours), Some(theirs)) => ours == theirs && self.reg_id == other.reg_id,
            (None, None) => self.contact.same_as(&other.contact),
            _ => false,
        }
    }

    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        self.call_id == other.call_id && self.cseq >= other.cseq
    }

    /// As the registrar's 200 lists it. `gruu` is the domain of the public GRUU, for clients that
    /// asked for one (RFC 5627 section 5.3).
    pub(super) fn contact_header(&self, now: Time, user: &str, gruu: Option<&str>) -> String {
        use std::fmt::Write as _;
        let seconds = (self.expires - now).0 / 1_000;
        let mut text = format!("<{}>;expires={seconds}", self.contact);
        if let Some(instance) = &self.instance {
            let _ = write!(text, ";+sip.instance=\"<{instance}>\"");
            if let Some(reg_id) = self.reg_id {
                let _ = write!(text, ";reg-id={reg_id}");
            }
            if let Some(domain) = gruu {
                let _ = write!(text, ";pub-gruu=\"sip:{user}@{domain};gr={instance}\"");
            }
        }
        text
    }
}

/// What may stand in a URN and in a `gr` parameter without an escape.
const fn is_urn_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'.' | b'_' | b'+')
}
