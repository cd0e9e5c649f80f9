//! Thin entry of `ens`.

fn main() {}
