//! What profiles allow, told in sentences.
#![cfg(feature = "text")]

mod files;

use files::Files;
use model::text::sandbox::{Explained, load, sentences};

fn told(text: &str, user: Option<&str>) -> String {
    let files = Files::default()
        .with(
            "sandbox/base.toml",
            "version = 1\nkeyring = \"own\"\n[forbid]\ncalls = [\"@mount\"]\n",
        )
        .with("sandbox/x.toml", &format!("version = 1\n{text}"));
    let explained = load(&files, &["sandbox".to_owned()], "x");
    let Explained { profile, rules } =
        explained.map_err(|report| report.to_string()).expect("it is right");
    let mut out = String::new();
    for sentence in sentences(&profile, user, &rules) {
        out += &format!("{}: {}", sentence.topic.heading(), sentence.text);
        for value in sentence.values {
            let places = value.places.iter().map(|(file, line)| format!("{file}:{line}"));
            out += &format!(" {} [{}]", value.text, places.collect::<Vec<_>>().join(", "));
        }
        out.push('\n');
    }
    out
}

#[test]
fn a_tight_profile_is_told_with_the_line_of_each_rule() {
    let text = "inherit = [\"base\"]\ncapabilities = [\"NET_ADMIN\"]\nwrite-execute = false\n\
                namespaces = [\"ipc\"]\noptional = [\"landlock-6\"]\n\
                [files]\nview = \"listed\"\nexecute = [\"/usr\"]\nwrite = [\"/var/lib/x\"]\ntmp = \"private\"\n\
                proc = \"own\"\ndevices = []\n\
                [network]\nfamilies = [\"unix\", \"inet\"]\nlisten = [80]\n\
                [calls]\nallow = [\"@basic\", \"mlock\"]\nkill = [\"ptrace\"]\n";
    insta::assert_snapshot!(told(text, Some("web")), @r"
    files: It finds only the files that are named here.  [sandbox/x.toml:8]
    files: It may read only what it may write or execute.
    files: It may write, and execute nothing of what is there, in: /var/lib/x [sandbox/x.toml:10]
    files: It may execute programs, and read, in: /usr [sandbox/x.toml:9]
    files: /tmp and /var/tmp are its own, and empty at each start.  [sandbox/x.toml:11]
    files: In /proc it finds only processes of its user.  [sandbox/x.toml:12]
    files: In /dev it finds null, zero, full, random, urandom, tty and shm only.  [sandbox/x.toml:13]
    network: It is in the network of the device.
    network: It may have sockets of the families: unix [sandbox/x.toml:15] inet [sandbox/x.toml:15]
    network: It may connect to every TCP port.
    network: It may listen on the TCP ports: 80 [sandbox/x.toml:16]
    network: It may not use UDP.
    system calls: It may make these, and no other: @basic (What ordinary programs need) [sandbox/x.toml:18] mlock [sandbox/x.toml:18]
    system calls: Refused, whatever else allows it: @mount (What files are where: mounts, and another root) [sandbox/base.toml:4]
    system calls: For these it is killed (SIGSYS): ptrace [sandbox/x.toml:19]
    privileges: It runs as web.
    privileges: It has these capabilities: NET_ADMIN [sandbox/x.toml:3]
    privileges: Programs with the set-user-id bit give it nothing.
    privileges: It may change its execution domain.
    privileges: It has a keyring of its own.  [sandbox/base.toml:2]
    memory: Memory that was written is never executed.  [sandbox/x.toml:4]
    namespaces: Of its own it has: ipc (message queues, semaphores and shared memory) [sandbox/x.toml:5]
    limits: It may use as much as there is.
    kernel: It starts also where the kernel lacks these, without what needs them: landlock-6 [sandbox/x.toml:6]
    ");
}

#[test]
fn what_restricts_nothing_is_told_as_it_is() {
    insta::assert_snapshot!(told("about = \"Nothing\"\n", None), @r"
    files: It finds all files of the device.
    files: It may read whatever its user may.
    files: It may write wherever its user may.
    files: It may execute every program that its user may.
    files: /tmp and /var/tmp are everybody's.
    files: In /proc it finds all processes.
    files: It may use devices as its user may.
    network: It is in the network of the device.
    network: It may have sockets of every family.
    network: It may connect to every TCP port.
    network: It may listen on every TCP port.
    system calls: It may make every system call.
    privileges: It runs as root.
    privileges: It has all capabilities of root.
    privileges: Programs with the set-user-id bit give it nothing.
    privileges: It may change its execution domain.
    privileges: It shares a keyring with others.
    memory: Memory that was written may be executed.
    namespaces: It shares message queues, host name and groups with others.
    limits: It may use as much as there is.
    ");
}

#[test]
fn whose_programs_and_settings_it_finds_is_told() {
    let text =
        told("[files]\nview = \"listed\"\nroot = \"/run/roots/a\"\nexecute = [\"/usr\"]\n", None);
    let line = text.lines().find(|line| line.contains("/run/roots/a")).unwrap_or_default();
    insta::assert_snapshot!(line, @r"files: What is named of /app, /bin, /etc, /lib, /lib32, /lib64, /libx32, /opt, /sbin, /srv, /usr it finds as it is in /run/roots/a; of /etc the device's are group, hostname, hosts, localtime, passwd, resolv.conf, timezone.  [sandbox/x.toml:4]");
}
