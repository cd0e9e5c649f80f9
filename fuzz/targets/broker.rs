//! What the system bus sends.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("broker"), |bytes: &[u8]| fuzz::broker(bytes));
