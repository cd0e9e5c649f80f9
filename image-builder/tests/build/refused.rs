//! Builds that cannot be done: what is wrong is told at its place, and nothing stays behind.

use std::fs;
use std::path::{Path, PathBuf};

use image_builder::build::Refused;
use image_builder::built::Flavor;
use image_builder::packages::cache::Cache;
use image_builder::packages::resolve;
use model::text::{Loaded, Report};

use crate::job;

/// A device that inherits `headless`, with this text, and its lock.
fn device(directory: &Path, text: &str) -> PathBuf {
    let toml = directory.join("mine.toml");
    fs::write(&toml, format!("version = 1\ninherit = [\"headless\"]\n{text}")).unwrap();
    let shipped = job::workspace().root().join("configs/devices/headless.lock");
    fs::copy(shipped, resolve::lock_path(&toml)).unwrap();
    toml
}

fn brief(report: &Report) -> String {
    let findings = report.findings();
    let line = |f: &model::text::Finding| format!("{}:{} {}", f.line, f.column, f.message);
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What is told about a device with this text.
fn told(text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let error = job::build(&device(directory.path(), text), directory.path(), Flavor::Machine);
    let error = error.unwrap_err();
    no_half_result(directory.path());
    match error.downcast_ref() {
        Some(Refused(report)) => brief(report),
        None => format!("{error:#}"),
    }
}

/// No disk, and nothing half-made.
fn no_half_result(directory: &Path) {
    let list = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path());
    let steps = directory.join("steps");
    assert_eq!(list(steps.join("disk")).next(), None);
    let half = list(steps).flat_map(list).find(|path| path.to_string_lossy().contains("partial"));
    assert_eq!(half, None);
}

#[test]
fn a_file_that_cannot_be_where_it_is_wanted_is_told_at_its_line() {
    let file = |path: &str| told(&format!("[[file]]\npath = \"{path}\"\ncontent = \"\"\n"));
    insta::assert_snapshot!(file("/usr/bin"), @"4:8 `/usr/bin` cannot be in the image: a directory that is not empty is there already");
    insta::assert_snapshot!(file("/usr/bin/busybox/x"), @"4:8 `/usr/bin/busybox/x` cannot be in the image: it leads through something that is not a directory");
    insta::assert_snapshot!(file("/usr/lib/ensemble/init"), @"4:8 `/usr/lib/ensemble/init` cannot be in the image: Ensemble's own program or plan is there, which [[file]] does not replace");
    insta::assert_snapshot!(file("/usr/lib/ensemble/services/web.toml"), @"4:8 `/usr/lib/ensemble/services/web.toml` cannot be in the image: what is there comes from services/ beside the device's TOML");
}

#[test]
fn a_module_the_kernel_does_not_have_is_told_at_its_line() {
    insta::assert_snapshot!(told("[kernel]\nmodules = [\"virtio_blk\", \"virtio_bulk\"]\n").split_once(' ').unwrap().0, @"4:26");
}

#[test]
fn a_file_below_bin_goes_where_bin_leads_and_services_are_there_for_drop_ins() {
    let directory = tempfile::tempdir().unwrap();
    let toml = device(directory.path(), "[[file]]\npath = \"/bin/mine\"\ncontent = \"x\"\n");
    let built = job::build(&toml, directory.path(), Flavor::Container).unwrap();
    let image_builder::built::Parts::Container { root } = built.parts else { panic!("{built:?}") };
    assert_eq!(fs::read_to_string(root.join("usr/bin/mine")).unwrap(), "x");
    let journal = fs::read_to_string(root.join("usr/lib/ensemble/services/journal.toml")).unwrap();
    assert!(journal.contains("/usr/lib/ensemble/journal"), "{journal}");
}

#[test]
fn a_source_that_vanished_or_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::write(&source, "x").unwrap();
    let toml = device(directory.path(), "[[file]]\npath = \"/etc/x\"\nsource = \"source\"\n");
    let loaded: Loaded = job::load(&toml);
    fs::remove_file(&source).unwrap();
    let cache = Cache::of_user(&job::workspace());
    let error = job::with_loaded(&cache, &loaded, &toml, directory.path(), |builder, order| {
        builder.build(order, Flavor::Machine).unwrap_err()
    });
    let Refused(report) = error.downcast_ref().unwrap();
    let shown = brief(report).replace(directory.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(shown, @"4:8 `/etc/x` cannot be in the image: reading DIR/source: No such file or directory (os error 2)");
    no_half_result(directory.path());
}

#[test]
fn files_that_do_not_fit_into_the_state_are_an_error_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    fs::File::create(directory.path().join("big")).unwrap().set_len(32 << 20).unwrap();
    let text = "[storage]\nstate = \"16M\"\n[[file]]\npath = \"/var/lib/big\"\nsource = \"big\"\n";
    let error = job::build(&device(directory.path(), text), directory.path(), Flavor::Machine);
    insta::assert_snapshot!(format!("{:#}", error.unwrap_err()), @"step `disk` of mine: cannot fill the partition state: the files do not fit into 16 MiB: make it larger: invalid: image size too small for the declared namespace");
    no_half_result(directory.path());
}

#[test]
fn a_package_that_is_neither_cached_nor_to_be_had_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = "[packages]\nmirror = \"http://127.0.0.1:9/debian\"\n"; // nobody listens there
    let toml = device(directory.path(), nowhere);
    let cache = Cache::new(directory.path().join("cache"));
    let error = job::with(&cache, &toml, directory.path(), |builder, order| {
        format!("{:#}", builder.build(order, Flavor::Container).unwrap_err())
    });
    assert!(error.starts_with("step `rootfs` of mine: fetching busybox"), "{error}");
    assert!(error.contains("connect to the network"), "{error}");
}
