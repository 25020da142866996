use yew::prelude::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Handset,
    /// The handset laid down.
    HangUp,
    Camera,
    CameraOff,
    Microphone,
    MicrophoneOff,
    Bell,
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub shape: Shape,
}

const HANDSET: &str = "M5 3h3.6l1.6 4.4-2.2 1.7a12 12 0 0 0 5.9 5.9l1.7-2.2 4.4 1.6v3.6a2 2 0 0 1-2 2A16 16 0 0 1 3 5a2 2 0 0 1 2-2z";
const CAMERA: &str = "M4 6h9.5a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5H4a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 4 6z M16.5 10.4l5-3v9.2l-5-3z";
const MICROPHONE: &str =
    "M12 3a3 3 0 0 1 3 3v5.5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3z M5.5 11.5a6.5 6.5 0 0 0 13 0 M12 18v3";
const BELL: &str = "M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15z M10 21h4";
const STROKE_THROUGH: &str = "M3.5 3.5l17 17";

/// A drawing beside or instead of a word; the word itself is always there for a screen reader.
#[function_component]
pub fn Icon(props: &Props) -> Html {
    let (path, crossed, class) = match props.shape {
        Shape::Handset => (HANDSET, false, None),
        Shape::HangUp => (HANDSET, false, Some("icon-laid")),
        Shape::Camera => (CAMERA, false, None),
        Shape::CameraOff => (CAMERA, true, None),
        Shape::Microphone => (MICROPHONE, false, None),
        Shape::MicrophoneOff => (MICROPHONE, true, None),
        Shape::Bell => (BELL, false, None),
    };
    html! {
        <svg class={classes!("icon", class)} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d={path} />
            if crossed {
                <path class="icon-gap" d={STROKE_THROUGH} />
                <path d={STROKE_THROUGH} />
            }
        </svg>
    }
}
