//! Services without a profile: they say why, and only images for development have them.
#![cfg(feature = "text")]

mod files;

use files::{brief, shipped};
use model::text::{check_file, load_device};

const SHELL: &str = "exec = [\"/bin/sh\"]\n[sandbox]\nexception = \"the owner's shell\"\n";

/// What is said of a device with the service `shell` of this text.
fn device(rest: &str, shell: &str) -> String {
    let text = format!("version = 1\n[services]\nenable = [\"shell\"]\n{rest}");
    let console = "type = \"target\"\n";
    let files = shipped()
        .with("services/console.toml", console)
        .with("services/shell.toml", shell)
        .with("devices/tv.toml", &text);
    match load_device(&files, "devices/tv.toml") {
        Ok(loaded) => brief(&loaded.warnings),
        Err(report) => brief(&report),
    }
}

fn service(text: &str) -> String {
    let text = format!("exec = [\"/bin/sh\"]\n{text}");
    brief(&check_file(&shipped().with("services/shell.toml", &text), "services/shell.toml").1)
}

#[test]
fn an_exception_is_for_devices_for_development() {
    assert_eq!(device("[debug]\nconsole = true\n", SHELL), "");
    assert_eq!(device("[debug]\nagent = true\n", SHELL), "");
    insta::assert_snapshot!(device("", SHELL), @r"3:13 a service without a profile is for development, and this device is not (inherit a profile, leave the service out, or write [debug] agent = true in the device)");
    insta::assert_snapshot!(device("[debug]\nagent = false\n", SHELL), @r"3:13 a service without a profile is for development, and this device is not (inherit a profile, leave the service out, or write [debug] agent = true in the device)");
}

#[test]
fn a_service_has_a_profile_or_says_why_not() {
    assert_eq!(service("[sandbox]\nexception = \"a shell\"\n"), "");
    assert_eq!(service("[sandbox]\nkeyring = \"own\"\n"), "");
    assert_eq!(service("[sandbox]\nexception = \"\"\nkeyring = \"own\"\n"), "", "taken back");
    insta::assert_snapshot!(service(""), @r#"1:1 nothing restricts `shell`: it has no profile ([sandbox] with inherit = ["service"]; for development only, `exception` says why not)"#);
    insta::assert_snapshot!(service("[sandbox]\nexception = \"\"\n"), @r#"1:1 nothing restricts `shell`: it has no profile ([sandbox] with inherit = ["service"]; for development only, `exception` says why not)"#);
    insta::assert_snapshot!(service("[sandbox]\nexception = \"a shell\"\nkeyring = \"own\"\n"), @r#"3:13 `exception` says why there is no profile, and there is one (leave it out; a drop-in takes it back with exception = "")"#);
    insta::assert_snapshot!(service("[sandbox]\nexception = \"two\\nlines\"\n"), @r"3:13 a reason is one line of at most 200 characters (put more into a comment)");
}

#[test]
fn what_runs_nothing_needs_no_profile() {
    let text = "type = \"target\"\n";
    let files = shipped().with("services/all.toml", text);
    assert_eq!(brief(&check_file(&files, "services/all.toml").1), "");
}

#[test]
fn a_release_is_warned_about_every_service_without_a_profile() {
    let text = "version = 1\nrelease = true\n[services]\nenable = [\"web\"]\n";
    let loaded = load_device(&shipped().with("devices/tv.toml", text), "devices/tv.toml").unwrap();
    insta::assert_snapshot!(brief(&loaded.warnings), @r#"
    1:1 nothing restricts `web`: it has no profile ([sandbox] with inherit = ["service"]; for development only, `exception` says why not)
    1:1 nothing restricts `network`: it has no profile ([sandbox] with inherit = ["service"]; for development only, `exception` says why not)
    "#);
}
