//! Questions to softbus, and pairing, which takes its time.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use api::devices::Error;
use api::paths::DEVICES_SOCKET;

use super::{Daemon, Lost, PATIENCE, bus_words, is_gone, is_late, repeat};
use crate::bus::{Devices, Stage};
use crate::fault::Fault;

const SOFTBUS: Daemon = Daemon {
    name: "softbus",
    socket: DEVICES_SOCKET,
    fds: true,
    advice: "see `ensctl service status softbus`; a device without it is alone",
};

/// Asks softbus, as [`super::services()`]. Answers may carry descriptors.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn devices<T>(
    again: bool,
    limit: Option<Duration>,
    ask: impl Fn(Devices<'_>) -> Result<T, Error>,
) -> Result<T, Fault> {
    let answer = repeat(&SOFTBUS, again, limit, |wire| ask(Devices(wire)), lost_devices)?;
    let late = || SOFTBUS.late(limit.unwrap_or(PATIENCE));
    answer.ok_or_else(late)?.map_err(said_devices)
}

/// How a pairing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// With its next stage.
    Stage,
    /// With that, or with what somebody types if that comes before.
    Typed,
    /// It is over.
    Over,
}

/// Begins an attempt to pair, and hands over each stage of it until `each` says that it was the last. No stage: there is
/// something to read.
///
/// # Errors
/// [`Fault`], in words for people: also when softbus is gone meanwhile.
pub(crate) fn pairing(
    begin: impl FnOnce(Devices<'_>) -> Result<u32, Error>,
    mut each: impl FnMut(Devices<'_>, u32, Option<&Stage>) -> Result<Next, Fault>,
) -> Result<(), Fault> {
    let wire = SOFTBUS.connect(None)?;
    let bus = Devices(&wire);
    let attempt = begin(bus).map_err(said_devices)?;
    let input = io::stdin();
    let mut next = Next::Stage;
    while next != Next::Over {
        let typed = (next == Next::Typed).then(|| input.as_fd());
        let stage = bus.stage(typed).map_err(said_devices)?;
        if stage.as_ref().is_none_or(|stage| stage.attempt == attempt) {
            next = each(bus, attempt, stage.as_ref())?;
        }
    }
    Ok(())
}

fn lost_devices(error: Error) -> Lost<Error> {
    match error {
        Error::ZBus(zbus::Error::InputOutput(e)) if is_gone(&e) => Lost::Gone,
        Error::ZBus(zbus::Error::InputOutput(e)) if is_late(&e) => Lost::Late,
        other => Lost::Said(other),
    }
}

/// An answer that is an error, in words for people.
pub(crate) fn said_devices(error: Error) -> Fault {
    match error {
        Error::NotFound(why) => Fault::NoSuchService(why),
        Error::Failed(why) | Error::Busy(why) => Fault::NotWell(why),
        Error::Refused(why) | Error::Invalid(why) | Error::NotPermitted(why) => Fault::Refused(why),
        Error::ZBus(e) => SOFTBUS.unreachable(&bus_words(&e)),
    }
}
