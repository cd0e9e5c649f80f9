//! A profile: read, joined, compiled and checked, fitted to kernels.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("profile"), |bytes: &[u8]| fuzz::profile(bytes));
