//! Waiting for the browser without an executor: each promise ends in one Rust closure.

use std::{cell::Cell, rc::Rc};

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    type Thenable;
    #[wasm_bindgen(method)]
    fn then(this: &Thenable, fulfilled: &JsValue, rejected: &JsValue);

    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(callback: &JsValue);
}

type Done = Box<dyn FnOnce(Result<JsValue, JsValue>)>;

/// Calls `done` once with what became of the promise.
pub(crate) fn when(promise: &Promise, done: impl FnOnce(Result<JsValue, JsValue>) + 'static) {
    settle(promise, Box::new(done));
}

// apart from `when`, so that there is one pair of closures and not one for each caller
fn settle(promise: &Promise, done: Done) {
    // whichever is called takes it; the other is collected with the promise
    let done = Rc::new(Cell::new(Some(done)));
    let failed = done.clone();
    let fulfilled = Closure::once_into_js(move |value: JsValue| {
        if let Some(done) = done.take() {
            done(Ok(value));
        }
    });
    let rejected = Closure::once_into_js(move |error: JsValue| {
        if let Some(failed) = failed.take() {
            failed(Err(error));
        }
    });
    promise
        .unchecked_ref::<Thenable>()
        .then(&fulfilled, &rejected);
}

/// Calls `task` as soon as the page's own code has returned.
pub(crate) fn soon(task: impl FnOnce() + 'static) {
    queue_microtask(&Closure::once_into_js(task));
}

/// The `message` (or `name`) of whatever was thrown.
pub(crate) fn text_of(error: &JsValue, field: &str) -> String {
    js_sys::Reflect::get(error, &field.into())
        .ok()
        .and_then(|text| text.as_string())
        .unwrap_or_default()
}
