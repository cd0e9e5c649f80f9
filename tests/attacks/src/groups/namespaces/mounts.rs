//! Mounts: seeing more of the file systems than was given, by each of the kernel's two families of calls.
//!
//! Each attack works in mounts of its own where it may, and takes its mount away where it may not.

use std::fs;

use super::{has, put, steal_below};
use crate::attack::{Attempt, blocked, got, if_so};
use crate::facts::Facts;
use crate::needs::{BPFFS, CGROUP1, CGROUP2, DEBUGFS, TRACEFS, USER_NS, VICTIM};
use crate::tools::{Scratch, c, isolate, steal, thrown_away};
use crate::{attacks, sys};

attacks! { Namespaces:
    "mount-tmpfs" [] "mounts a file system without a quota" => |_| mounted("tmpfs", "", |_| Ok(String::new()));
    "mount-proc" [VICTIM] "sees all processes in a /proc of its own" => |v| mounted("proc", "", |dir| {
        let name = fs::read(format!("{dir}/{}/comm", v.pid))?;
        if_so(name.starts_with(b"victim"), "saw the victim", "only its own processes")
    });
    "mount-sysfs" [] "sees the devices in a /sys of its own" => |_| mounted("sysfs", "", |dir| {
        if_so(has(dir, "devices"), "saw the devices", "it is empty")
    });
    "mount-devtmpfs" [] "sees the device nodes in a /dev of its own" => |_| mounted("devtmpfs", "", |dir| {
        if_so(has(dir, "kmsg"), "saw /dev/kmsg", "it is empty")
    });
    "mount-cgroup" [CGROUP2] "sees the groups of all services" => |_| mounted("cgroup2", "", |dir| {
        if_so(has(dir, "cgroup.procs"), "saw the groups", "it is empty")
    });
    "mount-debugfs" [DEBUGFS] "gets at the insides of the kernel" => |_| mounted("debugfs", "", |dir| {
        let names = fs::read_dir(dir)?.flatten().count();
        if_so(names > 0, format!("{names} names"), "it is empty")
    });
    "mount-tracefs" [TRACEFS] "traces the kernel" => |_| mounted("tracefs", "", |dir| {
        if_so(has(dir, "trace"), "saw the trace", "it is empty")
    });
    "mount-bpffs" [BPFFS] "finds programs that others loaded into the kernel" =>
        |_| mounted("bpf", "", |_| got("mounted it"));
    "cgroup1-release-agent" [CGROUP1] "names a program that the kernel starts as root outside" => |_| {
        mounted("cgroup", "none,name=attack", |dir| {
            let agent = format!("{dir}/release_agent");
            put(&agent, "/bin/true")?;
            let set = fs::read_to_string(&agent)?.starts_with("/bin/true");
            put(&agent, "\n")?;
            if_so(set, "the agent was set", "the agent stayed")
        })
    };
    "mount-disk" [VICTIM] "mounts a disk of the device a second time" => |v| mounted_disk(v);
    "bind-mount" [VICTIM] "puts a directory of another service into its own" => |v| {
        on_scratch(|dir| {
            sys!(SYS_mount, &c(&v.dir), &c(dir), 0, libc::MS_BIND, 0)?;
            steal(v, &format!("{dir}/secret"))
        })
    };
    "remount-root" [] "changes how the root is mounted" => |_| thrown_away(|| {
        isolate();
        let flags = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
        sys!(SYS_mount, c"none", c"/", 0, flags, 0)?;
        got("remounted /")
    });
    "change-propagation" [] "has its mounts appear in the namespaces of others" => |_| thrown_away(|| {
        isolate();
        sys!(SYS_mount, c"none", c"/", 0, libc::MS_SHARED, 0)?;
        got("made / shared")
    });
    "move-mount" [] "moves what is mounted to where rules do not look" => |_| on_scratch(|dir| {
        for name in ["from", "to"] {
            fs::create_dir(format!("{dir}/{name}"))?;
        }
        let (from, to) = (c(&format!("{dir}/from")), c(&format!("{dir}/to")));
        sys!(SYS_mount, c"tmpfs", &from, c"tmpfs", 0, 0)?;
        fs::write(format!("{dir}/from/mark"), "")?;
        let moved = sys!(SYS_mount, &from, &to, 0, libc::MS_MOVE, 0);
        let there = has(dir, "to/mark");
        for place in [&to, &from] {
            let _ = sys!(SYS_umount2, place, libc::MNT_DETACH);
        }
        moved?;
        if_so(there, "it moved", "it stayed")
    });
    "open-tree" [VICTIM] "clones a tree without a path, by the new mount calls" => |v| thrown_away(|| {
        const OPEN_TREE_CLONE: i32 = 1;
        isolate();
        let fd = sys!(SYS_open_tree, libc::AT_FDCWD, &c(&v.dir), OPEN_TREE_CLONE)?;
        steal_below(v, fd, "secret")
    });
    "open-tree-move" [VICTIM] "mounts a cloned tree by move_mount" => |v| on_scratch(|dir| {
        const OPEN_TREE_CLONE: i32 = 1;
        const EMPTY_FROM: i32 = 4;
        let fd = sys!(SYS_open_tree, libc::AT_FDCWD, &c(&v.dir), OPEN_TREE_CLONE)?;
        sys!(SYS_move_mount, fd, c"", libc::AT_FDCWD, &c(dir), EMPTY_FROM)?;
        steal(v, &format!("{dir}/secret"))
    });
    "new-mount-calls" [] "mounts by fsopen and fsmount, past filters of mount" => |_| thrown_away(|| {
        const CREATE: i32 = 6;
        let context = sys!(SYS_fsopen, c"tmpfs", 0)?;
        sys!(SYS_fsconfig, context, CREATE, 0, 0, 0)?;
        let mount = sys!(SYS_fsmount, context, 0, 0)?;
        let file = crate::tools::open_at(mount, "mark", libc::O_RDWR | libc::O_CREAT)?;
        got(format!("made a file in it (descriptor {file})"))
    });
    "pick-file-system" [] "reconfigures a mounted file system by fspick" => |_| thrown_away(|| {
        isolate();
        let fd = sys!(SYS_fspick, libc::AT_FDCWD, c"/", 0)?;
        got(format!("picked / (descriptor {fd})"))
    });
    "mount-setattr" [] "makes read-only mounts writable" => |_| thrown_away(|| {
        const NOSUID: u64 = 2;
        isolate();
        let attributes = [0, NOSUID, 0, 0_u64];
        sys!(SYS_mount_setattr, libc::AT_FDCWD, c"/", 0, &attributes, 32)?;
        got("cleared nosuid of /")
    });
    "unmount-a-mask" [] "takes away a mount that hides something" => |_| thrown_away(|| {
        isolate();
        for place in ["/proc", "/sys", "/dev", "/tmp", "/run"] {
            if sys!(SYS_umount2, &c(place), libc::MNT_DETACH).is_ok() {
                return got(format!("took away {place}"));
            }
        }
        sys!(SYS_umount2, c"/proc", libc::MNT_DETACH)?;
        got("took away /proc")
    });
    "user-namespace-mount" [USER_NS] "mounts as root of a namespace that it made" => |_| {
        let scratch = Scratch::new()?;
        thrown_away(|| {
            sys!(SYS_unshare, libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
            sys!(SYS_mount, c"tmpfs", &c(&scratch.0), c"tmpfs", 0, 0)?;
            got("mounted a tmpfs")
        })
    };
}

/// Works on a directory of its own, in mounts of its own; takes away what is mounted there.
fn on_scratch(work: impl FnOnce(&str) -> Attempt) -> Attempt {
    let scratch = Scratch::new()?;
    thrown_away(|| {
        isolate();
        let attempt = work(&scratch.0);
        let _ = sys!(SYS_umount2, &c(&scratch.0), libc::MNT_DETACH);
        attempt
    })
}

fn mounted(kind: &str, data: &str, look: impl FnOnce(&str) -> Attempt) -> Attempt {
    on_scratch(|dir| {
        sys!(SYS_mount, &c(kind), &c(dir), &c(kind), 0, &c(data))?;
        let seen = look(dir)?;
        got(if seen.is_empty() { format!("mounted a {kind}") } else { seen })
    })
}

/// By the device that the victim's directory is on.
fn mounted_disk(v: &Facts) -> Attempt {
    let scratch = Scratch::new()?;
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let on_disk = |line: &&str| line.contains(" ext4 ");
    let Some(line) = table.lines().find(on_disk) else {
        return blocked("no disk is to be seen");
    };
    let mut words = line.split_once(" - ").map_or("", |(_, rest)| rest).split_whitespace();
    let device = words.nth(1).unwrap_or_default().to_owned();
    thrown_away(|| {
        isolate();
        sys!(SYS_mount, &c(&device), &c(&scratch.0), c"ext4", 0, 0)?;
        let inside = v.dir.trim_start_matches("/var");
        let attempt = steal(v, &format!("{}{inside}/secret", scratch.0));
        let _ = sys!(SYS_umount2, &c(&scratch.0), libc::MNT_DETACH);
        attempt
    })
}
