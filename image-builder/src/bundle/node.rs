//! A directory with packages of npm.

use std::path::Path;

use anyhow::{Result, bail};

use crate::tree::Tree;

pub(super) fn tree(path: &Path, _: &[String], _: &[String]) -> Result<Tree> {
    bail!("{}: not built yet", path.display())
}
