//! How `ensctl-brief` is linked for a device: at a fixed address, and without the beginning of a C library.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let bare = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    if bare && features.split(',').any(|feature| feature == "crt-static") {
        for argument in ["-no-pie", "-static", "-nostartfiles", "-nostdlib"] {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
}
