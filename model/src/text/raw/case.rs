//! A case exactly as written. The comments here are what an editor shows beside a key.

use toml::Spanned;
use toml::de::DeValue;

use super::File;
use crate::case;
use crate::text::decode::{Any, At, Choice, Decode, Reader, table};

table! {
    /// A test of a running device: case.toml in a folder of its own, with services/ beside it.
    Case, required ["version", "about", "step"] {
        /// Version of this format: 1.
        "version" => version: At<i64>,
        /// What is true when it passes, as a sentence.
        "about" => about: At<String>,
        /// Device it runs on: a name or a path; "headless" when absent. Or several that share a network, each
        /// a table [[device]].
        "device" => device: Devices,
        /// Where it runs; everywhere when absent.
        "on" => on: Vec<At<Choice<case::Ring>>>,
        /// Services that start at boot; all of services/ when absent. Those left out are there, and
        /// off.
        "enable" => enable: Vec<At<String>>,
        /// Services of services/ that run many times.
        "copy" => copy: Vec<At<Copy>>,
        /// Files added to the device.
        "file" => file: Vec<At<File>>,
        /// What is done and what must come of it, in order.
        "step" => step: Vec<At<Step>>,
    }
}

/// `device = "NAME"`, or tables `[[device]]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Devices {
    One(At<String>),
    Several(Vec<At<Member>>),
}

impl Decode for Devices {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Array(_) => Vec::decode(value, r).map(Self::Several),
            _ => At::decode(value, r).map(Self::One),
        }
    }
}

table! {
    /// One of several devices that share a network: 10.77.0.1 for the first, and so on; each knows the others as
    /// NAME.local.
    Member, required ["name"] {
        /// What steps and the other devices call it.
        "name" => name: At<String>,
        /// The device: a name or a path. When absent, the one that the case is run for, "headless" in `ens test`.
        "device" => device: At<String>,
    }
}

table! {
    /// A change of the links between devices, both ways. What is not written stays.
    Link, required [] {
        /// Two names, or one: all of its links; all links of all devices when absent.
        "between" => between: At<Vec<At<String>>>,
        /// Nothing comes through any more; false mends it.
        "cut" => cut: At<bool>,
        /// So many of 100 frames are lost: "10%".
        "loss" => loss: At<String>,
        /// Every frame arrives so much later: "50ms".
        "delay" => delay: At<String>,
    }
}

table! {
    /// A service that runs many times, as NAME-1, NAME-2 and so on; NAME itself does not.
    Copy, required ["service", "count"] {
        /// Name of a file in services/, without .toml.
        "service" => service: At<String>,
        /// How many.
        "count" => count: At<i64>,
    }
}

table! {
    /// Harm to the disk of a machine that is off.
    Harm, required ["partition"] {
        /// Name of the partition: boot, bootctl, root-a, root-b, state.
        "partition" => partition: At<String>,
        /// So many bytes become zeros: "4K". The whole partition is missing when absent.
        "erase" => erase: At<String>,
        /// From here on, as seen from the start of the partition; 0 when absent.
        "at" => at: At<String>,
    }
}

table! {
    /// One step: run, host, disk, link or address, and what must come of it.
    Step, required [] {
        /// Name of the device it is done to; the first when absent.
        "on" => on: At<String>,
        /// A command on the device: program and arguments.
        "run" => run: At<Vec<At<String>>>,
        /// Something done to the device from outside.
        "host" => host: At<Choice<case::Host>>,
        /// Harm done to the disk, between host = "power-off" and host = "power-on".
        "disk" => disk: At<Harm>,
        /// A change of the links between devices.
        "link" => link: At<Link>,
        /// Another address for the device. Nobody is told: NAME.local is where it was.
        "address" => address: At<String>,
        /// Do it this many times in a row; 1 when absent.
        "times" => times: At<i64>,
        /// Longest time it may take: "30s".
        "timeout" => timeout: At<String>,
        /// Repeat it until it is as expected, or this long: "10s".
        "until" => until: At<String>,
        /// Exit status; 0 when absent.
        "exit" => exit: At<i64>,
        /// All of standard output (a line break at the end does not count).
        "stdout" => stdout: At<String>,
        /// All of standard error.
        "stderr" => stderr: At<String>,
        /// Text that must be in standard output.
        "stdout-has" => stdout_has: Vec<At<String>>,
        /// Text that must not be in standard output.
        "stdout-lacks" => stdout_lacks: Vec<At<String>>,
        /// Text that must be in standard error.
        "stderr-has" => stderr_has: Vec<At<String>>,
        /// Values in standard output read as JSON.
        "json" => json: Vec<At<JsonIs>>,
        /// Keep standard output under this name; later steps write {NAME}.
        "save" => save: At<String>,
    }
}

table! {
    /// One value of a JSON document.
    JsonIs, required ["at", "is"] {
        /// JSON pointer (RFC 6901): "/services/0/name".
        "at" => at: At<String>,
        /// What must be there.
        "is" => is: At<Any>,
    }
}
