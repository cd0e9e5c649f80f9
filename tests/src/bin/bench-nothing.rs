//! The smallest ordinary program: what `ens bench sandbox` starts and waits for.

fn main() {}
