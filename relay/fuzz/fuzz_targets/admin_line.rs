#![no_main]

#[path = "../events.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::admin_line(bytes));
