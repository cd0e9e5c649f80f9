//! Profiles with a mistake: what people see, in which file and line, and the way out.
#![cfg(feature = "text")]

mod files;

use files::{brief, profiles};
use model::Name;
use model::text::{check_file, service};

/// What is said of the service of this text beside these profiles.
fn said(all: &[(&str, &str)], text: &str) -> String {
    let text = format!("exec = [\"/usr/bin/web\"]\n{text}");
    let files = profiles(all).with("services/web.toml", &text);
    check_file(&files, "services/web.toml").1.to_string()
}

/// What is said of one profile, in brief.
fn wrong(text: &str) -> String {
    brief(&check_file(&profiles(&[("x", text)]), "sandbox/x.toml").1)
}

#[test]
fn what_is_allowed_and_forbidden_is_shown_in_both_files() {
    let base =
        "[forbid]\nfiles = [\"/home\"]\ncalls = [\"@mount\"]\ncapabilities = [\"SYS_ADMIN\"]\n";
    let report = said(
        &[("base", base)],
        "[sandbox]\ninherit = [\"base\"]\ncapabilities = [\"SYS_ADMIN\"]\n[sandbox.files]\nread = [\"/home/me\", \"/etc\"]\n[sandbox.calls]\nallow = [\"@basic\", \"umount2\"]\n",
    );
    insta::assert_snapshot!(report, @r#"
    error: the capability SYS_ADMIN is allowed and forbidden
     --> services/web.toml:4:17
      |
    4 | capabilities = ["SYS_ADMIN"]
      |                 ^^^^^^^^^^^ allowed here
      |
     ::: sandbox/base.toml:5:17
      |
    5 | capabilities = ["SYS_ADMIN"]
      |                 ----------- forbidden here
      |
    help: what is forbidden stays so for all that inherit it: leave this out, or inherit less

    error: `/home/me` is allowed and forbidden
     --> services/web.toml:6:9
      |
    6 | read = ["/home/me", "/etc"]
      |         ^^^^^^^^^^ allowed here
      |
     ::: sandbox/base.toml:3:10
      |
    3 | files = ["/home"]
      |          ------- forbidden here
      |
    help: what is forbidden stays so for all that inherit it: leave this out, or inherit less

    error: `umount2` is allowed and forbidden
     --> services/web.toml:8:20
      |
    8 | allow = ["@basic", "umount2"]
      |                    ^^^^^^^^^ allowed here
      |
     ::: sandbox/base.toml:4:10
      |
    4 | calls = ["@mount"]
      |          -------- forbidden here
      |
    help: what is forbidden stays so for all that inherit it: leave this out, or inherit less
    "#);
}

#[test]
fn every_contradiction_is_told() {
    let text = r#"
requires = ["landlock-6"]
optional = ["landlock-6"]
write-execute = true
no-new-privileges = false
[files]
write = ["/usr/share/web", "/tmp/x"]
execute = ["/usr"]
tmp = "private"
devices = ["fb0"]
[network]
access = "none"
families = ["packet"]
listen = [80]
[calls]
allow = ["@reboot"]
[forbid]
files = ["/dev"]
write = ["/tmp"]
calls = ["@privileged"]
families = ["packet"]
write-execute = true
new-privileges = true
"#;
    insta::assert_snapshot!(wrong(text), @r#"
    4:13 `landlock-6` can't be needed and missing (leave it out of one of them)
    5:17 memory that is writable and executable is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    6:21 gaining privileges is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    8:10 `/usr/share/web` would be writable and executable (a program that can be replaced is not the one you meant)
    8:28 `/tmp/x` of the device is not there: `tmp` is private (leave one of them out)
    8:28 writing to `/tmp/x` is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    11:12 the device `fb0` is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    14:13 the family "packet" is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    15:11 `listen` names ports, and the network is empty (sockets of [[socket]] are passed to it and need no network)
    17:10 `@reboot` is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    "#);
    let host = "[network]\naccess = \"host\"\n[forbid]\nnetwork = true\n";
    insta::assert_snapshot!(wrong(host), @r"3:10 the device's network is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)");
}

#[test]
fn values_that_cannot_be_are_told_with_a_way_out() {
    let text = r#"
version = 1
requires = ["landlok-6", "landlock-99"]
capabilities = ["NET_ADMN"]
namespaces = ["ipcs"]
keyring = "mine"
[files]
read = ["etc", "/etc/../root", "/etc/"]
devices = ["/dev/fb0", "../mem"]
[network]
families = ["inet4"]
connect = [0, 65536, 443]
listen = []
[calls]
allow = ["opnat", "files", "@fils"]
"#;
    insta::assert_snapshot!(wrong(text.trim_start_matches("\nversion = 1")), @r#"
    3:13 no kernel has a feature called `landlok-6` (did you mean `landlock-6`?)
    3:26 no kernel has a feature called `landlock-99` (did you mean `landlock-1`?)
    4:17 no capability is called `NET_ADMN` (did you mean `NET_ADMIN`?)
    5:15 `ipcs` is no namespace (did you mean `ipc`?)
    6:11 `mine` is no keyring (one of: shared, own)
    8:9 `etc` is not a path in the image: it does not begin with `/` (an absolute path like "/etc/motd")
    8:16 `/etc/../root` is not a path in the image: it has `.` or `..` (an absolute path like "/etc/motd")
    8:32 `/etc/` is not a path in the image: it ends in `/` or has `//` (an absolute path like "/etc/motd")
    9:12 `/dev/fb0` is a path (write "fb0")
    9:24 `../mem` is not the name of a device (its name below /dev: "fb0", "input/event0", or "video*")
    11:13 `inet4` is no address family (did you mean `inet`?)
    12:12 a port can't be 0 (1 to 65535)
    12:15 a port can't be 65536 (1 to 65535)
    15:10 no system call is called `opnat` (did you mean `openat`?)
    15:19 no system call is called `files` (did you mean the group `@files`?)
    15:28 no group of system calls is called `@fils` (did you mean `@files`?)
    "#);
}

#[test]
fn limits_are_told_at_the_first_that_is_too_many() {
    let trees: Vec<String> = (0..257).map(|n| format!("/{n}")).collect();
    let ports: Vec<u16> = (1..258).collect();
    let text = format!("[files]\nread = {trees:?}\n[network]\nconnect = {ports:?}\n");
    let all = wrong(&text);
    assert!(all.contains("more than 256 trees in `read`"), "{all}");
    assert!(all.contains("more than 256 ports in `connect`"), "{all}");
    let long = format!("#{}\n", "x".repeat(64 << 10));
    assert!(wrong(&long).contains("at most 64 KiB"));
    let chain: Vec<(String, String)> =
        (0..40).map(|n| (format!("p{n}"), format!("inherit = [\"p{}\"]\n", n + 1))).collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let report = said(&chain, "[sandbox]\ninherit = [\"p0\"]\n");
    assert!(report.contains("more than 32 profiles are inherited"), "{report}");
}

#[test]
fn a_profile_that_is_not_there_and_one_that_comes_back_to_itself_are_errors() {
    let all = [
        ("service", "inherit = [\"base\"]\n"),
        ("base", "inherit = [\"floor\"]\n"),
        ("floor", "inherit = [\"service\"]\nlock-personality = true\n"),
    ];
    insta::assert_snapshot!(said(&all, "[sandbox]\ninherit = [\"servce\", \"service\", \"../x\"]\n"), @r#"
    error: no profile is called `servce`
     --> services/web.toml:3:12
      |
    3 | inherit = ["servce", "service", "../x"]
      |            ^^^^^^^^
      |
    help: did you mean `service`?

    error: no profile is called `../x`
     --> services/web.toml:3:33
      |
    3 | inherit = ["servce", "service", "../x"]
      |                                 ^^^^^^
      |
    help: a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter

    error: profiles inherit each other: service → base → floor → service
     --> sandbox/floor.toml:2:12
      |
    2 | inherit = ["service"]
      |            ^^^^^^^^^
      |
    help: take one of these out of its `inherit`
    "#);
    // Without what it inherits it would allow more than was meant.
    let name = Name::try_from("web").expect("it is a name");
    let text = "exec = [\"/bin/x\"]\n[sandbox]\ninherit = [\"base\"]\n";
    let report = service::parse(&name, text).expect_err("nothing is looked up");
    insta::assert_snapshot!(brief(&report), @r"3:12 no profile is called `base` (profiles are not looked for here)");
}

#[test]
fn what_is_legal_and_not_meant_is_a_warning() {
    let everything = "[files]\nwrite = [\"/\"]\n[network]\nudp = true\n";
    insta::assert_snapshot!(wrong(everything), @r#"
    3:10 every file can be written, those of the system too (name the trees that it changes, like "/var/lib/web")
    5:7 `udp` says nothing without `connect` or `listen` (families = ["unix"] refuses both TCP and UDP)
    "#);
    let client = "[network]\nconnect = [443]\n";
    insta::assert_snapshot!(wrong(client), @r"3:12 it may listen on any port: `connect` is only about connecting (listen = [] if it offers nothing; sockets that it is passed need no port)");
    assert_eq!(wrong(&format!("{client}listen = []\n")), "");
    assert!(!wrong(&format!("{client}access = \"none\"\n")).contains("listen"));
    insta::assert_snapshot!(wrong("about = \"Nothing\"\n"), @r"1:1 this profile restricts nothing (`ens new sandbox NAME` writes one to start from)");
    insta::assert_snapshot!(wrong("[files]\nview = \"listed\"\n"), @r#"3:8 no tree is listed, so there is not even a program to run (execute = ["/usr"] shows the programs of the system)"#);
}

#[test]
fn rules_that_the_kernel_checks_need_no_new_privileges_unless_root_is_trusted() {
    let text = |user: &str| {
        format!(
            "{user}[sandbox]\nno-new-privileges = false\n[sandbox.calls]\nallow = [\"@basic\"]\n"
        )
    };
    assert_eq!(said(&[], &text("")), "");
    let report = said(&[], &text("user = \"www-data\"\n"));
    insta::assert_snapshot!(report, @r"
    error: rules about files, ports and system calls need `no-new-privileges`
     --> services/web.toml:4:21
      |
    4 | no-new-privileges = false
      |                     ^^^^^
      |
    help: write no-new-privileges = true; only root with SYS_ADMIN can do without
    ");
    let few = "[sandbox]\ncapabilities = [\"CHOWN\"]\nno-new-privileges = false\nlock-personality = true\n";
    assert!(said(&[], few).contains("need `no-new-privileges`"));
}

#[test]
fn a_root_is_for_listed_views_and_nobody_writes_there() {
    let whole = "[files]\nroot = \"/run/roots/a\"\nexecute = [\"/usr\"]\n";
    insta::assert_snapshot!(wrong(whole), @r#"3:8 a root of its own takes the place of what is listed, and nothing is (write view = "listed")"#);
    let written =
        "[files]\nview = \"listed\"\nroot = \"/run/roots/a\"\nwrite = [\"/opt/x\", \"/var/x\"]\n";
    insta::assert_snapshot!(wrong(written), @r#"5:10 `/opt/x` is of the root, which nobody writes to (write to a tree of the device, like "/var/lib/web")"#);
    let path = "[files]\nview = \"listed\"\nroot = \"roots/a\"\nexecute = [\"/usr\"]\n";
    insta::assert_snapshot!(wrong(path), @r#"4:8 `roots/a` is not a path in the image: it does not begin with `/` (an absolute path like "/etc/motd")"#);
}
