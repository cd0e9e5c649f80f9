//! The real daemon in a directory of its own, with sockets as servicemgr hands them over.

#![allow(dead_code, reason = "each test program uses a part")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use api::export::Decoder;
use api::journal::{JournalProxy, Query, Status};
use tempfile::TempDir;

/// Longest wait for anything: generous, for loaded machines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Names and values of one record.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

pub(crate) struct Device {
    pub(crate) dir: TempDir,
    journal: Option<Child>,
    /// Where programs log to.
    pub(crate) native: UnixDatagram,
    pub(crate) syslog: UnixDatagram,
    /// servicemgr's end.
    pub(crate) streams: OwnedFd,
    /// The ends that servicemgr hands over, also to the next journal.
    handed: [OwnedFd; 3],
    notify: UnixDatagram,
    kmsg: PathBuf,
    /// Size of a file system of its own for the log, as tmpfs takes it; empty: none.
    disk: &'static str,
}

impl Device {
    /// A running journal.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A running journal; `prepare` has its directory before it starts.
    pub(crate) fn with(prepare: impl FnOnce(&Path)) -> Self {
        Self::with_disk("", prepare)
    }

    /// A running journal whose log has a file system of its own, of this size.
    pub(crate) fn with_disk(disk: &'static str, prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let socket = |name: &str| {
            let receiver = UnixDatagram::bind(path(name)).unwrap();
            let sender = UnixDatagram::unbound().unwrap();
            sender.connect(path(name)).unwrap();
            sys::seqpacket::ask_credentials(&receiver).unwrap();
            (OwnedFd::from(receiver), sender)
        };
        let (native_end, native) = socket("native");
        let (syslog_end, syslog) = socket("syslog");
        let (streams_end, streams) = sys::seqpacket::pair().unwrap();
        let notify = UnixDatagram::bind(path("notify")).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        prepare(dir.path());
        let kmsg = Some(path("kmsg")).filter(|p| p.exists()).unwrap_or_else(|| "none".into());
        let handed = [native_end, syslog_end, streams_end];
        let mut device =
            Self { dir, journal: None, native, syslog, streams, handed, notify, kmsg, disk };
        device.start();
        device
    }

    /// Starts a journal as servicemgr would: the sockets are its descriptors 3, 4 and 5.
    pub(crate) fn start(&mut self) {
        let script = "exec 3<&0 4<&1 5<&2 </dev/null >/dev/null 2>\"$ERRORS\"; \
            export LISTEN_PID=$$; [ -z \"$DISK\" ] && exec \"$0\" \"$@\"; \
            mkdir \"$2\"; exec unshare --mount --user --map-root-user sh -c \
            'mount -t tmpfs -o size=$DISK none \"$2\" && exec \"$0\" \"$@\"' \"$0\" \"$@\"";
        let [native, syslog, streams] =
            self.handed.each_ref().map(|fd| Stdio::from(fd.try_clone().unwrap()));
        let child = Command::new("/bin/sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_journal")])
            .args(["--log-dir".as_ref(), self.path("log").as_os_str()])
            .args(["--run-dir".as_ref(), self.path("run").as_os_str()])
            .args(["--bus".as_ref(), self.path("bus").as_os_str()])
            .args(["--kmsg".as_ref(), self.kmsg.as_os_str()])
            .env("ERRORS", self.path("errors"))
            .env("DISK", self.disk)
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("LISTEN_FDS", "3")
            .env("LISTEN_FDNAMES", "native:syslog:streams")
            .stdin(native)
            .stdout(syslog)
            .stderr(streams)
            .spawn()
            .unwrap();
        self.journal = Some(child);
        let said = self.said();
        assert_eq!(said, "READY=1", "{}", fs::read_to_string(self.path("errors")).unwrap());
    }

    /// The next line to the manager.
    fn said(&self) -> String {
        let mut line = [0; 100];
        let length = self.notify.recv(&mut line).unwrap_or(0);
        String::from_utf8_lossy(&line[..length]).into_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same path as journal sees it, where the log may have a file system of its own.
    pub(crate) fn inside(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let path = path.strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.pid())).join(path)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.journal.as_ref().unwrap().id()
    }

    /// Pulls the plug.
    pub(crate) fn kill(&mut self) {
        let mut child = self.journal.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end; its exit status.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let mut child = self.journal.take().unwrap();
        sys::process::signal(child.id(), 15).unwrap();
        let status = child.wait().unwrap().code();
        assert_eq!(self.said(), "STOPPING=1");
        status
    }

    /// Calls the bus.
    pub(crate) fn ask<T>(&self, call: impl AsyncFnOnce(JournalProxy<'_>) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = std::os::unix::net::UnixStream::connect(self.path("bus")).unwrap();
            let builder = zbus::connection::Builder::unix_stream(stream).p2p();
            let connection = builder.build().await.unwrap();
            call(JournalProxy::new(&connection).await.unwrap()).await
        })
    }

    /// The pipe for a query.
    pub(crate) fn pipe(&self, query: Query) -> File {
        let fd = self.ask(async |journal| journal.read(query).await).unwrap();
        File::from(OwnedFd::from(fd))
    }

    /// What a query gives, in export format.
    pub(crate) fn export(&self, query: Query) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.pipe(query).read_to_end(&mut bytes).unwrap();
        bytes
    }

    pub(crate) fn records(&self, query: Query) -> Vec<Fields> {
        records(&self.export(query))
    }

    /// The messages that are not journal's own.
    pub(crate) fn messages(&self, query: Query) -> Vec<String> {
        let others = |r: &&Fields| field(r, "_TRANSPORT") != "driver";
        self.records(query).iter().filter(others).map(|r| field(r, "MESSAGE")).collect()
    }

    /// What journal said itself.
    pub(crate) fn own_words(&self) -> Vec<String> {
        let own = |r: &&Fields| field(r, "_TRANSPORT") == "driver";
        let all = self.records(Query::default());
        all.iter().filter(own).map(|r| field(r, "MESSAGE")).collect()
    }

    pub(crate) fn status(&self) -> Status {
        self.ask(async |journal| journal.status().await).unwrap()
    }

    /// Waits until the log holds this message, and gives its record.
    pub(crate) fn wait_for(&self, message: &str) -> Fields {
        let query = || Query { grep: Some(message.to_owned()), ..Query::default() };
        eventually(message, || self.records(query()).pop())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(mut child) = self.journal.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Asks again until there is an answer.
#[expect(clippy::disallowed_methods, reason = "a test waits for a process")]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never happened: {what}");
}

pub(crate) fn records(export: &[u8]) -> Vec<Fields> {
    let mut decoder = Decoder::default();
    decoder.push(export);
    let mut all = Vec::new();
    while let Some(record) = decoder.take().unwrap() {
        all.push(record.fields.iter().map(|(n, v)| ((*n).to_owned(), v.to_vec())).collect());
    }
    assert_eq!(decoder.rest(), 0, "the last record is whole");
    all
}

/// The first value under this name; empty if there is none.
pub(crate) fn field(record: &Fields, name: &str) -> String {
    let value = record.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice());
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}
