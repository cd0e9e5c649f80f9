//! What triggers a service and keeps it well: what people see when it is not right.
#![cfg(feature = "text")]

mod files;

use files::{Files, brief};
use model::text::{check_file, load_service};

fn refused(text: &str) -> String {
    brief(&load_service("services/web.toml", text).expect_err("it has mistakes"))
}

#[test]
fn sockets_are_checked_to_the_last_value() {
    let text = r#"exec = ["/usr/bin/web"]
[[socket]]
name = "neither"
[[socket]]
name = "both"
path = "/run/both"
listen = "tcp:0.0.0.0:80"
[[socket]]
name = "name"
listen = "tcp:localhost:80"
[[socket]]
name = "no-port"
listen = "udp:[::]:0"
[[socket]]
name = "word"
listen = "http:0.0.0.0:80"
[[socket]]
name = "kind"
listen = "udp:[::]:53"
type = "stream"
mode = "0600"
[[socket]]
name = "line"
listen = "vsock:1234"
type = "fifo"
user = "web"
[[socket]]
name = "pipe"
path = "/run/pipe"
type = "fifo"
backlog = 8
accept = true
[[socket]]
name = "many"
path = "/run/pipe"
backlog = 5000
user = "We"
[[socket]]
name = "a@b"
path = "/run/x"
"#;
    insta::assert_snapshot!(refused(text), @r#"
    2:1 a socket needs one of these keys: path, listen
    7:10 a socket is one thing only (leave out `path` or `listen`)
    10:10 `localhost:80` is not an address with a port (like "tcp:0.0.0.0:80", "udp:[::]:53" or "vsock:1234")
    13:10 `[::]:0` has no port (a port from 1 to 65535)
    16:10 `http:0.0.0.0:80` is not an address to listen at (like "tcp:0.0.0.0:80", "udp:[::]:53" or "vsock:1234")
    20:8 no stream at this address
    21:8 only a socket with a `path` has a `mode` (leave it out)
    25:8 no fifo at this address
    26:8 only a socket with a `path` has a `user` (leave it out)
    31:11 a fifo has no connections, so no `backlog` (of type stream or seqpacket it has)
    32:10 a fifo has no connections, so no `accept` (of type stream or seqpacket it has)
    35:8 two sockets are at `/run/pipe`
    36:11 the backlog can't be 5000 (1 to 4096)
    37:8 `We` is not a user name (a-z, 0-9, `_` and `-`, at most 32, a letter first)
    39:8 `a@b` is not the name of a socket (a name without `@`)
    "#);
}

#[test]
fn triggers_are_checked_to_the_last_value() {
    let text = r#"exec = ["/usr/bin/web"]
[[timer]]
random-delay = "1min"
[[timer]]
calendar = "Mon..Fry 08:00"
after-boot = "1s"
[[timer]]
after-end = "0s"
persistent = true
[[path]]
path = "/var/*/x"
[[path]]
path = "/var/x*"
when = "changed"
[[path]]
path = "/sys/class/net"
[[path]]
path = "/run/there"
make = true
[[path]]
path = "/run/there"
[[device]]
subsystem = "block/sda"
name = "a/b"
[[parameter]]
name = "persist..wifi"
value = ""
[[signal]]
sender = "web"
path = "org/example"
interface = "Power"
member = "a.b"
arg0 = "a\u0000"
[[timer]]
after-arm = "1s"
accuracy = "soon"
[bus]
also = ["web"]
users = ["Root"]
"#;
    insta::assert_snapshot!(refused(text), @r#"
    1:1 [bus] has no `name` (like "org.example.Web")
    2:1 a timer needs one of these keys: calendar, after-boot, after-arm, after-start, after-end
    5:12 `Fry` in `Mon..Fry` is no weekday (weekdays are Mon, Tue, Wed, Thu, Fri, Sat, Sun; for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`)
    6:14 a timer is one thing only (leave out `calendar` or `after-boot`)
    8:13 0s is too short to come again and again (at least 1s)
    9:14 only a time on the calendar can be missed while the device is off (leave `persistent` out)
    11:8 `/var/*/x` has `*` or `?` before the last `/` (only the last part of a watched path may stand for more)
    13:8 `/var/x*` stands for more than one path (only with when = "exists"; watch the directory instead)
    16:8 the kernel does not tell when `/sys/class/net` changes (use [[device]] for devices, or [[timer]] to look now and then)
    19:8 what is made would be there at once, and trigger the service (leave `make` out, or change `when`)
    21:8 `/run/there` is watched twice
    23:13 `block/sda` is not a subsystem (a directory in /sys/class: "block", "tty")
    24:8 `a/b` is not the name of a device ("sda", or "ttyUSB*" for any)
    26:8 `persist..wifi` is not the name of a parameter (words with `.` between them, at most 96 characters, like "persist.wifi.on")
    27:9 this can't be the value of a parameter (1 to 4096 bytes on one line; "*" is any)
    29:10 `web` is not a name on the bus (two or more words with `.` between them, like "org.example.Web")
    30:8 `org/example` is not the path of an object (like "/org/example/Power")
    31:13 `Power` is not the name of an interface (two or more words with `.` between them, like "org.example.Power")
    32:10 `a.b` is not the name of a signal (one word, like "Changed")
    33:8 this can't be matched (at most 1024 bytes without a NUL)
    36:12 `soon` is not a time (a time is a number with ms, s, min or h, like "500ms" or "10s")
    38:9 `web` is not a name on the bus (two or more words with `.` between them, like "org.example.Web")
    39:10 `Root` is not a user name (a-z, 0-9, `_` and `-`, at most 32, a letter first)
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one file with every mistake")]
fn what_keeps_a_service_well_is_checked_to_the_last_value() {
    let text = r#"exec = ["/usr/bin/web"]
type = "notify"
stop-signal = "term"
reload-signal = "SIGRTMIN+31"
watchdog = "0s"
ready-fd = 2
fd-store = 65
[restart]
jitter = "half"
when = "never"
[critical]
limit = 1001
[limits]
memory = "1M"
memory-high = "2M"
out-of-memory = "panic"
oom-score = 1001
cpu-weight = 0
io-read = "0"
[commands]
reload = ["web", "--reload"]
before-start = ["/bin/a", "b"]
stop = [[]]
[health]
http = "localhost:80"
tcp = "127.0.0.1"
interval = "1s"
retries = 0
[[condition]]
not = true
[[condition]]
path = "/a"
container = true
[[condition]]
parameter = "persist.wifi"
[[condition]]
file-system = "ext 4"
[[credential]]
name = "../key"
path = "/key"
text = "x"
[[credential]]
name = "none"
"#;
    insta::assert_snapshot!(refused(text), @r#"
    3:15 no signal is called `term` (did you mean `SIGTERM`?)
    4:17 a reload is a command or a signal (leave one of them out)
    4:17 no signal is called `SIGRTMIN+31` (a name like "SIGTERM", "SIGRTMIN+3" or "SIGRTMAX-1", up to 30)
    5:12 a limit of no time at all (leave the key out for the default)
    6:12 the descriptor can't be 2 (3 to 255)
    7:12 the number of descriptors can't be 65 (0 to 64)
    9:10 `half` is not a part of 100% (the longest part of a wait, like "20%")
    10:8 a critical service that is not started again fails only once ([critical] limit = 1)
    12:9 the limit can't be 1001 (0 to 1000)
    15:15 `memory-high` is above `memory`, so it is never reached
    16:17 `panic` is no answer to a want of memory (one of: kill, stop, continue)
    17:13 the score can't be 1001 (-1000 to 1000)
    18:14 a weight can't be 0 (1 to 10000)
    19:11 nothing could be read or written (bytes a second, like "10M")
    21:11 `web` is not a path in the image: it does not begin with `/` (an absolute path like "/etc/motd")
    22:17 a list is needed here, not text (put it into brackets: [ … ])
    22:27 a list is needed here, not text (put it into brackets: [ … ])
    23:9 `stop` is empty (the program's absolute path, then its arguments: ["/usr/bin/web", "--port=80"])
    25:8 `localhost:80` has no path (an address, a port and a path: "127.0.0.1:80/health")
    26:7 [health] is one thing only (leave out `http` or `tcp`)
    26:7 `127.0.0.1` is not an address with a port (like "127.0.0.1:80" or "[::1]:80")
    28:11 the number of bad answers can't be 0 (1 to 1000)
    29:1 a condition needs one of these keys: path, not-empty, executable, cmdline, container, parameter, file-system
    33:13 a condition is one thing only (leave out `path` or `container`)
    35:13 `persist.wifi` has no value (a name and a value: "persist.wifi=on")
    37:15 `ext 4` is not a file system (a name in /proc/filesystems: "btrfs")
    39:8 `../key` is not the name of a credential (a file name, at most 64)
    41:8 a credential is one thing only (leave out `path` or `text`)
    42:1 a credential needs one of these keys: path, text
    "#);
}

#[test]
fn keys_that_the_type_does_not_know_are_refused() {
    let target = "type = \"target\"\nexec = [\"/bin/x\"]\nuser = \"web\"\n[limits]\npids = 8\n\
                  [[socket]]\nname = \"a\"\npath = \"/run/a\"\n";
    insta::assert_snapshot!(refused(target), @"
    1:8 a target has no process, so no exec, user, [limits] (leave it out, or change `type`)
    6:1 a target has no process to take what comes in here (accept = true gives each connection a process of its own)
    ");
    let simple = "exec = [\"/bin/x\"]\nready-fd = 3\npid-file = \"/run/x.pid\"\nremain = true\n";
    insta::assert_snapshot!(refused(simple), @r#"
    2:12 `ready-fd` is for services of type notify (write type = "notify")
    3:12 `pid-file` is for services of type forking (write type = "forking")
    4:10 `remain` is for services of type oneshot (write type = "oneshot")
    "#);
    let bus = "exec = [\"/bin/x\"]\ntype = \"dbus\"\n";
    insta::assert_snapshot!(refused(bus), @r#"2:8 a service of type dbus has a name on the bus ([bus] with name = "org.example.Web")"#);
    let none = "about = \"x\"\ntype = \"forking\"\nwatchdog = \"5s\"\n";
    insta::assert_snapshot!(refused(none), @r#"
    1:1 the key `exec` is missing (only a service of type "target" has no program)
    3:12 `watchdog` is for services of type notify
    "#);
    let passed = "exec = [\"/bin/x\"]\ntype = \"notify\"\nready-fd = 4\nfd-store = 2\n\
                  [[socket]]\nname = \"a\"\npath = \"/run/a\"\n";
    insta::assert_snapshot!(refused(passed), @"3:12 descriptor 4 is one of the sockets' (6 is the first free one)");
    let once = "exec = [\"/bin/x\"]\ntype = \"oneshot\"\n[health]\nexec = [\"/bin/y\"]\n";
    insta::assert_snapshot!(refused(once), @"4:8 a oneshot service has no process to be asked (leave [health] out, or change `type`)");
}

#[test]
fn what_starts_a_service_must_make_sense() {
    let critical = "exec = [\"/bin/x\"]\nstart = \"demand\"\n[critical]\n[[socket]]\nname = \"a\"\n\
                    path = \"/run/a\"\n";
    insta::assert_snapshot!(refused(critical), @r#"2:9 a critical service starts with the device, not on demand (leave [critical] out, or start = "boot")"#);
    let critical = "exec = [\"/bin/x\"]\n[critical]\n[restart]\nwhen = \"never\"\n";
    insta::assert_snapshot!(refused(critical), @"4:8 a critical service that is not started again fails only once ([critical] limit = 1)");
    let idle =
        "exec = [\"/bin/x\"]\nidle-stop = \"20s\"\n[[socket]]\nname = \"a\"\npath = \"/run/a\"\n";
    insta::assert_snapshot!(refused(idle), @r#"2:13 a service that stops when idle needs something that starts it again (start = "demand" and a [[socket]])"#);
    let said = "[sandbox]\nexception = \"a test\"\n";
    let files = Files::default()
        .with("services/web.toml", &format!("exec = [\"/bin/x\"]\nstart = \"demand\"\n{said}"))
        .with(
            "services/get@.toml",
            &format!("exec = [\"/bin/x\"]\nstart = \"demand\"\nuser = \"%i\"\n{said}"),
        );
    let (_, report) = check_file(&files, "services/web.toml");
    insta::assert_snapshot!(report, @r#"
    warning: nothing triggers this service
     --> services/web.toml:2:9
      |
    2 | start = "demand"
      |         ^^^^^^^^
      |
    help: it starts when another needs it or by hand; give it a [[socket]], [[timer]], [[path]], [[device]], [[parameter]], [[signal]] or [bus], or leave `start` out
    "#);
    let (_, report) = check_file(&files, "services/get@.toml");
    assert!(report.is_empty(), "{report}");
}

#[test]
fn lists_have_an_end() {
    let many = |table: &str, line: &str, count: usize| {
        let items =
            (0..count).map(|n| format!("[[{table}]]\n{}\n", line.replace('#', &n.to_string())));
        let text = format!("exec = [\"/bin/x\"]\n{}", items.collect::<String>());
        load_service("services/web.toml", &text).map_err(|report| brief(&report))
    };
    let tables = [
        ("socket", "name = \"a#\"\npath = \"/run/#\"", 16),
        ("timer", "after-boot = \"#s\"", 16),
        ("path", "path = \"/run/#\"", 16),
        ("device", "subsystem = \"a#\"", 16),
        ("parameter", "name = \"a#\"", 16),
        ("signal", "interface = \"a.b\"\nmember = \"a#\"", 16),
        ("condition", "path = \"/run/#\"", 32),
        ("credential", "name = \"a#\"\ntext = \"\"", 32),
    ];
    let mut told = Vec::new();
    for (table, line, most) in tables {
        assert!(many(table, line, most).is_ok(), "{table}");
        told.extend(many(table, line, most + 1).err());
    }
    let commands = format!("exec = [\"/x\"]\n[commands]\nstop = [{}]\n", "[\"/x\"], ".repeat(17));
    let names: Vec<String> = (0..257).map(|n| format!("\"a{n}\"")).collect();
    let names = format!("exec = [\"/x\"]\nafter = [{}]\n", names.join(", "));
    told.extend([refused(&commands), refused(&names)]);
    insta::assert_snapshot!(told.join("\n"), @"
    50:1 a service has at most 16 sockets
    34:1 a service has at most 16 timers
    34:1 a service has at most 16 watched paths
    34:1 a service has at most 16 devices
    34:1 a service has at most 16 parameters
    50:1 a service has at most 16 signals
    66:1 a service has at most 32 conditions
    98:1 a service has at most 32 credentials
    3:137 a service has at most 16 commands in `stop`
    2:1948 a service has at most 256 names in `after`
    ");
}
