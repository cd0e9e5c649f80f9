//! The log of an earlier servicemgr.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("state"), |bytes: &[u8]| fuzz::state(bytes));
