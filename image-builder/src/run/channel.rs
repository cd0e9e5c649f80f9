//! Our end of the debug channel: frames in, frames out, whoever carries them.
//!
//! ```text
//! machine     connected ── a socket pair, its other end held by QEMU
//! container   listening ── the agent connects, and again after it was restarted
//! ```
//!
//! A thread reads; what it read waits in a queue of `QUEUE` messages, and then the device waits.
//! Every connection starts with our `Hello`.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::debug::{Decoder, ToDevice, ToHost};

/// Messages of the device that wait for us; beyond them the device waits.
const QUEUE: usize = 64;

/// Bytes read at once.
const READ: usize = 64 << 10;

/// The channel to one device.
#[derive(Debug)]
pub struct Channel {
    writer: Writer,
    events: Receiver<Event>,
}

/// Where frames go; cloned by the thread that carries standard input.
#[derive(Debug, Clone, Default)]
pub struct Writer(Arc<Mutex<Option<UnixStream>>>);

#[derive(Debug)]
enum Event {
    Message(ToHost),
    /// The device hung up or spoke something else, and this is why.
    Closed(String),
}

impl Channel {
    /// Over a socket that is connected already.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn connected(stream: UnixStream) -> Result<Self> {
        let writer = Writer::default();
        let (sender, events) = sync_channel(QUEUE);
        let reading = writer.begin(stream).context("greeting the device")?;
        thread::spawn(move || read(reading, &sender));
        Ok(Self { writer, events })
    }

    /// Over whatever connects to `listener`, one connection after the other.
    #[must_use]
    pub fn listening(listener: UnixListener) -> Self {
        let writer = Writer::default();
        let (sender, events) = sync_channel(QUEUE);
        let filled = writer.clone();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                // An agent that died between connect and our greeting comes again.
                let Ok(reading) = filled.begin(stream) else { continue };
                if read(reading, &sender).is_none() {
                    break;
                }
            }
        });
        Self { writer, events }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// Nobody is connected, or the message fits no frame.
    pub fn send(&self, message: &ToDevice) -> Result<()> {
        self.writer.send(message)
    }

    /// The next message, or `None` when none comes within `wait`.
    ///
    /// # Errors
    /// The device hung up.
    pub fn receive(&self, wait: Duration) -> Result<Option<ToHost>> {
        match self.events.recv_timeout(wait) {
            Ok(Event::Message(message)) => Ok(Some(message)),
            Ok(Event::Closed(why)) => bail!("the debug agent of the device went away: {why}"),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the debug channel is closed"),
        }
    }

    /// Where frames go.
    #[must_use]
    pub fn writer(&self) -> Writer {
        self.writer.clone()
    }
}

impl Writer {
    /// Sends one message.
    ///
    /// # Errors
    /// As [`Channel::send`].
    pub fn send(&self, message: &ToDevice) -> Result<()> {
        let frame = message.encode().context("this can't be sent to a device")?;
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = stream.as_mut().context("the device's debug agent is not connected")?;
        stream.write_all(&frame).context("sending to the device")
    }

    /// Writes to `stream` from now on, after greeting; gives the half to read from.
    fn begin(&self, stream: UnixStream) -> io::Result<UnixStream> {
        let reading = stream.try_clone()?;
        let mut writing = stream;
        writing.write_all(&ToDevice::Hello.encode().map_err(io::Error::other)?)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(writing);
        Ok(reading)
    }
}

/// Passes on all that comes; `None` when nobody wants it any more.
fn read(mut stream: UnixStream, to: &SyncSender<Event>) -> Option<()> {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; READ];
    let why = 'stream: loop {
        match stream.read(&mut buffer) {
            Ok(0) => break "it closed the connection".to_owned(),
            Ok(n) => decoder.push(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => break e.to_string(),
        }
        loop {
            match decoder.take() {
                Ok(Some(message)) => to.send(Event::Message(message)).ok()?,
                Ok(None) => break,
                Err(e) => break 'stream format!("it speaks something else ({e})"),
            }
        }
    };
    to.send(Event::Closed(why)).ok()
}
