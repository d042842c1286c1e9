//! `npm run fuzz -- jsonl`
#![no_main]

#[path = "../src/import.rs"]
mod import;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| import::everything(msci_core::import::Format::JsonLines, bytes));
