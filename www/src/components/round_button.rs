use yew::prelude::*;

use crate::components::icon::{Icon, Shape};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Plain,
    /// Something is switched off: the button stands out until it is on again.
    Off,
    Go,
    Stop,
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub shape: Shape,
    pub kind: Kind,
    pub word: AttrValue,
    pub testid: AttrValue,
    pub onclick: Callback<()>,
}

/// A disc to press with a word under it, for the screens of a call.
#[function_component]
pub fn RoundButton(props: &Props) -> Html {
    let class = match props.kind {
        Kind::Plain => None,
        Kind::Off => Some("round-off"),
        Kind::Go => Some("round-go"),
        Kind::Stop => Some("round-stop"),
    };
    html! {
        <button class={classes!("round", class)} data-testid={&props.testid}
            onclick={props.onclick.reform(|_| ())}>
            <span class="round-disc"><Icon shape={props.shape} /></span>
            <span class="round-word">{ &props.word }</span>
        </button>
    }
}
