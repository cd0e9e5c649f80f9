//! A program that cargo builds, as the file of a bundle.

use anyhow::{Result, bail};
use model::text::bundle::Crate;

use super::Sources;
use crate::tree::Tree;

pub(super) fn tree(wanted: &Crate, _: &[String], _: &Sources<'_>) -> Result<Tree> {
    bail!("{}: not built yet", wanted.package)
}
