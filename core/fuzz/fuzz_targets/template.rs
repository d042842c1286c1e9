//! `npm run fuzz -- template`
#![no_main]

#[path = "../src/template.rs"]
mod template;

libfuzzer_sys::fuzz_target!(|text: &str| template::everything(text));
