//! Every way into the log.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("input"), |bytes: &[u8]| fuzz::input(bytes));
