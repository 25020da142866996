#![no_main]

#[path = "../cometql.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::commands(bytes));
