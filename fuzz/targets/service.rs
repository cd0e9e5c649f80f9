//! A service, with profiles that it inherits.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("service"), |bytes: &[u8]| fuzz::service(bytes));
