//! The real agent at the other end of a UNIX socket, as in a container.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command};
use std::time::Duration;

use api::debug::{Decoder, Ended, SOCKET_ENV, ToDevice, ToHost};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

struct Agent {
    listener: UnixListener,
    process: Child,
    _dir: tempfile::TempDir,
}

impl Agent {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("debug.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_debug-agent"))
            .env(SOCKET_ENV, socket)
            .env_remove("NOTIFY_SOCKET")
            .spawn()
            .unwrap();
        Self { listener, process, _dir: dir }
    }

    fn connect(&self) -> Host {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Host { stream, decoder: Decoder::default() }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

struct Host {
    stream: UnixStream,
    decoder: Decoder,
}

/// What a command gave: standard output, standard error, errors of the channel, the end.
type Outcome = (String, String, String, Ended);

impl Host {
    fn say(&mut self, message: &ToDevice) {
        self.stream.write_all(&message.encode().unwrap()).unwrap();
    }

    fn exec(&mut self, argv: &[&str]) {
        self.say(&ToDevice::Exec(argv.iter().map(Into::into).collect()));
    }

    fn hear(&mut self) -> ToHost {
        loop {
            if let Some(message) = self.decoder.take().unwrap() {
                return message;
            }
            let mut bytes = [0; 4096];
            let length = self.stream.read(&mut bytes).unwrap();
            assert!(length > 0, "the agent hung up");
            self.decoder.push(&bytes[..length]);
        }
    }

    fn outcome(&mut self) -> Outcome {
        let (mut out, mut err, mut why) = (Vec::new(), Vec::new(), String::new());
        loop {
            match self.hear() {
                ToHost::Stdout(bytes) => out.extend(bytes),
                ToHost::Stderr(bytes) => err.extend(bytes),
                ToHost::Error(text) => why.push_str(&text),
                ToHost::Exit(end) => {
                    let text = |bytes| String::from_utf8(bytes).unwrap();
                    return (text(out), text(err), why, end);
                }
                ToHost::Hello(_) => panic!("a Hello that nobody asked for"),
            }
        }
    }

    fn run(&mut self, script: &str) -> Outcome {
        self.exec(&["sh", "-c", script]);
        self.outcome()
    }
}

fn ok(out: &str) -> Outcome {
    (out.to_owned(), String::new(), String::new(), Ended::Status(0))
}

#[test]
fn a_command_gives_its_outputs_apart_and_its_status() {
    let agent = Agent::start();
    let mut host = agent.connect();
    host.say(&ToDevice::Hello);
    assert_eq!(host.hear(), ToHost::Hello("ensemble 0.1.0".to_owned()));
    let (out, err, _, end) = host.run("echo out; echo err >&2; exit 7");
    assert_eq!((&out[..], &err[..], end), ("out\n", "err\n", Ended::Status(7)));
    assert_eq!(host.run("kill -KILL $$").3, Ended::Signal(9));
    host.exec(&["echo", "*", "", "$HOME"]);
    assert_eq!(host.outcome(), ok("*  $HOME\n"));
}

#[test]
fn input_arrives_whole_however_slowly_the_command_reads() {
    let agent = Agent::start();
    let mut host = agent.connect();
    host.exec(&["sh", "-c", "sleep 0.2; wc -c; echo done"]);
    let mut writer = host.stream.try_clone().unwrap();
    let feeder = std::thread::spawn(move || {
        let frame = ToDevice::Stdin(vec![b'x'; 1 << 20]).encode().unwrap();
        for _ in 0..12 {
            writer.write_all(&frame).unwrap();
        }
        writer.write_all(&ToDevice::Stdin(Vec::new()).encode().unwrap()).unwrap();
    });
    assert_eq!(host.outcome(), ok("12582912\ndone\n"));
    feeder.join().unwrap();
    // A command that does not read at all does not hang the channel.
    host.exec(&["true"]);
    host.say(&ToDevice::Stdin(vec![0; 1 << 20]));
    assert_eq!(host.outcome(), ok(""));
}

#[test]
fn output_arrives_whole_however_slowly_the_host_reads() {
    let agent = Agent::start();
    let mut host = agent.connect();
    host.exec(&["sh", "-c", "yes | head -c 8000000; echo end >&2"]);
    std::thread::park_timeout(Duration::from_millis(200));
    let (out, err, _, end) = host.outcome();
    assert_eq!((out.len(), &err[..], end), (8_000_000, "end\n", Ended::Status(0)));
}

#[test]
fn a_signal_reaches_the_whole_group() {
    let agent = Agent::start();
    let mut host = agent.connect();
    host.exec(&["sh", "-c", "echo up; sleep 600 | cat"]);
    assert_eq!(host.hear(), ToHost::Stdout(b"up\n".to_vec()));
    host.exec(&["true"]);
    let ToHost::Error(why) = host.hear() else { panic!() };
    assert!(why.contains("running already"), "{why}");
    host.say(&ToDevice::Signal(2));
    assert_eq!(host.outcome().3, Ended::Signal(2));
}

#[test]
fn what_stays_in_the_background_does_not_hold_up_the_end() {
    let agent = Agent::start();
    let mut host = agent.connect();
    assert_eq!(host.run("sleep 5 & echo started"), ok("started\n"));
}

#[test]
fn a_missing_program_is_told_with_the_status_a_shell_gives() {
    let agent = Agent::start();
    let mut host = agent.connect();
    host.exec(&["no-such-program"]);
    let why = "cannot start `no-such-program`: no such program on this device";
    let expected = (String::new(), String::new(), why.to_owned(), Ended::Status(127));
    assert_eq!(host.outcome(), expected);
    host.exec(&["/etc/passwd"]);
    assert_eq!(host.outcome().3, Ended::Status(126));
}

#[test]
fn commands_have_a_small_environment_of_their_own() {
    let agent = Agent::start();
    let mut host = agent.connect();
    let (out, ..) = host.run("env | cut -d= -f1 | sort | tr '\n' ' '");
    assert_eq!(out, "HOME LANG LOGNAME PATH PWD TERM USER ");
}

#[test]
fn when_the_host_goes_its_command_is_killed_and_the_next_host_is_served() {
    let agent = Agent::start();
    let mut host = agent.connect();
    host.exec(&["sh", "-c", "echo $$; exec sleep 600"]);
    let ToHost::Stdout(pid) = host.hear() else { panic!() };
    let pid = String::from_utf8(pid).unwrap();
    drop(host);
    let mut next = agent.connect();
    assert_eq!(next.run(&format!("kill -0 {} 2>/dev/null || echo gone", pid.trim())), ok("gone\n"));
}

#[test]
fn a_host_that_speaks_another_language_is_told_and_hung_up_on() {
    let agent = Agent::start();
    let mut host = agent.connect();
    host.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let ToHost::Error(why) = host.hear() else { panic!() };
    assert!(why.starts_with("the host speaks another language: a frame of"), "{why}");
    assert!(matches!(host.stream.read(&mut [0; 16]), Ok(0) | Err(_)));
    assert_eq!(agent.connect().run("echo fine"), ok("fine\n"));
}
