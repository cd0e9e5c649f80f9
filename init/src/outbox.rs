//! What servicemgr is still to be told. Its socket has little room, so packets wait here.
//!
//! Invariant: packets leave in the order they came, each once. Exits that wait together leave in one.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use api::pid1::{MAX_PACKET, ToServicemgr};

use crate::exits::MAX_EXITS;
use crate::held::{Held, MAX_HELD};

/// Most packets that wait: all that is held, all exits, and as many new ones again.
pub const MAX_WAITING: usize = 2 * (MAX_HELD + MAX_EXITS);

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// The descriptor held under this name, if it still is when its turn comes.
    Held(String),
    /// The state, if there is one when its turn comes.
    State,
    /// No descriptor comes along.
    Message(ToServicemgr),
}

/// The packets that wait.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<Letter>);

impl Outbox {
    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one; false if too many wait and it was not added.
    #[must_use]
    pub fn push(&mut self, letter: Letter) -> bool {
        let room = self.0.len() < MAX_WAITING;
        if room {
            self.0.push_back(letter);
        }
        room
    }

    /// Adds all that is held, and the state.
    pub fn introduce(&mut self, held: &Held) {
        self.0.extend(held.names().cloned().map(Letter::Held));
        self.0.push_back(Letter::State);
    }

    /// Gives them to `send` until it says [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// What else `send` says; that packet is still the first.
    pub fn send(
        &mut self,
        held: &Held,
        mut send: impl FnMut(&[u8], &[BorrowedFd<'_>]) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(letter) = self.0.front() {
            let mut count = 1;
            let sent = match letter {
                Letter::Message(message) => {
                    let mut packet = message.encode();
                    if message.joins() {
                        packet.reserve(MAX_PACKET);
                        count += self.join(&mut packet);
                    }
                    send(&packet, &[])
                }
                Letter::Held(name) => held
                    .get(name)
                    .map_or(Ok(()), |fd| send(&ToServicemgr::Held(name.clone()).encode(), &[fd])),
                Letter::State => {
                    held.state().map_or(Ok(()), |fd| send(&ToServicemgr::State.encode(), &[fd]))
                }
            };
            match sent {
                Ok(()) => drop(self.0.drain(..count)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Adds those behind the first that can be in a packet with it, as far as there is room. How many.
    fn join(&self, packet: &mut Vec<u8>) -> usize {
        let mut count = 0;
        for letter in self.0.iter().skip(1) {
            let Letter::Message(message) = letter else { break };
            let more = message.encode();
            if !message.joins() || packet.len() + more.len() > MAX_PACKET {
                break;
            }
            packet.extend(more);
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use api::pid1::{End, Exit};

    use super::*;

    fn fd() -> OwnedFd {
        io::pipe().unwrap().0.into()
    }

    #[test]
    fn packets_leave_in_order_and_wait_while_there_is_no_room() {
        let mut held = Held::default();
        held.hold("b".into(), fd()).unwrap();
        held.hold("a".into(), fd()).unwrap();
        held.set_state(Some(fd()));
        let mut outbox = Outbox::default();
        outbox.introduce(&held);
        assert!(outbox.push(Letter::Message(ToServicemgr::Asked(End::Halt))));
        held.release("b");
        let mut seen = Vec::new();
        while !outbox.is_empty() {
            let mut room = 1;
            let one = |packet: &[u8], fds: &[BorrowedFd<'_>]| {
                if room == 0 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                room -= 1;
                seen.push((ToServicemgr::decode(packet).unwrap(), fds.len()));
                Ok(())
            };
            outbox.send(&held, one).unwrap();
        }
        assert_eq!(
            seen,
            [
                (ToServicemgr::Held("a".into()), 1),
                (ToServicemgr::State, 1),
                (ToServicemgr::Asked(End::Halt), 0),
            ]
        );
    }

    #[test]
    fn exits_that_wait_together_leave_in_as_few_packets_as_hold_them() {
        let exited = |seq| ToServicemgr::Exited { seq, pid: 2, exit: Exit::Status(0) };
        let mut all: Vec<ToServicemgr> = (1..=20).map(exited).collect();
        all.extend([ToServicemgr::Tasks(5), ToServicemgr::Asked(End::Halt), exited(21)]);
        let mut outbox = Outbox::default();
        assert!(all.iter().all(|message| outbox.push(Letter::Message(message.clone()))));
        let (mut seen, mut packets) = (Vec::new(), Vec::new());
        let take = |packet: &[u8], _: &[BorrowedFd<'_>]| {
            assert!(packet.len() <= MAX_PACKET);
            let messages = ToServicemgr::decode_all(packet).unwrap();
            packets.push(messages.len());
            seen.extend(messages);
            Ok(())
        };
        outbox.send(&Held::default(), take).unwrap();
        assert_eq!(seen, all);
        assert_eq!(packets, [14, 7, 1, 1]);
        assert!(outbox.is_empty());
    }
}
