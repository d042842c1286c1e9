//! `npm run fuzz -- exposures`
#![no_main]

#[path = "../src/exposures.rs"]
mod exposures;

libfuzzer_sys::fuzz_target!(|text: &str| exposures::everything(text));
