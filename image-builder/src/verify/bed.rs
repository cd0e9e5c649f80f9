//! The devices of one case: each across power cuts and reboots, and what lies between them.
//!
//! ```text
//! off ──start: boot, network, services──► on ──power cut, ended──► off ──► …
//! ```
//!
//! Invariant: a device that starts again is plugged into the network again, with the address it had at first, since that
//! is what it knows; links stay as they were changed.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use model::case::Link;

use crate::progress::Progress;
use crate::run::guest::{Guest, Stopped};
use crate::run::network::{self, Network};
use crate::run::{self, Boot, Options};

/// Longest time for what we ask a device ourselves.
const ASK: Duration = Duration::from_secs(60);

/// All devices of a case.
pub(super) struct Bed<'a> {
    devices: Vec<Device<'a>>,
    network: Option<&'a Network>,
}

/// A device that may be started again.
pub(super) struct Device<'a> {
    boot: &'a Boot<'a>,
    options: &'a Options,
    guest: Option<Guest>,
    /// Of all devices of its network.
    names: Vec<String>,
}

impl<'a> Bed<'a> {
    /// Devices that are off.
    pub(super) fn new(mut devices: Vec<Device<'a>>, network: Option<&'a Network>) -> Self {
        let names: Vec<String> = devices.iter().map(|device| device.boot.name.to_owned()).collect();
        for device in devices.iter_mut().filter(|_| network.is_some()) {
            device.names.clone_from(&names);
        }
        Self { devices, network }
    }

    /// Starts all of them at the same time.
    pub(super) fn start(&mut self, progress: &dyn Progress) -> Result<()> {
        for device in &mut self.devices {
            device.boot.prepare(device.options, progress)?;
            device.begin(progress).map_err(|e| device.blamed(e))?;
        }
        self.devices.iter_mut().try_for_each(|device| device.up().map_err(|e| device.blamed(e)))
    }

    /// The device with this number.
    pub(super) fn device(&mut self, number: usize) -> Result<&mut Device<'a>> {
        self.devices.get_mut(number).context("the case has no such device")
    }

    /// An error of the device with this number.
    pub(super) fn blamed(&self, number: usize, error: anyhow::Error) -> anyhow::Error {
        match self.devices.get(number) {
            Some(device) => device.blamed(error),
            None => error,
        }
    }

    /// Changes links.
    pub(super) fn link(&self, link: &Link) -> Result<()> {
        let network = self.network.context("the case has no network")?;
        let places: Vec<(usize, u8)> =
            self.devices.iter().map(|device| device.boot.place).enumerate().collect();
        for (a, one) in &places {
            for (_, other) in places.iter().filter(|(b, _)| a < b && link.means(*a, *b)) {
                for change in &link.changes {
                    network.change(*one, *other, *change);
                }
            }
        }
        Ok(())
    }

    /// Ends all that are on, in order.
    pub(super) fn power_off(mut self) -> Result<()> {
        let mut guests: Vec<Guest> =
            self.devices.iter_mut().filter_map(|device| device.guest.take()).collect();
        guests.iter_mut().for_each(Guest::announce_power_off);
        guests.into_iter().try_for_each(Guest::power_off)
    }

    /// Keeps the devices' logs for whoever looks into the failure.
    pub(super) fn keep_logs(&mut self) {
        for device in &mut self.devices {
            let Some(guest) = &mut device.guest else { continue };
            // A device that cannot tell its log any more still has its console.
            if let Ok(log) = guest.capture(&["ensctl", "log"], b"", ASK) {
                let _lost = fs::write(device.boot.directory.join("log.txt"), log.stdout);
            }
        }
    }
}

impl<'a> Device<'a> {
    /// One that is off.
    pub(super) fn new(boot: &'a Boot<'a>, options: &'a Options) -> Self {
        Self { boot, options, guest: None, names: Vec::new() }
    }

    /// How it is started.
    pub(super) fn boot(&self) -> &'a Boot<'a> {
        self.boot
    }

    /// Whether it runs.
    pub(super) fn is_on(&self) -> bool {
        self.guest.is_some()
    }

    /// Starts it, the first time or again.
    pub(super) fn start(&mut self, progress: &dyn Progress) -> Result<()> {
        self.begin(progress)?;
        self.up()
    }

    /// Lets it boot.
    fn begin(&mut self, progress: &dyn Progress) -> Result<()> {
        // The one before must be gone before its disk is opened again.
        self.guest = None;
        // Nor may what it said then be taken for what this one says.
        let _first = fs::remove_file(self.boot.console());
        let guest = self.boot.start(self.options, progress)?;
        self.guest = Some(guest);
        Ok(())
    }

    /// Waits until it is up. One that does not get up is off.
    fn up(&mut self) -> Result<()> {
        let mut guest = self.guest.take().context("the device is not running")?;
        guest.wait_for_agent()?;
        if !self.names.is_empty() {
            network::configure(&mut guest, self.boot.place, &self.names)?;
        }
        // Services that failed are for the case to judge.
        let _settled = guest.capture(&["ensctl", "status", "--wait"], b"", ASK)?;
        self.guest = Some(guest);
        Ok(())
    }

    /// `error` with what QEMU said, and whose it is when there are several.
    fn blamed(&self, error: anyhow::Error) -> anyhow::Error {
        let error = run::silent(error, self.boot);
        if self.names.is_empty() || error.is::<Stopped>() {
            return error;
        }
        error.context(self.boot.name.to_owned())
    }

    /// What runs.
    pub(super) fn guest(&mut self) -> Result<&mut Guest> {
        self.guest.as_mut().context("the device is not running")
    }

    /// Gives it another address.
    pub(super) fn change_address(&mut self, address: Ipv4Addr) -> Result<()> {
        let place = self.boot.place;
        network::change_address(self.guest()?, place, address)
    }

    /// Asks it to go down.
    pub(super) fn ask(&mut self, how: &str, limit: Duration) -> Result<()> {
        // The answer may get lost on the way down.
        let _asked = self.guest()?.capture(&["ensctl", how], b"", limit);
        Ok(())
    }

    /// Waits for its end.
    pub(super) fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.guest.take().context("the device is not running")?.wait_for_end(limit)
    }

    /// Its disk, once it is off.
    pub(super) fn disk_when_off(&self) -> Result<&'a Path> {
        if self.guest.is_some() {
            bail!("the device is on: power it off before its disk is harmed");
        }
        self.options.persist.as_deref().context("the device has no disk")
    }
}
