//! `ens bench apps`: how soon an app is in front, and what many apps cost that nobody uses.
//!
//! ```text
//! modules of the device ───────┐                     ┌─ until all is settled, with and without bundles
//! programs, profiles, plan ────┼─► initramfs ─► QEMU ─ starts, beside bare ones of the same program
//! bundles of bench-nothing ────┘  -icount shift=0    └─ memory of ability-manager
//! ```
//!
//! A guest is a device with its journal, ability-manager and their sandboxes, as they ship, and the trees that an
//! app is shown; all files are in memory. Each guest measures one thing from its start on, so there are several.

mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use model::Name;
use model::plan::Plan;
use model::sandbox::Compiled;
use model::service::Service;
use model::text::Loaded;
use model::text::bundle::parse;
use serde::Serialize;

use crate::bench_peers::{character, facts, put, read};
use crate::bench_sandbox::shown;
use crate::bundle;
use crate::recipe::{self, Program, TIME};
use crate::tree::{Content, Node, Tree};
use crate::write::cpio;

pub use self::table::table;

/// Our programs in the guest.
pub const PROGRAMS: [(&str, &str); 2] =
    [("bench-apps", "usr/bin/bench-apps"), ("bench-nothing", NOTHING)];

/// The program of all apps.
const NOTHING: &str = "usr/bin/nothing";

/// Services of the device that the guest has.
const SERVICES: [&str; 2] = ["ability-manager", "journal"];

/// The service that measures.
const MEASURE: &str = "measure";

/// Apps with a root of their own, one of them over a runtime, and that: what else they have is the same.
pub const ROOTED: [&str; 3] = ["bench.apps.root", "bench.apps.over", "bench.runtime"];

/// How many bundles "many" are.
pub const MANY: u32 = 200;

/// One guest.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    /// What it measures, a word for the program in it.
    pub order: &'static str,
    /// Bundles of its image.
    pub bundles: u32,
    /// And those of [`ROOTED`].
    pub rooted: bool,
}

/// All guests, in order; what the last one tells is only in its console.
pub const GUESTS: [Guest; 7] = [
    Guest { order: "boot", bundles: 0, rooted: false },
    Guest { order: "soon", bundles: 1, rooted: false },
    Guest { order: "later", bundles: 1, rooted: false },
    Guest { order: "many", bundles: MANY, rooted: false },
    Guest { order: "ready", bundles: 1, rooted: false },
    Guest { order: "rooted", bundles: 1, rooted: true },
    Guest { order: "trace", bundles: MANY, rooted: false },
];

/// What a guest told. Times are virtual nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Until every service was ready; not of all guests.
    pub settled: Option<u64>,
    /// From the first call of ability-manager to its answer, which is started for it.
    pub first_answer: Option<u64>,
    /// By the way of starting.
    pub start: BTreeMap<String, u64>,
    /// KiB of ability-manager that are resident, and of these those that are no file's.
    pub resident: BTreeMap<String, (u64, u64)>,
}

/// The services of the guest.
///
/// # Errors
/// The device lacks one, or the graph has a mistake.
pub fn plan(loaded: &Loaded) -> Result<Plan> {
    let wanted = |s: &&Service| SERVICES.contains(&s.name.as_str());
    let mut services: Vec<Service> = loaded.plan.services.iter().filter(wanted).cloned().collect();
    ensure!(services.len() == SERVICES.len(), "the device lacks one of {}", SERVICES.join(", "));
    let name = Name::try_from(MEASURE.to_owned())?;
    let exec = ["/usr/bin/bench-apps", MEASURE].map(str::to_owned);
    services.push(Service::new(name, exec.to_vec()));
    let enabled: Vec<Name> = services.iter().map(|s| s.name.clone()).collect();
    Plan::link("bench", services, &enabled).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the benchmark's services: {}", errors.join("; "))
    })
}

/// Writes the bundle of an app whose program is `program`: bundle `number`, which the device's programs surround.
///
/// # Errors
/// It cannot be written.
pub fn bundle(number: u32, program: &Content, out: &Path) -> Result<()> {
    let skill = format!(
        "\n[[ability.skill]]\nactions = [\"view\"]\nuri = [{{ scheme = \"https\", host = \"a{number}.example\" }}]\n"
    );
    let text = manifest(&format!("bench.apps.a{number}"), "", "nothing") + &skill;
    write(&text, &[("nothing", program)], out)
}

/// Writes one of [`ROOTED`].
///
/// # Errors
/// It cannot be written.
pub fn rooted(id: &str, program: &Content, out: &Path) -> Result<()> {
    let [own, over, runtime] = ROOTED;
    let text = match id {
        _ if id == own => manifest(id, "layout = \"root\"\n", "/usr/bin/nothing"),
        _ if id == over => {
            let runtime = format!("\n[runtime]\nbundle = \"{runtime}\"\nversion = \"1.0.0\"\n");
            manifest(id, "layout = \"root\"\n", "/usr/bin/nothing") + &runtime
        }
        _ => format!(
            "id = \"{id}\"\nversion = \"1.0.0\"\nname = \"R\"\nabout = \"Lies below\"\nkind = \"runtime\"\n"
        ),
    };
    // The program of the one that lies over a runtime is that of the runtime.
    let place = if id == over { "opt/nothing" } else { "usr/bin/nothing" };
    write(&text, &[(place, program)], out)
}

fn manifest(id: &str, more: &str, program: &str) -> String {
    format!(
        "id = \"{id}\"\nversion = \"1.0.0\"\nname = \"App\"\nabout = \"Waits\"\n{more}\n\
         [requires]\narchitectures = [\"x86_64\"]\n\n[[ability]]\nname = \"main\"\nexec = [\"{program}\", \"stay\"]\n"
    )
}

fn write(manifest: &str, files: &[(&str, &Content)], out: &Path) -> Result<()> {
    let manifest = parse("bundle.toml", manifest).map_err(|r| anyhow::anyhow!(r.render(false)))?;
    let mut tree = Tree::new();
    for (path, program) in files {
        let above = Path::new(path).ancestors().skip(1).filter_map(Path::to_str);
        let mut above: Vec<&str> = above.filter(|above| !above.is_empty()).collect();
        above.reverse();
        for directory in above {
            tree.insert(directory, Node::directory(0o755))?;
        }
        tree.insert(path, Node::file(0o755, (*program).clone()))?;
    }
    bundle::write(&manifest, &tree, out, None).map(drop)
}

/// The file system of a guest, but for its bundles and its order: `loaded` has the plan of the guest, `app` is the
/// sandbox of an app.
///
/// # Errors
/// Two things are at one place.
pub fn root(
    loaded: &Loaded,
    programs: Vec<(Program, Content)>,
    theirs: &[(String, Content)],
    app: &Compiled,
) -> Result<Tree> {
    let mut tree = Tree::new();
    let directories = [
        "bench/bundles",
        "dev",
        "etc",
        "proc",
        "run",
        "sys",
        "sysroot",
        "tmp",
        "usr/bin",
        "usr/lib/ensemble/bundles",
        "usr/sbin",
        "var/lib",
        "var/log",
        "var/tmp",
    ];
    for directory in directories {
        tree.insert(directory, Node::directory(0o755))?;
    }
    for (link, target) in ["bin", "lib", "lib64", "sbin"].map(|name| (name, format!("usr/{name}")))
    {
        tree.insert(link, Node::symlink(target))?;
        tree.insert(&format!("usr/{link}"), Node::directory(0o755))?;
    }
    shown(&mut tree, app)?;
    put(&mut tree, "etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n")?;
    put(&mut tree, "etc/group", 0o644, "root:x:0:\n")?;
    put(&mut tree, "etc/hostname", 0o644, "bench\n")?;
    for (path, major, minor) in [("dev/console", 5, 1), ("dev/null", 1, 3)] {
        tree.insert(path, character(major, minor))?;
    }
    for (path, content) in theirs {
        tree.insert(path, Node::file(0o755, content.clone()))?;
    }
    recipe::ours(&mut tree, loaded, programs)?;
    tree.insert("init", Node::symlink("usr/bin/bench-apps"))?;
    Ok(tree)
}

/// The initramfs of a guest: that of the device, for its modules, and `tree` over it with what this guest has.
///
/// # Errors
/// It cannot be written.
pub fn initramfs(
    guest: Guest,
    mut tree: Tree,
    bundles: &[(String, Content)],
    device: &Path,
    out: &Path,
) -> Result<()> {
    put(&mut tree, "bench/order", 0o644, guest.order)?;
    let count = usize::try_from(guest.bundles)?;
    let rooted = |(name, _): &&(String, Content)| ROOTED.iter().any(|id| name.starts_with(id));
    let plain = bundles.iter().filter(|one| !rooted(one)).take(count);
    for (name, content) in plain.chain(bundles.iter().filter(|one| guest.rooted && rooted(one))) {
        tree.insert(&format!("bench/bundles/{name}"), Node::file(0o644, content.clone()))?;
    }
    cpio::write(&tree, TIME, out)?;
    // The kernel unpacks one after the other: what comes later counts.
    let whole = out.with_extension("whole");
    let mut to = File::create(&whole).with_context(|| format!("writing {}", whole.display()))?;
    for part in [device, out] {
        let mut from = File::open(part).with_context(|| format!("reading {}", part.display()))?;
        let written = io::copy(&mut from, &mut to)?;
        let missing = written.next_multiple_of(4) - written;
        io::copy(&mut io::Read::take(io::repeat(0), missing), &mut to)?;
    }
    Ok(std::fs::rename(&whole, out)?)
}

/// Runs a guest; its console stays in `log`.
///
/// # Errors
/// QEMU does not run, or the guest did not come to its end; its last lines are in the text.
pub fn run(kernel: &Path, initramfs: &Path, log: &Path) -> Result<Measured> {
    read(kernel, initramfs, log, measured)
}

/// Reads `bench: WHAT … NUMBER` lines.
fn measured(lines: &[String]) -> Result<Measured> {
    let mut found = Measured::default();
    for words in facts(lines)? {
        match words.as_slice() {
            ["settled", n] => found.settled = Some(n.parse()?),
            ["first-answer", n] => found.first_answer = Some(n.parse()?),
            ["start", way, n] => {
                found.start.insert((*way).to_owned(), n.parse()?);
            }
            ["resident", when, all, own] => {
                found.resident.insert((*when).to_owned(), (all.parse()?, own.parse()?));
            }
            _ => bail!("the guest says: {}", words.join(" ")),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_tells_is_read_and_an_end_before_its_end_is_an_error() {
        let lines = [
            "noise",
            "bench: settled 7",
            "bench: first-answer 8",
            "bench: start new 9",
            "bench: resident running 3000 1000",
            "bench: done",
        ];
        let lines = lines.map(str::to_owned);
        let found = measured(&lines).unwrap();
        assert_eq!((found.settled, found.first_answer), (Some(7), Some(8)));
        assert_eq!(found.start["new"], 9);
        assert_eq!(found.resident["running"], (3000, 1000));
        assert!(measured(&lines[..5]).is_err());
        let failed = measured(&["bench: failed=no such app".to_owned()]).unwrap_err();
        assert_eq!(failed.to_string(), "the guest says: failed=no such app");
    }

    #[test]
    fn the_bundles_of_apps_are_such_that_devices_take_them() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("one.bundle");
        let program = Content::from(b"program".to_vec());
        bundle(7, &program, &out).unwrap();
        let whole = || ::bundle::Bundle::open(File::open(&out).unwrap()).unwrap().check().is_ok();
        assert!(whole());
        for id in ROOTED {
            rooted(id, &program, &out).unwrap();
            assert!(whole(), "{id}");
        }
    }
}
