//! Thin entry of `debug-agent`.

fn main() {}
