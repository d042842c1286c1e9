//! `npm run fuzz -- key`
#![no_main]

#[path = "../src/key.rs"]
mod key;

libfuzzer_sys::fuzz_target!(|text: &str| key::everything(text));
