//! Which system call a process was killed for: only the kernel knows, and says it in its log.
//!
//! Read once for each such end, in no hurry: the kernel writes the record beside the end, not before it.
//! Where that log can't be read, as in most containers, nothing is said: the end itself is known anyway.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use sandbox::calls::Arch;
use tokio::time::sleep;

/// The signal by which the kernel ends who makes a call that is not allowed.
pub(super) const SIGSYS: i32 = 31;

/// The kernel's log.
const KMSG: &str = "/dev/kmsg";

/// After this the kernel has written its record, unless it has very much to write.
const BY_THEN: Duration = Duration::from_millis(100);

/// Most records that are looked at: more than the kernel keeps by default.
const MAX_RECORDS: usize = 16_384;

/// Longest record; the kernel writes no longer ones (`CONSOLE_EXT_LOG_MAX`).
const MAX_RECORD: usize = 8 << 10;

/// Tells which call the process `pid` of a service was killed for, as soon as it is known.
pub(super) fn tell(name: String, pid: i32) {
    tokio::spawn(async move {
        sleep(BY_THEN).await;
        if let Ok(Some(call)) = find(Path::new(KMSG), pid) {
            log::error!(
                target: &name,
                "{name}: process {pid} was killed for the system call {call}: its sandbox forbids it"
            );
        }
    });
}

/// The last record about this process.
fn find(log: &Path, pid: i32) -> io::Result<Option<String>> {
    let mut file = File::open(log)?;
    sys::poll::set_nonblocking(&file)?;
    let (mut buffer, mut found) = (vec![0; MAX_RECORD], None);
    for _ in 0..MAX_RECORDS {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let record = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                found = call(&record, pid).or(found);
            }
            // The kernel wrote over what was to be read next.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

/// The call that a record is about, if it is about this process: `mount`, or its number.
fn call(record: &str, pid: i32) -> Option<String> {
    let (head, words) = record.split_once(';')?;
    // Facility 0 is the kernel; everybody else who may write there could tell us stories.
    let kernel = head.split(',').next()?.parse::<u32>().is_ok_and(|number| number >> 3 == 0);
    let words = words.split('\n').next()?;
    let seccomp = words.strip_prefix("audit: ").unwrap_or(words).starts_with("type=1326 ");
    if !kernel || !seccomp {
        return None;
    }
    let value = |key: &str| words.split(' ').find_map(|word| word.strip_prefix(key));
    if value("pid=")?.parse() != Ok(pid) {
        return None;
    }
    let number: u32 = value("syscall=")?.parse().ok()?;
    let arch = u32::from_str_radix(value("arch=")?, 16).ok()?;
    let arch = Arch::ALL.into_iter().find(|known| known.audit() == arch);
    let name = arch.and_then(|arch| arch.calls().get(&number).copied());
    Some(name.map_or_else(|| format!("number {number}"), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_is_that_of_the_kernels_record_about_the_process() {
        let record = |head: &str, arch: &str, number: u32| {
            format!(
                "{head},812,77,-;audit: type=1326 audit(1700000000.1:9): auid=4294967295 uid=80 gid=80 \
                 ses=4294967295 pid=412 comm=\"sh\" exe=\"/usr/bin/dash\" sig=31 \
                 arch={arch} syscall={number} compat=0 ip=0x7f code=0x80000000\n SUBSYSTEM=x\n"
            )
        };
        let known = |record: String, pid| call(&record, pid);
        assert_eq!(known(record("5", "c000003e", 165), 412).as_deref(), Some("mount"));
        assert_eq!(known(record("5", "c00000b7", 40), 412).as_deref(), Some("mount"));
        assert_eq!(known(record("5", "40000003", 21), 412).as_deref(), Some("number 21"));
        assert_eq!(known(record("5", "c000003e", 165), 413), None);
        assert_eq!(known(record("13", "c000003e", 165), 412), None, "a program wrote it");
        for text in ["", ";", "5,1,2,-;audit: type=1400 pid=412", "5,1,2,-;type=1326 pid=412"] {
            assert_eq!(call(text, 412), None, "{text}");
        }
    }
}
