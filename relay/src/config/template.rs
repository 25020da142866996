//! The commented file that `clinicall default-config` prints.

use std::fmt::Write as _;

use super::{
    ApiKey, Calls, Comet, CometQl, Config, Events, Http, Issuer, Key, Limits, Log, Login, Media,
    Store, User, Webhook,
};

/// Every key with its manual and its default. Keys that are empty by default stand there as a
/// commented example. The text parses to [`Config::default`].
#[must_use]
pub fn template() -> String {
    let mut page = String::new();
    let defaults = toml::Table::try_from(Config::default())
        .expect("the default configuration has string keys only, which is all TOML asks for");
    section(&mut page, None, Config::ABOUT, Config::KEYS, &defaults);
    for (name, about, keys) in [
        ("http", Http::ABOUT, Http::KEYS),
        ("media", Media::ABOUT, Media::KEYS),
        ("calls", Calls::ABOUT, Calls::KEYS),
        ("limits", Limits::ABOUT, Limits::KEYS),
        ("store", Store::ABOUT, Store::KEYS),
        ("login", Login::ABOUT, Login::KEYS),
        ("cometql", CometQl::ABOUT, CometQl::KEYS),
        ("comet", Comet::ABOUT, Comet::KEYS),
        ("log", Log::ABOUT, Log::KEYS),
        ("events", Events::ABOUT, Events::KEYS),
    ] {
        let empty = toml::Table::new();
        let values = defaults.get(name).and_then(toml::Value::as_table);
        section(
            &mut page,
            Some(&format!("[{name}]")),
            about,
            keys,
            values.unwrap_or(&empty),
        );
    }
    for (title, about, keys) in [
        ("# [[issuer]]", Issuer::ABOUT, Issuer::KEYS),
        ("# [[api_key]]", ApiKey::ABOUT, ApiKey::KEYS),
        ("# [[webhook]]", Webhook::ABOUT, Webhook::KEYS),
        ("# [[user]]", User::ABOUT, User::KEYS),
    ] {
        section(&mut page, Some(title), about, keys, &toml::Table::new());
    }
    page
}

fn section(
    page: &mut String,
    title: Option<&str>,
    about: &[&str],
    keys: &[Key],
    values: &toml::Table,
) {
    if let Some(title) = title {
        page.push('\n');
        comment(page, about);
        page.push_str(title);
        page.push_str("\n\n");
    } else {
        comment(page, about);
        page.push('\n');
    }
    for key in keys {
        let value = values.get(key.name);
        // sections of their own follow below
        if key.doc.is_empty() {
            continue;
        }
        comment(page, key.doc);
        let line = match (value.filter(|value| !is_nothing(value)), key.example) {
            (Some(value), _) => writeln!(page, "{} = {value}\n", key.name),
            (None, Some(example)) => writeln!(page, "# {} = {example}\n", key.name),
            (None, None) => writeln!(page, "# {} = false\n", key.name),
        };
        line.expect("writing to a String does not fail");
    }
    // one empty line between sections, not two
    page.truncate(page.trim_end().len());
    page.push('\n');
}

fn is_nothing(value: &toml::Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_str().is_some_and(str::is_empty)
}

fn comment(page: &mut String, lines: &[&str]) {
    for line in lines {
        page.push('#');
        page.push_str(line);
        page.push('\n');
    }
}
