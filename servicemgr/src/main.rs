//! Thin entry of `servicemgr`.

fn main() {}
