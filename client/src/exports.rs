//! The page's API for JavaScript. Its documentation is `pkg/index.d.ts`; here are only the wires.
//!
//! Callbacks are plain properties that the page sets on the phone's own object, looked up when
//! there is something to tell. Each call has one object from its first mention to its end.

use std::{cell::RefCell, rc::Rc};

use clinicall_sip::agent::Transport;
use js_sys::{Array, Function, Number, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MediaStream, RtcPeerConnection};

use crate::{
    api::{self, Media, News},
    bandwidth::{Bandwidth, Mode},
    options::Options,
    phone::{CallState, Direction, State},
    quality::{Level, Report},
    reason::{By, Error, Reason},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = reportError)]
    fn report_error(error: &JsValue);
}

/// `connect(options)`: a promise of a phone.
#[wasm_bindgen]
pub fn connect(options: &JsValue) -> Promise {
    Promise::new(&mut |resolve, reject| {
        if let Err(error) = begin(options, resolve, reject.clone()) {
            let _ = reject.call1(&JsValue::NULL, &error_object(error));
        }
    })
}

fn begin(options: &JsValue, resolve: Function, reject: Function) -> Result<(), Error> {
    let object: Rc<RefCell<Option<JsValue>>> = Rc::default();
    let (ear, login) = (object.clone(), object.clone());
    let phone = api::Phone::begin(
        &read_options(options)?,
        Box::new(move |news| {
            let last = matches!(news, News::State(State::Failed(_) | State::Disconnected));
            let page = ear.borrow().clone();
            if let Some(page) = page {
                tell(&page, news);
            }
            if last {
                drop(ear.take());
            }
        }),
        Box::new(move |result| {
            let _ = match (result, &*login.borrow()) {
                (Ok(()), Some(phone)) => resolve.call1(&JsValue::NULL, phone),
                (Ok(()), None) => Ok(JsValue::NULL),
                (Err(error), _) => reject.call1(&JsValue::NULL, &error_object(error)),
            };
        }),
    )?;
    object.replace(Some(Phone { phone }.into()));
    Ok(())
}

fn tell(page: &JsValue, news: News) {
    let object = |call: api::Call| call.object(|call| Call { call }.into());
    let (name, about, more) = match news {
        News::State(State::Failed(reason)) => {
            ("onState", "failed".into(), Some(reason_object(reason)))
        }
        News::State(state) => ("onState", state_name(&state).into(), None),
        News::Incoming(call) => ("onIncoming", object(call), None),
        News::Ringing(call) => ("onRinging", object(call), None),
        News::Connected(call) => ("onConnected", object(call), None),
        News::Media(call) => ("onMedia", object(call), None),
        News::Changed(call) => ("onChanged", object(call), None),
        News::Quality(call, report) => ("onQuality", object(call), Some(report_object(report))),
        News::Hangup(call, reason) => ("onHangup", object(call), Some(reason_object(reason))),
        // the loader's `heard` finds the page's handlers
        News::Message(frame) => ("heard", parsed(&frame), None),
        News::Gap(pipe) => ("onGap", pipe.into(), None),
        News::Refused(pipe, cause) => ("onRefused", pipe.into(), Some(cause.as_str().into())),
        // `Phone::ask` keeps its promise
        News::Answered(..) => return,
    };
    let Some(callback) = read(page, name).dyn_ref::<Function>().cloned() else {
        return;
    };
    let told = match more {
        Some(more) => callback.call2(page, &about, &more),
        None => callback.call1(page, &about),
    };
    // the page's mistake belongs into the page's console, and must not stop the phone
    if let Err(error) = told {
        report_error(&error);
    }
}

fn parsed(json: &str) -> JsValue {
    js_sys::JSON::parse(json).unwrap_or_default()
}

#[wasm_bindgen]
#[derive(Debug)]
pub struct Phone {
    phone: api::Phone,
}

#[wasm_bindgen]
impl Phone {
    pub fn call(&self, target: &JsValue, media: &JsValue) -> Result<JsValue, JsValue> {
        let target = text(target).unwrap_or_default();
        let call = self
            .phone
            .call(&target, &read_media(media))
            .map_err(error_object)?;
        Ok(call.object(|call| Call { call }.into()))
    }
    #[wasm_bindgen(js_name = setBandwidth)]
    pub fn set_bandwidth(&self, bandwidth: &JsValue) -> Result<(), JsValue> {
        let limits = read_bandwidth(bandwidth).map_err(error_object)?;
        self.phone.set_bandwidth(limits);
        Ok(())
    }
    pub fn disconnect(&self) {
        self.phone.disconnect();
    }
    pub fn listen(&self, pipe: &str) {
        self.phone.listen(pipe);
    }
    pub fn leave(&self, pipe: &str) {
        self.phone.leave(pipe);
    }
    #[wasm_bindgen(js_name = setToken)]
    pub fn set_token(&self, token: &str) -> Promise {
        Promise::new(&mut |resolve, reject| {
            self.phone.set_token(token, move |answer| {
                let _ = match answer {
                    Ok(()) => resolve.call0(&JsValue::NULL),
                    Err(error) => reject.call1(&JsValue::NULL, &error_object(error)),
                };
            });
        })
    }
    pub fn ask(&self, request: &str) -> Promise {
        Promise::new(&mut |resolve, reject| {
            self.phone.request(request, move |answer| {
                let _ = match answer {
                    Ok(answer) => resolve.call1(&JsValue::NULL, &parsed(&answer)),
                    Err(error) => reject.call1(&JsValue::NULL, &error_object(error)),
                };
            });
        })
    }
    #[wasm_bindgen(getter)]
    pub fn state(&self) -> String {
        state_name(&self.phone.state()).to_owned()
    }
    #[wasm_bindgen(getter)]
    pub fn calls(&self) -> Array {
        let calls = self.phone.calls().into_iter();
        calls
            .map(|call| call.object(|call| Call { call }.into()))
            .collect()
    }
    #[wasm_bindgen(getter, js_name = multipleCalls)]
    pub fn multiple_calls(&self) -> bool {
        self.phone.multiple_calls()
    }
    #[wasm_bindgen(setter, js_name = multipleCalls)]
    pub fn set_multiple_calls(&self, allowed: bool) {
        self.phone.set_multiple_calls(allowed);
    }
}

#[wasm_bindgen]
#[derive(Debug)]
pub struct Call {
    call: api::Call,
}

#[wasm_bindgen]
impl Call {
    pub fn accept(&self, media: &JsValue) -> Result<(), JsValue> {
        self.call.accept(&read_media(media)).map_err(error_object)
    }
    pub fn reject(&self, how: &JsValue) -> Result<(), JsValue> {
        let busy = read(how, "busy").is_truthy().then_some(486);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let status = how.as_f64().map(|status| status as u16);
        self.call.reject(status.or(busy)).map_err(error_object)
    }
    pub fn hangup(&self) {
        self.call.hangup();
    }
    pub fn mute(&self, which: &JsValue) -> Result<(), JsValue> {
        self.turn(which, true)
    }
    pub fn unmute(&self, which: &JsValue) -> Result<(), JsValue> {
        self.turn(which, false)
    }
    #[wasm_bindgen(getter)]
    pub fn state(&self) -> String {
        let name = match self.call.state() {
            CallState::Calling => "calling",
            CallState::Ringing => "ringing",
            CallState::Incoming => "incoming",
            CallState::Answering => "answering",
            CallState::Connected => "connected",
            CallState::Reconnecting => "reconnecting",
            CallState::Ended => "ended",
        };
        name.to_owned()
    }
    #[wasm_bindgen(getter)]
    pub fn direction(&self) -> String {
        let name = match self.call.direction() {
            Direction::Incoming => "incoming",
            Direction::Outgoing => "outgoing",
        };
        name.to_owned()
    }
    #[wasm_bindgen(getter)]
    pub fn peer(&self) -> JsValue {
        let peer = self.call.peer();
        object(&[
            ("user", peer.user.as_str().into()),
            (
                "name",
                peer.name
                    .as_deref()
                    .map_or(JsValue::UNDEFINED, JsValue::from_str),
            ),
            ("uri", peer.uri.as_str().into()),
        ])
    }
    #[wasm_bindgen(getter)]
    pub fn room(&self) -> Option<String> {
        self.call.peer().room.clone()
    }
    #[wasm_bindgen(getter)]
    pub fn message(&self) -> Option<String> {
        self.call.peer().message.clone()
    }
    #[wasm_bindgen(getter)]
    pub fn video(&self) -> bool {
        self.call.video()
    }
    #[wasm_bindgen(getter)]
    pub fn muted(&self) -> JsValue {
        let muted = self.call.muted();
        object(&[("audio", muted.audio.into()), ("video", muted.video.into())])
    }
    #[wasm_bindgen(getter)]
    pub fn remote(&self) -> MediaStream {
        self.call.remote()
    }
    #[wasm_bindgen(getter)]
    pub fn local(&self) -> Option<MediaStream> {
        self.call.local()
    }
    #[wasm_bindgen(getter)]
    pub fn connection(&self) -> Option<RtcPeerConnection> {
        self.call.connection()
    }
}

impl Call {
    /// Without an argument both media turn; in one, `true` follows the verb and `false` turns back.
    fn turn(&self, which: &JsValue, muted: bool) -> Result<(), JsValue> {
        let (audio, video) = if which.is_object() {
            let turned = |name| read(which, name).as_bool().map(|yes| yes == muted);
            (turned("audio"), turned("video"))
        } else {
            (Some(muted), Some(muted))
        };
        self.call.mute(audio, video).map_err(error_object)
    }
}

// --- reading what the page wrote -------------------------------------------------------------------

fn read(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

fn read_text(object: &JsValue, name: &str) -> Option<String> {
    text(&read(object, name))
}

/// Numbers count as text: a user id often is one.
fn text(value: &JsValue) -> Option<String> {
    let number = value
        .dyn_ref::<Number>()
        .and_then(|number| number.to_string_with_radix(10).ok());
    value.as_string().or_else(|| number.map(String::from))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn read_kbps(object: &JsValue, name: &str) -> Option<u32> {
    // saturates: nonsense becomes a very tight or a very wide limit
    read(object, name).as_f64().map(|kbps| kbps as u32)
}

/// A profile by name, or limits with `mode: "show"` for things rather than faces.
fn read_bandwidth(bandwidth: &JsValue) -> Result<Bandwidth, Error> {
    if let Some(name) = bandwidth.as_string() {
        return Bandwidth::profile(&name).ok_or_else(|| {
            Error::bad_option(
                "A bandwidth is 16k, 32k, 64k, 150k, 256k, hd or auto, or { audio, video }.",
            )
        });
    }
    let show = read_text(bandwidth, "mode").as_deref() == Some("show");
    Ok(Bandwidth {
        audio: read_kbps(bandwidth, "audio"),
        video: read_kbps(bandwidth, "video"),
        mode: if show { Mode::Show } else { Mode::Talk },
        ..Bandwidth::default()
    })
}

fn read_options(options: &JsValue) -> Result<Options, Error> {
    if !options.is_object() {
        return Err(Error::bad_option(
            "connect() takes an object with `server` and `user`.",
        ));
    }
    Ok(Options {
        server: read_text(options, "server").unwrap_or_default(),
        user: read_text(options, "user"),
        uri: read_text(options, "uri"),
        password: read_text(options, "password").unwrap_or_default(),
        token: read_text(options, "token"),
        name: read_text(options, "name"),
        bandwidth: read_bandwidth(&read(options, "bandwidth"))?,
        via: match read_text(options, "via").as_deref() {
            Some("ws") => Some(Transport::Ws),
            Some("wss") => Some(Transport::Wss),
            _ => None,
        },
        ice_servers: read(options, "iceServers"),
    })
}

/// `{ audio, video, stream }`: the microphone unless it is told otherwise, the camera only if told so.
fn read_media(media: &JsValue) -> Media {
    let stream = read(media, "stream").dyn_into::<MediaStream>().ok();
    let wish = |name| read(media, name).as_bool();
    let has = |tracks: Option<Array>| tracks.is_some_and(|tracks| tracks.length() > 0);
    let (audio, video) = match &stream {
        Some(stream) => (
            has(Some(stream.get_audio_tracks().unchecked_into())),
            has(Some(stream.get_video_tracks().unchecked_into())),
        ),
        None => (true, wish("video") == Some(true)),
    };
    Media {
        audio: audio && wish("audio") != Some(false),
        video: video && wish("video") != Some(false),
        stream,
    }
}

// --- writing what the page reads -------------------------------------------------------------------

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}

fn state_name(state: &State) -> &'static str {
    match state {
        State::Connecting => "connecting",
        State::Registered => "registered",
        State::Reconnecting => "reconnecting",
        State::Failed(_) => "failed",
        State::Disconnected => "disconnected",
    }
}

fn reason_object(reason: Reason) -> JsValue {
    let by = match reason.by {
        By::Local => "local",
        By::Remote => "remote",
        By::System => "system",
    };
    object(&[
        ("cause", reason.cause.as_str().into()),
        ("text", reason.text.into()),
        (
            "status",
            reason.status.map_or(JsValue::UNDEFINED, JsValue::from),
        ),
        ("by", by.into()),
    ])
}

fn report_object(report: Report) -> JsValue {
    let Report { sample, .. } = report;
    let level = match report.level {
        Level::Good => "good",
        Level::Fair => "fair",
        Level::Poor => "poor",
    };
    let number = |limit: Option<u32>| limit.map_or(JsValue::UNDEFINED, JsValue::from);
    object(&[
        ("level", level.into()),
        ("side", if report.theirs { "there" } else { "here" }.into()),
        ("direction", if report.down { "down" } else { "up" }.into()),
        ("text", report.text.into()),
        ("audio", number(report.audio)),
        ("video", number(report.video)),
        ("room", number(sample.room)),
        ("lost", sample.lost.into()),
        ("missed", sample.missed.into()),
        ("rtt", sample.rtt.into()),
    ])
}

fn error_object(error: Error) -> JsValue {
    let object = js_sys::Error::new(&error.message);
    object.set_name("ClinicallError");
    let set = |name: &str, value: JsValue| {
        let _ = Reflect::set(&object, &name.into(), &value);
    };
    set("cause", error.cause.as_str().into());
    if let Some(status) = error.status {
        set("status", status.into());
    }
    object.into()
}
