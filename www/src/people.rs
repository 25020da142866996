//! The people of the clinic, as the relay tells of them.

use yew::AttrValue;

/// Somebody who can be at one end of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The clinic's own id, the user part of the SIP address.
    pub id: AttrValue,
    pub name: AttrValue,
    /// Only the demo relay tells this, so that choosing a card is enough to sign in.
    pub password: AttrValue,
    pub online: bool,
}

impl Person {
    /// Somebody of whom only the id is known: a caller from outside, or a name typed into the form.
    pub fn unlisted(id: &str) -> Self {
        let id = AttrValue::from(id.to_owned());
        Self {
            name: id.clone(),
            id,
            password: AttrValue::default(),
            online: true,
        }
    }

    /// One or two letters to stand in for a picture. Only ASCII is made upper case: the tables for
    /// the rest weigh more than this page's own code for it, and names have their capitals.
    pub fn initials(&self) -> String {
        let mut words = self
            .name
            .split_whitespace()
            .filter_map(|word| word.chars().next());
        let first = words.next();
        first
            .into_iter()
            .chain(words.next_back())
            .map(|letter| letter.to_ascii_uppercase())
            .collect()
    }
}

/// What is known of who is there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum People {
    /// Not asked yet, or no answer yet.
    #[default]
    Unknown,
    Known(Vec<Person>),
    /// The relay tells nobody (404): it was not started as a demo.
    Private,
}

impl People {
    pub fn find(&self, id: &str) -> Option<&Person> {
        match self {
            Self::Known(list) => list.iter().find(|person| person.id == id),
            Self::Unknown | Self::Private => None,
        }
    }

    /// Whom `?user=` means: an id, or a word of a name (`doctor` for Doctor Ivanova).
    pub fn find_named(&self, word: &str) -> Option<&Person> {
        let Self::Known(list) = self else { return None };
        let called = |person: &&Person| {
            person
                .name
                .split_whitespace()
                .any(|part| part.eq_ignore_ascii_case(word))
        };
        self.find(word).or_else(|| list.iter().find(called))
    }

    /// The listed person, or one who goes by `name` (or else by the id).
    pub fn find_or_call(&self, id: &str, name: Option<&str>) -> Person {
        self.find(id).cloned().unwrap_or_else(|| {
            let mut person = Person::unlisted(id);
            if let Some(name) = name.filter(|name| !name.trim().is_empty()) {
                person.name = AttrValue::from(name.trim().to_owned());
            }
            person
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &'static str) -> Person {
        Person {
            name: AttrValue::from(name),
            ..Person::unlisted("7")
        }
    }

    #[test]
    fn initials_are_the_first_and_the_last_word() {
        assert_eq!(named("Doctor Anna Ivanova").initials(), "DI");
        assert_eq!(named("patient Петров").initials(), "PП");
        assert_eq!(named("  ").initials(), "");
    }

    #[test]
    fn the_address_names_the_doctor_by_id_or_by_a_word() {
        let doctor = Person {
            id: "2".into(),
            ..named("Doctor Ivanova")
        };
        let people = People::Known(vec![named("Pavel Petrov"), doctor.clone()]);
        assert_eq!(people.find_named("2"), Some(&doctor));
        assert_eq!(people.find_named("doctor"), Some(&doctor));
        assert_eq!(people.find_named("IVANOVA"), Some(&doctor));
        assert_eq!(people.find_named("doc"), None);
    }

    #[test]
    fn a_caller_nobody_listed_goes_by_the_name_they_gave() {
        let people = People::Private;
        assert_eq!(people.find_or_call("+7999", Some(" Anna ")).name, "Anna");
        assert_eq!(people.find_or_call("+7999", Some(" ")).name, "+7999");
        assert_eq!(people.find_or_call("+7999", None).name, "+7999");
    }
}
