use gloo_timers::callback::Interval;
use std::cell::Cell;
use yew::prelude::*;

use crate::browser;

/// Names the tab; while it flashes, a person in another tab sees that somebody calls.
#[hook]
pub fn use_title(title: String, flashing: bool) {
    use_effect_with((title, flashing), |(title, flashing)| {
        browser::set_title(title);
        let interval = flashing.then(|| {
            let (title, calm) = (title.clone(), Cell::new(false));
            Interval::new(1_000, move || {
                calm.set(!calm.get());
                browser::set_title(if calm.get() { "☎ ☎ ☎" } else { &title });
            })
        });
        move || drop(interval)
    });
}
