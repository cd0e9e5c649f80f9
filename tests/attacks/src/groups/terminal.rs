//! Terminals: typing what the user did not type, reading what was meant for others.

use crate::attack::{Attempt, blocked, got, if_so, past_the_guard};
use crate::facts::Facts;
use crate::needs::{CONSOLE_SCREEN, PTY, VICTIM, path};
use crate::tools::{open, read, thrown_away, write};
use crate::{attacks, sys};

const TIOCLINUX: u32 = 0x541c;
const TIOCGPTPEER: u32 = 0x5441;

attacks! { Terminal:
    "controlling-terminal" [] "shares the terminal of whoever started it" => |_| {
        open("/dev/tty", libc::O_RDWR)?;
        got("it has a controlling terminal")
    };
    "type-into-terminal" [PTY] "types commands into a terminal that a shell reads" => |_| typed();
    "steal-terminal" [PTY, VICTIM] "takes the terminal away from another session" => |v| thrown_away(|| {
        let fd = theirs(v)?;
        sys!(SYS_setsid)?;
        sys!(SYS_ioctl, fd, libc::TIOCSCTTY, 1)?;
        got("it has the terminal of the victim")
    });
    "read-terminal" [PTY, VICTIM] "reads what is typed for another program" => |v| {
        let typed = read(theirs(v)?)?;
        if_so(v.is_in(&typed), "read the secret", "that is another terminal")
    };
    "write-terminal" [PTY, VICTIM] "writes onto the terminal of another program" => |v| {
        write(theirs(v)?, b"attack\n")?;
        got("wrote a line")
    };
    "set-terminal-size" [PTY, VICTIM] "confuses another program about its terminal" => |v| {
        let fd = theirs(v)?;
        let mut size = [0_u16; 4];
        sys!(SYS_ioctl, fd, libc::TIOCGWINSZ, &mut size)?;
        sys!(SYS_ioctl, fd, libc::TIOCSWINSZ, &size)?;
        got("set the size (the same)")
    };
    "hang-up-terminal" [PTY] "ends the sessions of a terminal" => |_| thrown_away(|| {
        let (_, slave) = terminal()?;
        sys!(SYS_setsid)?;
        sys!(SYS_ioctl, slave, libc::TIOCSCTTY, 0)?;
        sys!(SYS_rt_sigaction, libc::SIGHUP, &[1_usize, 0, 0, 0], 0, 8)?;
        sys!(SYS_vhangup)?;
        let after = read(slave);
        if_so(after.is_err() || after.is_ok_and(|b| b.is_empty()), "it was hung up", "it goes on")
    });
    "redirect-console" [PTY, path("/dev/console")] "gets what the kernel says on the console" => |_| {
        let (_, slave) = terminal()?;
        sys!(SYS_ioctl, slave, libc::TIOCCONS, 0)?;
        let console = open("/dev/console", libc::O_WRONLY)?;
        let _ = sys!(SYS_ioctl, console, libc::TIOCCONS, 0); // back to where it was
        got("the console was its terminal")
    };
    "line-discipline" [PTY] "has the kernel load a protocol for a terminal" => |_| {
        // One that no kernel has is refused with EINVAL, after a module was looked for.
        let (_, slave) = terminal()?;
        past_the_guard(sys!(SYS_ioctl, slave, libc::TIOCSETD, &[29_i32]), &[libc::EINVAL])
    };
    "write-console" [path("/dev/console")] "writes onto the console of the device" => |_| {
        write(open("/dev/console", libc::O_WRONLY)?, b"\r")?;
        got("wrote onto it")
    };
    "screen-paste" [CONSOLE_SCREEN] "pastes commands into a shell on the screen" => |_| {
        const SELECT: u8 = 2;
        const PASTE: u8 = 3;
        let screen = open("/dev/tty1", libc::O_RDWR)?;
        // Selects the first cell; what is pasted goes to a screen that nobody reads.
        let words = [1_u16, 1, 1, 1, 0].map(u16::to_ne_bytes).concat();
        let select = [&[SELECT][..], &words].concat();
        sys!(SYS_ioctl, screen, TIOCLINUX, &select[..])?;
        sys!(SYS_ioctl, screen, TIOCLINUX, &[PASTE])?;
        got("pasted")
    };
    "screen-read" [path("/dev/vcs1")] "reads what is on the screen" => |_| {
        let cells = read(open("/dev/vcs1", libc::O_RDONLY)?)?;
        if_so(!cells.is_empty(), format!("{} characters", cells.len()), "the screen is empty")
    };
    "screen-write" [path("/dev/vcsa1")] "changes what is on the screen" => |_| {
        let fd = open("/dev/vcsa1", libc::O_RDWR)?;
        let mut head = [0_u8; 8];
        sys!(SYS_pread64, fd, &mut head, 8, 0)?;
        sys!(SYS_pwrite64, fd, &head, 8, 0)?;
        got("wrote onto it (the same)")
    };
    "screen-switch" [CONSOLE_SCREEN] "switches to another screen" => |_| {
        const ACTIVATE: u32 = 0x5606;
        sys!(SYS_ioctl, open("/dev/tty0", libc::O_RDWR)?, ACTIVATE, 1)?;
        got("switched (to the first)")
    };
    "keyboard-map" [CONSOLE_SCREEN] "changes what keys mean, for whoever types next" => |_| {
        const GET: u32 = 0x4b46;
        const SET: u32 = 0x4b47;
        let fd = open("/dev/tty0", libc::O_RDWR)?;
        // struct kbentry: table 0, key 30, its value.
        let mut entry = [0_u8, 30, 0, 0];
        sys!(SYS_ioctl, fd, GET, &mut entry)?;
        sys!(SYS_ioctl, fd, SET, &entry)?;
        got("set a key (the same)")
    };
}

/// A terminal of our own: both ends.
fn terminal() -> Result<(usize, usize), crate::attack::Refused> {
    let master = open("/dev/ptmx", libc::O_RDWR)?;
    sys!(SYS_ioctl, master, libc::TIOCSPTLCK, &[0_i32])?;
    let slave = sys!(SYS_ioctl, master, TIOCGPTPEER, libc::O_RDWR | libc::O_NOCTTY)?;
    Ok((master, slave))
}

fn theirs(v: &Facts) -> Result<usize, crate::attack::Stop> {
    if v.tty.is_empty() {
        return Err(crate::attack::Stop::Absent("the victim has no terminal".to_owned()));
    }
    Ok(open(&v.tty, libc::O_RDWR | libc::O_NONBLOCK)?)
}

fn typed() -> Attempt {
    thrown_away(|| {
        let (_, slave) = terminal()?;
        sys!(SYS_setsid)?;
        sys!(SYS_ioctl, slave, libc::TIOCSCTTY, 0)?;
        for letter in [b"x", b"\n"] {
            sys!(SYS_ioctl, slave, libc::TIOCSTI, letter)?;
        }
        let mut poll = [u64::try_from(slave).unwrap_or(0) | 1 << 32];
        let second = [1_i64, 0];
        if sys!(SYS_ppoll, &mut poll, 1, &second, 0, 0) != Ok(1) {
            return blocked("nothing was typed");
        }
        if_so(read(slave)? == b"x\n", "it was typed", "something else was typed")
    })
}
