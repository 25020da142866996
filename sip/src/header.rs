//! Typed views of header fields, one header per file.
//!
//! Each view has `parse` (of one value, as [`Headers::first`] and [`Headers::all`] give it) and
//! prints itself with `Display`. The methods of [`Headers`] in this module read the fields that an
//! agent needs; `None` means absent or unreadable.

pub mod grammar;

mod contact;
mod content_type;
mod cseq;
mod max_forwards;
mod name_addr;
mod option_tags;
mod params;
mod rack;
mod reason;
mod replaces;
mod retry_after;
mod seconds;
mod session_expires;
mod via;

pub use contact::Contact;
pub use content_type::ContentType;
pub use cseq::CSeq;
pub use name_addr::NameAddr;
pub(crate) use name_addr::is_name_addr;
pub use option_tags::OptionTags;
pub use params::Params;
pub use rack::{RAck, parse_rseq};
pub use reason::Reason;
pub use replaces::Replaces;
pub use retry_after::RetryAfter;
pub use session_expires::{Refresher, SessionExpires};
pub use via::Via;

use crate::message::Headers;

impl Headers {
    /// The topmost Via.
    #[must_use]
    pub fn via(&self) -> Option<Via> {
        Via::parse(self.first("Via")?)
    }
    #[must_use]
    pub fn from(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get("From")?)
    }
    #[must_use]
    pub fn to(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get("To")?)
    }
    #[must_use]
    pub fn call_id(&self) -> Option<&str> {
        self.get("Call-ID")
    }
    #[must_use]
    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.get("CSeq")?)
    }
    /// The first Contact.
    #[must_use]
    pub fn contact(&self) -> Option<Contact> {
        Contact::parse(self.first("Contact")?)
    }
    /// Every readable Contact.
    #[must_use]
    pub fn contacts(&self) -> Vec<Contact> {
        self.all("Contact").filter_map(Contact::parse).collect()
    }
    /// Every readable Route, Record-Route, Path or Service-Route, top to bottom.
    #[must_use]
    pub fn routes(&self, name: &str) -> Vec<NameAddr> {
        self.all(name).filter_map(NameAddr::parse).collect()
    }
    #[must_use]
    pub fn content_type(&self) -> Option<ContentType> {
        ContentType::parse(self.get("Content-Type")?)
    }
    #[must_use]
    pub fn session_expires(&self) -> Option<SessionExpires> {
        SessionExpires::parse(self.get("Session-Expires")?)
    }
    #[must_use]
    pub fn rack(&self) -> Option<RAck> {
        RAck::parse(self.get("RAck")?)
    }
    #[must_use]
    pub fn rseq(&self) -> Option<u32> {
        parse_rseq(self.get("RSeq")?)
    }
    #[must_use]
    pub fn replaces(&self) -> Option<Replaces> {
        Replaces::parse(self.get("Replaces")?)
    }
    #[must_use]
    pub fn retry_after(&self) -> Option<RetryAfter> {
        RetryAfter::parse(self.get("Retry-After")?)
    }
    /// Every readable Reason (RFC 3326).
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        self.all("Reason").filter_map(Reason::parse).collect()
    }
}
