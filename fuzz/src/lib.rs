//! What comes from outside, tried with bytes that nobody would send.
//!
//! ```text
//! configs/, seeds ─► libFuzzer ─bytes─► one function of this file ─► the code that meets them on a device
//!                        ▲                        │
//!                        └──── what was reached ──┴─► a panic or a false promise: a crash, kept
//! ```
//!
//! Each function takes any bytes and returns. It panics only when something that always holds does not
//! hold: that is what the fuzzer looks for. `cargo ens fuzz` builds and runs them.

mod bundles;
mod devices;
mod files;
mod made;
#[path = "../../softbus/src/id.rs"]
pub mod id;
// The cores of softbus without its engine, which takes minutes to build.
#[path = "../../softbus/src/pairing/mod.rs"]
pub mod pairing;
pub mod seeds;
#[path = "../../softbus/src/trust/mod.rs"]
pub mod trust;
mod stores;

use api::debug::{self, ToDevice, ToHost};
use api::export;
use api::pid1::{ToPid1, ToServicemgr};
use model::Plan;
use model::bootctl::BootCtl;
use model::text::{self, Report};
use sandbox::calls::Arch;
use sandbox::wire;
use servicemgr::daemon::outside;
use servicemgr::params::{Params, Sources};

use files::Files;
use id::DeviceId;

/// Between the two files of an input that holds a profile and one that it inherits.
const NEXT_FILE: &str = "\n=====\n";

/// Longest text that is tried: what is longer is only slower.
const MAX_TEXT: usize = 16 << 10;

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_TEXT)
}

/// Whatever is said about a text can be shown.
fn shown(report: &Report) {
    let _any = (report.render(true), report.findings());
}

/// A profile, and one beside it that is called `other`: read, joined, compiled for both processors
/// (which compares the filter with the rules, call by call), fitted to kernels that can all and nothing.
pub fn profile(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let (own, other) = text.split_once(NEXT_FILE).unwrap_or((text, "version = 1\n"));
    let files = Files::shipped().with("sandbox/x.toml", own).with("sandbox/other.toml", other);
    let (_, report) = text::check_file(&files, "sandbox/x.toml");
    shown(&report);
    let loaded = match text::sandbox::load(&files, &["sandbox".to_owned()], "x") {
        Ok(loaded) => loaded,
        Err(report) => return assert!(report.has_errors()),
    };
    let _any = text::sandbox::sentences(&loaded.profile, None, &loaded.rules);
    for arch in Arch::ALL {
        let Ok(compiled) = sandbox::compile(&loaded.profile, arch) else { continue };
        let all = sys::confine::Features {
            seccomp: true,
            landlock: 7,
            namespaces: true,
            network_namespace: true,
            no_write_execute: true,
        };
        assert!(sandbox::fit(&compiled, &all).is_ok(), "a kernel that can all is not enough");
        let _any = sandbox::fit(&compiled, &sys::confine::Features::default());
        let answer = wire::encode_answer(&vec![Ok(compiled)]).expect("a short answer");
        wire::decode_answer(&answer, 1).expect("what was written can be read");
    }
}

/// A service, with the profiles that ship beside it.
pub fn service(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let files = Files::shipped().with("services/x.toml", text);
    let (_, report) = text::check_file(&files, "services/x.toml");
    shown(&report);
    if let Err(report) = text::load_service("services/x.toml", text) {
        assert!(report.has_errors());
    }
}

/// A device that builds on those that ship.
pub fn device(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let files = Files::shipped().with("devices/x.toml", text);
    match text::load_device(&files, "devices/x.toml") {
        Ok(loaded) => {
            let again = Plan::decode(&loaded.plan.encode());
            assert_eq!(again.as_ref(), Ok(&loaded.plan), "the plan is not what was written");
        }
        Err(report) => {
            shown(&report);
            assert!(report.has_errors());
        }
    }
}

/// A bundle: any file, any image, and an image that is right but for some places.
pub fn bundle_read(bytes: &[u8]) {
    bundles::read(bytes);
}

/// What a store says of its apps.
pub fn store(bytes: &[u8]) {
    stores::read(bytes);
}

/// A wheel of Python.
pub fn wheel(bytes: &[u8]) {
    made::wheel(bytes);
}

/// The image of a container, and its layers.
pub fn oci(bytes: &[u8]) {
    made::oci(bytes);
}

/// A datagram of `sd_notify`.
pub fn notify(bytes: &[u8]) {
    outside::notify(bytes);
}

/// What a client of the control socket says; the first byte says whether it is root.
pub fn control(bytes: &[u8]) {
    let Some((who, said)) = bytes.split_first() else { return };
    outside::control(said, u32::from(who & 1) * 1000).expect("the client has hung up");
}

/// What the system bus sends.
pub fn broker(bytes: &[u8]) {
    outside::broker(bytes);
}

/// The log of an earlier servicemgr, as it came, and as one step whose checksum is right.
pub fn state(bytes: &[u8]) {
    outside::state(bytes).expect("memory");
    let length = u32::try_from(bytes.len()).expect("a short input");
    let header = [length.to_le_bytes(), crc32c::crc32c(bytes).to_le_bytes()].concat();
    outside::state(&[&header, bytes].concat()).expect("memory");
}

/// Journal export format, at once and in pieces, and files of the log that are damaged.
pub fn export(bytes: &[u8]) {
    let whole = export::decode(bytes);
    let mut decoder = export::Decoder::default();
    for piece in bytes.chunks(7) {
        decoder.push(piece);
    }
    match (whole, decoder.take()) {
        (Ok(Some((one, _))), Ok(Some(two))) => {
            assert_eq!((one.cursor(), one.priority()), (two.cursor(), two.priority()));
        }
        (Ok(None), Ok(None)) | (Err(_), Err(_)) => {}
        (one, two) => panic!("at once {one:?}, in pieces {two:?}"),
    }
    let tail = journal::store::tail::check(bytes).expect("memory is read");
    assert!(tail.whole <= tail.bytes, "{tail:?}");
}

/// Every way into the log; what comes out is a record that can be read.
pub fn input(bytes: &[u8]) {
    use journal::record::{Machine, Stamp, kmsg, line, native, origin::Origin, syslog};
    let machine = Machine::new("b".repeat(32), "", "");
    let stamp = Stamp { cursor: "c", realtime: 1, monotonic: 2, machine: &machine };
    let origin = Origin::default();
    let mut out = Vec::new();
    let mut count = 0_usize;
    for entry in native::parse(bytes).flatten() {
        stamp.write(&mut out, &entry, &origin);
        count += 1;
    }
    let parsed =
        [syslog::parse(bytes), kmsg::parse(bytes).map(|(_, e)| e), line::parse(bytes, None)];
    for entry in parsed.iter().flatten() {
        stamp.write(&mut out, entry, &origin);
        count += 1;
    }
    let mut decoder = export::Decoder::default();
    decoder.push(&out);
    for _ in 0..count {
        assert!(decoder.take().expect("a record of ours").is_some());
    }
    assert!(decoder.take().expect("no more").is_none(), "something was written into a record");
    let _any = journal::record::origin::unit(&String::from_utf8_lossy(bytes));
}

/// Packets between our own programs, the debug channel, the record of what to boot.
pub fn packets(bytes: &[u8]) {
    if let Ok(packet) = ToServicemgr::decode(bytes) {
        assert_eq!(ToServicemgr::decode(&packet.encode()), Ok(packet));
    }
    if let Ok(all) = ToServicemgr::decode_all(bytes) {
        let again: Vec<u8> = all.iter().flat_map(ToServicemgr::encode).collect();
        assert_eq!(ToServicemgr::decode_all(&again), Ok(all));
    }
    if let Ok(packet) = ToPid1::decode(bytes) {
        assert_eq!(ToPid1::decode(&packet.encode()), Ok(packet));
    }
    let (mut device, mut host) = (debug::Decoder::default(), debug::Decoder::default());
    device.push(bytes);
    host.push(bytes);
    while let Ok(Some(message)) = device.take::<ToDevice>() {
        message.encode().expect("it came in one frame");
    }
    while let Ok(Some(message)) = host.take::<ToHost>() {
        message.encode().expect("it came in one frame");
    }
    if let Ok(record) = BootCtl::decode(bytes) {
        let _any = record.choose();
        let again = BootCtl::decode(&record.encode());
        assert!(again.is_ok(), "what was written can be read");
    }
}

/// Saved parameters, and those of the kernel's command line.
pub fn params(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let sources = Sources { cmdline: text, system: &[], device: text, saved: text };
    let (all, complaints) = Params::load(sources);
    let _any = complaints.sentences().count();
    let again = Params::restore(&all.text());
    assert_eq!(again.text(), all.text(), "what was written can be read");
}

/// The plan of a device, and what the program that compiles profiles is asked and answers.
pub fn plan(bytes: &[u8]) {
    if let Ok(plan) = Plan::decode(bytes) {
        let again = Plan::decode(&plan.encode());
        assert!(again.is_ok(), "what was written can be read");
        for (_, compiled) in plan.compiled.iter().take(8) {
            let _any = sandbox::fit(compiled, &sys::confine::Features::default());
        }
        let _any = (plan.ids(), plan.before());
    }
    let _any = (wire::Request::decode(bytes), wire::decode_answer(bytes, 1));
}

/// The group of a device: its file, entries of others, and what three devices say and hear.
pub fn trust(bytes: &[u8]) {
    devices::trust(bytes);
}

/// Pairing: messages, the file of wrong codes, and both ends with anything between them.
pub fn pairing(bytes: &[u8]) {
    devices::pairing(bytes);
}
