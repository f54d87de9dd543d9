#![no_main]

#[path = "../readers.rs"]
mod readers;
#[path = "../target.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::read("compact.json", bytes));
