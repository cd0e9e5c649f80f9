//! Thin entry of `ensctl`.

fn main() {}
