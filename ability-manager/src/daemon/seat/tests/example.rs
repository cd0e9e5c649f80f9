//! The example in C, built as its first lines say, and run.

use std::process::Command;

use super::*;

#[expect(clippy::print_stderr, reason = "nothing is skipped in silence")]
#[test]
fn the_example_in_c_lives_its_life() {
    let library = |what| Command::new("pkg-config").args([what, "libsystemd"]).output();
    let flags = ["--cflags", "--libs"].map(|what| {
        let out = library(what).ok().filter(|out| out.status.success())?;
        String::from_utf8(out.stdout).ok()
    });
    let [Some(headers), Some(libraries)] = flags else {
        eprintln!("SKIPPED: this host has no libsystemd-dev, or no pkg-config");
        return;
    };
    let at = tempfile::tempdir().unwrap();
    let program = at.path().join("counter");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/examples/c/counter.c");
    let mut build = Command::new("cc");
    build.args(["-Wall", "-Wextra", "-Werror"]).args(headers.split_whitespace());
    build.arg("-o").arg(&program).arg(source).args(libraries.split_whitespace());
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let bus = bus();
    let said = bus.run(program.to_str().unwrap(), &[]).unwrap();
    assert_eq!(said, "counter: 1 times\ncounter: foreground\ncounter: terminate\n");
    all_was_heard(&bus);
}
