//! All that is listened to, from the first byte to the last.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::datagrams::{self, Socket};
use super::kernel::Kernel;
use super::log::Protocol;
use super::shared::Shared;
use super::streams;
use crate::settings::Settings;

/// Most batches that are taken from one input at the end: who never stops talking is not waited for.
const LAST_BATCHES: usize = 16;

/// The inputs and their tasks.
pub(super) struct Inputs {
    shared: Rc<Shared>,
    sockets: Vec<Rc<Socket>>,
    kernel: Option<Rc<Kernel>>,
    streams: Vec<JoinHandle<()>>,
    tasks: JoinSet<io::Result<()>>,
}

impl Inputs {
    /// None yet.
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        let tasks = JoinSet::new();
        Self { shared, sockets: Vec::new(), kernel: None, streams: Vec::new(), tasks }
    }

    /// Opens the kernel's log and takes what was handed over. What cannot be used is said; the rest
    /// works without it.
    pub(super) fn open(
        &mut self,
        settings: &Settings,
        handed: Vec<(String, OwnedFd)>,
        stop: &watch::Receiver<bool>,
    ) {
        if let Some(path) = &settings.kmsg {
            match Kernel::open(path, settings.run.join("kmsg")) {
                Ok(kernel) => {
                    self.tasks.spawn_local(kernel.clone().receive(self.shared.clone()));
                    self.kernel = Some(kernel);
                }
                Err(e) => self.say(6, &format!("no kernel log from {}: {e}", path.display())),
            }
        }
        for wanted in ["native", "syslog", "streams"] {
            if !handed.iter().any(|(name, _)| name == wanted) {
                self.say(4, &format!("nobody handed over `{wanted}`, nothing comes from there"));
            }
        }
        for (name, fd) in handed {
            let done = match name.as_str() {
                "native" => self.socket(fd, Protocol::Native),
                "syslog" => self.socket(fd, Protocol::Syslog),
                "streams" => {
                    self.streams(fd, stop.clone());
                    Ok(())
                }
                _ => Err(io::Error::other("that name means nothing to us")),
            };
            if let Err(e) = done {
                self.say(4, &format!("cannot use the socket `{name}`: {e}"));
            }
        }
    }

    fn socket(&mut self, fd: OwnedFd, protocol: Protocol) -> io::Result<()> {
        let socket = Socket::new(fd, protocol)?;
        self.tasks.spawn_local(datagrams::receive(self.shared.clone(), socket.clone()));
        self.sockets.push(socket);
        Ok(())
    }

    fn streams(&mut self, fd: OwnedFd, stop: watch::Receiver<bool>) {
        let shared = self.shared.clone();
        self.streams.push(tokio::task::spawn_local(async move {
            let (text, priority) = match streams::receive(shared.clone(), fd, stop).await {
                Ok(()) => return,
                Err(e) => (format!("no streams of services any more: {e}"), 3),
            };
            shared.with(|log, _| log.say(priority, &text));
            shared.write();
        }));
    }

    fn say(&self, priority: u8, text: &str) {
        self.shared.with(|log, _| log.say(priority, text));
    }

    /// Waits until an input breaks, says so, and goes on waiting.
    pub(super) async fn watch(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Err(e)) = ended {
                self.say(3, &format!("an input is broken and left alone: {e}"));
                self.shared.write();
            }
        }
        std::future::pending::<()>().await;
    }

    /// Takes what is there, a last time. Streams were told to stop before.
    pub(super) async fn drain(&mut self) {
        let take = |once: &dyn Fn() -> io::Result<bool>| {
            for _ in 0..LAST_BATCHES {
                if !once().unwrap_or(false) {
                    break;
                }
            }
        };
        for socket in &self.sockets {
            take(&|| socket.take(&self.shared));
        }
        if let Some(kernel) = &self.kernel {
            take(&|| kernel.take(&self.shared));
        }
        for streams in self.streams.drain(..) {
            // It cannot panic, and nobody cancels it.
            let _ = streams.await;
        }
    }
}
