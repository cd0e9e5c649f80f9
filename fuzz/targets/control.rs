//! What a client of the control socket says.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("control"), |bytes: &[u8]| fuzz::control(bytes));
