//! Packets between our programs, the debug channel, what to boot.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("packets"), |bytes: &[u8]| fuzz::packets(bytes));
