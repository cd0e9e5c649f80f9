//! A device: read, joined, linked, and its plan.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("device"), |bytes: &[u8]| fuzz::device(bytes));
