//! The one timer of a phone, and its clock.

use std::cell::Cell;

use clinicall_sip::Time;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue, milliseconds: f64) -> f64;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: f64);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// `setTimeout` takes 31 bits; waking once an hour for nothing is cheap.
const LONGEST: f64 = 3_600_000.0;

/// Milliseconds since the page was opened.
pub(crate) fn now() -> Time {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Time(performance_now() as u64)
}

pub(crate) struct Alarm {
    ring: Closure<dyn Fn()>,
    id: Cell<Option<f64>>,
}

impl Alarm {
    pub fn new(ring: impl Fn() + 'static) -> Self {
        Self {
            ring: Closure::new(ring),
            id: Cell::new(None),
        }
    }

    pub fn set(&self, when: Option<Time>) {
        if let Some(id) = self.id.take() {
            clear_timeout(id);
        }
        if let Some(when) = when {
            // our clock is cut to whole milliseconds, so one more to be surely past
            let wait = ((when - now()).0 as f64 + 1.0).min(LONGEST);
            self.id.set(Some(set_timeout(self.ring.as_ref(), wait)));
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.set(None);
    }
}
