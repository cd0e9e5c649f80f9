//! Files of others: by their path, by detours around the path, by changing what is at the path.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::attack::{Attempt, Stop, blocked, got, if_so};
use crate::facts::Facts;
use crate::needs::{FANOTIFY, HANDLES, VICTIM, path};
use crate::raw::Arg;
use crate::tools::{
    Scratch, c, close, open, open_at, read_file, rewrite, steal, steal_fd, unhex, write,
};
use crate::{attacks, sys};

attacks! { Files:
    "read-secret-file" [VICTIM] "reads a file that only another user may read" =>
        |v| steal(v, &v.file("secret"));
    "read-public-file" [VICTIM] "reads data of another service that its mode lets anyone read" =>
        |v| steal(v, &v.file("public"));
    "write-open-file" [VICTIM] "changes a file of another service that anyone may write" => write_open_file;
    "list-directory" [VICTIM] "sees which files another service has" => |v| {
        let names = fs::read_dir(&v.dir)?.flatten().count();
        if_so(names > 0, format!("{names} names"), "there is nothing")
    };
    "stat-secret-file" [VICTIM] "learns when and how much another service writes" => |v| {
        let size = fs::metadata(v.file("secret"))?.len();
        if_so(size > 0, format!("it has {size} bytes"), "another file")
    };
    "symlink-to-secret" [VICTIM] "reads a secret through a link of its own" => symlink_to_secret;
    "hardlink-to-secret" [VICTIM] "keeps a secret file under a second name" => hardlink_to_secret;
    "plant-symlink" [VICTIM] "leaves a link where another service looks for a file" => plant_symlink;
    "plant-file" [VICTIM] "leaves a file in a directory of another service" => |v| {
        let place = v.file("drop/planted");
        fs::write(&place, "planted")?;
        let there = fs::read(&place).is_ok_and(|t| t == b"planted");
        fs::remove_file(&place)?;
        if_so(there, "the file was there", "it is gone")
    };
    "dot-dot-walk" [VICTIM] "climbs out of its directory by many steps upwards" => |v| {
        steal(v, &format!("{}{}", "../".repeat(64), v.file("secret").trim_start_matches('/')))
    };
    "proc-self-root" [VICTIM] "goes around path rules by /proc/self/root" =>
        |v| steal(v, &format!("/proc/self/root{}", v.file("secret")));
    "proc-thread-cwd" [VICTIM] "goes around path rules by /proc/thread-self/cwd" => |v| {
        std::env::set_current_dir(&v.dir)?;
        steal(v, "/proc/thread-self/cwd/secret")
    };
    "proc-init-root" [VICTIM] "sees the whole device by the root of process 1" =>
        |v| steal(v, &format!("/proc/1/root{}", v.file("secret")));
    "proc-victim-root" [VICTIM] "sees the files of another process by its root" =>
        |v| steal(v, &format!("/proc/{}/root{}", v.pid, v.file("secret")));
    "proc-victim-cwd" [VICTIM] "sees the files of another process by its directory" =>
        |v| steal(v, &format!("/proc/{}/cwd/secret", v.pid));
    "proc-victim-fd" [VICTIM] "opens again what another process has open" =>
        |v| steal(v, &format!("/proc/{}/fd/{}", v.pid, v.fd));
    "reopen-for-writing" [VICTIM] "makes a descriptor for reading one for writing" => |v| {
        let fd = open(&v.file("public"), libc::O_RDONLY)?;
        let again = open(&format!("/proc/self/fd/{fd}"), libc::O_WRONLY)?;
        sys!(SYS_pwrite64, again, b"#", 0, 0)?;
        got("opened it for writing")
    };
    "o-path-magic-link" [VICTIM] "opens by a descriptor that was good for nothing" => |v| {
        let fd = open(&v.file("secret"), libc::O_PATH)?;
        steal(v, &format!("/proc/self/fd/{fd}"))
    };
    "open-by-handle" [VICTIM, HANDLES] "opens a file by its number, whatever directories say" => open_by_handle;
    "make-handle" [VICTIM, HANDLES] "gets a number of a file that works without its path" => |v| {
        let mut handle = [0_u32; 34];
        handle[0] = 128;
        let mut mount = [0_i32];
        let secret = c(&v.file("secret"));
        sys!(SYS_name_to_handle_at, libc::AT_FDCWD, &secret, &mut handle, &mut mount, 0)?;
        if_so(handle[0] > 0, format!("{} bytes of handle", handle[0]), "an empty handle")
    };
    "inherited-descriptors" [] "finds a descriptor that whoever started it left open" => inherited;
    "change-mode" [VICTIM] "makes the secret of another user everybody's" => |v| {
        let secret = c(&v.file("secret"));
        sys!(SYS_fchmodat, libc::AT_FDCWD, &secret, 0o666)?;
        let mode = fs::metadata(v.file("secret"))?.mode() & 0o777;
        sys!(SYS_fchmodat, libc::AT_FDCWD, &secret, 0o600)?;
        if_so(mode == 0o666, "it was mode 0666 for a moment", "the mode stayed")
    };
    "change-owner" [VICTIM] "takes a file of another user" => |v| {
        let file = c(&v.file("public"));
        let own = sys!(SYS_geteuid)?;
        sys!(SYS_fchownat, libc::AT_FDCWD, &file, own, usize::MAX, 0)?;
        let owner = fs::metadata(v.file("public"))?.uid();
        sys!(SYS_fchownat, libc::AT_FDCWD, &file, v.uid, usize::MAX, 0)?;
        if_so(owner.arg() == own, "it had the file for a moment", "the owner stayed")
    };
    "rename-away" [VICTIM] "takes a file away from another service" => |v| {
        fs::rename(v.file("log"), v.file("log.gone"))?;
        let gone = !fs::exists(v.file("log")).unwrap_or(true);
        fs::rename(v.file("log.gone"), v.file("log"))?;
        if_so(gone, "the file was gone for a moment", "it stayed")
    };
    "truncate-log" [VICTIM] "wipes the traces in a log of another service" => |v| {
        sys!(SYS_truncate, &c(&v.file("log")), 0)?;
        let size = fs::metadata(v.file("log"))?.len();
        drop(fs::write(v.file("log"), "a line\n")); // as it was; the effect has been seen
        if_so(size == 0, "the log was empty", "the log is whole")
    };
    "lock-file" [VICTIM] "makes another service wait for ever at a lock" => |v| {
        let fd = open(&v.file("public"), libc::O_RDONLY)?;
        sys!(SYS_flock, fd, libc::LOCK_EX | libc::LOCK_NB)?;
        got("holds the lock")
    };
    "watch-directory" [VICTIM] "hears of everything another service does with its files" => |v| {
        let fd = sys!(SYS_inotify_init1, libc::IN_CLOEXEC | libc::IN_NONBLOCK)?;
        sys!(SYS_inotify_add_watch, fd, &c(&v.dir), libc::IN_ALL_EVENTS)?;
        got("watches the directory")
    };
    "watch-file-system" [FANOTIFY] "hears of every file that anyone opens" => |_| {
        let (class, flags) = (0, libc::O_RDONLY);
        let fd = sys!(SYS_fanotify_init, class, flags)?;
        let mark = libc::FAN_MARK_ADD | libc::FAN_MARK_MOUNT;
        sys!(SYS_fanotify_mark, fd, mark, libc::FAN_OPEN, libc::AT_FDCWD, c"/")?;
        close(fd);
        got("marked all of /")
    };
    "shared-tmp" [VICTIM] "reads what another service keeps in /tmp" =>
        |v| steal(v, &format!("/tmp/attacks-victim-{}", v.pid));
    "read-passwords" [path("/etc/shadow")] "reads the hashes of passwords" => |_| {
        let text = read_file("/etc/shadow")?;
        if_so(!text.is_empty(), "read /etc/shadow", "it is empty")
    };
    "write-users" [path("/etc/passwd")] "makes itself a user of its choice" => |_| rewrite("/etc/passwd");
    "plant-in-etc" [] "leaves a file in the configuration of the device" => |_| plant("/etc");
    "plant-service" [path("/run/ensemble")] "has a service of its own started at the next boot" =>
        |_| {
            let made = fs::create_dir("/etc/ensemble").is_ok();
            let attempt = plant("/etc/ensemble");
            if made {
                fs::remove_dir("/etc/ensemble")?;
            }
            attempt
        };
    "read-journal" [path("/var/log/ensemble")] "reads the log of the whole device" => |_| {
        let names = fs::read_dir("/var/log/ensemble")?;
        let mut files = names.flatten().filter_map(|e| e.path().to_str().map(str::to_owned));
        let file = files.find(|f| read_file(f).is_ok_and(|text| !text.is_empty()));
        file.map_or_else(|| blocked("no file of it can be read"), |f| got(format!("read {f}")))
    };
    "read-state-of-device" [path("/var/lib/ensemble")] "reads what Ensemble itself keeps" => |_| {
        let names = fs::read_dir("/var/lib/ensemble")?.flatten().count();
        if_so(names > 0, format!("{names} names"), "it is empty")
    };
}

fn write_open_file(v: &Facts) -> Attempt {
    let fd = open(&v.file("open"), libc::O_WRONLY | libc::O_APPEND)?;
    write(fd, b"changed")?;
    let text = read_file(&v.file("open"))?;
    if_so(text.ends_with(b"changed"), "changed it", "it is as before")
}

fn symlink_to_secret(v: &Facts) -> Attempt {
    let scratch = Scratch::new()?;
    let link = scratch.file("link");
    sys!(SYS_symlinkat, &c(&v.file("secret")), libc::AT_FDCWD, &c(&link))?;
    steal(v, &link)
}

fn hardlink_to_secret(v: &Facts) -> Attempt {
    let (secret, link) = (v.file("secret"), v.file("drop/link"));
    sys!(SYS_linkat, libc::AT_FDCWD, &c(&secret), libc::AT_FDCWD, &c(&link), 0)?;
    let same = fs::metadata(&link)?.ino() == fs::metadata(&secret)?.ino();
    fs::remove_file(&link)?;
    if_so(same, "the file had a second name", "it is another file")
}

fn plant_symlink(v: &Facts) -> Attempt {
    let link = v.file("drop/planted-link");
    sys!(SYS_symlinkat, c"/etc/passwd", libc::AT_FDCWD, &c(&link))?;
    let there = fs::read_link(&link).is_ok();
    fs::remove_file(&link)?;
    if_so(there, "the link was there", "it is gone")
}

/// The secret's handle is the victim's to know, but handles of ext4 are easy to guess.
fn open_by_handle(v: &Facts) -> Attempt {
    let bytes = unhex(&v.handle.1);
    let mut handle = vec![u32::try_from(bytes.len()).unwrap_or(0).to_ne_bytes()];
    handle.push(v.handle.0.to_ne_bytes());
    let mut handle = handle.concat();
    handle.extend(bytes);
    let mut why = Stop::Blocked("no directory to start from".to_owned());
    for place in [v.dir.as_str(), "/var/lib", "/var", "/tmp", "/run", "/", "."] {
        let attempt = open(place, libc::O_RDONLY | libc::O_DIRECTORY)
            .and_then(|mount| sys!(SYS_open_by_handle_at, mount, &handle[..], libc::O_RDONLY));
        match attempt {
            Ok(fd) => return steal_fd(v, fd),
            // Another file system does not know the handle: that is no guard.
            Err(e) if e.errno.0 == libc::ESTALE => {}
            Err(e) => why = e.into(),
        }
    }
    Err(why)
}

fn inherited(_: &Facts) -> Attempt {
    for fd in 3..1024_usize {
        let mut flags = sys!(SYS_fcntl, fd, libc::F_GETFD, 0);
        // What this program opened itself is closed at exec.
        flags = flags.map(|bits| bits & 1);
        if flags == Ok(0) {
            let up = open_at(fd, "..", libc::O_RDONLY | libc::O_DIRECTORY);
            let what = if up.is_ok() { "a directory" } else { "something" };
            return got(format!("descriptor {fd} is {what}"));
        }
    }
    blocked("only 0, 1 and 2 are open")
}

fn plant(directory: &str) -> Attempt {
    let place = format!("{directory}/attack-planted");
    fs::write(&place, "# planted\n")?;
    let there = fs::exists(&place).unwrap_or(false);
    fs::remove_file(&place)?;
    if_so(there, format!("the file was in {directory}"), "it is gone")
}
