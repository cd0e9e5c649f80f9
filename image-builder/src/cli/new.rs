//! `ens new`: a commented TOML to start from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use model::Name;
use model::text::{
    template_case, template_device, template_permission, template_sandbox, template_service,
};

use super::print;
use crate::workspace::Workspace;

/// Write a commented TOML to start from
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens new device kitchen --from tablet   configs/devices/kitchen.toml
  ens new service hello                  configs/services/hello.toml
  ens new sandbox hello                  configs/sandbox/hello.toml
  ens new permission hello               configs/permissions/hello.toml
  ens new case hello                     tests/cases/hello/case.toml")]
pub(super) struct New {
    /// What to write
    kind: Kind,

    /// What it is called: a-z, 0-9 and -
    name: String,

    /// The device that a new device inherits
    #[arg(long, value_name = "DEVICE", default_value = "base")]
    from: String,

    /// Write the file here instead of its usual place
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Device,
    Service,
    Sandbox,
    Permission,
    Case,
}

impl New {
    pub(super) fn run(self) -> Result<u8> {
        if let Err(why) = Name::try_from(self.name.as_str()) {
            bail!("`{}`: {why}", self.name);
        }
        let usual = self.usual_place();
        let file = match self.out {
            Some(file) => file,
            None => Workspace::find()?.root().join(usual),
        };
        if file.exists() {
            bail!("{} is there already: choose another name, or edit it", file.display());
        }
        let schema = schema_from(&file);
        let text = match self.kind {
            Kind::Device => template_device(&self.name, &self.from, &schema),
            Kind::Service => template_service(&self.name, &schema),
            Kind::Sandbox => template_sandbox(&self.name, &schema),
            Kind::Permission => template_permission(&self.name, &schema),
            Kind::Case => template_case(&self.name, &schema),
        };
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        print(&file.display().to_string());
        Ok(0)
    }

    fn usual_place(&self) -> PathBuf {
        let name = &self.name;
        match self.kind {
            Kind::Device => format!("configs/devices/{name}.toml"),
            Kind::Service => format!("configs/services/{name}.toml"),
            Kind::Sandbox => format!("configs/sandbox/{name}.toml"),
            Kind::Permission => format!("configs/permissions/{name}.toml"),
            Kind::Case => format!("tests/cases/{name}/case.toml"),
        }
        .into()
    }
}

/// The way from `file` to `configs/schema`, for its `#:schema` line.
pub(super) fn schema_from(file: &Path) -> String {
    let full = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let Ok(workspace) = Workspace::find() else { return "schema".to_owned() };
    let schema = workspace.root().join("configs/schema");
    let Some(directory) = full.parent() else { return "schema".to_owned() };
    relative(directory, &schema)
}

/// `to` as seen from the directory `from`; both absolute.
pub(super) fn relative(from: &Path, to: &Path) -> String {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| PathBuf::from(".."));
    let down: PathBuf = to.components().skip(common).collect();
    up.chain([down]).collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_line_points_from_the_file_to_the_schemas() {
        let to = |from: &str| relative(Path::new(from), Path::new("/p/configs/schema"));
        assert_eq!(to("/p/configs/devices"), "../schema");
        assert_eq!(to("/p/tests/cases/web"), "../../../configs/schema");
    }
}
