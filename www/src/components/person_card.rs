use yew::prelude::*;

use crate::components::avatar::Avatar;
use crate::components::icon::{Icon, Shape};
use crate::people::Person;
use crate::visit::Wish;
use crate::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub person: Person,
    pub can_call: bool,
    pub wish: Callback<Wish>,
}

/// Somebody on the list, with two ways to ring them.
#[function_component]
pub fn PersonCard(props: &Props) -> Html {
    let Person {
        id, name, online, ..
    } = props.person.clone();
    let there = if online { "Here now" } else { "Not here now" };
    html! {
        <li class={classes!("person", (!online).then_some("person-away"))}
            data-testid={format!("person-{id}")} data-online={online.to_string()}>
            <Avatar person={props.person.clone()} />
            <div class="person-words">
                <span class="person-name">{ name }</span>
                <span class="person-state">{ there }</span>
            </div>
            if online {
                <div class="buttons">
                    { call_button(props, true) }
                    { call_button(props, false) }
                </div>
            }
        </li>
    }
}

fn call_button(props: &Props, video: bool) -> Html {
    let with = props.person.clone();
    let label = words::call_label(&with, video);
    let (shape, word, name, class) = match video {
        true => (Shape::Camera, "Video", "video", None),
        false => (Shape::Handset, "Voice", "voice", Some("button-quiet")),
    };
    let testid = format!("call-{name}-{}", with.id);
    let onclick = props.wish.reform(move |_| Wish::Call {
        with: with.clone(),
        video,
    });
    html! {
        <button class={classes!("button", class)} data-testid={testid} aria-label={label}
            disabled={!props.can_call} {onclick}>
            <Icon {shape} />{ word }
        </button>
    }
}
