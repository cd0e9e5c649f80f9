//! What a target begins with: things that are right, as we write them ourselves.
//!
//! They are made when a fuzzer starts, so they are never of an older version than the code. Inputs that
//! once were a fault lie in `fuzz/corpus/TARGET`.

use std::path::PathBuf;
use std::{env, fs};

use api::debug::{ToDevice, ToHost};
use api::export;
use api::pid1::{End, Exit, ToServicemgr};
use model::bootctl::BootCtl;
use model::text::load_device;
use serde::Serialize;
use zbus::Variant;
use zbus::message::Message;
use zbus::wire::DynamicType;

use crate::NEXT_FILE;
use crate::files::{Files, configs};

/// Directory for seeds; without it none are written.
const DIRECTORY: &str = "FUZZ_SEEDS";

/// Writes the seeds of a target.
pub fn write(target: &str) {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    fs::create_dir_all(&directory).expect("a directory for seeds");
    for (number, seed) in of(target).iter().enumerate() {
        fs::write(directory.join(number.to_string()), seed).expect("a seed");
    }
}

fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "profile" => {
            let mut all = texts("sandbox");
            let other = [&b"version = 1\ninherit = [\"other\", \"app\"]"[..], NEXT_FILE.as_bytes()]
                .concat();
            all.extend(texts("sandbox").iter().map(|text| [&other, text.as_slice()].concat()));
            all
        }
        "service" => texts("services"),
        "device" => texts("devices"),
        "notify" => NOTIFY.iter().map(|text| text.as_bytes().to_vec()).collect(),
        "control" => calls().into_iter().map(|call| [&[0], call.as_slice()].concat()).collect(),
        "broker" => {
            let greeting = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n".to_vec();
            let messages = calls().into_iter().chain(signals());
            messages.map(|message| [greeting.as_slice(), &message].concat()).collect()
        }
        "bundle_read" => crate::bundles::seeds(),
        "store" => crate::stores::seeds(),
        "wheel" => crate::made::wheels(),
        "oci" => crate::made::images(),
        "export" => vec![records()],
        "input" => INPUT.iter().map(|bytes| bytes.to_vec()).collect(),
        "packets" => packets(),
        "params" => vec![
            b"persist.volume=5\npersist.name=a b\nconst.serial=1\n".to_vec(),
            b"root=x ensemble.param.greeting=hello \"persist.x=1 2\"".to_vec(),
        ],
        "plan" | "state" => plans(target),
        "pairing" | "trust" => crate::devices::seeds(target),
        _ => Vec::new(),
    }
}

/// What ships of a kind.
fn texts(kind: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(configs().join(kind)).expect("configs").flatten();
    files.filter_map(|file| fs::read(file.path()).ok()).collect()
}

const NOTIFY: [&str; 5] = [
    "READY=1\nSTATUS=all is well\nMAINPID=12\n",
    "RELOADING=1\nSTOPPING=1\nERRNO=2\n",
    "WATCHDOG=1\nWATCHDOG=trigger\nWATCHDOG_USEC=30000000\nEXTEND_TIMEOUT_USEC=5",
    "FDSTORE=1\nFDNAME=socket\nFDPOLL=0",
    "FDSTOREREMOVE=1\nFDNAME=socket\nBARRIER=1",
];

const INPUT: [&[u8]; 5] = [
    b"MESSAGE=hello\nPRIORITY=3\nX\n\x03\0\0\0\0\0\0\0a\nb\n\nMESSAGE=second\n",
    b"<30>Oct 11 22:14:15 host su[12]: failed",
    b"<165>1 2003-10-11T22:14:15.003Z host app 12 ID47 - text",
    b"6,339,5140900,-;NET: Registered\n SUBSYSTEM=net\n DEVICE=+net:eth0\n",
    b"0::/services/web/inner\n",
];

/// Calls as ctl sends them, and as tools send them.
fn calls() -> Vec<Vec<u8>> {
    let (services, params) = ("org.ensemble.Services1", "org.ensemble.Params1");
    let (there, at) = (api::services::PATH, api::params::PATH);
    vec![
        call(there, services, "List", &()),
        call(there, services, "Start", &("web",)),
        call(there, services, "Enable", &("web", true)),
        call(there, services, "Rehearse", &("start", vec!["web", "network"])),
        call(there, services, "Run", &("mine", "exec = [\"/bin/true\"]")),
        call(at, params, "Set", &("persist.volume", "5")),
        call(at, params, "Wait", &("persist.volume", "5", 5_u64)),
        call("/", "org.freedesktop.DBus.Introspectable", "Introspect", &()),
        call(there, "org.freedesktop.DBus.Properties", "GetAll", &(services,)),
        call(
            there,
            "org.freedesktop.DBus.Properties",
            "Set",
            &(services, "x", Variant::from(5_u8)),
        ),
    ]
}

fn call(
    path: &str,
    interface: &str,
    member: &str,
    body: &(impl Serialize + DynamicType),
) -> Vec<u8> {
    let call = Message::method_call(path, member).interface(interface).build(body);
    call.expect("a message").data().bytes().to_vec()
}

/// Signals as a bus sends them.
fn signals() -> Vec<Vec<u8>> {
    let signal = |path: &str, interface: &str, member: &str, body: &(&str, &str, &str)| {
        let signal = Message::signal(path, interface, member).build(body);
        signal.expect("a message").data().bytes().to_vec()
    };
    vec![
        signal(
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "NameOwnerChanged",
            &("a.b", "", ":1.5"),
        ),
        signal("/a/b", "a.b.C", "Happened", &("one", "two", "three")),
    ]
}

fn records() -> Vec<u8> {
    let mut out = Vec::new();
    for number in 0..3 {
        export::put_own(&mut out, export::CURSOR, b"s=1;i=5");
        export::put_number(&mut out, export::REALTIME, number);
        export::put(&mut out, "MESSAGE", b"two\nlines");
        export::put(&mut out, "PRIORITY", b"6");
        export::end(&mut out);
    }
    out
}

fn packets() -> Vec<Vec<u8>> {
    let ours = [
        ToServicemgr::Held("log/web".to_owned()),
        ToServicemgr::State,
        ToServicemgr::Exited { seq: 1, pid: 2, exit: Exit::Signal(9) },
        ToServicemgr::Go { generation: 1, began: 2 },
        ToServicemgr::Asked(End::Reboot),
        ToServicemgr::Tasks(3),
    ];
    let mut all: Vec<_> = ours.iter().map(ToServicemgr::encode).collect();
    all.push(ours.iter().filter(|m| m.joins()).flat_map(ToServicemgr::encode).collect());
    all.extend(ToDevice::Stdin(b"x".to_vec()).encode().ok());
    all.extend(ToHost::Stdout(b"x".to_vec()).encode().ok());
    all.push(BootCtl::first("1.0.0").encode());
    all
}

/// The plans of the devices that ship; for a log of servicemgr there is no shorter way to something
/// that is right than an empty step.
fn plans(target: &str) -> Vec<Vec<u8>> {
    if target == "state" {
        return vec![vec![0; 8]];
    }
    let files = fs::read_dir(configs().join("devices")).expect("configs").flatten();
    let names = files.map(|file| format!("devices/{}", file.file_name().to_string_lossy()));
    names
        .filter_map(|name| load_device(&Files::shipped(), &name).ok())
        .map(|l| l.plan.encode())
        .collect()
}
