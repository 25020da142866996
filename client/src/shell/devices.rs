//! Microphone and camera.

use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MediaStream, MediaStreamConstraints, MediaStreamTrack};

use super::{
    page::window,
    promise::{text_of, when},
};
use crate::{phone::Wants, reason::Cause};

/// A face on a screen; the browser's own default (640x480) is not the same everywhere.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 480.0;

/// Asks for the devices. The stream has just the tracks wanted.
pub(crate) fn capture(wants: Wants, done: impl FnOnce(Result<MediaStream, Cause>) + 'static) {
    let Some(promise) = ask(wants) else {
        return done(Err(Cause::NotSupported));
    };
    when(&promise, move |result| {
        done(
            result
                .map(JsCast::unchecked_into)
                .map_err(|error| cause_of(&error)),
        );
    });
}

fn ask(wants: Wants) -> Option<Promise> {
    let navigator = window().navigator();
    // absent on pages without HTTPS
    let devices = navigator
        .media_devices()
        .ok()
        .filter(|devices| !devices.is_undefined())?;
    let constraints = MediaStreamConstraints::new();
    constraints.set_audio(&wants.audio.into());
    if wants.video {
        let video = Object::new();
        for (name, ideal) in [("width", WIDTH), ("height", HEIGHT)] {
            let range = Object::new();
            let _ = Reflect::set(&range, &"ideal".into(), &ideal.into());
            let _ = Reflect::set(&video, &name.into(), &range);
        }
        let _ = Reflect::set(&video, &"facingMode".into(), &"user".into());
        constraints.set_video(&video);
    }
    devices
        .get_user_media_with_constraints(&constraints)
        .ok()
        .map(|promise| promise.unchecked_into())
}

/// The names of Media Capture and Streams section 10.2, `getUserMedia`.
fn cause_of(error: &JsValue) -> Cause {
    match text_of(error, "name").as_str() {
        "NotAllowedError" | "SecurityError" => Cause::MediaDenied,
        "NotFoundError" | "OverconstrainedError" => Cause::NoDevice,
        "NotReadableError" | "AbortError" => Cause::DeviceBusy,
        _ => Cause::BrowserFailed,
    }
}

/// A call's own copy of the page's stream: muting or ending it leaves the page's alone, and one
/// camera serves several calls.
pub(crate) fn copy_of(stream: &MediaStream, wants: Wants) -> Result<MediaStream, Cause> {
    let copy = MediaStream::new().map_err(|_| Cause::BrowserFailed)?;
    for track in tracks(stream) {
        let wanted = if track.kind() == "audio" {
            wants.audio
        } else {
            wants.video
        };
        if wanted {
            copy.add_track(&track.clone());
        }
    }
    Ok(copy)
}

pub(crate) fn tracks(stream: &MediaStream) -> impl Iterator<Item = MediaStreamTrack> {
    stream
        .get_tracks()
        .into_iter()
        .map(|track| track.unchecked_into())
}

pub(crate) fn stop(stream: &MediaStream) {
    tracks(stream).for_each(|track| track.stop());
}
