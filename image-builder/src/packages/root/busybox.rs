//! Links to busybox for programs that no other package brings.

use anyhow::Result;

use crate::tree::{Node, Tree};

/// Applets of Debian's busybox 1.37 that a device may want. Left out: what is ours to do (init, reboot, DHCP),
/// what needs set-id (login, su), and package tools.
const APPLETS: &str = "\
[ [[ adjtimex ar arch arp arping ascii ash awk base64 basename bc blkdiscard blkid blockdev brctl bunzip2 bzcat \
bzip2 cal cat chgrp chmod chown chroot chvt clear cmp cp cpio crc32 crond crontab cttyhack cut date dc dd \
depmod devmem df diff dirname dmesg dnsdomainname dos2unix du echo ed egrep env expand expr factor fallocate \
false fatattr fdisk fgrep find findfs fold free fsfreeze fstrim ftpget ftpput getfattr getopt getty grep groups \
gunzip gzip head hexdump hostid hostname httpd hwclock id ifconfig insmod install ionice ip ipcalc kill killall \
last less link linux32 linux64 ln logger logname losetup ls lsmod lsscsi lzcat lzma lzop md5sum microcom mkdir \
mkdosfs mke2fs mkfifo mknod mkpasswd mkswap mktemp modinfo modprobe more mount mt mv nameif nbd-client nc \
netstat nl nologin nproc nsenter nslookup od openvt partprobe paste patch pidof ping ping6 pivot_root printf ps \
pwd rdate readlink realpath renice reset rev rm rmdir rmmod route run-parts sed seq setpriv setsid sh sha1sum \
sha256sum sha3sum sha512sum shred shuf sleep sort ssl_client stat strings stty swapoff swapon sync sysctl tac \
tail tar taskset tc tee telnet test tftp time timeout top touch tr traceroute traceroute6 true truncate ts tty \
tunctl umount uname uncompress unexpand uniq unix2dos unlink unlzma unshare unxz unzip uptime usleep uudecode \
uuencode vconfig vi w watch wc wget which who whoami xargs xxd xz xzcat yes zcat";

/// Where a program may be; a link is made only if none of these has it.
const PLACES: &[&str] = &["usr/bin", "usr/sbin"];

/// Applets that programs look for in `sbin`.
const IN_SBIN: &[&str] = &["nologin"];

/// Makes the links, if the tree has busybox.
pub(super) fn links(tree: &mut Tree) -> Result<()> {
    if tree.get("usr/bin/busybox").is_none() {
        return Ok(());
    }
    for applet in APPLETS.split_whitespace() {
        if PLACES.iter().any(|place| tree.get(&format!("{place}/{applet}")).is_some()) {
            continue;
        }
        let (path, target) = if IN_SBIN.contains(&applet) {
            (format!("usr/sbin/{applet}"), "../bin/busybox")
        } else {
            (format!("usr/bin/{applet}"), "busybox")
        };
        tree.insert(&path, Node::symlink(target))?;
    }
    Ok(())
}
