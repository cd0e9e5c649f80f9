//! Pairing: messages, the file of wrong codes, and both ends with anything between them.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("pairing"), |bytes: &[u8]| fuzz::pairing(bytes));
