//! A bundle as it comes, and the image in it.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("bundle_read"), |bytes: &[u8]| fuzz::bundle_read(bytes));
