//! Takes away what a victim made outside of its memory: files, System V and POSIX objects, its key.
//!
//! Done by the victim itself, as its own user. What is gone already does not matter; the empty directory
//! stays, for that lies in one of root.

use std::fs;

use crate::facts::Facts;
use crate::sys;
use crate::tools::c;

/// Files in its directory.
const FILES: [&str; 7] = ["secret", "public", "open", "log", "program", "bus.sock", "notify.sock"];

/// Removes all of it.
pub fn clear(v: &Facts) {
    for name in FILES {
        drop(fs::remove_file(v.file(name)));
    }
    drop(fs::remove_dir_all(v.file("drop")));
    drop(fs::remove_file(format!("/tmp/attacks-victim-{}", v.pid)));
    drop(fs::remove_file(format!("/dev/shm{}", v.posix)));
    let _ = sys!(SYS_mq_unlink, &c(v.posix.trim_start_matches('/')));
    let _ = sys!(SYS_shmctl, v.shm, libc::IPC_RMID, 0);
    let _ = sys!(SYS_semctl, v.sem, 0, libc::IPC_RMID, 0);
    let _ = sys!(SYS_msgctl, v.msg, libc::IPC_RMID, 0);
    if v.key != 0 {
        const UNLINK: i32 = 9;
        const USER_KEYRING: i32 = -4;
        let _ = sys!(SYS_keyctl, UNLINK, v.key, USER_KEYRING);
    }
}
