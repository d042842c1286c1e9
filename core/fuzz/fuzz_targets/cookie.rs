//! `npm run fuzz -- cookie`
#![no_main]

#[path = "../src/cookie.rs"]
mod cookie;

libfuzzer_sys::fuzz_target!(|header: &str| cookie::everything(header));
