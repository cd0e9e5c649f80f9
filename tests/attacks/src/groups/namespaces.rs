//! Namespaces: making new ones, which opens much of the kernel, and entering those of others.

use std::fs;

use crate::attack::{Attack, Attempt, Stop, blocked, got, if_so};
use crate::facts::Facts;
use crate::needs::{TIME_NS, USER_NS, VICTIM};
use crate::tools::{
    self, Scratch, c, in_clone, isolate, leave, namespace, open, open_at, steal, steal_fd,
    thrown_away, wait, write,
};
use crate::{attacks, sys};

mod mounts;

/// The attacks on mounts, in a file of their own.
pub(super) const MOUNTS: &[Attack] = mounts::ATTACKS;

attacks! { Namespaces:
    "unshare-user" [USER_NS] "becomes root of a namespace, with most of the kernel open to it" =>
        |_| unshare(libc::CLONE_NEWUSER, "user");
    "unshare-mount" [] "gets mounts of its own, to build what path rules do not know" =>
        |_| unshare(libc::CLONE_NEWNS, "mnt");
    "unshare-pid" [] "hides its children in a namespace" =>
        |_| unshare(libc::CLONE_NEWPID, "pid_for_children");
    "unshare-net" [] "gets a network of its own, with all its interfaces to configure" =>
        |_| unshare(libc::CLONE_NEWNET, "net");
    "unshare-ipc" [] "gets IPC of its own, with limits of its own" => |_| unshare(libc::CLONE_NEWIPC, "ipc");
    "unshare-uts" [] "gets a host name of its own" => |_| unshare(libc::CLONE_NEWUTS, "uts");
    "unshare-cgroup" [] "hides where it is among the groups" => |_| unshare(libc::CLONE_NEWCGROUP, "cgroup");
    "unshare-time" [TIME_NS] "gets clocks of its own" =>
        |_| unshare(libc::CLONE_NEWTIME, "time_for_children");
    "clone-user" [USER_NS] "starts a child as root of a namespace" => |_| cloned(libc::CLONE_NEWUSER, "user");
    "clone-pid" [] "starts a child as process 1 of a namespace" => |_| {
        let status = in_clone(libc::CLONE_NEWPID, || {
            i32::from(sys!(SYS_getpid) == Ok(1)) * tools::RAN
        })?;
        if_so(status == tools::RAN, "the child was process 1", "the child was not process 1")
    };
    "clone-net" [] "starts a child in a network of its own" => |_| cloned(libc::CLONE_NEWNET, "net");
    "clone3-user" [USER_NS] "goes around filters of clone, as clone3 has its flags in memory" =>
        |_| clone3(libc::CLONE_NEWUSER, "user");
    "clone3-mount" [] "goes around filters of clone to get mounts of its own" =>
        |_| clone3(libc::CLONE_NEWNS, "mnt");
    "user-namespace-caps" [USER_NS] "has every capability in a namespace that it made" => user_caps;
    "setns-mount" [VICTIM] "enters the mounts of process 1" => |v| enter(v, "mnt");
    "setns-pid" [VICTIM] "starts children among the processes of the device" => |v| enter(v, "pid");
    "setns-net" [VICTIM] "enters the network of process 1" => |v| enter(v, "net");
    "setns-ipc" [VICTIM] "enters the IPC of process 1" => |v| enter(v, "ipc");
    "setns-uts" [VICTIM] "enters the host name of process 1" => |v| enter(v, "uts");
    "setns-cgroup" [VICTIM] "enters the groups of process 1" => |v| enter(v, "cgroup");
    "setns-user" [VICTIM, USER_NS] "enters the users of process 1" => |v| {
        let outside = tools::in_namespace(v, "user");
        if outside == Some(true) {
            return Err(Stop::Absent("it is in the users of the device: none to enter".to_owned()));
        }
        enter(v, "user")
    };
    "setns-by-pidfd" [VICTIM] "enters all namespaces of another service at once" => setns_by_pidfd;
    "chroot" [] "makes any directory its root, to fool setuid programs" => |_| {
        let scratch = Scratch::new()?;
        fs::write(scratch.file("mark"), "")?;
        thrown_away(|| {
            sys!(SYS_chroot, &c(&scratch.0))?;
            if_so(fs::exists("/mark").unwrap_or(false), "its root was its own", "the root stayed")
        })
    };
    "chroot-escape" [VICTIM] "leaves a root directory by making a second one" => chroot_escape;
    "pivot-root" [] "swaps the root of all processes in its mounts" => pivot_root;
}

fn unshare(flag: i32, link: &str) -> Attempt {
    thrown_away(|| {
        let before = namespace(link);
        sys!(SYS_unshare, flag)?;
        let after = namespace(link);
        if_so(before != after || before.is_none(), "it is in a new one", "it is where it was")
    })
}

/// A child in a new namespace: its namespace is another than ours.
fn cloned(flag: i32, link: &str) -> Attempt {
    let ours = namespace(link);
    let status =
        in_clone(flag, || i32::from(namespace(link) != ours || ours.is_none()) * tools::RAN)?;
    if_so(status == tools::RAN, "the child is in a new one", "the child is where we are")
}

fn clone3(flag: i32, link: &str) -> Attempt {
    let ours = namespace(link);
    let mut arguments = [0_u64; 11];
    arguments[0] = u64::from(flag.cast_unsigned());
    arguments[4] = u64::from(libc::SIGCHLD.cast_unsigned());
    let pid = sys!(SYS_clone3, &arguments, 88)?;
    if pid == 0 {
        leave(i32::from(namespace(link) != ours || ours.is_none()));
    }
    let (status, _) = wait(pid)?;
    if_so(status == 1, "the child is in a new one", "the child is where we are")
}

fn user_caps(_: &Facts) -> Attempt {
    thrown_away(|| {
        sys!(SYS_unshare, libc::CLONE_NEWUSER | libc::CLONE_NEWNET)?;
        let caps = super::identity::effective()?;
        if caps == 0 {
            return blocked("no capability came with it");
        }
        // The capability counts: it configures an interface that it has not been given.
        let socket = tools::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
        super::network::bring_up(socket, "lo")?;
        got(format!("capabilities {caps:x}, and it configured a network"))
    })
}

fn enter(v: &Facts, name: &str) -> Attempt {
    let link = if name == "pid" { "pid_for_children" } else { name };
    thrown_away(|| {
        let fd = open(&format!("/proc/1/ns/{name}"), libc::O_RDONLY)?;
        sys!(SYS_setns, fd, 0)?;
        match namespace(link) {
            Some(now) if v.namespace(name) != 0 && now != v.namespace(name) => {
                blocked("process 1 is its own")
            }
            _ => got("it is in that of the device"),
        }
    })
}

fn setns_by_pidfd(v: &Facts) -> Attempt {
    tools::is_victim(v)?;
    thrown_away(|| {
        let fd = sys!(SYS_pidfd_open, v.pid, 0)?;
        sys!(SYS_setns, fd, libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC)?;
        // Who is root here may read it; who is not has the mounts all the same.
        steal(v, &v.file("secret")).or_else(|_| got("it has the mounts of the victim"))
    })
}

/// The old trick: a second chroot leaves the working directory outside of it.
fn chroot_escape(v: &Facts) -> Attempt {
    let scratch = Scratch::new()?;
    fs::create_dir(scratch.file("inner"))?;
    thrown_away(|| {
        sys!(SYS_chroot, &c(&scratch.0))?;
        std::env::set_current_dir("/")?;
        sys!(SYS_chroot, c"inner")?;
        for _ in 0..64 {
            std::env::set_current_dir("..")?;
        }
        sys!(SYS_chroot, c".")?;
        steal(v, &v.file("secret"))
    })
}

fn pivot_root(_: &Facts) -> Attempt {
    let scratch = Scratch::new()?;
    thrown_away(|| {
        isolate();
        let new = c(&scratch.0);
        sys!(SYS_mount, c"tmpfs", &new, c"tmpfs", 0, 0)?;
        std::env::set_current_dir(&scratch.0)?;
        let turned = sys!(SYS_pivot_root, c".", c".");
        if let Err(e) = turned {
            let _ = sys!(SYS_umount2, &new, libc::MNT_DETACH);
            return Err(e.into());
        }
        let empty = fs::read_dir("/")?.next().is_none();
        if_so(
            empty || !fs::exists("/usr").unwrap_or(true),
            "the root was its own",
            "the root stayed",
        )
    })
}

/// Reads the secret below a directory that was opened before.
fn steal_below(v: &Facts, directory: usize, name: &str) -> Attempt {
    let fd = open_at(directory, name, libc::O_RDONLY)?;
    steal_fd(v, fd)
}

/// Whether a directory, looked at in a child, has what a mounted file system has.
fn has(directory: &str, name: &str) -> bool {
    fs::exists(format!("{directory}/{name}")).unwrap_or(false)
}

/// Writes a line into a file.
fn put(path: &str, line: &str) -> Result<(), Stop> {
    let fd = open(path, libc::O_WRONLY)?;
    write(fd, line.as_bytes())?;
    Ok(())
}
