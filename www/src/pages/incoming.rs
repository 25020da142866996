use yew::prelude::*;

use crate::components::avatar::Avatar;
use crate::components::icon::{Icon, Shape};
use crate::components::round_button::{Kind, RoundButton};
use crate::hooks::use_tone::{Tone, use_tone};
use crate::pages::HEADING;
use crate::people::Person;
use crate::visit::Wish;
use crate::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub from: Person,
    pub video: bool,
    pub wish: Callback<Wish>,
}

/// They ring us.
#[function_component]
pub fn Incoming(props: &Props) -> Html {
    let silent = use_state(|| false);
    use_tone((!*silent).then_some(Tone::Ring));
    let hush = {
        let silent = silent.clone();
        move |_| silent.set(true)
    };
    let answer = |video| props.wish.reform(move |()| Wish::Answer { video });
    let decline = props.wish.reform(|()| Wish::Decline);
    html! {
        <main class="stage" data-testid="screen-incoming" data-video={props.video.to_string()}>
            <div class="stage-middle">
                <Avatar person={props.from.clone()} large=true pulsing=true />
                <h1 id={HEADING} tabindex="-1">{ format!("{} is calling", props.from.name) }</h1>
                <p>{ words::kind(props.video) }</p>
                if !*silent {
                    <button class="button button-stage" data-testid="silence" onclick={hush}>
                        <Icon shape={Shape::Bell} />{ "Silence" }
                    </button>
                }
            </div>
            <div class="controls">
                if props.video {
                    <RoundButton shape={Shape::Camera} kind={Kind::Go} word="Answer with video"
                        testid="answer-video" onclick={answer(true)} />
                }
                <RoundButton shape={Shape::Handset} kind={Kind::Go} word="Answer with voice"
                    testid="answer-voice" onclick={answer(false)} />
                <RoundButton shape={Shape::HangUp} kind={Kind::Stop} word="Decline"
                    testid="decline" onclick={decline} />
            </div>
        </main>
    }
}
