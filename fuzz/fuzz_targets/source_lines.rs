//! `cargo xtask fuzz source_lines`. What is checked stands in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::check("source_lines", bytes));
