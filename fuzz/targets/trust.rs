//! The group of a device: its file, entries of others, and what three devices say and hear.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("trust"), |bytes: &[u8]| fuzz::trust(bytes));
