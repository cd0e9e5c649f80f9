//! The apps of a device: each a step of its own, and a file of the root.

use std::ffi::OsStr;

use anyhow::Result;
use model::bundle::BundleId;
use model::text::bundle::write;

use super::{Builder, Job, Refused, content};
use crate::bundle::{self, Prepared, Sources};
use crate::steps::{Held, Inputs, Output};
use crate::tree::{Content, Kind, Tree};

/// An app of the device. More of them than results of a step stay: each is held, none goes before the root has it.
pub(super) struct App {
    pub(super) id: BundleId,
    pub(super) bundle: Output,
    _held: Held,
}

impl Job<'_> {
    /// The bundle of each app.
    pub(super) fn apps(&self) -> Result<&[App]> {
        if let Some(apps) = self.apps.get() {
            return Ok(apps);
        }
        let Builder { workspace, cache, progress, .. } = *self.builder;
        let sources = Sources { workspace, cache, relock: self.relock, progress };
        let built = self.loaded.apps.bundles.iter().map(|app| {
            let refused =
                |e: anyhow::Error| Refused(self.loaded.refused_app(&app.name, &format!("{e:#}")));
            let prepared =
                bundle::prepare(&app.manifest, &app.source, &sources).map_err(refused)?;
            self.app(&prepared)
        });
        let built = built.collect::<Result<Vec<_>>>()?;
        Ok(self.apps.get_or_init(|| built))
    }

    fn app(&self, Prepared { manifest, tree }: &Prepared) -> Result<App> {
        let mut inputs = Inputs::new("bundle").bytes("bundle.toml", write(manifest).as_bytes());
        let cached = self.builder.cache.root();
        for (path, node) in tree.iter() {
            let label = format!("file {path}");
            inputs = match &node.kind {
                // A part of a file of the cache, which is called by its content wherever the cache is.
                Kind::File(Content::Slice { file, offset, len }) if file.starts_with(cached) => {
                    inputs.value(
                        label,
                        &(file.file_name().and_then(OsStr::to_str), offset, len, node.mode),
                    )?
                }
                Kind::File(Content::Slice { file, .. }) => {
                    inputs.file(label, file)?.value(format!("mode of {path}"), &node.mode)?
                }
                Kind::File(Content::Bytes(bytes)) => {
                    inputs.bytes(label, bytes).value(format!("mode of {path}"), &node.mode)?
                }
                Kind::Symlink(target) | Kind::Hardlink(target) => {
                    inputs.bytes(label, target.as_bytes())
                }
                _ => inputs.value(label, &node.mode)?,
            };
        }
        let bundle =
            self.step(&inputs, |path| bundle::write(manifest, tree, path, None).map(drop))?;
        let held = Held::new(&bundle)?;
        Ok(App { id: manifest.id.clone(), bundle, _held: held })
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
        let bundle = |app: &App| Ok((app.id.clone(), content(&app.bundle.path)?));
        let apps = self.apps()?.iter().map(bundle).collect::<Result<Vec<_>>>()?;
        let manifests = self.loaded.apps.bundles.iter().map(|app| &app.manifest);
        bundle::device::mark_work(tree, manifests)?;
        bundle::device::place(tree, apps, &self.loaded.apps.trust)?;
        bundle::device::place_stores(tree, &self.loaded.apps.stores)
    }
}
