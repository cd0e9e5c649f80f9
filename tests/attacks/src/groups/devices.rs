//! Devices: by their nodes, and by nodes of one's own.

use crate::attack::{Attempt, Stop, blocked, got, if_so, past_the_guard};
use crate::needs::{CHANNEL, DISK, NO_LOCKDOWN, X86, path};
use crate::tools::{Scratch, c, channel, close, disk, open, read, write};
use crate::{attacks, sys};

attacks! { Devices:
    "make-disk-node" [DISK] "makes a node of the disk and reads it raw" => |_| {
        let text = std::fs::read_to_string(format!("/sys/class/block/{}/dev", disk()));
        // Where /sys is hidden an attacker guesses; virtio disks of this kernel are 254:0.
        let (major, minor) = numbers(text.as_deref().unwrap_or("254:0"));
        node(libc::S_IFBLK, major, minor, true)
    };
    "make-memory-node" [] "makes a node of physical memory" => |_| node(libc::S_IFCHR, 1, 1, false);
    "make-kmsg-node" [] "makes a node of the log of the kernel" => |_| node(libc::S_IFCHR, 1, 11, true);
    "make-console-node" [] "makes a node of the console" => |_| node(libc::S_IFCHR, 5, 1, false);
    "read-disk" [DISK] "reads the disk raw, past all rights of files" => |_| {
        let sector = read(open(&format!("/dev/{}", disk_name()), libc::O_RDONLY)?)?;
        if_so(!sector.is_empty(), "read the start of the disk", "it is empty")
    };
    "write-disk" [DISK] "writes the disk raw" => |_| {
        let fd = open(&format!("/dev/{}", disk_name()), libc::O_RDWR)?;
        let mut sector = [0_u8; 512];
        sys!(SYS_pread64, fd, &mut sector, 512, 0)?;
        sys!(SYS_pwrite64, fd, &sector, 512, 0)?;
        got("wrote its first sector (what was in it)")
    };
    "physical-memory" [path("/dev/mem"), NO_LOCKDOWN, X86] "reads physical memory" => |_| {
        let fd = open("/dev/mem", libc::O_RDONLY)?;
        let mut bytes = [0_u8; 16];
        sys!(SYS_pread64, fd, &mut bytes, 16, 0xf_fff0)?;
        got(format!("read the start of the firmware: {}", crate::tools::hex(&bytes)))
    };
    "write-physical-memory" [path("/dev/mem"), NO_LOCKDOWN] "may write physical memory" => |_| {
        open("/dev/mem", libc::O_RDWR)?;
        got("opened it for writing")
    };
    "device-ports" [path("/dev/port"), NO_LOCKDOWN] "talks to devices past the kernel" => |_| {
        let fd = open("/dev/port", libc::O_RDWR)?;
        let mut byte = [0_u8];
        sys!(SYS_pread64, fd, &mut byte, 1, 0x71)?;
        got("read a port")
    };
    "read-kernel-log" [path("/dev/kmsg")] "reads the log of the kernel" => |_| {
        let line = read(open("/dev/kmsg", libc::O_RDONLY | libc::O_NONBLOCK)?)?;
        if_so(!line.is_empty(), "read a line", "it is empty")
    };
    "write-kernel-log" [path("/dev/kmsg")] "writes into the log of the kernel" => |_| {
        write(open("/dev/kmsg", libc::O_WRONLY)?, b"<7>attack: hello\n")?;
        got("wrote a line")
    };
    "dev-fuse" [path("/dev/fuse")] "serves a file system, which can halt who reads it" => |_| opened("/dev/fuse");
    "dev-kvm" [path("/dev/kvm")] "starts machines" => |_| opened("/dev/kvm");
    "dev-loop" [path("/dev/loop-control")] "makes disks of files" => |_| opened("/dev/loop-control");
    "dev-mapper" [path("/dev/mapper/control")] "changes the disks of the device" =>
        |_| opened("/dev/mapper/control");
    "dev-tun" [path("/dev/net/tun")] "makes a network interface of its own" => |_| opened("/dev/net/tun");
    "dev-uinput" [path("/dev/uinput")] "types and points as a user" => |_| opened("/dev/uinput");
    "dev-input" [path("/dev/input/event0")] "hears the keys that are pressed" => |_| opened("/dev/input/event0");
    "dev-vhost" [path("/dev/vhost-net")] "has the kernel work on its memory" => |_| opened("/dev/vhost-net");
    "dev-vfio" [path("/dev/vfio/vfio")] "drives hardware itself" => |_| opened("/dev/vfio/vfio");
    "dev-rtc" [path("/dev/rtc0")] "reads and sets the clock of the machine" => |_| opened_for("/dev/rtc0", libc::O_RDONLY);
    "dev-nvram" [path("/dev/nvram")] "changes settings of the firmware" => |_| opened("/dev/nvram");
    "dev-hpet" [path("/dev/hpet")] "measures time finely, for attacks through caches" =>
        |_| opened_for("/dev/hpet", libc::O_RDONLY);
    "dev-snapshot" [path("/dev/snapshot")] "reads all memory by hibernation" =>
        |_| opened_for("/dev/snapshot", libc::O_RDONLY);
    "dev-autofs" [path("/dev/autofs")] "answers for mounts of others" => |_| opened("/dev/autofs");
    "dev-btrfs" [path("/dev/btrfs-control")] "has the kernel look at disks" => |_| opened("/dev/btrfs-control");
    "dev-dri" [path("/dev/dri/card0")] "draws on the screen" => |_| opened("/dev/dri/card0");
    "dev-framebuffer" [path("/dev/fb0")] "reads and changes the screen" => |_| opened("/dev/fb0");
    "dev-msr" [path("/dev/cpu/0/msr")] "changes registers of the processor" => |_| opened("/dev/cpu/0/msr");
    "dev-latency" [path("/dev/cpu_dma_latency")] "keeps the processor from sleeping" =>
        |_| opened("/dev/cpu_dma_latency");
    "dev-random-source" [path("/dev/hwrng")] "reads the source of randomness dry" =>
        |_| opened_for("/dev/hwrng", libc::O_RDONLY);
    "dev-serial" [path("/dev/ttyS0")] "writes onto the serial line" => |_| opened("/dev/ttyS0");
    "dev-debug-channel" [CHANNEL] "answers to the host for the device" => |_| {
        let port = channel().unwrap_or_else(|| "vport0p1".to_owned());
        // One opener at a time: that somebody has it means that it may be had.
        past_the_guard(open(&format!("/dev/{port}"), libc::O_RDWR), &[libc::EBUSY])
    };
    "poison-randomness" [path("/dev/urandom")] "stirs what all random numbers come from" => |_| {
        const RESEED: u32 = 0x5207;
        let fd = open("/dev/urandom", libc::O_WRONLY)?;
        sys!(SYS_ioctl, fd, RESEED, 0)?;
        got("had the kernel seed anew")
    };
    "credit-randomness" [path("/dev/urandom")] "says that known bytes are random" => |_| {
        const ADD_ENTROPY: u32 = 0x4008_5203;
        let fd = open("/dev/urandom", libc::O_WRONLY)?;
        // No bits are credited; only who may credit may call this.
        let words = [0_i32, 4, 7];
        sys!(SYS_ioctl, fd, ADD_ENTROPY, &words)?;
        got("added bytes")
    };
}

fn numbers(text: &str) -> (u64, u64) {
    let (major, minor) = text.trim().split_once(':').unwrap_or(("254", "0"));
    (major.parse().unwrap_or(254), minor.parse().unwrap_or(0))
}

fn disk_name() -> String {
    let name = disk();
    if name.is_empty() { "vda".to_owned() } else { name }
}

/// Makes a node, in the first place that takes one; with `look`, reads it.
fn node(kind: u32, major: u64, minor: u64, look: bool) -> Attempt {
    let mut why = Stop::Blocked("nowhere to write".to_owned());
    for place in ["/dev", "/tmp", "/run", "/dev/shm", "/var/tmp", "."] {
        let Ok(scratch) = Scratch::below(place) else { continue };
        let file = scratch.file("node");
        let made = sys!(SYS_mknodat, libc::AT_FDCWD, &c(&file), kind | 0o600, major << 8 | minor);
        if let Err(e) = made {
            why = e.into();
            continue;
        }
        if !look {
            return got(format!("there was a node in {place}"));
        }
        match open(&file, libc::O_RDONLY | libc::O_NONBLOCK).and_then(read) {
            Ok(bytes) if !bytes.is_empty() => return got(format!("read it by a node in {place}")),
            Ok(_) => return blocked("it reads as nothing"),
            Err(e) => why = e.into(),
        }
    }
    Err(why)
}

fn opened(path: &str) -> Attempt {
    opened_for(path, libc::O_RDWR)
}

/// A driver that says "busy" or "no such device" has been reached.
fn opened_for(path: &str, flags: i32) -> Attempt {
    match open(path, flags | libc::O_NONBLOCK) {
        Ok(fd) => {
            close(fd);
            got("opened it")
        }
        Err(e) if [libc::EBUSY, libc::ENODEV, libc::ENXIO].contains(&e.errno.0) => {
            got(format!("its driver answered: {}", e.errno))
        }
        Err(e) => Err(e.into()),
    }
}
