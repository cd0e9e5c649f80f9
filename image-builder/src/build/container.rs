//! The steps for containers: the root as a directory, or as an OCI archive.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Job;
use crate::recipe;
use crate::steps::Output;
use crate::write::{oci, unpack};

impl Job<'_> {
    pub(super) fn rootfs(&self) -> Result<Output> {
        let owner = if sys::process::user() == 0 { "root" } else { "another user" };
        let inputs = self.tree_inputs("rootfs")?.bytes("who builds", owner.as_bytes());
        self.step(&inputs, |path| unpack::to_directory(self.tree()?, recipe::TIME, path).map(drop))
    }

    pub(super) fn oci(&self) -> Result<Output> {
        let device = self.device();
        let inputs = self.tree_inputs("oci")?.value("the name", &device.name)?;
        self.step(&inputs, |path| {
            let config = oci::Config {
                name: format!("{}:{}", device.name, tag(&device.version)),
                architecture: recipe::architecture(device.target).to_owned(),
                entrypoint: vec!["/usr/lib/ensemble/init".to_owned()],
                labels: BTreeMap::from([(
                    "org.opencontainers.image.version".to_owned(),
                    device.version.clone(),
                )]),
                stop_signal: "SIGTERM".to_owned(),
                time: recipe::TIME,
            };
            let mut tree = self.tree()?.clone();
            recipe::plan(&mut tree, &recipe::for_oci(&self.loaded.plan))?;
            oci::write(&tree, &config, path)
        })
    }
}

/// A version as the tag of an image: OCI takes letters, digits, `_`, `.` and `-`.
fn tag(version: &str) -> String {
    version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}
