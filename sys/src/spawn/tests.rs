//! What a child has and lacks when its program runs, and what is told when a step fails.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use super::*;

fn launch(arguments: &[&str]) -> Launch {
    let c = |s: &str| CString::new(s).unwrap();
    Launch {
        program: c(arguments[0]),
        arguments: arguments.iter().map(|a| c(a)).collect(),
        environment: vec![c("PATH=/usr/bin:/bin")],
        directory: c("/"),
        ..Launch::default()
    }
}

/// What it writes until it ends.
fn output(launch: &Launch, fds: &[BorrowedFd<'_>]) -> Result<String, SpawnError> {
    let null = File::open("/dev/null").unwrap();
    let (mut reader, writer) = io::pipe().unwrap();
    let standard = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    spawn(launch, &Passed { standard, fds, cgroup: None, note: None })?;
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    Ok(text)
}

fn shell(script: &str) -> Launch {
    launch(&["/bin/sh", "-c", script])
}

#[test]
fn the_kernel_notes_a_process_before_it_runs() {
    let numbers = crate::mapped::Numbers::map(crate::memfd::create("n").unwrap(), 3).unwrap();
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let standard = [null.as_fd(); 3];
    let passed = Passed { standard, fds: &[], cgroup: None, note: numbers.place(1) };
    let pid = spawn(&launch(&["/bin/true"]), &passed).unwrap();
    assert_eq!(numbers.written(), [(1, pid)]);
    spawn(&launch(&["/nowhere/x"]), &passed).unwrap_err();
    assert!(numbers.written()[0].1 > 0, "it ran until it could not execute");
    assert_ne!(numbers.written(), [(1, pid)]);
}

#[test]
fn the_child_belongs_to_our_parent_and_leads_a_session() {
    let text = output(&shell("ps -o ppid=,sid= -p $$ | xargs echo; echo $$"), &[]).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words[0], std::os::unix::process::parent_id().to_string());
    assert_eq!(words[1], words[2]);
}

#[test]
fn it_gets_its_descriptors_and_no_others_and_knows_that_they_are_meant_for_it() {
    let (reader, writer) = io::pipe().unwrap();
    let fds = [writer.as_fd(), reader.as_fd(), writer.as_fd()];
    let script = "ls -m /proc/$$/fd; [ $LISTEN_PID = $$ ] && echo mine";
    assert_eq!(output(&shell(script), &fds).unwrap(), "0, 1, 2, 3, 4, 5\nmine\n");
    let own = "echo $((WATCHDOG_PID - $$)) $((ENSEMBLE_PID - $$)) $LISTEN_PID";
    let watched = Launch { watchdog: true, starter: true, ..shell(own) };
    assert_eq!(output(&watched, &[]).unwrap(), "0 0\n");
}

#[test]
fn a_failed_step_is_told_by_name_and_leaves_no_child() {
    let gone = output(&launch(&["/nowhere/program"]), &[]).unwrap_err();
    assert_eq!(gone.step, Step::Exec);
    assert_eq!(gone.to_string(), "execute the program: No such file or directory (os error 2)");
    let astray = Launch { directory: c"/nowhere".into(), ..shell("true") };
    assert_eq!(output(&astray, &[]).unwrap_err().step, Step::Directory);
}

#[test]
fn signals_and_umask_are_as_for_a_fresh_process() {
    let script = "grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2 | xargs echo; umask";
    let text = output(&shell(script), &[]).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("0000000000000000", "0022"));
    let ignored = u64::from_str_radix(words[1], 16).unwrap();
    assert_eq!(ignored & 0x1000, 0, "SIGPIPE, which the Rust runtime ignores");
}

#[test]
fn limits_hold() {
    let limits = vec![
        Limit { what: Resource::OpenFiles, soft: 50, hard: 60 },
        Limit { what: Resource::Core, soft: 0, hard: 0 },
        Limit { what: Resource::PendingSignals, soft: 70, hard: 80 },
        Limit { what: Resource::LockedMemory, soft: 4096, hard: 8192 },
        Limit { what: Resource::FileSize, soft: 9000, hard: 9001 },
        Limit { what: Resource::Stack, soft: 1 << 20, hard: 2 << 20 },
    ];
    let script = "tr -s ' ' < /proc/self/limits";
    let limited = Launch { limits, ..shell(script) };
    let text = output(&limited, &[]).unwrap();
    let all = [
        "Max core file size 0 0",
        "Max open files 50 60",
        "Max pending signals 70 80",
        "Max locked memory 4096 8192",
        "Max file size 9000 9001",
        "Max stack size 1048576 2097152",
    ];
    assert!(all.iter().all(|line| text.contains(line)), "{text}");
}

#[test]
fn another_user_has_no_capability_but_those_kept() {
    if crate::process::user() != 0 {
        return; // Only root can become another user; the container ring runs this as root.
    }
    let ids = Ids { uid: 4242, gid: 4243, groups: vec![4244] };
    let show = "id -u; id -G; grep -E 'Cap(Eff|Bnd|Amb)|NoNew' /proc/self/status | cut -f2";
    let plain = Launch { ids: Some(ids.clone()), no_new_privileges: true, ..shell(show) };
    let text = output(&plain, &[]).unwrap();
    assert!(text.starts_with("4242\n4243 4244\n0000000000000000\n"), "{text}");
    assert!(text.ends_with("0000000000000000\n1\n"), "{text}");
    let bare = Launch { ids: Some(ids.clone()), capabilities: Some(0), ..shell(show) };
    let zero = "0000000000000000";
    let text = output(&bare, &[]).unwrap();
    assert_eq!(text, format!("4242\n4243 4244\n{zero}\n{zero}\n{zero}\n0\n"));
    let kept = Launch { ids: Some(ids), capabilities: Some(1 << 12), ..shell(show) };
    let net = "0000000000001000";
    let text = output(&kept, &[]).unwrap();
    assert_eq!(text, format!("4242\n4243 4244\n{net}\n{net}\n{net}\n0\n"));
    // Nothing is left of what a filter is brought with.
    let all = crate::confine::Instruction { code: 0x06, yes: 0, no: 0, k: 0x7FFF_0000 };
    let confine = Confine { filter: vec![all], ..Confine::default() };
    for (ids, keep) in [(&kept.ids, 0), (&kept.ids, 1 << 12), (&None, 1 << 12)] {
        let (ids, capabilities) = (ids.clone(), Some(keep));
        let confine = Some(Arc::new(confine.clone()));
        let filtered =
            Launch { ids, capabilities, no_new_privileges: true, confine, ..shell(show) };
        let text = output(&filtered, &[]).unwrap();
        let set = format!("{keep:016x}");
        assert!(text.contains(&format!("\n{set}\n{set}\n")) && text.ends_with("\n1\n"), "{text}");
    }
    let root = Launch { capabilities: Some(1 << 12), ..shell(show) };
    let text = output(&root, &[]).unwrap();
    assert!(text.contains(&format!("{net}\n{net}\n0000000000000000\n0\n")), "{text}");
}

#[test]
fn many_starts_in_a_row_leave_nothing_open() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    output(&shell("true"), &[]).unwrap();
    let before = open();
    for _ in 0..50 {
        assert_eq!(output(&shell("echo x"), &[]).unwrap(), "x\n");
    }
    assert!(open() <= before + 8, "other tests run beside this one");
}
