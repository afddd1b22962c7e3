//! `cargo xtask fuzz canonical_json`. What is checked stands in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::check("canonical_json", bytes));
