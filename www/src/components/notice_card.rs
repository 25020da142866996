use yew::prelude::*;

use crate::components::icon::{Icon, Shape};
use crate::visit::{Notice, Wish};
use crate::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub notice: Notice,
    /// Calling again makes no sense while the line is down.
    #[prop_or(true)]
    pub can_call: bool,
    pub wish: Callback<Wish>,
}

/// How the last call ended, or what went wrong, with the next step.
#[function_component]
pub fn NoticeCard(props: &Props) -> Html {
    let notice = &props.notice;
    let read = props.wish.reform(|_| Wish::ReadNotice);
    let again = notice
        .again
        .clone()
        .filter(|_| props.can_call)
        .map(|(person, video)| {
            let label = format!("Call again: {}", words::call_label(&person, video));
            let shape = if video { Shape::Camera } else { Shape::Handset };
            let call = props.wish.reform(move |_| Wish::Call {
                with: person.clone(),
                video,
            });
            html! {
                <button class="button" data-testid="call-again" aria-label={label} onclick={call}>
                    <Icon {shape} />{ "Call again" }
                </button>
            }
        });
    html! {
        <div class={classes!("notice", notice.trouble.then_some("notice-trouble"))}>
            <p data-testid="notice">{ &notice.text }</p>
            <div class="buttons">
                { for again }
                <button class="button button-plain" data-testid="notice-read" onclick={read}>
                    { "Close" }
                </button>
            </div>
        </div>
    }
}
