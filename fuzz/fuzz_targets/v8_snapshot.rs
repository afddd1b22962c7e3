//! `cargo xtask fuzz v8_snapshot`. What is checked stands in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::check("v8_snapshot", bytes));
