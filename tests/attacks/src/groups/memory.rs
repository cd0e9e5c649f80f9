//! Code that the program wrote or changed itself: what an attacker needs after the first overflow.

use std::fs;

use crate::attack::{Attempt, if_so};
use crate::needs::LOW_MEMORY;
use crate::raw::{self, Arg, CODE};
use crate::tools::{
    NO_FD, RAN, Scratch, execute, in_child, map, open, ran, runs, thrown_away, write,
};
use crate::{attacks, sys};

const READ: i32 = libc::PROT_READ;
const WRITE: i32 = libc::PROT_WRITE;
const EXEC: i32 = libc::PROT_EXEC;
const OWN: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const PAGE: usize = 4096;

attacks! { Memory:
    "writable-code" [] "maps memory to write code into and run it" => |_| {
        let at = map(PAGE, READ | WRITE | EXEC, OWN, NO_FD)?;
        raw::store(at, CODE);
        run(at)
    };
    "make-executable" [] "writes code, then makes the memory executable" => |_| {
        let at = map(PAGE, READ | WRITE, OWN, NO_FD)?;
        raw::store(at, CODE);
        sys!(SYS_mprotect, at, PAGE, READ | EXEC)?;
        run(at)
    };
    "make-executable-by-key" [] "makes memory executable by pkey_mprotect, past filters of mprotect" => |_| {
        let at = map(PAGE, READ | WRITE, OWN, NO_FD)?;
        raw::store(at, CODE);
        sys!(SYS_pkey_mprotect, at, PAGE, READ | EXEC, -1)?;
        run(at)
    };
    "make-code-writable" [] "changes its own program in memory" => |_| thrown_away(|| {
        let at = raw::spare_code();
        sys!(SYS_mprotect, at / PAGE * PAGE, 2 * PAGE, READ | WRITE | EXEC)?;
        raw::store(at, CODE);
        run(at)
    });
    "write-code-by-proc-mem" [] "changes its own program past the protection of memory" => |_| {
        thrown_away(|| {
            let at = raw::spare_code();
            let fd = open("/proc/self/mem", libc::O_RDWR)?;
            sys!(SYS_pwrite64, fd, CODE, CODE.len(), at)?;
            run(at)
        })
    };
    "executable-stack" [] "runs code on its stack" => |_| thrown_away(|| {
        let word = 0_u64;
        let at = raw::address_of(&word) / PAGE * PAGE;
        sys!(SYS_mprotect, at, PAGE, READ | WRITE | EXEC)?;
        // Low in the page, where nothing of this function is.
        let at = raw::address_of(&word) - 2048;
        let _ = sys!(SYS_mprotect, at / PAGE * PAGE, PAGE, READ | WRITE | EXEC);
        raw::store(at, CODE);
        run(at)
    });
    "shared-memory-code" [] "maps one memory twice, writable and executable" => |_| {
        let fd = sys!(SYS_memfd_create, c"code", 0)?;
        sys!(SYS_ftruncate, fd, PAGE)?;
        let writable = map(PAGE, READ | WRITE, libc::MAP_SHARED, fd)?;
        let executable = map(PAGE, READ | EXEC, libc::MAP_SHARED, fd)?;
        raw::store(writable, CODE);
        run(executable)
    };
    "memfd-code" [] "maps code from a file that is nowhere" => |_| {
        let fd = sys!(SYS_memfd_create, c"code", 0)?;
        write(fd, CODE)?;
        run(map(PAGE, READ | EXEC, libc::MAP_PRIVATE, fd)?)
    };
    "sysv-memory-code" [] "runs code in System V memory" => |_| {
        const SHM_EXEC: i32 = 0o100_000;
        let id = sys!(SYS_shmget, libc::IPC_PRIVATE, PAGE, 0o700 | libc::IPC_CREAT)?;
        let at = sys!(SYS_shmat, id, 0, 0);
        let code = sys!(SYS_shmat, id, 0, SHM_EXEC);
        let _ = sys!(SYS_shmctl, id, libc::IPC_RMID, 0);
        raw::store(at?, CODE);
        run(code?)
    };
    "map-written-file" [] "maps code from a file it wrote" => |_| {
        let scratch = Scratch::new()?;
        let file = scratch.file("code");
        fs::write(&file, CODE)?;
        let fd = open(&file, libc::O_RDONLY)?;
        run(map(PAGE, READ | EXEC, libc::MAP_PRIVATE, fd)?)
    };
    "make-file-executable" [] "maps a file it wrote and makes it executable later" => |_| {
        let scratch = Scratch::new()?;
        let file = scratch.file("code");
        fs::write(&file, CODE)?;
        let at = map(PAGE, READ, libc::MAP_PRIVATE, open(&file, libc::O_RDONLY)?)?;
        sys!(SYS_mprotect, at, PAGE, READ | EXEC)?;
        run(at)
    };
    "memfd-program" [] "runs a program that is in no file system" => |_| {
        // Says that it will be run, which older kernels do not know.
        let fd = sys!(SYS_memfd_create, c"program", libc::MFD_CLOEXEC | libc::MFD_EXEC)
            .or_else(|_| sys!(SYS_memfd_create, c"program", libc::MFD_CLOEXEC))?;
        write_whole(fd, &fs::read(crate::tools::myself())?)?;
        ran(|| execute(fd, "", libc::AT_EMPTY_PATH))
    };
    "run-from-tmp" [] "runs a program it wrote to /tmp" => |_| run_from("/tmp");
    "run-from-dev-shm" [] "runs a program it wrote to /dev/shm" => |_| run_from("/dev/shm");
    "run-from-var-tmp" [] "runs a program it wrote to /var/tmp" => |_| run_from("/var/tmp");
    "run-from-run" [] "runs a program it wrote to /run" => |_| run_from("/run");
    "run-by-descriptor" [] "runs a program it wrote, without its path" => |_| {
        let scratch = Scratch::new()?;
        let fd = open(&scratch.program()?, libc::O_PATH)?;
        ran(|| execute(fd, "", libc::AT_EMPTY_PATH))
    };
    "run-by-proc-fd" [] "runs a program it wrote by the path of a descriptor" => |_| {
        let scratch = Scratch::new()?;
        let fd = open(&scratch.program()?, libc::O_RDONLY)?;
        runs(&format!("/proc/self/fd/{fd}"))
    };
    "read-implies-exec" [] "has all memory that it can read be executable" => |_| thrown_away(|| {
        sys!(SYS_personality, libc::READ_IMPLIES_EXEC)?;
        let at = map(PAGE, READ | WRITE, OWN, NO_FD)?;
        raw::store(at, CODE);
        // A page that may not be run ends who tries; so does a child.
        let status = in_child(|| i32::from(raw::run_code(at) == 42) * RAN)?;
        if_so(status == RAN, "code in plain memory ran", "plain memory is not run")
    });
    "no-randomization" [] "has its programs lie at known addresses" => |_| thrown_away(|| {
        sys!(SYS_personality, libc::ADDR_NO_RANDOMIZE)?;
        let now = sys!(SYS_personality, 0xffff_ffff_usize)?;
        if_so(now & libc::ADDR_NO_RANDOMIZE.arg() != 0, "it is set", "it is not set")
    });
    "map-page-zero" [LOW_MEMORY] "maps address 0, where mistakes of the kernel look" => |_| {
        let at = sys!(SYS_mmap, 0, PAGE, READ | WRITE, OWN | libc::MAP_FIXED, NO_FD, 0)?;
        if_so(at == 0, "it has page 0", "it has another page")
    };
}

/// Runs the code at an address, in a child: where it may not be run, the child dies.
fn run(at: usize) -> Attempt {
    let status = in_child(|| i32::from(raw::run_code(at) == 42) * RAN)?;
    let why = crate::errno::signal(-status);
    if_so(status == RAN, "the code ran", format!("the code did not run: {why}"))
}

fn write_whole(fd: usize, mut bytes: &[u8]) -> Result<(), crate::attack::Refused> {
    while !bytes.is_empty() {
        let length = write(fd, bytes)?;
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(())
}

fn run_from(place: &str) -> Attempt {
    let scratch = Scratch::below(place)?;
    let program = scratch.program()?;
    runs(&program)
}
