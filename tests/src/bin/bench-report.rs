//! The service of the boot benchmark that tells the result, long after it is fixed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

/// Long after the last service is ready; nothing else runs then.
const LATER: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    later();
    let text = report().unwrap_or_else(|e| format!("bench: failed: {e}\n"));
    let console = OpenOptions::new().write(true).open("/dev/console");
    let told = console.and_then(|mut c| c.write_all(text.as_bytes()));
    let down = Command::new("/usr/bin/ensctl").arg("poweroff").status();
    if told.is_ok() && down.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::disallowed_methods, reason = "the benchmark waits in virtual time")]
fn later() {
    thread::sleep(LATER);
}

fn report() -> io::Result<String> {
    let boot = Command::new("/usr/bin/ensctl").args(["boot", "--json"]).output()?;
    let boot: serde_json::Value = serde_json::from_slice(&boot.stdout)?;
    let failed = boot["services"].as_array().into_iter().flatten().filter(|s| s["ready"] == 0);
    let failed: Vec<String> = failed.map(|s| s["name"].to_string()).collect();
    if let Some(first) = failed.first() {
        let status = Command::new("/usr/bin/ensctl").arg("status").output()?;
        let status = String::from_utf8_lossy(&status.stdout).replace('\n', "; ");
        return Err(io::Error::other(format!("{first} never ready: {status}")));
    }
    let settled = boot["settled"].as_u64().unwrap_or(0);
    let mut text = format!("bench: instructions={settled}\n");
    for pid in [Some(1), manager()?].into_iter().flatten() {
        text.push_str(&format!("bench: resident={}\n", resident(pid)?));
    }
    Ok(text)
}

/// The process id of servicemgr: PID 1's child of that name.
fn manager() -> io::Result<Option<i32>> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let named = fs::read_to_string(entry.path().join("comm"));
        if named.is_ok_and(|n| n.trim() == "servicemgr") {
            return Ok(entry.file_name().to_str().and_then(|n| n.parse().ok()));
        }
    }
    Ok(None)
}

/// Resident KiB.
fn resident(pid: i32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other("no VmRSS"))
}
