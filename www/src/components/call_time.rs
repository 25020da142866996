use gloo_timers::callback::Interval;
use yew::prelude::*;

use crate::{browser, words};

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Milliseconds of [`browser::now`] at which the call was connected.
    pub since: f64,
}

/// How long the call has lasted. Not a live region: nobody wants to hear every second.
#[function_component]
pub fn CallTime(props: &Props) -> Html {
    let tick = use_force_update();
    use_effect_with((), move |()| {
        let interval = Interval::new(1_000, move || tick.force_update());
        move || drop(interval)
    });
    html! {
        <span class="call-time" data-testid="call-time">
            { words::clock(browser::now() - props.since) }
        </span>
    }
}
