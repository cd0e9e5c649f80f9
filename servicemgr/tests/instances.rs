//! Instances of apps under a real servicemgr: who they are, what they may, how their end is told. Needs root and
//! namespaces, and says so where it has none.
//!
//! One test at a time, for each reaps every child of this process.

#![expect(clippy::print_stderr, reason = "a test that can't run says so")]

#[expect(dead_code, reason = "other tests need more of a device")]
mod device;
#[expect(dead_code, reason = "other tests need more plans")]
mod plans;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::pin::Pin;
use std::sync::Mutex;

use api::services::{EndedStream, Error, ServicesProxy, State};
use device::Device;
use futures_core::Stream;
use model::Plan;
use model::sandbox::{Compiled, Mount};
use sandbox::wire::encode_answer;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The user of the app.
const UID: u32 = 10_001;

const ONE: &str = "app@org.example.notes_1";
const TWO: &str = "app@org.example.notes_2";

/// Two permissions, about which nobody and the owner decide, and one that the profile is against.
const PERMISSIONS: [(&str, &str); 3] = [
    (
        "hall",
        "version = 1\nabout = \"use the hall\"\ngrant = \"system\"\n[files]\nread = [\"/srv/hall\"]\n",
    ),
    ("photos", "version = 1\nabout = \"keep pictures\"\n[files]\nread = [\"/srv/photos\"]\n"),
    ("secrets", "version = 1\nabout = \"know secrets\"\n[files]\nread = [\"/root/keys\"]\n"),
];

fn able(test: &str) -> bool {
    let here = sys::confine::features();
    let able = sys::process::user() == 0 && here.namespaces && here.network_namespace;
    if !able {
        eprintln!("{test}: skipped: not root, or the kernel lacks it: {here:?}");
    }
    able
}

/// A device whose compiler notes each time that it is asked, and the directory of the app's data.
fn device() -> (Device, tempfile::TempDir) {
    let own = tempfile::tempdir_in("/var/tmp").expect("a directory");
    chown(own.path(), Some(UID), Some(UID)).expect("root");
    let other = plans::service("other");
    let plan = Plan::link("test 1", vec![other], &[]).expect("it links");
    let device = Device::boot_prepared(&plan, |directory| {
        let definitions = directory.join("definitions");
        let permissions = definitions.join("permissions");
        fs::create_dir_all(&permissions).expect("a directory");
        for (name, text) in PERMISSIONS {
            fs::write(permissions.join(format!("{name}.toml")), text).expect("a file");
        }
        let mounts = vec![
            Mount::Private,
            Mount::ReadOnly,
            Mount::Writable(own.path().display().to_string()),
            Mount::Tmp("/tmp".into(), 1 << 20),
        ];
        let compiled = Compiled { mounts, no_network: true, ..Compiled::default() };
        let answer = encode_answer(&vec![Ok(compiled)]).expect("an answer");
        fs::write(directory.join("answer"), answer).expect("a file");
        let place = directory.display();
        let script = format!("#!/bin/sh\necho >> {place}/asked\nexec /bin/cat {place}/answer\n");
        let compiler = definitions.join("sandbox-compiler");
        fs::write(&compiler, script).expect("a file");
        fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).expect("a program");
    });
    device.settled();
    (device, own)
}

/// What an instance is: it says who it is, and then `does` this.
fn definition(own: &Path, does: &str) -> String {
    let own = own.display();
    let script = format!(
        "cd {own}; {{ id -u; id -g; id -G; touch /etc/mine 2>/dev/null || echo sealed; }} > who; {does}"
    );
    format!(
        "exec = [\"/bin/sh\", \"-c\", '{script}']\noutput = \"null\"\n[sandbox]\nkeyring = \"own\"\n\
         [sandbox.files]\nread = [\"/usr\", \"/etc\"]\nwrite = [\"{own}\"]\n[sandbox.forbid]\nfiles = [\"/root\"]\n"
    )
}

fn sleeps(own: &Path) -> String {
    definition(own, "exec sleep 1000")
}

fn launch(device: &Device, name: &str, definition: &str, granted: &[&str]) -> Result<(), Error> {
    device.call(|s| async move { s.launch(name, definition, UID, granted, &[]).await })
}

fn asked(device: &Device) -> usize {
    fs::read_to_string(device.path("asked")).unwrap_or_default().len()
}

fn state(device: &Device, name: &str) -> Option<State> {
    let rows = device.call(|s| async move { s.list().await }).expect("a list");
    rows.into_iter().find(|row| row.name == name).map(|row| row.state)
}

/// The next end that is told: which, how, number, why.
async fn next(ends: &mut EndedStream) -> Option<(String, String, i32, String)> {
    let next = std::future::poll_fn(|context| Pin::new(&mut *ends).poll_next(context)).await?;
    let told = next.args().ok()?;
    Some((told.name.into(), told.how.into(), told.number, told.why.into()))
}

/// Watches before it does something, and gives the ends that come after.
async fn watched(s: &ServicesProxy<'_>) -> Result<EndedStream, Error> {
    let ends = s.receive_ended().await?;
    s.watch_ends("app@").await?;
    Ok(ends)
}

#[test]
fn an_instance_is_nobody_but_its_app_and_outlives_servicemgr() {
    let _one = ONE_AT_A_TIME.lock();
    if !able("user") {
        return;
    }
    let (device, own) = device();
    let text = sleeps(own.path());
    launch(&device, ONE, &text, &[]).expect("it starts");
    let who = || fs::read_to_string(own.path().join("who")).unwrap_or_default();
    device.until("its word", || who() == format!("{UID}\n{UID}\n{UID}\nsealed\n"));
    launch(&device, TWO, &text, &[]).expect("it starts");
    assert_eq!(asked(&device), 1, "both have one sandbox");
    let before = device.status(ONE);
    assert_eq!((before.row.state, before.user.as_str()), (State::Ready, "10001"));
    device.kill_servicemgr();
    let after = device.status(ONE);
    assert_eq!((after.row.pid, after.user), (before.row.pid, before.user));
    assert_eq!(asked(&device), 2, "once for both");

    // They do not come back by themselves, and nothing of them is left.
    device.call(|s| async move { s.kill(TWO).await }).expect("it is killed");
    sys::process::signal(u32::try_from(after.row.pid).expect("a process"), 11).expect("it runs");
    device.until("nothing", || state(&device, ONE).is_none());
    assert_eq!(state(&device, TWO), None);
    assert!(!Path::new("/etc/mine").exists());
}

#[test]
fn what_is_prepared_starts_without_the_compiler_and_what_can_not_be_is_refused_before() {
    let _one = ONE_AT_A_TIME.lock();
    if !able("prepare") {
        return;
    }
    let (device, own) = device();
    let text = &sleeps(own.path());
    let prepare = |granted: &'static [&'static str], uid| {
        device.call(|s| async move { s.prepare(text, uid, granted).await })
    };
    prepare(&[], UID).expect("it can be made");
    prepare(&["photos", "hall"], UID).expect("it can be made");
    assert_eq!(asked(&device), 1, "permissions that are about files have the same filter");
    launch(&device, ONE, text, &[]).expect("it starts");
    launch(&device, TWO, text, &["hall", "photos", "hall"]).expect("it starts");
    assert_eq!(asked(&device), 1, "all was there");
    let rows = device.call(|s| async move {
        let proxy = api::permissions::PermissionsProxy::new(s.inner().connection()).await?;
        proxy.list(TWO).await
    });
    let rows = rows.expect("a list");
    let has: Vec<_> = rows.iter().map(|r| (r.permission.as_str(), r.by.as_str())).collect();
    assert_eq!(has, [("hall", "ability-manager"), ("photos", "ability-manager")]);

    let refused = [
        (prepare(&["secrets"], UID), "the permission `secrets` needs to read `/root/keys`"),
        (prepare(&["unheard-of"], UID), "unheard-of"),
        (prepare(&[], 0), "user 0 is not an app's: those are 10000 to 29999"),
        (launch(&device, "web", text, &[]), "an instance of an app is called app@ID_NUMBER"),
        (launch(&device, ONE, text, &[]), "a service is called `app@org.example.notes_1` already"),
        (launch(&device, "app@a.b_1", "exec = [\"/bin/true\"]", &[]), "confines nothing"),
        (launch(&device, "app@a.b_1", &format!("user = \"daemon\"\n{text}"), &[]), "leave it out"),
    ];
    for (answer, why) in refused {
        let told = answer.expect_err("it is refused").to_string();
        assert!(told.contains(why), "{told}");
    }
    let missing = format!("exec = [\"/no/program\"]\n{}", text.split_once('\n').expect("lines").1);
    assert!(launch(&device, "app@a.b_2", &missing, &[]).is_err());
    assert_eq!((state(&device, "app@a.b_1"), state(&device, "app@a.b_2")), (None, None));

    let permissions = device.call(|s| async move {
        let proxy = api::permissions::PermissionsProxy::new(s.inner().connection()).await?;
        proxy.grant(TWO, "photos", false, false).await
    });
    let why = permissions.expect_err("others decide").to_string();
    assert!(why.contains("`ensctl permission list org.example.notes` shows it"), "{why}");
}

#[test]
fn every_end_is_told_once_also_one_while_nobody_watched_or_servicemgr_was_away() {
    let _one = ONE_AT_A_TIME.lock();
    if !able("ends") {
        return;
    }
    let (device, own) = device();
    let crash = &definition(own.path(), "exit 3");
    let sleep = &sleeps(own.path());
    let told = device.call(|s| async move {
        let mut ends = watched(&s).await?;
        s.launch("app@a.b_1", crash, UID, &[], &[]).await?;
        let first = next(&mut ends).await;
        s.launch("app@a.b_2", sleep, UID, &[], &[]).await?;
        s.kill("app@a.b_2").await?;
        let second = next(&mut ends).await;
        s.launch("app@a.b_3", sleep, UID, &[], &[]).await?;
        s.freeze("app@a.b_3").await?;
        let frozen = s.status("app@a.b_3").await?.row.state;
        s.stop("app@a.b_3").await?;
        Ok((first, second, next(&mut ends).await, frozen))
    });
    let end = |name: &str, how: &str, number: i32, why: &str| {
        Some((name.to_owned(), how.to_owned(), number, why.to_owned()))
    };
    let (first, second, third, frozen) = told.expect("it is told");
    assert_eq!(first, end("app@a.b_1", "status", 3, "exit status 3"));
    assert_eq!(second, end("app@a.b_2", "signal", 9, "killed by SIGKILL"));
    assert_eq!(third, end("app@a.b_3", "signal", 15, "killed by SIGTERM"));
    assert_eq!(frozen, State::Frozen);

    // Nobody watches; then servicemgr is away.
    launch(&device, "app@a.b_4", crash, &[]).expect("it starts");
    device.until("its end", || state(&device, "app@a.b_4").is_none());
    launch(&device, "app@a.b_5", sleep, &[]).expect("it starts");
    launch(&device, "app@a.b_6", sleep, &[]).expect("it starts");
    let pid = device.status("app@a.b_5").row.pid;
    let told = device.call(|s| async move { next(&mut watched(&s).await?).await.ok_or_else(gone) });
    assert_eq!(told.ok(), end("app@a.b_4", "status", 3, "exit status 3"));
    device.stop_servicemgr();
    sys::process::signal(u32::try_from(pid).expect("a process"), 9).expect("it runs");
    device.kill_servicemgr();
    let told = device.call(|s| async move { next(&mut watched(&s).await?).await.ok_or_else(gone) });
    assert_eq!(told.ok(), end("app@a.b_5", "signal", 9, "killed by SIGKILL"));
    assert_eq!(state(&device, "app@a.b_5"), None);
    assert_eq!(state(&device, "app@a.b_6"), Some(State::Ready));
}

fn gone() -> Error {
    Error::Failed("nothing was told".into())
}

#[test]
fn all_processes_of_an_instance_have_its_priority_and_die_at_once() {
    let _one = ONE_AT_A_TIME.lock();
    if !able("priority") {
        return;
    }
    let (device, own) = device();
    let does = "trap \"\" TERM; sleep 1000 & sleep 1001 & wait";
    launch(&device, ONE, &definition(own.path(), does), &[]).expect("it starts");
    device.until("its children", || {
        device.status(ONE).pids.len() == 3 || device.group(ONE).is_none()
    });
    let set = |name: &'static str, score| {
        device.call(|s| async move { s.set_priority(name, score).await })
    };
    set(ONE, 800).expect("it is set");
    for pid in device.status(ONE).pids {
        let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("it runs");
        assert_eq!(score.trim(), "800", "{pid}");
    }
    set(ONE, 0).expect("and back");
    for (name, score) in [(ONE, -1), (ONE, 1001), ("other", 5), ("app@a.b_9", 5)] {
        assert!(set(name, score).is_err(), "{name} {score}");
    }
    // It ignores SIGTERM, and stands still.
    let pids = device.status(ONE).pids;
    device.call(|s| async move { s.freeze(ONE).await }).expect("it stands still");
    let began = sys::clock::monotonic();
    device.call(|s| async move { s.kill(ONE).await }).expect("it is killed");
    assert!(sys::clock::monotonic().saturating_sub(began).as_secs() < 9, "no time to end");
    let runs = |pid: &i32| {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    assert_eq!(pids.iter().filter(|pid| runs(pid)).count(), 0);
    assert_eq!(state(&device, ONE), None);
    assert!(device.call(|s| async move { s.kill(ONE).await }).is_err(), "there is none");
}

#[test]
fn an_app_is_forgotten_when_none_of_its_instances_runs() {
    let _one = ONE_AT_A_TIME.lock();
    if !able("forget") {
        return;
    }
    let (device, own) = device();
    launch(&device, ONE, &sleeps(own.path()), &[]).expect("it starts");
    let forget = |name: &'static str| device.call(|s| async move { s.forget_app(name).await });
    let why = forget("app@org.example.notes").expect_err("it runs").to_string();
    assert!(why.contains("app@org.example.notes_1 runs: stop it first"), "{why}");
    assert!(forget("web").is_err() && forget("app@").is_err() && forget("app@../x").is_err());
    device.call(|s| async move { s.kill(ONE).await }).expect("it is killed");
    forget("app@org.example.notes").expect("nothing is left of it");
    forget("app@org.example.other").expect("there never was one");
}
