#![no_main]

#[path = "../websocket.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::ws_offer(bytes));
