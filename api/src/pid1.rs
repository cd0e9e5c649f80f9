//! What servicemgr and PID 1 say to each other, one message a packet; exits come together when there
//! are several.
//!
//! ```text
//! start      PID 1 ── Held*, State?, Exited*, Go ──► servicemgr          (file descriptors ride along)
//! always     PID 1 ── Exited, Asked ──────────────► servicemgr
//! down       PID 1 ── Exited*, Tasks ─────────────► servicemgr          (several in one packet)
//!            PID 1 ◄── Hold, Drop, State, Ack, Settled, Alive, GoingDown, End ── servicemgr
//! ```
//!
//! Invariant: PID 1 repeats every `Exited` to a new servicemgr until it is acknowledged, and
//! servicemgr acknowledges only what its state memfd already shows. So no exit is lost.

/// The descriptor of the socket pair in servicemgr.
pub const FD: i32 = 3;

/// Longest name under which a descriptor is held, in bytes.
pub const MAX_KEY: usize = 128;

/// Longest packet in bytes.
pub const MAX_PACKET: usize = 256;

/// How the device goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Power off; a container ends.
    PowerOff,
    /// Start again.
    Reboot,
    /// Stop the CPUs, leave the power on.
    Halt,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// It is gone and nobody saw how.
    Unknown,
}

impl Exit {
    /// Whether it ended with status 0.
    #[must_use]
    pub fn ok(self) -> bool {
        self == Self::Status(0)
    }
}

/// From PID 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToServicemgr {
    /// The descriptor that came along was held under this name.
    Held(String),
    /// The descriptor that came along is the last state memfd.
    State,
    /// A process ended. See the module's invariant.
    Exited {
        /// Counts up from 1 over the life of PID 1.
        seq: u64,
        /// Free for reuse already.
        pid: i32,
        /// How it ended.
        exit: Exit,
    },
    /// All that was held is told. Sent once to each servicemgr.
    Go {
        /// 1 for the first servicemgr of this boot.
        generation: u32,
        /// `CLOCK_BOOTTIME` in nanoseconds when PID 1 began.
        began: u64,
    },
    /// Somebody wants the device down: a signal to PID 1, or Ctrl-Alt-Del.
    Asked(End),
    /// So many tasks were in the groups of services when all exits so far were reaped. Told once the
    /// device goes down, and only where the kernel counts them.
    Tasks(u32),
}

/// Bytes of an `Exited`.
const EXITED: usize = 18;

/// Bytes of a `Tasks`.
const TASKS: usize = 5;

/// To PID 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToPid1 {
    /// Keep the descriptor that comes along, under this name; an older one of that name is closed.
    Hold(String),
    /// Close what is held under this name.
    Drop(String),
    /// Keep the memfd that comes along as the state.
    State,
    /// The state shows all exits up to this one.
    Ack(u64),
    /// Boot is over: every enabled service is ready or has failed.
    Settled,
    /// servicemgr's loop still turns (drives the hardware watchdog).
    Alive,
    /// Every service is going to be stopped: many processes end at once.
    GoingDown,
    /// Every service has ended: unmount, sync, go down.
    End(End),
}

/// The packet is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPacket;

impl ToServicemgr {
    /// As a packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Held(key) => keyed(b'h', key),
            Self::State => vec![b't'],
            Self::Exited { seq, pid, exit } => {
                let (how, value) = match exit {
                    Exit::Status(v) => (0, *v),
                    Exit::Signal(v) => (1, *v),
                    Exit::Unknown => (2, 0),
                };
                let mut out = Vec::with_capacity(EXITED);
                out.extend([b'x', how]);
                out.extend(seq.to_le_bytes());
                out.extend(pid.to_le_bytes());
                out.extend(value.to_le_bytes());
                out
            }
            Self::Go { generation, began } => {
                let mut out = vec![b'g'];
                out.extend(generation.to_le_bytes());
                out.extend(began.to_le_bytes());
                out
            }
            Self::Asked(end) => vec![b's', end_code(*end)],
            Self::Tasks(count) => [&[b'n'][..], &count.to_le_bytes()].concat(),
        }
    }

    /// Whether it can be in one packet with others like it, one behind the other.
    #[must_use]
    pub fn joins(&self) -> bool {
        matches!(self, Self::Exited { .. } | Self::Tasks(_))
    }

    /// All messages of a packet, in their order.
    ///
    /// # Errors
    /// [`BadPacket`] for anything that is not what [`Self::encode`] writes, or several that join.
    pub fn decode_all(packet: &[u8]) -> Result<Vec<Self>, BadPacket> {
        let (mut all, mut rest) = (Vec::new(), packet);
        loop {
            let length = match rest.first() {
                Some(b'x') => EXITED,
                Some(b'n') => TASKS,
                _ if all.is_empty() => rest.len(),
                _ => return Err(BadPacket),
            };
            let (one, more) = rest.split_at_checked(length).ok_or(BadPacket)?;
            all.push(Self::decode(one)?);
            if more.is_empty() {
                return Ok(all);
            }
            rest = more;
        }
    }

    /// From a packet.
    ///
    /// # Errors
    /// [`BadPacket`] for anything [`Self::encode`] does not write.
    pub fn decode(packet: &[u8]) -> Result<Self, BadPacket> {
        let (tag, body) = packet.split_first().ok_or(BadPacket)?;
        match tag {
            b'h' => key(body).map(Self::Held),
            b't' if body.is_empty() => Ok(Self::State),
            b'x' => {
                let (how, rest) = body.split_first().ok_or(BadPacket)?;
                let (seq, rest) = rest.split_first_chunk().ok_or(BadPacket)?;
                let (pid, rest) = rest.split_first_chunk().ok_or(BadPacket)?;
                let value = i32::from_le_bytes(rest.try_into().map_err(|_| BadPacket)?);
                let exit = match how {
                    0 => Exit::Status(value),
                    1 => Exit::Signal(value),
                    2 => Exit::Unknown,
                    _ => return Err(BadPacket),
                };
                Ok(Self::Exited {
                    seq: u64::from_le_bytes(*seq),
                    pid: i32::from_le_bytes(*pid),
                    exit,
                })
            }
            b'g' => {
                let (generation, rest) = body.split_first_chunk().ok_or(BadPacket)?;
                let began = u64::from_le_bytes(rest.try_into().map_err(|_| BadPacket)?);
                Ok(Self::Go { generation: u32::from_le_bytes(*generation), began })
            }
            b's' => end(body).map(Self::Asked),
            b'n' => {
                body.try_into().map(|n| Self::Tasks(u32::from_le_bytes(n))).map_err(|_| BadPacket)
            }
            _ => Err(BadPacket),
        }
    }
}

impl ToPid1 {
    /// As a packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hold(key) => keyed(b'H', key),
            Self::Drop(key) => keyed(b'D', key),
            Self::State => vec![b'S'],
            Self::Ack(seq) => [&[b'A'][..], &seq.to_le_bytes()].concat(),
            Self::Settled => vec![b'R'],
            Self::Alive => vec![b'W'],
            Self::GoingDown => vec![b'G'],
            Self::End(end) => vec![b'E', end_code(*end)],
        }
    }

    /// From a packet.
    ///
    /// # Errors
    /// [`BadPacket`] for anything [`Self::encode`] does not write.
    pub fn decode(packet: &[u8]) -> Result<Self, BadPacket> {
        let (tag, body) = packet.split_first().ok_or(BadPacket)?;
        match (tag, body) {
            (b'H', _) => key(body).map(Self::Hold),
            (b'D', _) => key(body).map(Self::Drop),
            (b'S', []) => Ok(Self::State),
            (b'A', _) => Ok(Self::Ack(u64::from_le_bytes(body.try_into().map_err(|_| BadPacket)?))),
            (b'R', []) => Ok(Self::Settled),
            (b'W', []) => Ok(Self::Alive),
            (b'G', []) => Ok(Self::GoingDown),
            (b'E', _) => end(body).map(Self::End),
            _ => Err(BadPacket),
        }
    }
}

fn keyed(tag: u8, key: &str) -> Vec<u8> {
    [&[tag], key.as_bytes()].concat()
}

fn key(body: &[u8]) -> Result<String, BadPacket> {
    if body.is_empty() || body.len() > MAX_KEY {
        return Err(BadPacket);
    }
    std::str::from_utf8(body).map(str::to_owned).map_err(|_| BadPacket)
}

fn end_code(end: End) -> u8 {
    match end {
        End::PowerOff => 0,
        End::Reboot => 1,
        End::Halt => 2,
    }
}

fn end(body: &[u8]) -> Result<End, BadPacket> {
    match body {
        [0] => Ok(End::PowerOff),
        [1] => Ok(End::Reboot),
        [2] => Ok(End::Halt),
        _ => Err(BadPacket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_comes_back_as_it_went() {
        let exits = [Exit::Status(3), Exit::Signal(9), Exit::Unknown];
        let mut all = vec![
            ToServicemgr::Held("log/web".into()),
            ToServicemgr::State,
            ToServicemgr::Go { generation: 2, began: 77 },
            ToServicemgr::Asked(End::Halt),
            ToServicemgr::Tasks(7),
        ];
        all.extend(exits.map(|exit| ToServicemgr::Exited { seq: 1, pid: 2, exit }));
        for message in all {
            assert_eq!(ToServicemgr::decode(&message.encode()), Ok(message.clone()));
            assert_eq!(ToServicemgr::decode_all(&message.encode()), Ok(vec![message]));
        }
        for message in [
            ToPid1::Hold("socket/web".into()),
            ToPid1::Drop("x".into()),
            ToPid1::State,
            ToPid1::Ack(9),
            ToPid1::Settled,
            ToPid1::Alive,
            ToPid1::GoingDown,
            ToPid1::End(End::Reboot),
        ] {
            assert_eq!(ToPid1::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn exits_and_their_count_come_in_one_packet_and_nothing_else_does() {
        let exited = |seq| ToServicemgr::Exited { seq, pid: 2, exit: Exit::Status(0) };
        let all = vec![exited(1), exited(2), ToServicemgr::Tasks(3)];
        assert!(all.iter().all(ToServicemgr::joins) && !ToServicemgr::State.joins());
        let packet: Vec<u8> = all.iter().flat_map(ToServicemgr::encode).collect();
        assert_eq!(ToServicemgr::decode_all(&packet), Ok(all));
        for cut in [0, 1, 17, 19, 38, 40] {
            let packet = packet.get(..cut).unwrap();
            assert!(ToServicemgr::decode_all(packet).is_err(), "{cut}");
        }
        let foreign = [exited(1).encode(), ToServicemgr::State.encode()].concat();
        assert_eq!(ToServicemgr::decode_all(&foreign), Err(BadPacket));
    }

    #[test]
    fn cut_and_padded_packets_are_refused() {
        for packet in [&b""[..], b"A", b"E", b"E\x09", b"H", b"Rx", b"?", b"S1"] {
            assert_eq!(ToPid1::decode(packet), Err(BadPacket), "{packet:?}");
        }
        for packet in [&b""[..], b"x", b"x\0abc", b"g123", b"h", b"s\x07", b"h\xff", b"n123"] {
            assert_eq!(ToServicemgr::decode(packet), Err(BadPacket), "{packet:?}");
        }
    }
}
