//! `npm run fuzz -- address`
#![no_main]

#[path = "../src/address.rs"]
mod address;

libfuzzer_sys::fuzz_target!(|text: &str| address::everything(text));
