//! The few things the page asks of its window.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement, Url, Window};

pub fn window() -> Window {
    web_sys::window().expect("a page has a window")
}

/// Where the page is mounted; it shows "Loading…" until then.
pub fn root() -> Element {
    let document = window()
        .document()
        .expect("a window of a page has a document");
    document
        .get_element_by_id("app")
        .expect("index.html has an element with the id `app`")
}

/// Milliseconds that never jump, for the length of a call.
pub fn now() -> f64 {
    window()
        .performance()
        .map_or_else(js_sys::Date::now, |clock| clock.now())
}

pub fn set_title(title: &str) {
    if let Some(document) = window().document() {
        document.set_title(title);
    }
}

/// Put the keyboard, and with it the screen reader, at the heading of the new screen.
pub fn focus(id: &str) {
    let element = window()
        .document()
        .and_then(|document| document.get_element_by_id(id));
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        // an element that will not take the focus is no reason to stop
        let _ = element.focus();
    }
}

fn address() -> Option<Url> {
    Url::new(&window().location().href().ok()?).ok()
}

/// `?user=doctor`: who wants to be signed in without being asked.
pub fn user_in_address() -> Option<String> {
    address()?
        .search_params()
        .get("user")
        .filter(|user| !user.is_empty())
}

/// Keep who is signed in in the address, so that reloading the page brings them back.
pub fn remember_user(user: Option<&str>) {
    let Some(address) = address() else { return };
    match user {
        Some(user) => address.search_params().set("user", user),
        None => address.search_params().delete("user"),
    }
    if let Ok(history) = window().history() {
        // refused in a sandboxed frame: then the address stays as it was
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address.href()));
    }
}

/// Where SIP is spoken: `/sip` on the server this page came from.
pub fn sip_address() -> String {
    let location = window().location();
    let secure = location
        .protocol()
        .is_ok_and(|protocol| protocol == "https:");
    let scheme = if secure { "wss" } else { "ws" };
    format!("{scheme}://{}/sip", location.host().unwrap_or_default())
}

/// Browsers lock the camera away from pages that came over plain `http` from another computer.
pub fn is_secure() -> bool {
    window().is_secure_context()
}

pub fn can_call() -> bool {
    has(&window(), "RTCPeerConnection") && has(&window(), "WebSocket")
}

/// Sound without a touch or a key press first is blocked, and the attempt logged as a fault.
pub fn may_sound() -> bool {
    let activation = get(&window().navigator(), "userActivation");
    // an older browser does not say; it decides by itself, silently
    get(&activation, "hasBeenActive").as_bool().unwrap_or(true)
}

/// A property, or `undefined` for a missing one or a thing that has none.
pub fn get(of: &JsValue, name: &str) -> JsValue {
    Reflect::get(of, &JsValue::from_str(name)).unwrap_or_default()
}

fn has(of: &JsValue, name: &str) -> bool {
    !get(of, name).is_undefined()
}
