//! What a REGISTER asks for.

use clinicall_sip::{
    Millis, Request, Status,
    header::{Contact, NameAddr},
};

use super::Answer;

#[derive(Debug)]
pub(super) enum Wish {
    /// No Contact: only tell what there is.
    List,
    /// `Contact: *`: remove everything.
    Nothing,
    Bind(Vec<Wanted>),
}

#[derive(Debug)]
pub(super) struct Wanted {
    pub address: NameAddr,
    /// 0 removes it.
    pub expires: Millis,
}

/// Contacts in one REGISTER; a page has one.
const MAX_CONTACTS: usize = 4;

/// Long enough for any client's; short enough that a dozen fit one response.
const MAX_URI: usize = 512;

impl Wish {
    /// RFC 3261 section 10.3 steps 6 and 7.
    pub(super) fn read(request: &Request, min: Millis, max: Millis) -> Result<Self, Answer> {
        let refuse = |status| Answer::new(Status(status));
        let header = request.headers.expires().map(seconds);
        let written = request.headers.all("Contact").count();
        let contacts = request.headers.contacts();
        if contacts.len() != written || written > MAX_CONTACTS {
            return Err(refuse(400));
        }
        if contacts.is_empty() {
            return Ok(Self::List);
        }
        if contacts.contains(&Contact::All) {
            let alone = written == 1 && header == Some(Millis(0));
            return if alone {
                Ok(Self::Nothing)
            } else {
                Err(refuse(400))
            };
        }
        let mut wanted = Vec::new();
        for address in contacts.into_iter().filter_map(Contact::into_addr) {
            let sip = matches!(address.uri.scheme.as_str(), "sip" | "sips");
            if !sip || address.uri.to_string().len() > MAX_URI {
                return Err(refuse(400));
            }
            let asked = address.expires().map(seconds).or(header).unwrap_or(max);
            if asked > Millis(0) && asked < min {
                let least = (min.0 / 1_000).to_string();
                return Err(refuse(423).with("Min-Expires", least));
            }
            wanted.push(Wanted {
                address,
                expires: asked.min(max),
            });
        }
        Ok(Self::Bind(wanted))
    }
}

fn seconds(seconds: u32) -> Millis {
    Millis::from_secs(u64::from(seconds))
}
