//! The smallest ordinary program, which `ens bench sandbox` and `ens bench apps` start: it ends at once, with an
//! argument never.

fn main() {
    while std::env::args_os().len() > 1 {
        std::thread::park();
    }
}
