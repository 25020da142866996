use web_sys::MediaStream;
use yew::prelude::*;

use crate::components::avatar::Avatar;
use crate::components::call_time::CallTime;
use crate::components::icon::Shape;
use crate::components::picture::Picture;
use crate::components::round_button::{Kind, RoundButton};
use crate::pages::HEADING;
use crate::people::Person;
use crate::visit::{Media, Wish};
use crate::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub with: Person,
    pub video: bool,
    pub microphone: bool,
    pub camera: bool,
    pub media: Media,
    pub local: Option<MediaStream>,
    pub remote: Option<MediaStream>,
    pub wish: Callback<Wish>,
}

/// The two see and hear each other.
#[function_component]
pub fn Talking(props: &Props) -> Html {
    let seen = use_state_eq(|| false);
    let on_picture = {
        let setter = seen.setter();
        Callback::from(move |there| setter.set(there))
    };
    html! {
        <main class={classes!("stage", "stage-talking", seen.then_some("stage-seen"))}
            data-testid="screen-talking" data-media={media_name(props.media)}>
            <Picture stream={props.remote.clone()} label={format!("Picture of {}", props.with.name)}
                testid="remote" {on_picture} />
            <div class="stage-top">
                <h1 id={HEADING} tabindex="-1">{ &props.with.name }</h1>
                <p>
                    <span data-testid="state">{ words::state(props.media) }</span>
                    if let Some(since) = props.media.since() {
                        <CallTime {since} />
                    }
                </p>
            </div>
            if !*seen {
                <div class="stage-middle">
                    <Avatar person={props.with.clone()} large=true />
                </div>
            }
            if props.video {
                <div class={classes!("own", (!props.camera).then_some("own-off"))}>
                    <Picture stream={props.local.clone()} own=true label="Your own picture"
                        testid="local" />
                    if !props.camera {
                        <span>{ "Camera off" }</span>
                    }
                </div>
            }
            <div class="controls">{ controls(props) }</div>
        </main>
    }
}

fn controls(props: &Props) -> Html {
    let (microphone, camera) = (props.microphone, props.camera);
    let kind = |on: bool| if on { Kind::Plain } else { Kind::Off };
    let turn_microphone = props.wish.reform(move |()| Wish::Microphone(!microphone));
    let turn_camera = props.wish.reform(move |()| Wish::Camera(!camera));
    let hang_up = props.wish.reform(|()| Wish::HangUp);
    html! {
        <>
            <RoundButton
                shape={if microphone { Shape::Microphone } else { Shape::MicrophoneOff }}
                kind={kind(microphone)} word={if microphone { "Mute" } else { "Unmute" }}
                testid="microphone" onclick={turn_microphone} />
            if props.video {
                <RoundButton shape={if camera { Shape::Camera } else { Shape::CameraOff }}
                    kind={kind(camera)} word={if camera { "Camera off" } else { "Camera on" }}
                    testid="camera" onclick={turn_camera} />
            }
            <RoundButton shape={Shape::HangUp} kind={Kind::Stop} word="Hang up" testid="hang-up"
                onclick={hang_up} />
        </>
    }
}

fn media_name(media: Media) -> &'static str {
    match media {
        Media::Connecting => "connecting",
        Media::Connected { .. } => "connected",
        Media::Reconnecting { .. } => "reconnecting",
    }
}
