//! Saved parameters, and those of the kernel's command line.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("params"), |bytes: &[u8]| fuzz::params(bytes));
