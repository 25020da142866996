use std::rc::Rc;

use gloo_timers::callback::Interval;
use js_sys::{Object, Reflect};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlVideoElement, MediaStream};
use yew::prelude::*;

use crate::browser;

/// How often the other side's picture is looked at: a camera turned off shows within a second.
const LOOK_MILLIS: u32 = 1_000;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub stream: Option<MediaStream>,
    /// One's own picture: silent, and mirrored as people know themselves.
    #[prop_or_default]
    pub own: bool,
    pub label: AttrValue,
    pub testid: AttrValue,
    /// Whether there is a picture to see, not only sound and not only black. Not for one's own.
    #[prop_or_default]
    pub on_picture: Callback<bool>,
}

/// What a stream looks and sounds like.
#[function_component]
pub fn Picture(props: &Props) -> Html {
    let node = use_node_ref();
    let (own, on_picture) = (props.own, props.on_picture.clone());
    use_effect_with(
        (node.clone(), props.stream.clone()),
        move |(node, stream)| {
            let video = node.cast::<HtmlVideoElement>();
            let watch = video.clone().map(|video| {
                show(&video, stream.as_ref(), own);
                Watch::new(video, on_picture)
            });
            move || drop(watch)
        },
    );
    html! {
        <video ref={node} class={classes!("picture", own.then_some("picture-own"))}
            playsinline=true autoplay=true muted={own}
            aria-label={&props.label} data-testid={&props.testid} />
    }
}

fn show(video: &HtmlVideoElement, stream: Option<&MediaStream>, own: bool) {
    // the attribute alone counts only for elements that come with the page's source
    video.set_muted(own);
    video.set_src_object(stream);
    if stream.is_some()
        && let Ok(playing) = video.play()
    {
        // refused when the stream changes again before it starts; `autoplay` then does it
        let ignore = Closure::once(|_| {});
        let _ = playing.catch(&ignore);
        ignore.forget();
    }
}

/// Looks whether there is something to see, and lets go of the stream in the end.
struct Watch {
    video: HtmlVideoElement,
    heard: Closure<dyn Fn()>,
    _looking: Interval,
}

impl Watch {
    fn new(video: HtmlVideoElement, on_picture: Callback<bool>) -> Self {
        let eye = Eye::open();
        let watched = video.clone();
        let look = Rc::new(move || {
            let dark = || {
                eye.as_ref()
                    .is_some_and(|eye| eye.is_dark(&watched) == Some(true))
            };
            on_picture.emit(watched.video_width() > 0 && !dark());
        });
        let again = look.clone();
        let watch = Self {
            video,
            heard: Closure::new(move || look()),
            _looking: Interval::new(LOOK_MILLIS, move || again()),
        };
        let listener = Some(watch.heard.as_ref().unchecked_ref());
        watch.video.set_onloadeddata(listener);
        watch.video.set_onresize(listener);
        watch
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.video.set_onloadeddata(None);
        self.video.set_onresize(None);
        self.video.set_src_object(None);
    }
}

/// Side of the tiny copy that is looked at, in pixels.
const EYE: u32 = 8;

/// The most of any colour, out of 255, that is still black: the encoder leaves traces.
const BLACK: u8 = 4;

/// Sees whether a picture is black. A camera that its owner turned off sends black frames, and
/// nothing in the stream says so.
struct Eye(CanvasRenderingContext2d);

impl Eye {
    fn open() -> Option<Self> {
        let document = browser::window().document()?;
        let canvas = document
            .create_element("canvas")
            .ok()?
            .dyn_into::<HtmlCanvasElement>()
            .ok()?;
        canvas.set_width(EYE);
        canvas.set_height(EYE);
        let options = Object::new();
        Reflect::set(&options, &"willReadFrequently".into(), &true.into()).ok()?;
        let context = canvas
            .get_context_with_context_options("2d", &options)
            .ok()??;
        context.dyn_into().ok().map(Self)
    }

    fn is_dark(&self, video: &HtmlVideoElement) -> Option<bool> {
        let side = f64::from(EYE);
        self.0
            .draw_image_with_html_video_element_and_dw_and_dh(video, 0.0, 0.0, side, side)
            .ok()?;
        let pixels = self.0.get_image_data(0.0, 0.0, side, side).ok()?.data();
        // red, green, blue and what is not looked at, the opacity
        Some(
            pixels
                .chunks_exact(4)
                .all(|pixel| pixel.iter().take(3).all(|colour| *colour <= BLACK)),
        )
    }
}
