//! Timers and parameters, with a real servicemgr and real time: what they start, and what outlives
//! a servicemgr that is killed.
//!
//! One test at a time, for each reaps every child of this process.

#[expect(dead_code, reason = "a device knows more than these tests ask for")]
mod device;
mod plans;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use api::params::{Error, ParamsProxy};
use device::Device;
use model::Plan;
use model::service::{Kind, Output, ParameterMatch, RestartWhen, Service, Start, Timer, TimerWhen};
use plans::{plan, service};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A service on demand that adds a line to `file` at each start and ends with `status`.
fn counter(named: &str, file: &Path, status: u8) -> Service {
    let script = format!("echo {named} >> {}; exit {status}", file.display());
    let exec = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
    let mut counter = Service { exec, output: Output::Null, kind: Kind::Oneshot, ..service(named) };
    counter.start = Start::Demand;
    counter.restart.when = RestartWhen::Never;
    counter
}

fn timer(when: TimerWhen, persistent: bool) -> Vec<Timer> {
    let none = Duration::ZERO;
    vec![Timer { when, random_delay: none, accuracy: none, persistent }]
}

fn calendar(text: &str) -> TimerWhen {
    TimerWhen::Calendar(text.parse().expect("a calendar expression"))
}

/// All of them, enabled.
fn all(services: Vec<Service>) -> Plan {
    let names: Vec<_> = services.iter().map(|s| s.name.clone()).collect();
    Plan { device: "test 1".to_owned(), ..plan(services, &names) }
}

fn count(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().count()
}

/// Asks about parameters.
fn ask<T, F>(device: &Device, ask: impl Fn(ParamsProxy<'static>) -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let path = device.path("services.sock");
    device.until("a socket", || path.exists());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let stream =
            std::os::unix::net::UnixStream::connect(&path).map_err(|e| Error::ZBus(e.into()))?;
        let connection = zbus::connection::Builder::unix_stream(stream).p2p().build().await?;
        ask(ParamsProxy::new(&connection).await?).await
    })
}

fn get(device: &Device, name: &'static str) -> Result<String, Error> {
    ask(device, |bus| async move { bus.get(name).await })
}

fn set(device: &Device, name: &'static str, value: &'static str) -> Result<(), Error> {
    ask(device, |bus| async move { bus.set(name, value).await })
}

#[test]
fn timers_start_services_again_and_again_whoever_dies() {
    let _alone = ONE_AT_A_TIME.lock();
    let files = tempfile::tempdir().expect("a directory");
    let file = |name: &str| files.path().join(name);
    let mut second = counter("second", &file("second"), 0);
    second.activation.timers = timer(calendar("*:*:*"), false);
    let mut failing = counter("failing", &file("failing"), 3);
    failing.activation.timers = timer(calendar("*:*:*"), false);
    let mut once = counter("once", &file("once"), 0);
    once.activation.timers = timer(TimerWhen::AfterBoot(Duration::from_millis(100)), false);
    let mut pause = counter("pause", &file("pause"), 0);
    pause.activation.timers = timer(TimerWhen::AfterEnd(Duration::from_secs(1)), false);
    let mut never = counter("never", &file("never"), 0);
    never.activation.timers = timer(calendar("2025-01-01"), false);
    let device = Device::boot(&all(vec![second, failing, once, pause, never]));
    device.settled();
    let enough = |n| {
        device.until("starts of all", || {
            ["second", "failing", "pause"].iter().all(|name| count(&file(name)) >= n)
        });
    };
    enough(2);
    device.kill_servicemgr();
    let before = ["second", "failing", "pause"].map(|name| count(&file(name))).into_iter().max();
    enough(before.expect("three") + 2);
    assert_eq!(count(&file("once")), 1);
    assert_eq!(count(&file("never")), 0);
    let status = device.status("second");
    assert!(status.facts.iter().any(|fact| fact.about == "due"), "{:?}", status.facts);
}

#[test]
fn a_run_missed_while_the_device_was_off_is_made_up_for_once() {
    let _alone = ONE_AT_A_TIME.lock();
    let files = tempfile::tempdir().expect("a directory");
    let file = |name: &str| files.path().join(name);
    let mut missed = counter("missed", &file("missed"), 0);
    missed.activation.timers = timer(calendar("yearly"), true);
    let mut new = counter("new", &file("new"), 0);
    new.activation.timers = timer(calendar("yearly"), true);
    let device = Device::boot_prepared(&all(vec![missed, new]), |directory| {
        let stamps = directory.join("state/timers");
        fs::create_dir_all(&stamps).expect("a directory");
        fs::write(stamps.join("missed"), "1700000000\n").expect("a stamp");
    });
    device.settled();
    device.until("the run", || count(&file("missed")) == 1);
    device.kill_servicemgr();
    device.settled();
    assert_eq!((count(&file("missed")), count(&file("new"))), (1, 0));
    let stamp = fs::read_to_string(device.path("state/timers/missed")).expect("a stamp");
    assert!(stamp.trim().parse::<u64>().expect("a time") > 1_700_000_000);
    assert!(device.path("state/timers/new").exists(), "its time begins now");
}

#[test]
fn a_parameter_starts_services_and_outlives_servicemgr() {
    let _alone = ONE_AT_A_TIME.lock();
    let files = tempfile::tempdir().expect("a directory");
    let file = |name: &str| files.path().join(name);
    let wants = |name: &str, value: &str| {
        vec![ParameterMatch { name: name.to_owned(), value: value.to_owned() }]
    };
    let mut night = counter("night", &file("night"), 0);
    night.activation.parameters = wants("mode", "night");
    let mut after = counter("after", &file("after"), 0);
    after.activation.parameters = wants("service.night", "done");
    let mut saved = counter("saved", &file("saved"), 0);
    saved.activation.parameters = wants("persist.on", "*");
    let device = Device::boot_prepared(&all(vec![night, after, saved]), |directory| {
        fs::create_dir_all(directory.join("state")).expect("a directory");
        fs::write(directory.join("state/parameters"), "persist.on=yes\nbad line\n")
            .expect("a file");
    });
    device.settled();
    // What it has at boot triggers, too.
    device.until("the start by what was saved", || count(&file("saved")) == 1);
    assert_eq!(get(&device, "service.night"), Ok("armed".to_owned()));
    assert_eq!(set(&device, "mode", "day"), Ok(()));
    assert_eq!(set(&device, "mode", "night"), Ok(()));
    device.until("the start by a value", || count(&file("night")) == 1);
    device.until("the start by a state", || count(&file("after")) == 1);
    assert_eq!(set(&device, "persist.volume", "11"), Ok(()));
    let on_disk = || fs::read_to_string(device.path("state/parameters")).unwrap_or_default();
    assert_eq!(on_disk(), "persist.on=yes\npersist.volume=11\n");
    device.kill_servicemgr();
    device.settled();
    assert_eq!(get(&device, "mode"), Ok("night".to_owned()));
    assert_eq!(get(&device, "persist.volume"), Ok("11".to_owned()));
    assert_eq!((count(&file("night")), count(&file("saved"))), (1, 1));
    let all = ask(&device, |bus| async move { bus.list("service.").await }).expect("a list");
    let names: Vec<_> = all.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(names, ["service.after", "service.night", "service.saved"]);
}

#[test]
fn who_waits_hears_of_the_value_and_who_asks_for_nonsense_hears_why() {
    let _alone = ONE_AT_A_TIME.lock();
    let device = Device::boot(&all(vec![service("nothing")]));
    device.settled();
    let waited = ask(&device, |bus| async move {
        // Each on the same connection: the wait does not stand in the way of the rest.
        let wait = bus.wait("mode", "night", 60_000);
        let set = async {
            bus.set("mode", "day").await?;
            bus.set("mode", "night").await
        };
        let (got, set) = tokio::join!(wait, set);
        set?;
        got
    });
    assert_eq!(waited, Ok("night".to_owned()));
    let late = ask(&device, |bus| async move { bus.wait("mode", "day", 20).await });
    assert!(matches!(late, Err(Error::TimedOut(_))), "{late:?}");
    assert!(matches!(get(&device, "nobody"), Err(Error::NoSuchParameter(_))));
    for (name, value) in [("service.nothing", "ready"), ("No", "x"), ("const.device", "mine")] {
        let refused = set(&device, name, value);
        assert!(matches!(refused, Err(Error::Refused(_))), "{name}: {refused:?}");
    }
    assert_eq!(get(&device, "const.device"), Ok("test 1".to_owned()));
}
