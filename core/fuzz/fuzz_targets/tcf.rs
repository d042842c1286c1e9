//! `npm run fuzz -- tcf`
#![no_main]

#[path = "../src/tcf.rs"]
mod tcf;

libfuzzer_sys::fuzz_target!(|text: &str| tcf::everything(text));
