//! Services in their sandboxes, under a real servicemgr; which needs root and namespaces, and says so
//! where it has none.
//!
//! One test at a time, for each reaps every child of this process.

#![expect(clippy::print_stderr, reason = "a test that can't run says so")]

#[expect(dead_code, reason = "other tests need more of a device")]
mod device;
#[expect(dead_code, reason = "other tests need more plans")]
mod plans;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use api::services::{Error, State};
use device::Device;
use model::Plan;
use model::sandbox::{Compiled, Feature, Mount, Profile};
use model::service::Service;
use plans::name;
use sandbox::wire::encode_answer;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn able(test: &str) -> bool {
    let here = sys::confine::features();
    let able = sys::process::user() == 0 && here.namespaces && here.network_namespace;
    if !able {
        eprintln!("{test}: skipped: not root, or the kernel lacks it: {here:?}");
    }
    able
}

/// What a program in the sandbox finds: nothing in `/tmp`, nothing to write, one interface.
const FOUND: &str = "sealed\n    lo\n";

fn text(own: &Path) -> String {
    let own = own.display();
    let script = format!(
        "cd {own}; {{ ls -A /tmp; touch /etc/mine 2>/dev/null || echo sealed; \
         tail -n +3 /proc/net/dev | cut -d: -f1; }} >"
    );
    format!(
        "type = \"oneshot\"\nremain = true\nexec = [\"/bin/sh\", \"-c\", '{script} main']\n\
         [commands]\nbefore-start = [[\"/bin/sh\", \"-c\", '{script} before']]\n\
         [restart]\nwhen = \"never\"\n[sandbox]\nkeyring = \"own\"\n"
    )
}

/// As the compiler would make it of a profile that may write `own` and has no network.
fn compiled(own: &Path) -> Compiled {
    let mounts = vec![
        Mount::Private,
        Mount::ReadOnly,
        Mount::Writable(own.display().to_string()),
        Mount::Tmp("/tmp".into(), 1 << 20),
    ];
    Compiled { mounts, no_network: true, keyring: true, ..Compiled::default() }
}

fn service(named: &str, own: &Path) -> Service {
    model::text::service::parse(&name(named), &text(own)).expect("a service")
}

fn plan(services: Vec<Service>, compiled: Vec<(Profile, Compiled)>) -> Plan {
    let all: Vec<_> = services.iter().map(|s| s.name.clone()).collect();
    let linked = Plan::link("test 1", services, &all).expect("it links");
    Plan { compiled, ..linked }
}

fn own() -> tempfile::TempDir {
    tempfile::tempdir_in("/var/tmp").expect("a directory")
}

fn read(own: &tempfile::TempDir, file: &str) -> String {
    fs::read_to_string(own.path().join(file)).unwrap_or_default()
}

#[test]
fn a_service_and_its_commands_run_in_the_sandbox_of_the_plan_and_again_after_a_restart() {
    let _one = ONE_AT_A_TIME.lock();
    if !able("plan") {
        return;
    }
    let own = own();
    let app = service("app", own.path());
    let known = ((*app.sandbox).clone(), compiled(own.path()));
    let device = Device::boot(&plan(vec![app], vec![known]));
    device.settled();
    let status = device.status("app").row;
    assert_eq!(status.state, State::Done, "{}", status.reason);
    assert_eq!((read(&own, "before"), read(&own, "main")), (FOUND.into(), FOUND.into()));
    fs::remove_file(own.path().join("main")).expect("it wrote it");
    device.kill_servicemgr();
    device.call(|s| async move { s.restart("app").await }).expect("it restarts");
    assert_eq!(read(&own, "main"), FOUND);
    assert!(!Path::new("/etc/mine").exists());
}

#[test]
fn a_service_does_not_start_without_a_fact_that_its_sandbox_needs() {
    let _one = ONE_AT_A_TIME.lock();
    let own = own();
    let app = service("app", own.path());
    let needs = Compiled { requires: vec![Feature::Landlock(99)], ..compiled(own.path()) };
    let known = ((*app.sandbox).clone(), needs);
    let device = Device::boot(&plan(vec![app], vec![known]));
    device.settled();
    let row = device.status("app").row;
    assert_eq!((row.state, read(&own, "before")), (State::Failed, String::new()));
    let needs = "the sandbox needs landlock-99, which this kernel or container lacks";
    assert!(row.reason.contains(needs), "{}", row.reason);
}

/// The instructions of a filter that ends who makes a directory.
fn no_directories() -> Vec<u8> {
    let mkdir = if cfg!(target_arch = "x86_64") { 83 } else { 34 };
    let one = |code: u16, yes: u8, no: u8, k: u32| {
        let mut bytes = code.to_ne_bytes().to_vec();
        bytes.extend([yes, no]);
        bytes.extend(k.to_ne_bytes());
        bytes
    };
    let all = [
        one(0x20, 0, 0, 0),
        one(0x15, 0, 1, mkdir),
        one(0x06, 0, 0, 0x8000_0000),
        one(0x06, 0, 0, 0x7fff_0000),
    ];
    all.concat()
}

#[test]
fn a_process_that_is_killed_for_a_call_is_told_with_it() {
    let _one = ONE_AT_A_TIME.lock();
    if !able("kill") {
        return;
    }
    let text = "exec = [\"/bin/mkdir\", \"/var/tmp/never\"]\ntype = \"oneshot\"\n\
                [restart]\nwhen = \"never\"\n[sandbox]\nkeyring = \"own\"\n";
    let app = model::text::service::parse(&name("app"), text).expect("a service");
    let kills = Compiled { filter: no_directories(), ..Compiled::default() };
    let known = ((*app.sandbox).clone(), kills);
    let log = fs::File::open("/dev/kmsg").and_then(|mut log| {
        std::io::Seek::seek(&mut log, std::io::SeekFrom::End(0))?;
        Ok(log)
    });
    let device = Device::boot(&plan(vec![app], vec![known]));
    device.settled();
    let row = device.status("app").row;
    assert_eq!(row.reason, "killed by SIGSYS: a system call its sandbox forbids");
    // Without a journal, servicemgr writes into the kernel's log.
    let Ok(mut log) = log else { return };
    sys::poll::set_nonblocking(&log).expect("a file");
    let mut buffer = vec![0; 8 << 10];
    device.until("the call", || {
        let length = std::io::Read::read(&mut log, &mut buffer).unwrap_or(0);
        let record = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        record.contains("app: process") && record.contains("killed for the system call mkdir")
    });
}

#[test]
fn a_definition_of_the_device_is_compiled_there_and_does_not_start_without_a_compiler() {
    let _one = ONE_AT_A_TIME.lock();
    if !able("compiler") {
        return;
    }
    let own = own();
    let other = plans::service("other");
    let device = Device::boot_prepared(&plan(vec![other], Vec::new()), |directory| {
        let definitions = directory.join("definitions/services");
        fs::create_dir_all(&definitions).expect("a directory");
        fs::write(definitions.join("app.toml"), text(own.path())).expect("a file");
    });
    device.settled();
    let run = |named: &'static str| {
        let text = text(own.path());
        device.call(move |s| {
            let text = text.clone();
            async move { s.run(named, &text).await }
        })
    };
    let Err(Error::Failed(why)) = device.call(|s| async move { s.start("app").await }) else {
        unreachable!()
    };
    assert!(why.contains("sandbox-compiler: No such file"), "{why}");
    assert!(run("job").is_err());
    assert_eq!(read(&own, "before"), "");

    let answer = encode_answer(&vec![Ok(compiled(own.path()))]).expect("an answer");
    let compiler = device.path("definitions/sandbox-compiler");
    fs::write(device.path("answer"), answer).expect("a file");
    let answer = device.path("answer").display().to_string();
    let asked = own.path().join("asked").display().to_string();
    let script = format!("#!/bin/sh\necho >> {asked}\nexec /bin/cat {answer}\n");
    fs::write(&compiler, script).expect("a file");
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).expect("a program");
    device.kill_servicemgr();
    device.call(|s| async move { s.start("app").await }).expect("it starts");
    assert_eq!(read(&own, "main"), FOUND);
    device.call(|s| async move { s.restart("app").await }).expect("it starts");
    run("task").expect("it runs");
    assert_eq!(read(&own, "asked"), "\n", "once for one profile");

    fs::write(&compiler, "#!/bin/sh\necho no such call >&2\nexit 1\n").expect("a file");
    device.kill_servicemgr();
    device.until("word", || {
        let restarted = device.call(|s| async move { s.restart("app").await });
        matches!(restarted, Err(Error::Failed(why)) if why.contains("sandbox-compiler: no such call"))
    });
}
