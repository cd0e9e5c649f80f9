//! The image of a container: what describes it, its layers, and the bundle that comes of them.
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::seeds::write("oci"), |bytes: &[u8]| fuzz::oci(bytes));
