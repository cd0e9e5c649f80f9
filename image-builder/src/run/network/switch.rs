//! The switch that devices are plugged into: a thread that carries Ethernet frames between descriptors.
//!
//! ```text
//! container   eth0 ═ tap ─┐               read ─► receivers ─► fate ─┬─► write
//! machine     nic ═ QEMU ─┴─ this thread                             └─► late ─► write
//! ```
//!
//! A read of a descriptor gives one frame, a write delivers one; none of them waits. What a receiver has no room for is
//! tried again for a moment, then lost, as on any network. Nothing leaves it: the host is not plugged in.
//! Invariant: the thread ends with the [`Network`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use model::case::Change;
use sys::poll::{For, poll, set_nonblocking};

use super::links::{Links, receivers};

/// Longest frame: an interface may be set to large ones.
const MAX_FRAME: usize = 16 << 10;

/// Frames taken from one descriptor before the next has its turn.
const TURN: usize = 64;

/// Frames that are on their way late; beyond them, frames are lost.
const MAX_LATE: usize = 8192;

/// How soon, and how often, a frame is tried again whose receiver has no room.
const AGAIN: Duration = Duration::from_millis(1);
const TRIES: u8 = 20;

/// The network of devices that run together.
#[derive(Debug)]
pub struct Network {
    shared: Arc<Mutex<Shared>>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ports: BTreeMap<u8, Arc<File>>,
    links: Links,
    ended: bool,
}

/// A frame that is not to be delivered yet: when, in which order, to whom, and how often it was tried.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Late {
    due: Duration,
    number: u64,
    to: u8,
    tries: u8,
    frame: Vec<u8>,
}

#[derive(Debug, Default)]
struct Carrier {
    late: BinaryHeap<Reverse<Late>>,
    number: u64,
}

impl Network {
    /// One with nobody in it.
    ///
    /// # Errors
    /// No descriptor or thread is left.
    pub fn new() -> Result<Self> {
        let (wake, woken) = UnixStream::pair().context("making the network of the devices")?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("network".to_owned())
            .spawn(move || carry(&of_thread, &woken))
            .context("making the network of the devices")?;
        Ok(Self { shared, wake, thread: Some(thread) })
    }

    /// Plugs the device at `place` in: `end` is the other end of its cable. One that was there before is unplugged.
    ///
    /// # Errors
    /// The descriptor is broken.
    pub fn plug(&self, place: u8, end: OwnedFd) -> Result<()> {
        set_nonblocking(&end).context("plugging a device into the network")?;
        lock(&self.shared).ports.insert(place, Arc::new(File::from(end)));
        self.wake();
        Ok(())
    }

    /// Changes the link between two places.
    pub fn change(&self, a: u8, b: u8, change: Change) {
        lock(&self.shared).links.change(a, b, change);
    }

    fn wake(&self) {
        // A full pipe wakes it as well.
        let _woken = (&self.wake).write(&[0]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        lock(&self.shared).ended = true;
        self.wake();
        // It has nothing to tell.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn carry(shared: &Mutex<Shared>, woken: &UnixStream) {
    let mut carrier = Carrier::default();
    let mut buffer = vec![0; MAX_FRAME];
    loop {
        let ports: Vec<(u8, Arc<File>)> = {
            let shared = lock(shared);
            if shared.ended {
                return;
            }
            shared.ports.iter().map(|(place, file)| (*place, Arc::clone(file))).collect()
        };
        let mut wanted = vec![(woken.as_fd(), For::Reading)];
        wanted.extend(ports.iter().map(|(_, file)| (file.as_fd(), For::Reading)));
        let Ok(ready) = poll(&wanted, carrier.wait(sys::clock::monotonic())) else { return };
        if ready.first().is_some_and(|wake| wake.read) {
            let _all = (&*woken).read(&mut [0; 64]);
        }
        for ((place, file), ready) in ports.iter().zip(ready.iter().skip(1)) {
            if ready.read || ready.hangup {
                let is_there = carrier.turn(shared, *place, file, &mut buffer);
                if !is_there || (ready.hangup && !ready.read) {
                    unplug(shared, *place, file);
                }
            }
        }
        carrier.deliver(shared, sys::clock::monotonic());
    }
}

/// Takes `file` away, unless something else was plugged in there since.
fn unplug(shared: &Mutex<Shared>, place: u8, file: &Arc<File>) {
    let mut shared = lock(shared);
    if shared.ports.get(&place).is_some_and(|there| Arc::ptr_eq(there, file)) {
        shared.ports.remove(&place);
    }
}

impl Carrier {
    /// How long nothing is due.
    fn wait(&self, now: Duration) -> Option<Duration> {
        self.late.peek().map(|Reverse(late)| late.due.saturating_sub(now))
    }

    /// Carries what one device has sent; tells whether it is still there.
    fn turn(
        &mut self,
        shared: &Mutex<Shared>,
        from: u8,
        mut file: &File,
        buffer: &mut [u8],
    ) -> bool {
        for _ in 0..TURN {
            let frame = match file.read(buffer) {
                Ok(n) => buffer.get(..n).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return false,
            };
            let mut shared = lock(shared);
            let Shared { ports, links, .. } = &mut *shared;
            for to in receivers(frame, from, ports.keys().copied()) {
                match (links.fate(from, to), ports.get(&to)) {
                    (Some(Duration::ZERO), Some(port)) if write(port, frame) => {}
                    (Some(delay), Some(_)) => {
                        let due = sys::clock::monotonic() + delay.max(AGAIN);
                        self.later(Late { due, number: 0, to, tries: 0, frame: frame.to_vec() });
                    }
                    _ => {}
                }
            }
        }
        true
    }

    /// Delivers what is due.
    fn deliver(&mut self, shared: &Mutex<Shared>, now: Duration) {
        while self.late.peek().is_some_and(|Reverse(late)| late.due <= now) {
            let Some(Reverse(late)) = self.late.pop() else { return };
            let port = lock(shared).ports.get(&late.to).map(Arc::clone);
            let delivered = port.is_none_or(|port| write(&port, &late.frame));
            if !delivered && late.tries < TRIES {
                self.later(Late { due: now + AGAIN, tries: late.tries + 1, ..late });
            }
        }
    }

    fn later(&mut self, late: Late) {
        if self.late.len() < MAX_LATE {
            self.number += 1;
            self.late.push(Reverse(Late { number: self.number, ..late }));
        }
    }
}

/// Whether it needs no other try: it is delivered, or whoever was there is gone or not up.
fn write(mut port: &File, frame: &[u8]) -> bool {
    !matches!(port.write(frame), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::network::address_of;
    use std::os::unix::net::UnixDatagram;

    /// A device at `place`.
    fn device(network: &Network, place: u8) -> UnixDatagram {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        network.plug(place, ours.into()).unwrap();
        theirs.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        theirs
    }

    fn frame(to: u8, text: &str) -> Vec<u8> {
        [&address_of(to)[..], &address_of(1), text.as_bytes()].concat()
    }

    fn received(device: &UnixDatagram) -> String {
        let mut buffer = [0; 2000];
        let n = device.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[12..n]).into_owned()
    }

    #[test]
    fn frames_arrive_after_a_mend_and_none_of_those_that_were_sent_into_a_cut() {
        let network = Network::new().unwrap();
        let (phone, tv) = (device(&network, 1), device(&network, 2));
        phone.send(&frame(2, "before")).unwrap();
        assert_eq!(received(&tv), "before");
        network.change(1, 2, Change::Cut(true));
        phone.send(&frame(2, "lost")).unwrap();
        // The thread takes frames in order: once the third device has this one, the lost one is lost.
        let watch = device(&network, 3);
        phone.send(&frame(3, "seen")).unwrap();
        assert_eq!(received(&watch), "seen");
        network.change(1, 2, Change::Cut(false));
        phone.send(&frame(2, "after")).unwrap();
        assert_eq!(received(&tv), "after");
    }

    #[test]
    fn a_device_that_is_plugged_in_again_gets_what_comes_then_and_a_late_frame_is_late() {
        let network = Network::new().unwrap();
        let (phone, tv) = (device(&network, 1), device(&network, 2));
        drop(tv);
        phone.send(&frame(2, "to nobody")).unwrap();
        let tv = device(&network, 2);
        network.change(1, 2, Change::Delay(Duration::from_millis(80)));
        let sent = sys::clock::monotonic();
        phone.send(&frame(2, "late")).unwrap();
        let mut got = received(&tv);
        if got == "to nobody" {
            got = received(&tv);
        }
        assert_eq!(got, "late");
        assert!(sys::clock::monotonic() - sent >= Duration::from_millis(80));
    }
}
