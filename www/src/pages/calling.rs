use web_sys::MediaStream;
use yew::prelude::*;

use crate::components::avatar::Avatar;
use crate::components::icon::Shape;
use crate::components::picture::Picture;
use crate::components::round_button::{Kind, RoundButton};
use crate::hooks::use_tone::{Tone, use_tone};
use crate::pages::HEADING;
use crate::people::Person;
use crate::visit::Wish;
use crate::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub with: Person,
    pub video: bool,
    pub ringing: bool,
    pub local: Option<MediaStream>,
    pub wish: Callback<Wish>,
}

/// We ring them.
#[function_component]
pub fn Calling(props: &Props) -> Html {
    use_tone(props.ringing.then_some(Tone::RingBack));
    let cancel = props.wish.reform(|()| Wish::HangUp);
    html! {
        <main class="stage" data-testid="screen-calling">
            if props.video {
                <Picture stream={props.local.clone()} own=true label="Your own picture" testid="local" />
            }
            <div class="stage-middle">
                <Avatar person={props.with.clone()} large=true pulsing=true />
                <h1 id={HEADING} tabindex="-1">{ &props.with.name }</h1>
                <p data-testid="state">{ words::calling(props.ringing) }</p>
            </div>
            <div class="controls">
                <RoundButton shape={Shape::HangUp} kind={Kind::Stop} word="Cancel" testid="hang-up"
                    onclick={cancel} />
            </div>
        </main>
    }
}
