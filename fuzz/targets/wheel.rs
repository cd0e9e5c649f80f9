//! A wheel of Python, its RECORD, and the bundle that comes of it.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("wheel"), |bytes: &[u8]| fuzz::wheel(bytes));
