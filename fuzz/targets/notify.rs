//! A datagram of sd_notify.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("notify"), |bytes: &[u8]| fuzz::notify(bytes));
