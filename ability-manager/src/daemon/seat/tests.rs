//! The bus of an instance, with the libraries that apps have: each does what an app does, as it is done there.

mod example;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};
use std::sync::mpsc as std_mpsc;
use std::thread::{self, JoinHandle};

use api::app::{AppProxy, Candidate, Error, Launch, MAX_STATE, event};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::*;

/// An instance's bus with somebody who answers as ability-manager would.
struct Bus {
    directory: tempfile::TempDir,
    heard: std_mpsc::Receiver<What>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bus {
    fn new(uid: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("org.example.notes_1");
        let (hear, heard) = std_mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std_mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, async {
                let (calls, mut asked) = mpsc::channel(8);
                let whose = Whose { instance: 1, uid };
                let guid = "0123456789abcdef0123456789abcdef".to_owned();
                let seat = Seat::open(&place, whose, guid, calls).unwrap();
                ready.send(()).unwrap();
                let answering = async {
                    while let Some(call) = asked.recv().await {
                        assert_eq!(call.whose, whose);
                        hear.send(call.what.clone()).unwrap();
                        answer(&seat, call);
                    }
                };
                tokio::select! {
                    () = answering => {}
                    _ = stopped => {}
                }
            });
        });
        is_ready.recv().unwrap();
        Self { directory, heard, stop: Some(stop), thread: Some(thread) }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("org.example.notes_1/bus")
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.path().display())
    }

    #[expect(clippy::print_stderr, reason = "nothing is skipped in silence")]
    /// Runs a client that finds the bus as apps do; nothing where the host lacks it, which is said.
    fn run(&self, program: &str, args: &[&str]) -> Option<String> {
        let mut command = Command::new(program);
        command.args(args).env("DBUS_SESSION_BUS_ADDRESS", self.address());
        let Ok(Output { status, stdout, stderr }) = command.output() else {
            eprintln!("SKIPPED: this host has no {program}");
            return None;
        };
        let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        if err.contains("ModuleNotFoundError") {
            eprintln!("SKIPPED: this host's {program} lacks a module: {err}");
            return None;
        }
        assert!(status.success(), "{program} {args:?}: {status}\n{out}\n{err}");
        Some(out.into_owned())
    }

    fn heard(&self) -> Vec<What> {
        self.heard.try_iter().collect()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        assert!(!self.path().exists(), "nothing is left of an instance that is no more");
    }
}

fn answer(seat: &Seat, call: Call) {
    let text = |text: &str| Some(text.to_owned());
    let empty = Want::default();
    match call.what {
        What::Attach => {
            let launch = Launch {
                bundle: text("org.example.notes"),
                ability: text("main"),
                reason: text("start"),
                want: Some(Want { action: text("view"), ..Want::default() }),
                state: Some(vec![1, 2, 3]),
                locale: text("C.UTF-8"),
            };
            call.reply.send(Ok(&launch));
            assert!(seat.tell(event::FOREGROUND, 7, &empty));
        }
        What::Done { token: 7, .. } => {
            call.reply.send(Ok(&()));
            seat.tell(event::TERMINATE, 8, &empty);
        }
        What::Done { .. } | What::Terminate => call.reply.send(Ok(&())),
        What::Start(_) => {
            call.reply.send::<()>(Err(&Error::Refused("not from the background".to_owned())));
        }
        What::Candidates(_) => {
            let (bundle, ability) = ("org.example.view".to_owned(), "page".to_owned());
            call.reply.send(Ok(&vec![Candidate { bundle, ability, label: "View".to_owned() }]));
        }
        What::Connect(_) if call.reply.passes() => call.reply.send(Ok(&(end(), 5_u32))),
        What::Accept(_) if call.reply.passes() => {
            call.reply.send(Ok(&(end(), "org.example.view".to_owned())));
        }
        What::Permissions(names) | What::Request(names) => {
            let all = names.into_iter().map(|name| (name, "granted".to_owned()));
            call.reply.send(Ok(&all.collect::<HashMap<String, String>>()));
        }
        _ => call.reply.send::<()>(Err(&Error::Refused("not here".to_owned()))),
    }
}

/// An end of a connection, over which something was said already.
fn end() -> zbus::OwnedFd {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"hello").unwrap();
    std::os::fd::OwnedFd::from(ours).into()
}

fn bus() -> Bus {
    Bus::new(sys::process::user())
}

/// What each of them has done.
fn all_was_heard(bus: &Bus) {
    let done = |token| What::Done { token, state: Vec::new() };
    assert_eq!(bus.heard(), [What::Attach, done(7), done(8)]);
}

const JEEPNEY: &str = r#"
from jeepney import DBusAddress, new_method_call, MessageType
from jeepney.io.blocking import open_dbus_connection
app = DBusAddress('/org/ensemble/App', bus_name='org.ensemble.App', interface='org.ensemble.App1')
bus = open_dbus_connection('SESSION')
print(bus.unique_name)
launch = bus.send_and_get_reply(new_method_call(app, 'Attach')).body[0]
print(launch['bundle'][1], launch['want'][1]['action'][1], launch['state'][1])
while True:
    message = bus.receive()
    if message.header.message_type != MessageType.signal: continue
    if message.header.fields.get(3) != 'Lifecycle': continue
    event, token, want = message.body
    bus.send_and_get_reply(new_method_call(app, 'Done', 'uay', (token, b'')))
    print(event)
    if event == 'terminate': break
"#;

const PYTHON_DBUS: &str = r"
import dbus, dbus.mainloop.glib
from gi.repository import GLib
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
print(bus.get_unique_name())
app = dbus.Interface(bus.get_object('org.ensemble.App', '/org/ensemble/App'), 'org.ensemble.App1')
loop = GLib.MainLoop()
def lifecycle(event, token, want):
    app.Done(token, dbus.ByteArray(b''))
    print(event)
    if event == 'terminate': loop.quit()
app.connect_to_signal('Lifecycle', lifecycle)
launch = app.Attach(byte_arrays=True)
print(launch['bundle'], launch['want']['action'], list(launch['state']))
loop.run()
";

const GDBUS: &str = r"
from gi.repository import Gio, GLib
app = Gio.DBusProxy.new_for_bus_sync(Gio.BusType.SESSION, 0, None, 'org.ensemble.App', '/org/ensemble/App', 'org.ensemble.App1')
print(app.get_connection().get_unique_name())
loop = GLib.MainLoop()
def lifecycle(proxy, sender, signal, arguments):
    event, token, want = arguments
    app.call_sync('Done', GLib.Variant('(uay)', (token, b'')), 0, -1, None)
    print(event)
    if event == 'terminate': loop.quit()
app.connect('g-signal', lifecycle)
launch = app.call_sync('Attach', None, 0, -1, None)[0]
print(launch['bundle'], launch['want']['action'], launch['state'])
loop.run()
";

#[test]
fn an_app_in_python_lives_its_life_with_each_library_there_is() {
    for (program, text) in [("jeepney", JEEPNEY), ("dbus", PYTHON_DBUS), ("gi", GDBUS)] {
        let bus = bus();
        if let Some(said) = bus.run("/usr/bin/python3", &["-c", text]) {
            let expected = ":1.1\norg.example.notes view [1, 2, 3]\nforeground\nterminate\n";
            let said = said.replace("b'\\x01\\x02\\x03'", "[1, 2, 3]");
            assert_eq!(said, expected, "{program}");
            all_was_heard(&bus);
        }
    }
}

/// Connects, takes a connection, and prints what is said over both.
const CONNECTS: [(&str, &str); 3] = [
    (
        "jeepney",
        r#"
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection
app = DBusAddress('/org/ensemble/App', bus_name='org.ensemble.App', interface='org.ensemble.App1')
bus = open_dbus_connection('SESSION', enable_fds=True)
end, number = bus.send_and_get_reply(new_method_call(app, 'Connect', 'a{sv}', ({},))).body
print(end.to_socket().recv(9), number)
end, caller = bus.send_and_get_reply(new_method_call(app, 'Accept', 'u', (1,))).body
print(end.to_socket().recv(9), caller)
"#,
    ),
    (
        "dbus",
        r"
import dbus, os
bus = dbus.SessionBus()
app = dbus.Interface(bus.get_object('org.ensemble.App', '/org/ensemble/App', introspect=False), 'org.ensemble.App1')
end, number = app.Connect(dbus.Dictionary({}, signature='sv'))
print(os.read(end.take(), 9), number)
end, caller = app.Accept(dbus.UInt32(1))
print(os.read(end.take(), 9), caller)
",
    ),
    (
        "gi",
        r"
import os
from gi.repository import Gio, GLib
app = Gio.DBusProxy.new_for_bus_sync(Gio.BusType.SESSION, 0, None, 'org.ensemble.App', '/org/ensemble/App', 'org.ensemble.App1')
(end, number), ends = app.call_with_unix_fd_list_sync('Connect', GLib.Variant('(a{sv})', ({},)), 0, -1, None, None)
print(os.read(ends.get(end), 9), number)
(end, caller), ends = app.call_with_unix_fd_list_sync('Accept', GLib.Variant('(u)', (1,)), 0, -1, None, None)
print(os.read(ends.get(end), 9), caller)
",
    ),
];

#[test]
fn each_library_that_takes_descriptors_gets_its_end_of_a_connection() {
    for (library, text) in CONNECTS {
        let bus = bus();
        if let Some(said) = bus.run("/usr/bin/python3", &["-c", text]) {
            assert_eq!(said, "b'hello' 5\nb'hello' org.example.view\n", "{library}");
            assert_eq!(bus.heard(), [What::Connect(Want::default()), What::Accept(1)]);
        }
    }
    let bus = bus();
    let without = CONNECTS[0].1.replace(", enable_fds=True", "");
    if let Some(said) = bus.run(
        "/usr/bin/python3",
        &[
            "-c",
            &without
                .replace("end, number =", "print(*")
                .replace("'a{sv}', ({},))).body", "'a{sv}', ({},))).body); exit()"),
        ],
    ) {
        assert_eq!(said, "not here\n");
    }
}

#[test]
fn tools_of_a_session_bus_find_their_way() {
    let bus = bus();
    let at = ["org.ensemble.App", "/org/ensemble/App"];
    if let Some(said) = bus.run("busctl", &["--user", "tree", "org.ensemble.App"]) {
        assert!(said.contains("/org/ensemble/App"), "{said}");
    }
    if let Some(said) = bus.run("busctl", &["--user", "introspect", at[0], at[1]]) {
        assert!(said.contains("Lifecycle") && said.contains("org.ensemble.App1"), "{said}");
    }
    let call = ["--user", "call", at[0], at[1], "org.ensemble.App1", "Permissions", "as", "1", "x"];
    if let Some(said) = bus.run("busctl", &call) {
        assert_eq!(said, "a{ss} 1 \"x\" \"granted\"\n");
    }
    let want = r#"{"action": <"view">}"#;
    let method = "org.ensemble.App1.Candidates";
    let call = ["call", "--session", "-d", at[0], "-o", at[1], "-m", method, want];
    if let Some(said) = bus.run("gdbus", &call) {
        assert_eq!(said, "([('org.example.view', 'page', 'View')],)\n");
    }
    let send = ["--session", "--print-reply=literal", "--dest=org.ensemble.App", at[1]];
    let terminate = [&send[..], &["org.ensemble.App1.Terminate"]].concat();
    bus.run("dbus-send", &terminate);
    let names =
        ["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"];
    let names = [&names[..], &["org.freedesktop.DBus.ListNames"]].concat();
    if let Some(said) = bus.run("dbus-send", &names) {
        assert!(said.contains("\"org.ensemble.App\""), "{said}");
    }
}

async fn client(bus: &Bus) -> zbus::Connection {
    zbus::connection::Builder::address(bus.address().as_str()).build().await.unwrap()
}

#[tokio::test]
async fn a_rust_program_finds_it_as_a_session_bus() {
    let bus = bus();
    let connection = client(&bus).await;
    assert_eq!(connection.unique_name().unwrap().as_str(), ":1.1");
    let app = AppProxy::new(&connection).await.unwrap();
    let mut lifecycle = app.receive_lifecycle().await.unwrap();
    let launch = app.attach().await.unwrap();
    assert_eq!(launch.want.unwrap().action.as_deref(), Some("view"));
    let mut told = Vec::new();
    while told.len() < 2 {
        let signal = std::future::poll_fn(|context| {
            futures_core::Stream::poll_next(std::pin::Pin::new(&mut lifecycle), context)
        });
        let signal = signal.await.unwrap();
        let told_now = signal.args().unwrap();
        app.done(told_now.token, &[]).await.unwrap();
        told.push(told_now.event.to_owned());
    }
    assert_eq!(told, [event::FOREGROUND, event::TERMINATE]);
    all_was_heard(&bus);
    let refused = app.start(Want::default()).await.unwrap_err();
    assert_eq!(refused, Error::Refused("not from the background".to_owned()));
    let names = HashMap::from([("internet".to_owned(), "granted".to_owned())]);
    assert_eq!(app.request(&["internet"]).await.unwrap(), names);
    let state = vec![0; MAX_STATE + 1];
    let refused = app.done(9, &state).await.unwrap_err();
    assert!(matches!(&refused, Error::Invalid(why) if why.contains("102401 bytes")), "{refused}");
    let fdo = zbus::fdo::DBusProxy::new(&connection).await.unwrap();
    let no = fdo.request_name("org.example.Notes".try_into().unwrap(), Default::default()).await;
    assert!(matches!(no, Err(zbus::fdo::Error::AccessDenied(_))), "{no:?}");
}

#[test]
fn nobody_else_connects_and_no_more_than_a_few() {
    let greet = |bus: &Bus| {
        let mut stream = UnixStream::connect(bus.path()).unwrap();
        let _hung_up = stream.write_all(b"\0AUTH EXTERNAL 30\r\n");
        let mut answer = [0; 64];
        stream.read(&mut answer).is_ok_and(|count| count > 0).then_some(stream)
    };
    let stranger = Bus::new(sys::process::user() + 1);
    assert!(greet(&stranger).is_none(), "another user's");
    let bus = bus();
    let mut all: Vec<_> = (0..MAX_CONNECTIONS).map(|_| greet(&bus).unwrap()).collect();
    assert!(greet(&bus).is_none(), "one too many");
    all.pop();
    while greet(&bus).is_none() {}
}

#[test]
fn who_speaks_nonsense_is_hung_up_on() {
    let bus = bus();
    for text in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"\0AUTH EXTERNAL 30\r\nBEGIN\r\nl\x01\0\x01\xff\xff\xff\x07\x01\0\0\0\0\0\0\0",
    ] {
        let mut stream = UnixStream::connect(bus.path()).unwrap();
        stream.write_all(text).unwrap();
        let mut all = Vec::new();
        let _reset = stream.read_to_end(&mut all);
    }
}
