//! What a store says of its apps: metadata, as it comes and signed rightly.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("store"), |bytes: &[u8]| fuzz::store(bytes));
