//! Pairing: links of the engine, timers and the owner at the bus around the pure state machines.

use std::collections::HashMap;

use api::devices::Error;

use super::hub::Hub;
use crate::engine::{Announcement, Link};

/// Attempts that are under way.
#[derive(Debug, Default)]
pub(super) struct Pairing;

impl Pairing {
    /// What is announced because of it.
    #[expect(clippy::unused_self, reason = "the window will be asked")]
    pub(super) fn announcement(&self, _hub: &Hub) -> Option<Announcement> {
        None
    }
}

/// Options of a call, by name.
pub(super) type Options = HashMap<String, String>;

fn not_yet<T>() -> Result<T, Error> {
    Err(Error::Failed("pairing is not built yet".to_owned()))
}

#[expect(clippy::unused_self, clippy::needless_pass_by_value, reason = "until pairing is built")]
impl Hub {
    pub(super) fn accept(&mut self, _client: u64, _options: Options) -> Result<u32, Error> {
        not_yet()
    }

    pub(super) fn pair(
        &mut self,
        _client: u64,
        _target: &str,
        _options: Options,
    ) -> Result<u32, Error> {
        not_yet()
    }

    pub(super) fn confirm(&mut self, _attempt: u32, _yes: bool) -> Result<(), Error> {
        not_yet()
    }

    pub(super) fn answer(&mut self, _attempt: u32, _code: &str) -> Result<(), Error> {
        not_yet()
    }

    pub(super) fn cancel(&mut self, _attempt: u32) -> Result<(), Error> {
        not_yet()
    }

    /// A device that wants to pair has a link.
    pub(super) fn pairing_link(&mut self, link: Link) {
        link.close("nobody here waits for a new device");
    }

    /// A client hung up: its attempts end with it.
    pub(super) fn client_left(&mut self, _client: u64) {}
}
