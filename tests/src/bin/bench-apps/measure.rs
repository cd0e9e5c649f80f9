//! What is measured, by the word of the order.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sys::clock::monotonic;

use crate::asking::Asking;
use crate::{bare, sleep, tell, trace};

/// What is measured in this guest.
const ORDER: &str = "/bench/order";

/// Long after the last service is ready: what servicemgr makes ahead is made.
const LATER: Duration = Duration::from_secs(20);

/// Before it has made anything.
const SOON: Duration = Duration::from_millis(20);

/// Between two starts that count, when all is calm: longer than servicemgr waits before it makes anything, and
/// than what is off the screen runs on.
const PAUSE: Duration = Duration::from_secs(8);

/// Between two of many starts: so that those in a second are not too many.
pub(crate) const STEP: Duration = Duration::from_millis(200);

/// Starts that count.
pub(crate) const STARTS: u32 = 9;

/// Apps that run at the same time when memory is measured.
const RUNNING: u32 = 50;

/// Bundles that the starts use, before those of the others.
const USED: u32 = 30;

pub(crate) fn run() -> io::Result<()> {
    match fs::read_to_string(ORDER)?.trim() {
        "boot" => boot().map(drop),
        "many" => many(),
        "ready" => ready(),
        "rooted" => rooted(),
        "trace" => traced(),
        "soon" => first("soon", SOON),
        "later" => first("later", LATER),
        order => Err(io::Error::other(format!("nobody knows {order}"))),
    }?;
    tell("bench: done");
    Ok(())
}

pub(crate) fn app(number: u32) -> String {
    format!("bench.apps.a{number}")
}

/// When everything was settled, and how long ability-manager takes to its first answer.
fn boot() -> io::Result<Asking> {
    sleep(LATER);
    let boot = Command::new("/usr/bin/ensctl").args(["boot", "--json"]).output()?;
    let boot: serde_json::Value = serde_json::from_slice(&boot.stdout)?;
    let settled = boot["settled"].as_u64().filter(|n| *n > 0);
    tell(&format!("bench: settled {}", settled.ok_or(io::ErrorKind::NotFound)?));
    let (asking, first) = Asking::new()?;
    tell(&format!("bench: first-answer {}", first.as_nanos()));
    sleep(PAUSE);
    resident("idle")?;
    Ok(asking)
}

/// The first start of the device.
fn first(name: &str, after: Duration) -> io::Result<()> {
    sleep(after);
    let (asking, started, took) = Asking::with_start(&app(0))?;
    tell(&format!("bench: start first-{name} {}", took.as_nanos()));
    asking.stop(&started.unit).map(drop)
}

/// The first start since boot of an app that ran before it, with ability-manager up for a while: as after a boot
/// servicemgr and ability-manager know nothing, and nothing is mounted.
fn ready() -> io::Result<()> {
    let mut times = Vec::new();
    for number in 0..STARTS {
        let (asking, _) = Asking::new()?;
        sleep(PAUSE);
        let (started, _) = asking.start(&app(0))?;
        asking.stop(&started.unit)?;
        drop(asking);
        ensctl(&["service", "stop", "ability-manager"])?;
        ensctl(&["reload"])?;
        sys::mount::unmount(&Path::new("/run/bundles").join(app(0)))?;
        sleep(PAUSE);
        let (asking, _) = Asking::new()?;
        sleep(LATER);
        let (started, took) = asking.start(&app(0))?;
        times.push(took);
        asking.stop(&started.unit)?;
        if number + 1 < STARTS {
            drop(asking);
            ensctl(&["service", "stop", "ability-manager"])?;
        }
    }
    median("first-ready", times);
    Ok(())
}

/// Apps that see the device's programs, their own, and their own over those of a runtime.
fn rooted() -> io::Result<()> {
    sleep(LATER);
    let (asking, _) = Asking::new()?;
    for (name, app) in
        [("plain", app(0)), ("root", "bench.apps.root".into()), ("over", "bench.apps.over".into())]
    {
        let mut times = Vec::new();
        for number in 0..=STARTS {
            sleep(PAUSE);
            let (started, took) = asking.start(&app)?;
            sleep(STEP);
            asking.stop(&started.unit)?;
            // The first one makes its data, and reads its program.
            if number > 0 {
                times.push(took);
            }
        }
        median(&format!("again-{name}"), times);
    }
    secret("lock-set", &["lock", "set"])?;
    ensctl(&["lock", "lock"])?;
    secret("lock-unlock", &["lock", "unlock"])
}

/// A command that asks for the owner's secret, from its start to its end.
fn secret(name: &str, arguments: &[&str]) -> io::Result<()> {
    sleep(PAUSE);
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(b"sesame\n")?;
    drop(writer);
    let began = monotonic();
    let status = Command::new("/usr/bin/ensctl").args(arguments).stdin(reader).status()?;
    let took = monotonic() - began;
    if !status.success() {
        return Err(io::Error::other(format!("ensctl {arguments:?}: {status}")));
    }
    median(name, vec![took]);
    Ok(())
}

fn ensctl(arguments: &[&str]) -> io::Result<()> {
    let status = Command::new("/usr/bin/ensctl").args(arguments).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("ensctl {arguments:?}: {status}")))
    }
}

/// The first start of an app, and the next one, call by call; the first answer of an ability-manager that read all
/// manifests before; and a bare start of a program that nobody has read.
fn traced() -> io::Result<()> {
    sleep(LATER);
    drop(Asking::new()?);
    sleep(PAUSE);
    ensctl(&["service", "stop", "ability-manager"])?;
    sleep(PAUSE);
    trace::prepare()?;
    let (asking, _) = trace::of("answer", Asking::new)?;
    sleep(PAUSE);
    trace::of("bare", bare::cold)?;
    sleep(PAUSE);
    for name in ["first", "other", "again"] {
        let app = app(u32::from(name == "other"));
        let (started, _) = trace::of(name, || asking.start(&app))?;
        sleep(PAUSE);
        asking.stop(&started.unit)?;
        sleep(PAUSE);
    }
    Ok(())
}

fn many() -> io::Result<()> {
    let asking = boot()?;
    bare::all()?;
    starts(&asking)?;
    parts(&asking)?;
    for number in USED..USED + RUNNING {
        asking.start(&app(number))?;
        sleep(STEP);
    }
    sleep(PAUSE);
    resident("running")?;
    drop(asking);
    ensctl(&["service", "stop", "ability-manager"])?;
    sleep(PAUSE);
    let (_asking, next) = Asking::new()?;
    tell(&format!("bench: start answer-again {}", next.as_nanos()));
    Ok(())
}

/// Starts with all that is known and made, with less, and in a row.
fn starts(asking: &Asking) -> io::Result<()> {
    let (mut new, mut again, mut front, mut stop) = (vec![], vec![], vec![], vec![]);
    for number in 0..STARTS {
        sleep(PAUSE);
        let (started, took) = asking.start(&app(number))?;
        new.push(took);
        sleep(PAUSE);
        stop.push(asking.stop(&started.unit)?);
    }
    for _ in 0..STARTS {
        sleep(PAUSE);
        let (started, took) = asking.start(&app(0))?;
        again.push(took);
        sleep(STEP);
        asking.stop(&started.unit)?;
    }
    median("new", new);
    median("again", again);
    median("stop", stop);
    sleep(PAUSE);
    row(asking, "row-again", &[0; 9])?;
    sleep(PAUSE);
    let others: Vec<u32> = (STARTS..2 * STARTS).collect();
    row(asking, "row-new", &others)?;
    let (one, _) = asking.start(&app(0))?;
    let (other, _) = asking.start(&app(1))?;
    for _ in 0..STARTS {
        sleep(PAUSE);
        front.push(asking.show(one.mission)?);
        sleep(PAUSE);
        asking.show(other.mission)?;
    }
    median("front", front);
    asking.stop(&one.unit)?;
    asking.stop(&other.unit).map(drop)
}

/// Each is stopped before the next one starts, without a pause.
fn row(asking: &Asking, name: &str, numbers: &[u32]) -> io::Result<()> {
    let mut times = Vec::new();
    for number in numbers {
        let (started, took) = asking.start(&app(*number))?;
        times.push(took);
        asking.stop(&started.unit)?;
    }
    median(name, times);
    Ok(())
}

/// What a start is made of: calls alone, and what servicemgr does for it.
fn parts(asking: &Asking) -> io::Result<()> {
    let (mut manager, mut services) = (vec![], vec![]);
    let (mut compile, mut prepare, mut launch) = (vec![], vec![], vec![]);
    for number in 0..STARTS {
        sleep(PAUSE);
        let (one, other) = asking.nothing()?;
        manager.push(one);
        services.push(other);
        // An app that has another place each time has a sandbox that nobody knows.
        let (definition, uid) = definition(&app(0), &format!("/run/apps/{number}"))?;
        compile.push(asking.prepare(&definition, uid)?);
        sleep(PAUSE);
        prepare.push(asking.prepare(&definition, uid)?);
        sleep(PAUSE);
        let unit = format!("app@{}_{}", app(0), 9000 + number);
        launch.push(asking.launch(&unit, &definition, uid)?);
        sleep(STEP);
        asking.kill(&unit)?;
    }
    median("call-manager", manager);
    median("call-services", services);
    median("compile", compile);
    median("prepare", prepare);
    median("launch", launch);
    Ok(())
}

/// An instance as ability-manager describes it, but for its bus.
fn definition(id: &str, place: &str) -> io::Result<(String, u32)> {
    fs::create_dir_all(place)?;
    let data = format!("/var/lib/apps/{id}");
    let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("{data}/el2"))?);
    let text = format!(
        "exec = [\"/run/bundles/{id}/nothing\", \"stay\"]\nworking-directory = \"/run/bundles/{id}\"\n\
         environment = {{ HOME = \"{data}/el2\" }}\nlimits = {{ pids = 512, storage = \"65536K\" }}\n\
         sandbox = {{ inherit = [\"app\"], files = {{ execute = [\"/run/bundles/{id}\"], read = [\"{place}\"], \
         write = [\"{data}/el1\", \"{data}/el2\"] }} }}\n"
    );
    Ok((text, uid))
}

pub(crate) fn median(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let middle = times.get(times.len() / 2).map_or(0, Duration::as_nanos);
    tell(&format!("bench: start {name} {middle}"));
}

/// KiB of ability-manager that are resident, and of these what is its own alone.
fn resident(when: &str) -> io::Result<()> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let exe = fs::read_link(entry.path().join("exe"));
        if !exe.is_ok_and(|exe| exe.ends_with("ability-manager")) {
            continue;
        }
        let status = fs::read_to_string(entry.path().join("status"))?;
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").to_owned()
        };
        tell(&format!("bench: resident {when} {} {}", of("VmRSS:"), of("RssAnon:")));
    }
    Ok(())
}
