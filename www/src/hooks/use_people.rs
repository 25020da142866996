use gloo_timers::future::TimeoutFuture;
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{RequestCache, RequestInit, Response};
use yew::prelude::*;

use std::cell::Cell;
use std::rc::Rc;

use crate::browser;
use crate::people::Person;
use crate::visit::Action;

/// Often enough to see somebody arrive; a list of ten people is half a kilobyte.
const EVERY_MILLIS: u32 = 2_000;

/// Keeps the list of people fresh while it is looked at, and leaves the line alone during a call.
#[hook]
pub fn use_people(looked_at: bool, tell: Callback<Action>) {
    use_effect_with(looked_at, move |&looked_at| {
        let asking = Rc::new(Cell::new(looked_at));
        let until = asking.clone();
        spawn_local(async move {
            while asking.get() {
                let news = ask().await;
                if !asking.get() {
                    break;
                }
                if news == Action::PeopleArePrivate {
                    asking.set(false);
                }
                tell.emit(news);
                TimeoutFuture::new(EVERY_MILLIS).await;
            }
        });
        move || until.set(false)
    });
}

async fn ask() -> Action {
    match fetch("/demo/users").await {
        Ok(Answer::Json(body)) => Action::PeopleCame(read_people(&body)),
        Ok(Answer::NotFound) => Action::PeopleArePrivate,
        Ok(Answer::Trouble) | Err(_) => Action::PeopleUnreachable,
    }
}

enum Answer {
    Json(JsValue),
    NotFound,
    Trouble,
}

async fn fetch(path: &str) -> Result<Answer, JsValue> {
    let how = RequestInit::new();
    how.set_cache(RequestCache::NoStore);
    let asked = browser::window().fetch_with_str_and_init(path, &how);
    let response: Response = JsFuture::from(asked).await?.dyn_into()?;
    Ok(match response.status() {
        200 => Answer::Json(JsFuture::from(response.json()?).await?),
        404 => Answer::NotFound,
        _ => Answer::Trouble,
    })
}

fn read_people(body: &JsValue) -> Vec<Person> {
    let Some(list) = body.dyn_ref::<Array>() else {
        return Vec::new();
    };
    list.iter()
        .filter_map(|entry| read_person(&entry))
        .collect()
}

/// An entry without an id is nobody; everything else may be missing.
fn read_person(entry: &JsValue) -> Option<Person> {
    let text = |name| {
        browser::get(entry, name)
            .as_string()
            .filter(|text| !text.is_empty())
    };
    let mut person = Person::unlisted(&text("id")?);
    if let Some(name) = text("name") {
        person.name = name.into();
    }
    person.password = text("password").unwrap_or_default().into();
    person.online = browser::get(entry, "online").is_truthy();
    Some(person)
}
