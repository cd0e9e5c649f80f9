//! Every number of the engine, and how a link is set up by them.
//!
//! Invariant: a peer that keeps all rules of QUIC and none of ours costs no more than these numbers say.

use std::time::Duration;

use iroh::endpoint::{IdleTimeout, QuicTransportConfig, VarInt};

/// Links at once, both ways together: a device speaks with few, and knows the others by what they announce.
pub const MAX_LINKS: usize = 16;

/// Strangers that are being asked who they are. More wait at their end and ask again.
pub const MAX_HANDSHAKES: usize = 32;

/// Being asked at once from which on a stranger shows first that it is at the address it writes from.
pub(super) const CROWDED: usize = 8;

/// A stranger says who it is within this.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Addresses of one peer that are tried at once.
pub const MAX_ADDRESSES: usize = 16;

/// Events that wait for the daemon; whatever comes then waits outside.
pub const MAX_EVENTS: usize = 64;

/// Silence that is broken by a word, so that a lost link is noticed and a mapping of a router stays.
pub const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// Silence that is a lost link. With [`KEEP_ALIVE`] before it, which starts it anew, a link that was lost is closed within
/// 14 s: the 15 s that the owner is promised.
pub const IDLE: Duration = Duration::from_secs(10);

/// Streams that a peer may have open on a link.
const MAX_STREAMS: u32 = 64;

/// Bytes that a peer may send on a link without anybody here reading them; a stream has its default of 1.25 MB. More for
/// one stream makes large transfers fail ("too many gaps").
const MAX_UNREAD: u32 = 8 << 20;

/// Bytes written here that a peer has not yet confirmed.
const MAX_UNCONFIRMED: u64 = 4 << 20;

/// Bytes of what a peer says when it closes a link.
const MAX_REASON: usize = 200;

/// How links are set up.
pub(super) fn transport() -> QuicTransportConfig {
    let streams = VarInt::from_u32(MAX_STREAMS);
    QuicTransportConfig::builder()
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(KEEP_ALIVE)
        .default_path_max_idle_timeout(IDLE)
        .default_path_keep_alive_interval(KEEP_ALIVE)
        .max_concurrent_bidi_streams(streams)
        // The one on which a dialed peer says that it admits.
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .receive_window(VarInt::from_u32(MAX_UNREAD))
        .send_window(MAX_UNCONFIRMED)
        .datagram_receive_buffer_size(None)
        .build()
}

/// What a peer said, fit to be shown: cut, without anything that a terminal would obey.
pub(super) fn said(bytes: &[u8]) -> String {
    let bytes = bytes.get(..MAX_REASON).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_is_cut_and_obeyed_by_no_terminal() {
        assert_eq!(said(b"\x1b[2Jgone"), "[2Jgone");
        assert_eq!(said(&[b'a'; 1000]).len(), MAX_REASON);
        assert_eq!(said(&[0xff]), "\u{fffd}");
    }

    #[test]
    fn a_lost_link_is_noticed_within_15_seconds() {
        assert!(KEEP_ALIVE + IDLE < Duration::from_secs(15));
    }
}
