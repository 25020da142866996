use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{HtmlVideoElement, MediaStream};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub stream: Option<MediaStream>,
    /// One's own picture: silent, and mirrored as people know themselves.
    #[prop_or_default]
    pub own: bool,
    pub label: AttrValue,
    pub testid: AttrValue,
    /// Whether there is a picture to see, not only sound.
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

/// Listens for the first frame and for the last, and lets go of the stream in the end.
struct Watch {
    video: HtmlVideoElement,
    _heard: Closure<dyn Fn()>,
}

impl Watch {
    fn new(video: HtmlVideoElement, on_picture: Callback<bool>) -> Self {
        let watched = video.clone();
        let heard = Closure::<dyn Fn()>::new(move || on_picture.emit(watched.video_width() > 0));
        let listener = Some(heard.as_ref().unchecked_ref());
        video.set_onloadedmetadata(listener);
        video.set_onresize(listener);
        Self {
            video,
            _heard: heard,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.video.set_onloadedmetadata(None);
        self.video.set_onresize(None);
        self.video.set_src_object(None);
    }
}
