//! What starts a service that is off: connections, packets, bytes, files; and what stops it again.
//!
//! One test at a time, for each reaps every child of this process.

#[expect(dead_code, reason = "other tests use the rest")]
mod device;
#[expect(dead_code, reason = "other tests use the rest")]
mod plans;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use api::services::State;
use device::Device;
use model::Plan;
use model::service::{
    Address, BACKLOG, Kind, Output, PathWatch, PathWhen, RestartWhen, Service, Socket, SocketKind,
    Start,
};
use plans::{name, service};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Accepts a connection on descriptor 3, and answers its first line with its own number.
const ANSWERS: &str = r#"use Socket; open(L, "+<&=3"); accept(C, L); my $line = <C>;
    select(C); $| = 1; print "$$ $line"; close C;"#;

/// As [`ANSWERS`], again and again.
const SERVES: &str = r#"use Socket; $SIG{PIPE} = "IGNORE"; open(L, "+<&=3");
    while (accept(C, L)) { my $line = <C>; select(C); $| = 1; print "$$ $line"; close C; }"#;

/// Writes the packet or line at descriptor 3 into the file that is its argument.
const NOTES: &str = r#"open(S, "+<&=3"); sysread(S, $m, 100); chomp $m;
    open(O, ">>", $ARGV[0]); syswrite(O, "$m\n");"#;

/// Says `arg` for each start into the file that is its argument.
const COUNTS: &str = r#"open(O, ">>", $ARGV[0]); syswrite(O, "started\n");"#;

fn perl(named: &str, script: &str, argument: &Path) -> Service {
    let argument = argument.display().to_string();
    let exec = ["/usr/bin/perl", "-e", script, &argument].map(str::to_owned).to_vec();
    let mut perl = Service { exec, output: Output::Null, ..service(named) };
    perl.start = Start::Demand;
    perl.restart.when = RestartWhen::Never;
    perl
}

fn socket(address: Address, kind: SocketKind) -> Socket {
    let (mode, user, backlog) = (0o666, None, BACKLOG);
    Socket { name: name("s"), address, kind, mode, user, backlog, accept: false }
}

fn at(path: &Path) -> Address {
    Address::Path(path.display().to_string())
}

fn plan(services: Vec<Service>) -> Plan {
    let all: Vec<_> = services.iter().map(|s| s.name.clone()).collect();
    let all: Vec<_> = all.into_iter().filter(|name| !name.is_template()).collect();
    Plan::link("test 1", services, &all).expect("it links")
}

fn state(device: &Device, name: &'static str) -> State {
    device.status(name).row.state
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port")
}

/// Says a line and gives the answer, until the other side hangs up.
fn ask(mut stream: impl Read + Write, line: &str) -> String {
    stream.write_all(line.as_bytes()).expect("somebody listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_connection_starts_a_service_that_hears_the_first_word_each_time() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("deep/answer.sock");
    let address = free_port();
    let mut local = perl("local", ANSWERS, Path::new("x"));
    local.sockets = vec![socket(at(&path), SocketKind::Stream)];
    let mut remote = perl("remote", ANSWERS, Path::new("x"));
    remote.sockets = vec![socket(Address::Ip(address), SocketKind::Stream)];
    let device = Device::boot(&plan(vec![local, remote]));
    let system = device.settled();
    assert_eq!((system.ready, system.failed), (2, Vec::new()));
    for round in 0..6 {
        let stream = UnixStream::connect(&path).expect("it listens");
        assert!(ask(stream, "hello\n").ends_with(" hello\n"));
        let stream = TcpStream::connect(address).expect("it listens");
        assert!(ask(stream, "from afar\n").ends_with(" from afar\n"));
        if round % 2 == 0 {
            device.kill_servicemgr();
        }
    }
    device.until("end", || state(&device, "local") == State::Armed);
}

#[test]
fn packets_and_bytes_start_a_service_once_each_and_none_is_lost() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let address = UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a port");
    let mut services = Vec::new();
    for (name, address, kind) in [
        ("datagram", at(&path("datagram.sock")), SocketKind::Datagram),
        ("udp", Address::Ip(address), SocketKind::Datagram),
        ("fifo", at(&path("fifo")), SocketKind::Fifo),
    ] {
        let mut noter = perl(name, NOTES, &path(&format!("{name}.out")));
        noter.sockets = vec![socket(address, kind)];
        services.push(noter);
    }
    let device = Device::boot(&plan(services));
    device.settled();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let local = UnixDatagram::unbound().expect("a socket");
    let all = ["datagram", "udp", "fifo"];
    for round in 0..5 {
        let text = format!("number {round}\n");
        if round > 1 {
            device.stop_servicemgr();
        }
        local.send_to(text.as_bytes(), path("datagram.sock")).expect("it listens");
        udp.send_to(text.as_bytes(), address).expect("it listens");
        let fifo = fs::File::options().write(true).open(path("fifo"));
        fifo.expect("it is there").write_all(text.as_bytes()).expect("room");
        if round > 1 {
            device.kill_servicemgr();
        }
        for name in all {
            let out = path(&format!("{name}.out"));
            device.until(name, || lines(&out).len() > round);
        }
    }
    let wanted: Vec<String> = (0..5).map(|n| format!("number {n}")).collect();
    for name in all {
        device.until("end", || device.status(name).row.state == State::Armed);
        assert_eq!(lines(&path(&format!("{name}.out"))), wanted, "{name}");
    }
}

#[test]
fn whoever_never_takes_what_triggers_it_is_given_up_and_says_so() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("s");
    let mut deaf = Service { output: Output::Null, start: Start::Demand, ..service("deaf") };
    deaf.sockets = vec![socket(at(&path), SocketKind::Stream)];
    let device = Device::boot(&plan(vec![deaf]));
    device.settled();
    let _client = UnixStream::connect(&path).expect("it listens");
    device.until("failure", || state(&device, "deaf") == State::Failed);
    let reason = device.status("deaf").row.reason;
    assert!(reason.starts_with("triggered more than 200 times in 2s"), "{reason}");
    // It rests now, also for the next servicemgr, and nobody waits for it.
    device.kill_servicemgr();
    assert_eq!(state(&device, "deaf"), State::Failed);
    assert!(UnixStream::connect(&path).is_err());
    device.call(|s| async move { s.reset("deaf").await }).expect("forgotten");
    assert_eq!(state(&device, "deaf"), State::Armed);
    device.until("socket", || UnixStream::connect(&path).is_ok());
}

#[test]
fn each_connection_gets_a_process_that_outlives_servicemgr() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (path, address) = (directory.path().join("echo.sock"), free_port());
    // Says who calls, then gives each line back.
    let script = r#"open(C, "+<&=3"); select(C); $| = 1;
        print "$ENV{LISTEN_FDNAMES} $ENV{ENSEMBLE_SERVICE} $ENV{REMOTE_ADDR}\n";
        while (<C>) { exit 3 if /fail/; print; }"#;
    let mut echo = service("echo");
    echo.kind = Kind::Target;
    echo.exec = Vec::new();
    echo.sockets = vec![
        Socket { accept: true, ..socket(at(&path), SocketKind::Stream) },
        Socket { accept: true, ..socket(Address::Ip(address), SocketKind::Stream) },
    ];
    let template = Service { start: Start::Boot, ..perl("echo@", script, Path::new("x")) };
    let device = Device::boot(&plan(vec![echo, template]));
    device.settled();
    let line = |stream: &UnixStream| {
        let mut text = Vec::new();
        let mut byte = [0];
        while text.last() != Some(&b'\n') {
            (&*stream).read_exact(&mut byte).expect("a line");
            text.extend(byte);
        }
        String::from_utf8(text).expect("text")
    };
    let mut clients = Vec::new();
    for number in 1..=3 {
        let client = UnixStream::connect(&path).expect("it listens");
        assert_eq!(line(&client), format!("connection echo@{number} \n"));
        clients.push(client);
    }
    device.kill_servicemgr();
    for mut client in &clients {
        client.write_all(b"still there\n").expect("it listens");
        assert_eq!(line(client), "still there\n");
    }
    // One that fails is forgotten as well.
    ask(UnixStream::connect(&path).expect("it listens"), "fail\n");
    let afar = TcpStream::connect(address).expect("it listens");
    afar.shutdown(std::net::Shutdown::Write).expect("a socket");
    assert_eq!(ask(afar, ""), "connection echo@5 127.0.0.1\n");
    drop(clients);
    let names = || {
        let rows = device.call(|s| async move { s.list().await }).expect("a list");
        rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    device.until("end of all instances", || names() == ["echo"]);
    device.call(|s| async move { s.stop("echo").await }).expect("stopped");
    // PID 1, which holds the socket too, hears of it a moment later.
    device.until("end of listening", || UnixStream::connect(&path).is_err());
}

fn watching(named: &str, out: &Path, watches: &[(&Path, PathWhen)]) -> Service {
    let mut watcher = perl(named, COUNTS, out);
    let watch = |(path, when): &(&Path, PathWhen)| PathWatch {
        path: path.display().to_string(),
        when: *when,
        make: false,
    };
    watcher.activation.paths = watches.iter().map(watch).collect();
    watcher
}

#[test]
fn a_changed_file_is_one_start_also_when_it_changes_while_servicemgr_is_dead() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (file, out) = (directory.path().join("deep/file"), directory.path().join("out"));
    let watcher = watching("watcher", &out, &[(&file, PathWhen::Changed)]);
    let device = Device::boot(&plan(vec![watcher]));
    device.settled();
    fs::write(directory.path().join("new"), "x").expect("a file");
    fs::create_dir(directory.path().join("deep")).expect("a directory");
    for round in 1..=10 {
        if round % 2 == 0 {
            device.stop_servicemgr();
        }
        match round {
            1 => fs::rename(directory.path().join("new"), &file).expect("a file"),
            _ => fs::write(&file, "x").expect("a file"),
        }
        if round % 2 == 0 {
            device.kill_servicemgr();
        }
        device.until("start", || lines(&out).len() == round);
        device.until("end", || state(&device, "watcher") == State::Armed);
    }
    device.call(|s| async move { s.list().await }).expect("a list");
    assert_eq!(lines(&out).len(), 10, "no change counts twice");
}

#[test]
fn a_spool_is_worked_off_until_it_is_empty() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (spool, out) = (directory.path().join("spool"), directory.path().join("out"));
    let mut worker = watching("worker", &out, &[(&spool, PathWhen::NotEmpty)]);
    // One job each time.
    let script = format!(
        "set -- {0}/*; [ -e $1 ] && cat $1 >> {1} && rm $1",
        spool.display(),
        out.display()
    );
    worker.exec = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
    worker.kind = Kind::Oneshot;
    worker.remain = false;
    worker.activation.paths.iter_mut().for_each(|w| w.make = true);
    let device = Device::boot(&plan(vec![worker]));
    device.settled();
    for job in ["a", "b", "c"] {
        fs::write(directory.path().join(job), format!("{job}\n")).expect("a file");
        fs::rename(directory.path().join(job), spool.join(job)).expect("the spool is there");
    }
    device.until("all jobs", || lines(&out) == ["a", "b", "c"]);
    device.until("rest", || state(&device, "worker") == State::Armed);
}

#[test]
fn who_is_not_used_is_stopped_and_the_next_use_starts_it_again() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("s");
    let mut server = perl("server", SERVES, Path::new("x"));
    server.sockets = vec![socket(at(&path), SocketKind::Stream)];
    server.activation.idle_stop = Some(Duration::from_millis(300));
    let device = Device::boot(&plan(vec![server]));
    device.settled();
    let mut before = String::new();
    for _ in 0..2 {
        let answer = ask(UnixStream::connect(&path).expect("it listens"), "hello\n");
        assert_ne!(answer, before, "another process");
        before = answer;
        device.until("rest", || state(&device, "server") == State::Armed);
    }
    // A connection is use, however long it says nothing.
    let silent = UnixStream::connect(&path).expect("it listens");
    device.until("start", || state(&device, "server") == State::Ready);
    device.kill_servicemgr();
    let pid = device.status("server").row.pid;
    let began = sys::clock::monotonic();
    device.until("a while", || sys::clock::monotonic() - began > Duration::from_secs(1));
    assert_eq!(device.status("server").row.pid, pid);
    drop(silent);
    device.until("rest", || state(&device, "server") == State::Armed);
}

#[test]
fn the_socket_of_an_armed_service_is_closed_while_one_it_conflicts_with_runs() {
    let _one = ONE_AT_A_TIME.lock();
    let address = free_port();
    let mut waits = perl("waits", ANSWERS, Path::new("x"));
    waits.sockets = vec![socket(Address::Ip(address), SocketKind::Stream)];
    let binds = format!(
        r#"use IO::Socket::INET; my $l = IO::Socket::INET->new(LocalAddr => "{address}",
        Listen => 5, ReuseAddr => 1) or exit 3; while (my $c = $l->accept) {{
        my $line = <$c>; print $c "other $line"; close $c }}"#
    );
    let mut binds = perl("binds", &binds, Path::new("x"));
    binds.start = Start::Boot;
    binds.conflicts = vec![name("waits")];
    let enabled = [name("waits")];
    let plan = Plan::link("test 1", vec![waits, binds], &enabled).expect("it links");
    let device = Device::boot(&plan);
    device.settled();
    assert_eq!(state(&device, "waits"), State::Armed);
    device.call(|s| async move { s.start("binds").await }).expect("started");
    let other = || {
        TcpStream::connect(address).is_ok_and(|stream| ask(stream, "hello\n") == "other hello\n")
    };
    device.until("the other one", other);
    assert_eq!((state(&device, "waits"), state(&device, "binds")), (State::Off, State::Ready));
    device.kill_servicemgr();
    assert!(other());
    device.call(|s| async move { s.stop("binds").await }).expect("stopped");
    device.until("an armed one", || state(&device, "waits") == State::Armed);
    let stream = TcpStream::connect(address).expect("it listens again");
    assert!(ask(stream, "hello\n").ends_with(" hello\n"));
}

#[test]
fn an_armed_service_whose_socket_cannot_be_opened_has_failed_and_says_why() {
    let _one = ONE_AT_A_TIME.lock();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let mut waits = perl("waits", ANSWERS, Path::new("x"));
    waits.sockets = vec![socket(Address::Ip(address), SocketKind::Stream)];
    let mut hub = Service { kind: Kind::Target, exec: Vec::new(), ..service("hub") };
    hub.restart.when = RestartWhen::Never;
    hub.sockets = vec![Socket { accept: true, ..socket(Address::Ip(address), SocketKind::Stream) }];
    let mut each = perl("hub@", ANSWERS, Path::new("x"));
    each.start = Start::Boot;
    let device = Device::boot(&plan(vec![waits, hub, each]));
    device.until("failures", || {
        ["waits", "hub"].iter().all(|name| device.status(name).row.state == State::Failed)
    });
    for name in ["waits", "hub"] {
        let reason = device.status(name).row.reason;
        assert!(reason.contains(&address.to_string()) && reason.contains("in use"), "{reason}");
    }
    drop(taken);
    device.call(|s| async move { s.stop("hub").await }).expect("stopped");
    device.call(|s| async move { s.reset("waits").await }).expect("reset");
    assert_eq!(state(&device, "waits"), State::Armed);
    let stream = TcpStream::connect(address).expect("it listens");
    assert!(ask(stream, "hello\n").ends_with(" hello\n"));
}
