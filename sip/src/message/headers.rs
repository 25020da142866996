//! Header fields in the order and the spelling they were written in.

use crate::header::grammar::{has_line_end, is_token, split_list};

/// The header fields of a message in the order they were written.
///
/// All text lives in one buffer and a field is a set of offsets into it, so a message of fifteen
/// fields costs two allocations to read and two to copy.
#[derive(Clone, Default)]
pub struct Headers {
    text: String,
    fields: Vec<Field>,
    /// The start line as it was written is `text[..start_line]`; empty in headers made here.
    start_line: u32,
    /// The empty line after the headers was written as a bare LF.
    bare_end: bool,
}

/// Offsets into `Headers::text`. 32 bits hold them: messages are at most 64 KiB, and fields made
/// here come from the same programs.
#[derive(Clone, Copy)]
struct Field {
    /// The whole field with its line end(s): what is printed.
    start: u32,
    end: u32,
    name_end: u32,
    /// The value, unfolded and trimmed. Usually within the above, behind all lines when it was
    /// folded.
    value: u32,
    value_end: u32,
}

/// Header names with a compact form (RFC 3261 section 7.3.3 and the IANA registry).
const COMPACT: [(u8, &str); 18] = [
    (b'a', "Accept-Contact"),
    (b'b', "Referred-By"),
    (b'c', "Content-Type"),
    (b'd', "Request-Disposition"),
    (b'e', "Content-Encoding"),
    (b'f', "From"),
    (b'i', "Call-ID"),
    (b'j', "Reject-Contact"),
    (b'k', "Supported"),
    (b'l', "Content-Length"),
    (b'm', "Contact"),
    (b'o', "Event"),
    (b'r', "Refer-To"),
    (b's', "Subject"),
    (b't', "To"),
    (b'u', "Allow-Events"),
    (b'v', "Via"),
    (b'x', "Session-Expires"),
];

/// Fields whose value is a comma-separated list. Others keep their commas: dates, credentials,
/// subjects, and whatever we do not know.
const LISTS: [&str; 35] = [
    "Accept",
    "Accept-Contact",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Allow-Events",
    "Call-Info",
    "Contact",
    "Content-Encoding",
    "Content-Language",
    "Diversion",
    "Error-Info",
    "Feature-Caps",
    "Geolocation",
    "History-Info",
    "In-Reply-To",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Path",
    "Proxy-Require",
    "Reason",
    "Record-Route",
    "Recv-Info",
    "Reject-Contact",
    "Require",
    "Route",
    "Security-Client",
    "Security-Server",
    "Security-Verify",
    "Service-Route",
    "Supported",
    "Unsupported",
    "Via",
    "Warning",
];

/// The long form of a name: `v` is `Via`.
fn long_form(name: &str) -> &str {
    if let [letter] = name.as_bytes() {
        let letter = letter.to_ascii_lowercase();
        for (compact, long) in COMPACT {
            if compact == letter {
                return long;
            }
        }
    }
    name
}

fn is_list(long: &str) -> bool {
    LISTS.iter().any(|list| list.eq_ignore_ascii_case(long))
}

impl Headers {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            text: String::new(),
            fields: Vec::new(),
            start_line: 0,
            bare_end: false,
        }
    }

    /// The first field of that name, unfolded and trimmed. Names compare without case, and a
    /// compact form equals its long form.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.position(long_form(name))?;
        Some(self.value(self.fields[at]))
    }

    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.position(long_form(name)).is_some()
    }

    /// How many fields (lines, not values) of that name there are.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        let long = long_form(name);
        self.fields
            .iter()
            .filter(|field| self.is_named(**field, long))
            .count()
    }

    /// Every value of that name, top to bottom; a field that lists several values separated by
    /// commas (Via, Route, Contact, Supported, ...) yields each of them.
    pub fn all<'a>(&'a self, name: &str) -> std::vec::IntoIter<&'a str> {
        let long = long_form(name);
        let lists = is_list(long);
        let mut values = Vec::new();
        for field in &self.fields {
            if self.is_named(*field, long) {
                let value = self.value(*field);
                if lists {
                    values.extend(split_list(value));
                } else {
                    values.push(value);
                }
            }
        }
        values.into_iter()
    }

    /// The first value of that name: what [`Headers::all`] yields first.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        let long = long_form(name);
        if !is_list(long) {
            return self.get(long);
        }
        let at = self.position_of_value(long)?;
        split_list(self.value(self.fields[at])).next()
    }

    /// Appends a field at the end. Line breaks in `value` become spaces, and a name that is not a
    /// token adds nothing: what a page puts into a header cannot make a second one.
    pub fn push(&mut self, name: &str, value: impl AsRef<str>) {
        let at = self.fields.len();
        self.insert(at, name, value.as_ref());
    }

    /// Inserts a field at the top.
    pub fn push_front(&mut self, name: &str, value: impl AsRef<str>) {
        self.insert(0, name, value.as_ref());
    }

    /// Replaces the first field of that name (removing the rest), or appends it.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        let at = self.position(long_form(name));
        self.remove(name);
        let at = at.unwrap_or(self.fields.len());
        self.insert(at, name, value.as_ref());
    }

    /// Replaces only the first value of that name (the topmost Via or Route), or appends it.
    pub fn set_first(&mut self, name: &str, value: &str) {
        let long = long_form(name);
        let at = if is_list(long) {
            self.position_of_value(long)
        } else {
            self.position(long)
        };
        self.take_first(name);
        self.insert(at.unwrap_or(self.fields.len()), name, value);
    }

    /// Removes and returns the first value of that name, keeping the others of a list.
    pub fn take_first(&mut self, name: &str) -> Option<String> {
        let long = long_form(name);
        if !is_list(long) {
            let value = self.get(long)?.to_owned();
            let at = self.position(long)?;
            self.fields.remove(at);
            return Some(value);
        }
        let at = self.position_of_value(long)?;
        let value = self.value(self.fields[at]);
        let mut values = split_list(value);
        let first = values.next().unwrap_or("").to_owned();
        let mut rest = String::new();
        for other in values {
            if !rest.is_empty() {
                rest.push_str(", ");
            }
            rest.push_str(other);
        }
        let name = self.name(self.fields[at]).to_owned();
        self.fields.remove(at);
        if !rest.is_empty() {
            self.insert(at, &name, &rest);
        }
        Some(first)
    }

    /// Removes every field of that name; tells how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let long = long_form(name);
        let before = self.fields.len();
        let text = &self.text;
        self.fields.retain(|field| !named(text, *field, long));
        before - self.fields.len()
    }

    /// Appends every field of that name that `other` has, as written there.
    pub fn copy(&mut self, other: &Self, name: &str) {
        let long = long_form(name);
        for field in &other.fields {
            if other.is_named(*field, long) {
                self.copy_field(other, *field);
            }
        }
    }

    /// Appends every field of `other`, as written there.
    pub fn extend(&mut self, other: &Self) {
        for field in &other.fields {
            self.copy_field(other, *field);
        }
    }

    /// Names as written and values unfolded, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|field| (self.name(*field), self.value(*field)))
    }

    /// The number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    fn name(&self, field: Field) -> &str {
        &self.text[field.start as usize..field.name_end as usize]
    }

    fn value(&self, field: Field) -> &str {
        &self.text[field.value as usize..field.value_end as usize]
    }

    fn is_named(&self, field: Field, long: &str) -> bool {
        named(&self.text, field, long)
    }

    fn position(&self, long: &str) -> Option<usize> {
        self.fields
            .iter()
            .position(|field| self.is_named(*field, long))
    }

    /// The first field of a list name that is not an empty list.
    fn position_of_value(&self, long: &str) -> Option<usize> {
        self.fields.iter().position(|field| {
            self.is_named(*field, long) && split_list(self.value(*field)).next().is_some()
        })
    }

    fn insert(&mut self, at: usize, name: &str, value: &str) {
        if !is_token(name) {
            return;
        }
        let value = value.trim_ascii();
        let start = self.text.len();
        self.text.reserve(name.len() + value.len() + 4);
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(": ");
        let value_start = self.text.len();
        if has_line_end(value) {
            let one_line = |c| if c == '\r' || c == '\n' { ' ' } else { c };
            self.text.extend(value.chars().map(one_line));
        } else {
            self.text.push_str(value);
        }
        let value_end = self.text.len();
        self.text.push_str("\r\n");
        let field = Field {
            start: start as u32,
            end: self.text.len() as u32,
            name_end: name_end as u32,
            value: value_start as u32,
            value_end: value_end as u32,
        };
        self.fields.insert(at, field);
    }

    fn copy_field(&mut self, other: &Self, field: Field) {
        let at = self.fields.len();
        // unfolded: a response need not repeat the folds of the request
        self.insert(at, other.name(field), other.value(field));
    }
}

fn named(text: &str, field: Field, long: &str) -> bool {
    let name = &text[field.start as usize..field.name_end as usize];
    long_form(name).eq_ignore_ascii_case(long)
}

// --- for the parser and the printer ----------------------------------------------------------

impl Headers {
    /// Takes over the text of a message's head, start line included.
    pub(super) fn over(text: String, start_line: usize) -> Self {
        Self {
            text,
            fields: Vec::with_capacity(16),
            start_line: start_line as u32,
            bare_end: false,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn set_bare_end(&mut self) {
        self.bare_end = true;
    }

    pub(super) const fn has_bare_end(&self) -> bool {
        self.bare_end
    }

    pub(super) fn start_line(&self) -> &str {
        &self.text[..self.start_line as usize]
    }

    /// Adds the field that lies in the text at these offsets. A folded one gets a copy of its
    /// value on one line behind the text.
    pub(super) fn add_parsed(
        &mut self,
        whole: std::ops::Range<usize>,
        name_end: usize,
        value: std::ops::Range<usize>,
        folded: bool,
    ) {
        let mut value = value;
        if folded {
            let start = self.text.len();
            let unfolded = unfold(&self.text[value]);
            self.text.push_str(&unfolded);
            value = start..self.text.len();
        }
        self.fields.push(Field {
            start: whole.start as u32,
            end: whole.end as u32,
            name_end: name_end as u32,
            value: value.start as u32,
            value_end: value.end as u32,
        });
    }

    /// Each field as it is printed, line ends included, with whether it is named `long`.
    pub(super) fn raw<'a>(&'a self, long: &'a str) -> impl Iterator<Item = (&'a str, bool)> {
        self.fields.iter().map(move |field| {
            (
                &self.text[field.start as usize..field.end as usize],
                self.is_named(*field, long),
            )
        })
    }
}

/// Each line end with the white space around it becomes one space (RFC 3261 section 7.3.1).
fn unfold(value: &str) -> String {
    let mut line = String::with_capacity(value.len());
    for part in value.split('\n') {
        let part = part.trim_ascii();
        if !line.is_empty() && !part.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    line
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

/// Shows everything but credentials, which have no place in a log.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.iter().map(|(name, value)| {
            let secret = ["Authorization", "Proxy-Authorization"]
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret));
            (name, if secret { "(hidden)" } else { value })
        });
        f.debug_map().entries(shown).finish()
    }
}
