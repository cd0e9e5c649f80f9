//! Thin entry of `init`.

fn main() {}
