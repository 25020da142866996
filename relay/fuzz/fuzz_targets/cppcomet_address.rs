#![no_main]

#[path = "../dialect.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::address(bytes));
