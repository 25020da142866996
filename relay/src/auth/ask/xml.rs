//! The webhook in the form of FreeSWITCH's mod_xml_curl, for clinics that answer that already: a
//! form with the fields of a `directory` lookup, and an XML document with a `password` or an
//! `a1-hash`.

use quick_xml::{Reader, events::Event};

use super::Strange;
use crate::{
    auth::jwt::is_name,
    http::post::Reply,
    percent,
    signal::users::{Keys, User},
};

/// The fields a back end looks at, named and valued as FreeSWITCH does on a REGISTER.
pub(super) fn who_is(user: &str, domain: &str, realm: &str) -> Vec<u8> {
    let fields = [
        ("hostname", domain),
        ("section", "directory"),
        ("tag_name", "domain"),
        ("key_name", "name"),
        ("key_value", domain),
        ("Event-Name", "REQUEST_PARAMS"),
        ("action", "sip_auth"),
        ("sip_profile", "clinicall"),
        ("sip_auth_username", user),
        ("sip_auth_realm", realm),
        ("sip_to_user", user),
        ("sip_to_host", domain),
        ("sip_from_user", user),
        ("sip_from_host", domain),
        ("sip_request_host", domain),
        ("key", "id"),
        ("user", user),
        ("domain", domain),
    ];
    let mut form = String::new();
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        percent::encode_into(&mut form, name);
        form.push('=');
        percent::encode_into(&mut form, value);
    }
    form.into_bytes()
}

/// Deeper than any directory; a document nested further is not read.
const MAX_DEPTH: usize = 32;

/// What the clinic says about `user`; `None`: that there is no such user. As in FreeSWITCH, any
/// status but 200 means that too when it is 404, and is a failure otherwise.
pub fn user(reply: &Reply, user: &str, realm: &str) -> Result<Option<User>, Strange> {
    match reply.status {
        200 => {}
        404 => return Ok(None),
        status => return Err(Strange::Status(status)),
    }
    let text = std::str::from_utf8(&reply.body).map_err(|_| NOT_XML)?;
    let found = read(text, user)?;
    let Found::User(person) = found else {
        return Ok(None);
    };
    let ha1 = |ha1: &String| ha1.len() == 32 && ha1.bytes().all(|b| b.is_ascii_hexdigit());
    let keys = match (person.password, person.a1_hash.filter(ha1)) {
        (Some(password), _) => Keys::derive(user, realm, &password),
        (None, Some(ha1)) => Keys {
            sha256: None,
            md5: Some(super::json::lower(ha1)),
        },
        (None, None) => return Err(Strange::NoKey),
    };
    let name = person.name.filter(|name| is_name(name));
    Ok(Some(User {
        id: user.to_owned(),
        name: name.unwrap_or_else(|| user.to_owned()),
        keys,
    }))
}

pub(super) const NOT_XML: Strange = Strange::NotA("XML document of type `freeswitch/xml`");

#[derive(Debug, Default)]
struct Person {
    password: Option<String>,
    a1_hash: Option<String>,
    name: Option<String>,
}

enum Found {
    User(Person),
    Nobody,
}

/// Reads element after element. A document type is refused, so that no entity but the five of XML
/// itself is ever replaced.
fn read(text: &str, user: &str) -> Result<Found, Strange> {
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    let mut document = false;
    // the depth at which the wanted user stands, while within it
    let mut within = None;
    let mut person = None;
    let mut nobody = false;
    let mut another = false;
    loop {
        let event = reader.read_event().map_err(|_| NOT_XML)?;
        let (element, opens) = match &event {
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(_) => {
                depth = depth.checked_sub(1).ok_or(NOT_XML)?;
                if within.is_some_and(|at| depth <= at) {
                    within = None;
                }
                continue;
            }
            Event::DocType(_) | Event::PI(_) => return Err(NOT_XML),
            Event::Eof => break,
            _ => continue,
        };
        let get = |name: &str| attribute(element, name);
        match element.local_name().as_ref() {
            "document" if depth == 0 => {
                document = get("type")?.as_deref() == Some("freeswitch/xml");
            }
            "result" => nobody |= get("status")?.as_deref() == Some("not found"),
            "user" if within.is_none() => {
                if get("id")?.as_deref() == Some(user) {
                    within = opens.then_some(depth);
                    person.get_or_insert_with(Person::default);
                } else {
                    another = true;
                }
            }
            "param" | "variable" if within.is_some() => {
                let value = get("value")?.filter(|value| !value.is_empty());
                let person = person.get_or_insert_with(Person::default);
                match get("name")?.as_deref() {
                    Some("password") => person.password = value,
                    Some("a1-hash") => person.a1_hash = value,
                    Some("effective_caller_id_name") => person.name = value,
                    _ => {}
                }
            }
            _ => {}
        }
        if opens {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(NOT_XML);
            }
        }
    }
    if !document || depth != 0 {
        return Err(NOT_XML);
    }
    match person {
        Some(person) => Ok(Found::User(person)),
        None if nobody => Ok(Found::Nobody),
        None if another => Err(Strange::OtherUser),
        None => Err(NOT_XML),
    }
}

fn attribute(
    element: &quick_xml::events::BytesStart<'_>,
    name: &str,
) -> Result<Option<String>, Strange> {
    let attribute = element.try_get_attribute(name).map_err(|_| NOT_XML)?;
    attribute
        .map(|attribute| {
            quick_xml::escape::unescape(&attribute.value)
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| NOT_XML)
        })
        .transpose()
}
