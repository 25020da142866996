//! What the page around us offers, and what happens to it.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use js_sys::Reflect;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{EventTarget, MediaStream, Window};

use super::Shell;
use crate::{
    phone::Input,
    reason::{Cause, Error},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    static WINDOW: Window;
}

/// What a page has for a global object: nothing goes on without [`check_support`], and a worker has
/// no WebRTC.
pub(crate) fn window() -> Window {
    WINDOW.with(Clone::clone)
}

/// Listeners as long as the phone lives.
pub(crate) struct Page {
    listeners: Vec<Listener>,
}

type Listener = (EventTarget, &'static str, Closure<dyn Fn()>);

impl Page {
    pub fn listen(shell: &Weak<Shell>) -> Self {
        let mut page = Self {
            listeners: Vec::new(),
        };
        let window: EventTarget = window().into();
        page.on(&window, "online", shell, |shell| {
            shell.handle(Input::Online);
        });
        // back from sleep or from the back-forward cache: is the socket still alive?
        page.on(&window, "pageshow", shell, |shell| {
            shell.handle(Input::Online);
        });
        page.on(&window, "pagehide", shell, |shell| {
            shell.wish(crate::phone::Phone::disconnect);
        });
        page.on_other_network(shell);
        page
    }

    /// A telephone goes from Wi-Fi to mobile data without a moment of being offline. Chromium tells by
    /// `navigator.connection`, which tells of other speeds as well; the others have no such thing.
    fn on_other_network(&mut self, shell: &Weak<Shell>) {
        let connection = Reflect::get(&window().navigator(), &"connection".into());
        let Some(connection) = connection.ok().and_then(|it| it.dyn_into().ok()) else {
            return;
        };
        let kind = |connection: &EventTarget| {
            let kind = Reflect::get(connection, &"type".into());
            kind.ok().and_then(|kind| kind.as_string())
        };
        let before = RefCell::new(kind(&connection));
        let asked = connection.clone();
        self.on(&connection, "change", shell, move |shell| {
            let now = kind(&asked);
            let other = before.replace(now.clone()) != now;
            // without any there is nothing to find yet
            if other && now.as_deref() != Some("none") {
                shell.handle(Input::Online);
            }
        });
    }

    fn on(
        &mut self,
        target: &EventTarget,
        event: &'static str,
        shell: &Weak<Shell>,
        act: impl Fn(&Rc<Shell>) + 'static,
    ) {
        let shell = shell.clone();
        let listener = Closure::<dyn Fn()>::new(move || {
            if let Some(shell) = shell.upgrade() {
                act(&shell);
            }
        });
        let _ = target.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref());
        self.listeners.push((target.clone(), event, listener));
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        for (target, event, listener) in &self.listeners {
            let listener = listener.as_ref().unchecked_ref();
            let _ = target.remove_event_listener_with_callback(event, listener);
        }
    }
}

/// Says what is missing before anything fails in an obscure way.
pub(crate) fn check_support() -> Result<(), Error> {
    let has =
        |name: &str| Reflect::get(&window(), &name.into()).is_ok_and(|value| value.is_truthy());
    let missing = if !has("RTCPeerConnection") {
        "This browser has no WebRTC, which calls need."
    } else if !has("isSecureContext") {
        "Browsers allow calls on HTTPS pages only; this page is not one."
    } else {
        return Ok(());
    };
    Err(Error {
        cause: Cause::NotSupported,
        message: missing.to_owned(),
        status: None,
    })
}

pub(crate) fn random_seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    window()
        .crypto()
        .ok()
        .and_then(|crypto| crypto.get_random_values_with_u8_array(&mut seed).ok())
        .map(|_| seed)
        .ok_or_else(|| Error::of(Cause::NotSupported))
}

pub(crate) fn empty_stream() -> MediaStream {
    MediaStream::new().expect("a stream without tracks can always be made where there is WebRTC")
}
