#![no_main]

#[path = "../login.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::jwt(bytes));
