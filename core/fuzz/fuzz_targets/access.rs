//! `npm run fuzz -- access`
#![no_main]

#[path = "../src/access.rs"]
mod access;

libfuzzer_sys::fuzz_target!(|text: &str| access::everything(text));
