//! Real services with commands, probes, watchdogs, stores and pid files, under a real servicemgr
//! that dies meanwhile.
//!
//! One test at a time, for each reaps every child of this process.

#[expect(dead_code, reason = "other tests need more of a device")]
#[path = "../device/mod.rs"]
mod device;

mod births;
mod commands;
mod files;
mod forking;
mod groups;
mod health;
mod notify;
mod store;

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use api::services::State;
use device::Device;
use model::service::{Kind, Output, RestartWhen, Service};
use model::{Name, Plan};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Perl that speaks to servicemgr: `tell TEXT` and `tell TEXT, FILENO`.
const TELL: &str = r#"use Socket; use POSIX (); $| = 1;
    socket(S, AF_UNIX, SOCK_DGRAM, 0); connect(S, pack_sockaddr_un($ENV{NOTIFY_SOCKET}));
    sub tell_ { my ($text, $fd) = @_; if (!defined $fd) { send(S, $text, 0); return }
        my $iov = pack("PQ", $text, length $text); my $rights = pack("Qlllx4", 20, 1, 1, $fd);
        my $message = pack("QQPQPQQ", 0, 0, $iov, 1, $rights, 24, 0);
        syscall($ENV{SENDMSG}, fileno(S), $message, 0) >= 0 or die "sendmsg: $!" }
    sub note { open(my $f, ">>", shift) or die; print $f @_; close $f }
"#;

/// Number of `sendmsg`, which Perl does not know.
const SENDMSG: &str = if cfg!(target_arch = "x86_64") { "46" } else { "211" };

fn name(named: &str) -> Name {
    Name::try_from(named).expect("a valid name")
}

fn service(named: &str) -> Service {
    Service::new(name(named), words(&["/bin/true"]))
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

fn sh(named: &str, script: &str) -> Service {
    Service { exec: words(&["/bin/sh", "-c", script]), output: Output::Null, ..service(named) }
}

fn sleeper(named: &str) -> Service {
    Service { exec: words(&["/bin/sleep", "1000"]), output: Output::Null, ..service(named) }
}

/// A service of type `notify` in Perl, with `tell_` and `note`.
fn perl(named: &str, script: &str) -> Service {
    let exec = words(&["/usr/bin/perl", "-e", &format!("{TELL}{script}")]);
    let mut made = Service { exec, kind: Kind::Notify, output: Output::Null, ..service(named) };
    made.environment.insert("SENDMSG".into(), SENDMSG.into());
    made
}

fn once(mut service: Service) -> Service {
    service.restart.when = RestartWhen::Never;
    service
}

fn boot(services: Vec<Service>) -> Device {
    Device::boot(&plan(services))
}

/// Boots where there are no control groups.
fn boot_without_groups(services: Vec<Service>) -> Device {
    Device::boot_without_groups(&plan(services))
}

fn plan(services: Vec<Service>) -> Plan {
    let all: Vec<_> = services.iter().map(|s| s.name.clone()).collect();
    Plan::link("test 1", services, &all).expect("it links")
}

fn state(device: &Device, name: &str) -> State {
    device.status(name).row.state
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn path(directory: &tempfile::TempDir, name: &str) -> (std::path::PathBuf, String) {
    let path = directory.path().join(name);
    let text = path.display().to_string();
    (path, text)
}

/// Whether groups can be made here; without them some things are not known.
fn groups() -> bool {
    sys::process::user() == 0
}
