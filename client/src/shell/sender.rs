//! What the browser's senders do: `RTCRtpSender.setParameters`, and hints to its encoders; and how long what comes is
//! held back (`RTCRtpReceiver.jitterBufferTarget`).
//!
//! Nothing here needs a negotiation. A browser that refuses still has the limits of the description.

use js_sys::{Array, Reflect};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MediaStreamTrack, RtcRtpSender, RtcRtpTransceiver};

use super::promise::when;
use crate::{
    bandwidth::Mode,
    quality::{Picture, Plan},
};

#[wasm_bindgen]
extern "C" {
    type Settled;
    #[wasm_bindgen(method, js_name = getSettings)]
    fn settings(this: &Settled) -> JsValue;
}

/// Has the sender do its part of the plan with this track.
pub(super) fn tune(sender: &RtcRtpSender, track: &MediaStreamTrack, plan: Plan) {
    let audio = track.kind() == "audio";
    let (hint, degradation) = match plan.mode {
        _ if audio => ("speech", "balanced"),
        // speech and faces rather lose pixels than frames: lips are readable at 12 frames a second and small, not
        // sharp and frozen (EN 301 549 section 6.5)
        Mode::Talk => ("motion", "maintain-framerate"),
        Mode::Show => ("detail", "maintain-resolution"),
    };
    set(track, "contentHint", &hint.into());
    let parameters = sender.get_parameters();
    if !audio {
        set(&parameters, "degradationPreference", &degradation.into());
    }
    let encodings: Array = Reflect::get(&parameters, &"encodings".into())
        .unwrap_or_default()
        .unchecked_into();
    let first = encodings.get(0);
    if first.is_object() {
        if audio {
            limit(
                &first,
                "maxBitrate",
                plan.speech.map_or(0, |speech| speech.bitrate),
            );
            set(&first, "priority", &"high".into());
        } else {
            show(&first, track, plan.picture);
        }
    }
    let flat = plan.picture.flat();
    // what is not asked for layers is refused for another reason
    let again = (!audio && flat != plan.picture).then(|| (sender.clone(), track.clone(), flat));
    when(
        sender
            .set_parameters_with_parameters(&parameters)
            .unchecked_ref(),
        move |result| {
            // no layers, but the limits all the same
            if let (Err(_), Some((sender, track, picture))) = (result, again) {
                tune(&sender, &track, Plan { picture, ..plan });
            }
        },
    );
}

/// How long the receiver holds back what comes: the sound, and the picture that goes with it. A browser that does
/// not know how does as it likes.
pub(super) fn hold(transceiver: &RtcRtpTransceiver, plan: Plan) {
    let target = match plan.hold {
        0 => JsValue::NULL,
        millis => millis.into(),
    };
    set(&transceiver.receiver(), "jitterBufferTarget", &target);
}

fn show(encoding: &JsValue, track: &MediaStreamTrack, picture: Picture) {
    let (active, bitrate, lines, fps) = match picture {
        Picture::Paused => (false, 0, 0, 0),
        Picture::Shown {
            bitrate,
            lines,
            fps,
            layered,
        } => {
            // a browser that does not know the member does not look at it
            let mode = layered.then_some("L1T2");
            set(encoding, "scalabilityMode", &mode.into());
            (true, bitrate, lines, fps)
        }
    };
    set(encoding, "active", &active.into());
    limit(encoding, "maxBitrate", bitrate);
    limit(encoding, "maxFramerate", fps);
    let scale = match lines_of(track) {
        captured if lines > 0 && captured > lines => f64::from(captured) / f64::from(lines),
        _ => 1.0,
    };
    set(encoding, "scaleResolutionDownBy", &scale.into());
}

/// Lines of the camera's picture; 0 when nothing says so. A phone held upright has more lines than columns: the
/// shorter side counts.
pub(super) fn lines_of(track: &MediaStreamTrack) -> u32 {
    let settings = track.unchecked_ref::<Settled>().settings();
    let side = |name: &str| {
        Reflect::get(&settings, &name.into())
            .ok()
            .and_then(|value| value.as_f64())
            .unwrap_or(0.0)
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let shorter = side("height").min(side("width")) as u32;
    shorter
}

/// 0 is no limit.
fn limit(object: &JsValue, name: &str, value: u32) {
    if value > 0 {
        set(object, name, &value.into());
    } else {
        let _ = Reflect::delete_property(object.unchecked_ref::<js_sys::Object>(), &name.into());
    }
}

fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _ = Reflect::set(object, &name.into(), value);
}
