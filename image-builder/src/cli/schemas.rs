//! What is made from the types that read TOML: schemas for editors, the reference for people.

use anyhow::Result;

use crate::workspace::Workspace;

/// Writes `configs/schema` and `docs/manifest.md`; prints the files that changed.
pub(super) fn write(workspace: &Workspace) -> Result<()> {
    let schemas = model::schema::all();
    let mut files: Vec<(String, String)> =
        schemas.into_iter().map(|(name, text)| (format!("configs/schema/{name}"), text)).collect();
    files.push(("docs/manifest.md".to_owned(), model::schema::reference()));
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
