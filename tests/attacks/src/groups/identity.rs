//! Identity: other users and groups, capabilities, setuid programs.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::attack::{Attempt, Refused, Stop, blocked, got, if_so};
use crate::facts::Facts;
use crate::needs::{SETUID_FILE, VICTIM};
use crate::raw::Arg;
use crate::tools::{RAN, Scratch, c, in_child, steal, thrown_away};
use crate::{attacks, sys};

/// A user without rights.
const NOBODY: i32 = 65534;
/// May bind low ports: the capability that is tried out, as it is the most harmless.
const BIND: i32 = 10;
/// Highest capability.
const LAST: i32 = 40;

attacks! { Identity:
    "become-root" [] "becomes root" => |_| thrown_away(|| {
        sys!(SYS_setresuid, 0, 0, 0)?;
        if_so(sys!(SYS_geteuid) == Ok(0), "it is root", "it is who it was")
    });
    "become-victim" [VICTIM] "becomes the user of another service and reads its files" => |v| thrown_away(|| {
        sys!(SYS_setresuid, v.uid, v.uid, v.uid)?;
        let is = sys!(SYS_geteuid) == Ok(v.uid.arg());
        // Where the path is hidden, being that user is bad enough.
        steal(v, &v.file("secret")).or_else(|_| if_so(is, "it is that user", "it is who it was"))
    });
    "become-victim-group" [VICTIM] "joins the group of another service" => |v| thrown_away(|| {
        sys!(SYS_setresgid, v.uid, v.uid, v.uid)?;
        if_so(sys!(SYS_getegid) == Ok(v.uid.arg()), "it is in the group", "it is where it was")
    });
    "join-groups" [] "joins the groups of disks and logs" => |_| thrown_away(|| {
        let (wanted, mut now) = ([6_u32, 4], [0_u32; 64]);
        sys!(SYS_setgroups, 2, &wanted)?;
        let count = sys!(SYS_getgroups, 64, &mut now)?;
        if_so(count == 2 && now.contains(&6), "it is in group 6", "its groups stayed")
    });
    "drop-groups" [] "leaves a group that was meant to keep it out" => |_| thrown_away(|| {
        sys!(SYS_setgroups, 0, 0)?;
        let count = sys!(SYS_getgroups, 0, 0)?;
        if_so(count == 0, "it is in no group", "its groups stayed")
    });
    "file-user" [VICTIM] "opens files as another user" => |v| thrown_away(|| {
        sys!(SYS_setfsuid, v.uid)?;
        let now = sys!(SYS_setfsuid, -1)?;
        let own = sys!(SYS_geteuid)?;
        if_so(now == v.uid.arg() && now != own, "it is that user for files", "it is who it was")
    });
    "hold-capabilities" [] "may do what only the system should" => |_| {
        let caps = effective()?;
        if_so(caps != 0, format!("it has capabilities {caps:x}"), "it has none")
    };
    "full-bounding-set" [] "may gain capabilities from programs that have them" => |_| {
        let has = |cap: &i32| sys!(SYS_prctl, libc::PR_CAPBSET_READ, *cap, 0, 0, 0) == Ok(1);
        let count = (0..=LAST).filter(has).count();
        if_so(count > 0, format!("{count} capabilities can be gained"), "none can be gained")
    };
    "no-new-privileges-unset" [] "may gain rights from setuid programs" => |_| {
        let set = sys!(SYS_prctl, libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)?;
        if_so(set == 0, "it is not set", "it is set")
    };
    "inheritable-capability" [] "hands capabilities to programs it runs" => |_| thrown_away(|| {
        let sets = capabilities()?;
        inherit(&sets)?;
        if_so(capabilities()?[2] != 0, "a capability is inheritable", "none is inheritable")
    });
    "ambient-capability" [] "has programs it runs keep a capability without being root" => |_| thrown_away(|| {
        let (ambient, raise) = (libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE);
        let _ = capabilities().map(|sets| inherit(&sets)); // the raise says why not
        sys!(SYS_prctl, ambient, raise, BIND, 0, 0)?;
        let set = sys!(SYS_prctl, ambient, libc::PR_CAP_AMBIENT_IS_SET, BIND, 0, 0)?;
        if_so(set == 1, "it is ambient", "it is not ambient")
    });
    "keep-capabilities" [] "keeps capabilities when it becomes another user" => |_| thrown_away(|| {
        let before = effective()?;
        sys!(SYS_prctl, libc::PR_SET_KEEPCAPS, 1, 0, 0, 0)?;
        sys!(SYS_setresuid, NOBODY, NOBODY, NOBODY)?;
        let kept = capabilities()?[1];
        if_so(before != 0 && kept != 0, "permitted as another user", "none were left")
    });
    "secure-bits" [] "switches off what takes capabilities away" => |_| thrown_away(|| {
        const NO_SETUID_FIXUP: i32 = 4;
        sys!(SYS_prctl, libc::PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0)?;
        let bits = sys!(SYS_prctl, libc::PR_GET_SECUREBITS, 0, 0, 0, 0)?;
        if_so(bits & 4 != 0, "the bit is set", "the bits stayed")
    });
    "run-setuid-program" [SETUID_FILE] "becomes root by a setuid program" => run_setuid;
    "make-setuid-file" [] "leaves a file that makes whoever runs it its user" => |_| {
        let scratch = Scratch::new()?;
        let file = scratch.file("program");
        fs::write(&file, "")?;
        sys!(SYS_fchmodat, libc::AT_FDCWD, &c(&file), 0o4755)?;
        let mode = fs::metadata(&file)?.mode();
        if_so(mode & 0o4000 != 0, "the file was setuid", "the bit was dropped")
    };
    "create-setuid-file" [] "creates a setuid file without chmod" => |_| {
        let scratch = Scratch::new()?;
        let file = scratch.file("program");
        sys!(SYS_openat, libc::AT_FDCWD, &c(&file), libc::O_CREAT | libc::O_WRONLY, 0o4755)?;
        let mode = fs::metadata(&file)?.mode();
        if_so(mode & 0o4000 != 0, "the file was setuid", "the bit was dropped")
    };
    "create-setuid-file-2" [] "creates a setuid file by openat2, whose mode no filter sees" => |_| {
        let scratch = Scratch::new()?;
        let file = scratch.file("program");
        // struct open_how: flags, mode, resolve.
        let how = [u64::from((libc::O_CREAT | libc::O_WRONLY).cast_unsigned()), 0o4755, 0];
        sys!(SYS_openat2, libc::AT_FDCWD, &c(&file), &how, 24)?;
        let mode = fs::metadata(&file)?.mode();
        if_so(mode & 0o4000 != 0, "the file was setuid", "the bit was dropped")
    };
    "make-setgid-file" [] "leaves a file that gives its group away" => |_| {
        let scratch = Scratch::new()?;
        let file = scratch.file("program");
        fs::write(&file, "")?;
        sys!(SYS_fchmodat, libc::AT_FDCWD, &c(&file), 0o2755)?;
        let mode = fs::metadata(&file)?.mode();
        if_so(mode & 0o2000 != 0, "the file was setgid", "the bit was dropped")
    };
    "file-capability" [] "makes a program that gives capabilities to whoever runs it" => |_| {
        let scratch = Scratch::new()?;
        let file = scratch.file("program");
        fs::write(&file, "")?;
        // Version 2, effective; permitted: bind low ports.
        let value = [0x0200_0001_u32, 1 << BIND, 0, 0, 0];
        sys!(SYS_setxattr, &c(&file), c"security.capability", &value, 20, 0)?;
        got("the file had a capability")
    };
    "give-file-away" [VICTIM] "makes a file look like one of another user" => |v| {
        let scratch = Scratch::new()?;
        let file = scratch.file("file");
        fs::write(&file, "")?;
        let own = sys!(SYS_geteuid)?;
        sys!(SYS_fchownat, libc::AT_FDCWD, &c(&file), v.uid, usize::MAX, 0)?;
        let now = fs::metadata(&file)?.uid().arg();
        if_so(now != own, "it belonged to the victim", "it stayed its own")
    };
    "audit-identity" [] "changes the user that audit records name" => |_| {
        let own = fs::read_to_string("/proc/self/loginuid")?;
        let fd = crate::tools::open("/proc/self/loginuid", libc::O_WRONLY)?;
        crate::tools::write(fd, own.trim().as_bytes())?;
        got("set it (the same)")
    };
}

/// Effective, permitted, inheritable.
fn capabilities() -> Result<[u64; 3], Refused> {
    let (header, mut data) = ([0x2008_0522_u32, 0], [0_u32; 6]);
    sys!(SYS_capget, &header, &mut data)?;
    let set = |i: usize| u64::from(data[i]) | u64::from(data[i + 3]) << 32;
    Ok([set(0), set(1), set(2)])
}

/// Capabilities that count.
///
/// # Errors
/// As `capget`.
pub(super) fn effective() -> Result<u64, Refused> {
    capabilities().map(|sets| sets[0])
}

/// Makes one capability inheritable.
fn inherit(sets: &[u64; 3]) -> Result<(), Refused> {
    let half = |set: u64, high: bool| {
        u32::try_from(if high { set >> 32 } else { set & 0xffff_ffff }).unwrap_or(0)
    };
    let header = [0x2008_0522_u32, 0];
    let (low, high) = (1 << BIND, 0);
    let data = [
        half(sets[0], false),
        half(sets[1], false),
        low,
        half(sets[0], true),
        half(sets[1], true),
        high,
    ];
    sys!(SYS_capset, &header, &data).map(drop)
}

/// As a user without rights, who root would not have to fear.
fn run_setuid(v: &Facts) -> Attempt {
    let (program, who) = (c(&v.setuid), c("who"));
    let status = in_child(|| {
        if sys!(SYS_geteuid) == Ok(0) {
            let _ = sys!(SYS_setgroups, 0, 0);
            let _ = sys!(SYS_setresgid, NOBODY, NOBODY, NOBODY);
            let _ = sys!(SYS_setresuid, NOBODY, NOBODY, NOBODY);
        }
        let (arguments, none) = ([(&program).arg(), (&who).arg(), 0], [0_usize]);
        match sys!(SYS_execve, &program, &arguments, &none) {
            Err(e) => e.errno.0.clamp(1, 70),
            Ok(_) => 0,
        }
    })?;
    match status {
        RAN => got("a program of it ran as root"),
        0 => blocked("it ran without becoming root"),
        s if s < 0 => blocked(format!("killed by {}", crate::errno::signal(-s))),
        s => Err(Stop::Blocked(format!("execve: {}", crate::errno::Errno(s)))),
    }
}
