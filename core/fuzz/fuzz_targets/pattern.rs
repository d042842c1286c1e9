//! `npm run fuzz -- pattern`
#![no_main]

#[path = "../src/pattern.rs"]
mod pattern;

libfuzzer_sys::fuzz_target!(|text: &str| pattern::everything(text));
