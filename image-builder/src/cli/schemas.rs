//! What is made from the types that read TOML: schemas for editors, the reference for people.

use anyhow::Result;
use model::text::Source;
use model::text::permission::{self, Defined};

use crate::host_files::HostFiles;
use crate::workspace::Workspace;

/// Writes `configs/schema`, `docs/manifest.md` and `docs/permissions.md`; prints the files that changed.
pub(super) fn write(workspace: &Workspace) -> Result<()> {
    let schemas = model::schema::all();
    let mut files: Vec<(String, String)> =
        schemas.into_iter().map(|(name, text)| (format!("configs/schema/{name}"), text)).collect();
    files.push(("docs/manifest.md".to_owned(), model::schema::reference()));
    let permissions = model::schema::permissions(&permissions(workspace)?);
    files.push(("docs/permissions.md".to_owned(), permissions));
    for (name, text) in files {
        let file = workspace.root().join(&name);
        if std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&file, text)?;
        super::print(&name);
    }
    Ok(())
}

/// The permissions that ship, by name.
fn permissions(workspace: &Workspace) -> Result<Vec<Defined>> {
    let directory = workspace.root().join("configs/permissions");
    let directory = directory.to_string_lossy().into_owned();
    let mut names = HostFiles::alone().list(&directory)?;
    names.sort();
    let names = names.iter().filter_map(|name| name.strip_suffix(".toml"));
    let load = |name| permission::load(&HostFiles::alone(), std::slice::from_ref(&directory), name);
    names.map(|name| load(name).map_err(|report| super::bad_toml(&report))).collect()
}
