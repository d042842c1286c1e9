//! `npm run fuzz -- token`
#![no_main]

#[path = "../src/token.rs"]
mod token;

libfuzzer_sys::fuzz_target!(|text: &str| token::everything(text));
