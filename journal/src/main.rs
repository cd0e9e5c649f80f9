//! Thin entry of `journal`.

fn main() {}
