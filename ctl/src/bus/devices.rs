//! Other devices of the owner, as [`api::devices::Devices`] says.

use std::collections::HashMap;
use std::os::fd::{BorrowedFd, OwnedFd};

use api::devices::{Check, Device, Error, INTERFACE, Nearby, PATH};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::zvariant::{DynamicType, Type};

use wire::client::{Object, Wire};

const DEVICES: Object = Object { path: PATH, interface: INTERFACE };

/// Words by their names.
pub(crate) type Words<'a> = HashMap<&'a str, &'a str>;

/// What came of an attempt to pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) attempt: u32,
    pub(crate) stage: String,
    pub(crate) detail: HashMap<String, String>,
}

/// The calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Devices<'a>(pub(crate) &'a Wire);

impl Devices<'_> {
    fn call<B, R>(&self, member: &str, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        Ok(self.0.call(DEVICES, member, body)?)
    }

    pub(crate) fn list(&self) -> Result<Vec<Device>, Error> {
        self.call("List", &())
    }

    pub(crate) fn nearby(&self) -> Result<Vec<Nearby>, Error> {
        self.call("Nearby", &())
    }

    pub(crate) fn accept(&self, options: &Words<'_>) -> Result<u32, Error> {
        self.call("Accept", &(options,))
    }

    pub(crate) fn pair(&self, target: &str, options: &Words<'_>) -> Result<u32, Error> {
        self.call("Pair", &(target, options))
    }

    pub(crate) fn confirm(&self, attempt: u32, yes: bool) -> Result<(), Error> {
        self.call("Confirm", &(attempt, yes))
    }

    pub(crate) fn answer(&self, attempt: u32, code: &str) -> Result<(), Error> {
        self.call("Answer", &(attempt, code))
    }

    /// The next that comes of an attempt to pair; none when `typed` can be read before.
    pub(crate) fn stage(&self, typed: Option<BorrowedFd<'_>>) -> Result<Option<Stage>, Error> {
        loop {
            if let Some(typed) = typed
                && !self.0.comes_before(typed).map_err(zbus::Error::from)?
            {
                return Ok(None);
            }
            let signal = self.0.signal()?;
            if signal.header().member().is_some_and(|member| member.as_str() == "Pairing") {
                let (attempt, stage, detail) = signal.body().deserialize()?;
                return Ok(Some(Stage { attempt, stage, detail }));
            }
        }
    }

    pub(crate) fn remove(&self, device: &str) -> Result<(), Error> {
        self.call("Remove", &(device,))
    }

    pub(crate) fn rename(&self, device: &str, name: &str) -> Result<(), Error> {
        self.call("Rename", &(device, name))
    }

    pub(crate) fn set_level(&self, device: &str, level: &str) -> Result<(), Error> {
        self.call("SetLevel", &(device, level))
    }

    pub(crate) fn set_label(&self, device: &str, label: &str) -> Result<(), Error> {
        self.call("SetLabel", &(device, label))
    }

    pub(crate) fn leave(&self) -> Result<(), Error> {
        self.call("Leave", &())
    }

    pub(crate) fn add_address(&self, address: &str) -> Result<(), Error> {
        self.call("AddAddress", &(address,))
    }

    pub(crate) fn forget_address(&self, address: &str) -> Result<(), Error> {
        self.call("ForgetAddress", &(address,))
    }

    pub(crate) fn info(&self, device: &str) -> Result<HashMap<String, String>, Error> {
        self.call("Info", &(device,))
    }

    pub(crate) fn doctor(&self, device: &str) -> Result<Vec<Check>, Error> {
        self.call("Doctor", &(device,))
    }

    pub(crate) fn pick(&self, needs: &[&str]) -> Result<Vec<Device>, Error> {
        self.call("Pick", &(needs,))
    }

    pub(crate) fn open(
        &self,
        device: &str,
        target: &str,
        arguments: &Words<'_>,
    ) -> Result<OwnedFd, Error> {
        let fd: zbus::OwnedFd = self.call("Open", &(device, target, arguments))?;
        Ok(fd.into())
    }
}
