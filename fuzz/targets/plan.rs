//! The plan of a device, requests and answers of sandbox-compiler.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("plan"), |bytes: &[u8]| fuzz::plan(bytes));
