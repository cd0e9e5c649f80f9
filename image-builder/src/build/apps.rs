//! The apps of a device: each a step of its own, and a file of the root.

use anyhow::Result;
use model::bundle::BundleId;
use model::text::App;
use model::text::bundle::write;

use super::{Job, Refused, content};
use crate::bundle;
use crate::steps::{Inputs, Output, Steps};
use crate::tree::{Content, Kind, Tree};

impl Job<'_> {
    /// The bundle of each app.
    pub(super) fn apps(&self) -> Result<&[(BundleId, Output)]> {
        if let Some(apps) = self.apps.get() {
            return Ok(apps);
        }
        let built = self.loaded.apps.bundles.iter().map(|app| {
            let refused =
                |e: anyhow::Error| Refused(self.loaded.refused_app(&app.name, &format!("{e:#}")));
            let tree = bundle::tree(&app.manifest, &app.source).map_err(refused)?;
            Ok((app.manifest.id.clone(), self.app(app, &tree)?))
        });
        let built = built.collect::<Result<Vec<_>>>()?;
        Ok(self.apps.get_or_init(|| built))
    }

    fn app(&self, app: &App, tree: &Tree) -> Result<Output> {
        let mut inputs =
            Inputs::new("bundle").bytes("bundle.toml", write(&app.manifest).as_bytes());
        for (path, node) in tree.iter() {
            let label = format!("file {path}");
            inputs = match &node.kind {
                Kind::File(Content::Slice { file, .. }) => {
                    inputs.file(label, file)?.value(format!("mode of {path}"), &node.mode)?
                }
                Kind::File(Content::Bytes(bytes)) => inputs.bytes(label, bytes),
                Kind::Symlink(target) => inputs.bytes(label, target.as_bytes()),
                _ => inputs.value(label, &node.mode)?,
            };
        }
        let output =
            self.step(&inputs, |path| bundle::write(&app.manifest, tree, path, None).map(drop))?;
        // More apps than results of a step stay: none goes before the root has it.
        Steps::hold(&output)?;
        Ok(output)
    }

    /// Puts the apps into the root, if all is there that they need.
    pub(super) fn place_apps(&self, tree: &mut Tree) -> Result<()> {
        for app in &self.loaded.apps.bundles {
            let missing = bundle::device::missing(&app.manifest, tree);
            if let Some(first) = missing.first() {
                let why = format!(
                    "it needs {first}, which no package or [[file]] of the device brings: find the package \
                     that does, and add it to [packages] install"
                );
                return Err(Refused(self.loaded.refused_app(&app.name, &why)).into());
            }
        }
        let bundle = |(id, output): &(BundleId, Output)| Ok((id.clone(), content(&output.path)?));
        let apps = self.apps()?.iter().map(bundle).collect::<Result<Vec<_>>>()?;
        bundle::device::place(tree, apps, &self.loaded.apps.trust)
    }
}
