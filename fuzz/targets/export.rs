//! Journal export format, and damaged files of the log.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("export"), |bytes: &[u8]| fuzz::export(bytes));
