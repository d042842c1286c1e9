//! `npm run fuzz -- filter`
#![no_main]

#[path = "../src/filter.rs"]
mod filter;

libfuzzer_sys::fuzz_target!(|text: &str| filter::everything(text));
