//! JSON schemas of every kind of TOML, for editors.

use anyhow::Result;

use crate::workspace::Workspace;

/// Writes `configs/schema`.
pub(super) fn write(workspace: &Workspace) -> Result<()> {
    let directory = workspace.root().join("configs/schema");
    std::fs::create_dir_all(&directory)?;
    for (name, text) in schemas() {
        let file = directory.join(name);
        if std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        std::fs::write(&file, text)?;
        super::print(&file.display().to_string());
    }
    Ok(())
}

/// File names and texts.
fn schemas() -> Vec<(String, String)> {
    Vec::new()
}
