//! What a profile allows, question by question: the meaning of the language, written down once more.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(unreachable_pub, reason = "a module of test programs has no outside")]

pub mod profiles;

use model::sandbox::{Access, Family, Proc, Profile, Tmp, View, calls, is_below};

/// Paths that are asked about.
pub const PATHS: [&str; 7] = ["/a", "/a/b", "/a/b/c", "/ab", "/b", "/b/c", "/c"];

/// Ports that are asked about.
pub const PORTS: [u16; 4] = [1, 22, 80, 443];

/// Families that are asked about.
pub const FAMILIES: [Family; 4] = [Family::Unix, Family::Inet, Family::Inet6, Family::Packet];

/// Calls that are asked about.
pub const CALLS: [&str; 6] = ["openat", "connect", "mount", "ptrace", "reboot", "clone"];

/// Capabilities that are asked about.
pub const CAPABILITIES: [&str; 3] = ["NET_ADMIN", "SYS_TIME", "CHOWN"];

/// Something that a program could want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Read(&'static str),
    Write(&'static str),
    Execute(&'static str),
    Connect(u16),
    Listen(u16),
    Datagrams,
    Device(&'static str),
    Family(Family),
    Call(&'static str),
    Capability(&'static str, bool),
    HostNetwork,
    WriteExecute,
    NewPrivileges,
    Personality,
    SharedKeys,
    SharedTmp,
    HostProc,
}

/// Every question.
pub fn wishes() -> Vec<Wish> {
    let mut all = vec![
        Wish::Datagrams,
        Wish::HostNetwork,
        Wish::WriteExecute,
        Wish::NewPrivileges,
        Wish::Personality,
        Wish::SharedKeys,
        Wish::SharedTmp,
        Wish::HostProc,
    ];
    all.extend(PATHS.iter().flat_map(|p| [Wish::Read(p), Wish::Write(p), Wish::Execute(p)]));
    all.extend(PORTS.iter().flat_map(|p| [Wish::Connect(*p), Wish::Listen(*p)]));
    all.extend(["fb0", "kmsg"].map(Wish::Device));
    all.extend(FAMILIES.map(Wish::Family));
    all.extend(CALLS.map(Wish::Call));
    let both = |c: &&'static str| [Wish::Capability(c, true), Wish::Capability(c, false)];
    all.extend(CAPABILITIES.iter().flat_map(both));
    all
}

/// Whether a profile allows it.
pub fn allows(p: &Profile, wish: Wish) -> bool {
    let (files, network) = (&p.files, &p.network);
    let listed = files.view == View::Listed;
    let covers = |list: &[String], path: &str| list.iter().any(|tree| is_below(path, tree));
    let given = |list: &Option<Vec<String>>, path: &str| match list {
        Some(list) => covers(list, path),
        None => !listed,
    };
    // Without a list of devices they are the device's, if that is there at all.
    let lists = || [&files.read, &files.write, &files.execute].into_iter().flatten();
    let device_s = || !listed || lists().any(|list| covers(list, "/dev"));
    let there = |path: &str| !covers(&p.forbid.files, path);
    match wish {
        Wish::Read(path) => {
            let lists = [&files.read, &files.write, &files.execute];
            let named = lists.into_iter().flatten().any(|list| covers(list, path));
            there(path) && (named || (files.read.is_none() && !listed))
        }
        Wish::Write(path) => {
            there(path) && !covers(&p.forbid.write, path) && given(&files.write, path)
        }
        Wish::Execute(path) => there(path) && given(&files.execute, path),
        Wish::Device(name) => {
            there(&format!("/dev/{name}"))
                && files
                    .devices
                    .as_ref()
                    .map_or_else(device_s, |list| list.iter().any(|d| d == name))
        }
        Wish::Connect(port) => network.connect.as_ref().is_none_or(|l| l.contains(&port)),
        Wish::Listen(port) => network.listen.as_ref().is_none_or(|l| l.contains(&port)),
        Wish::Datagrams => network.udp || (network.connect.is_none() && network.listen.is_none()),
        Wish::Family(family) => {
            !p.forbid.families.contains(&family)
                && network.families.as_ref().is_none_or(|l| l.contains(&family))
        }
        Wish::Call(name) => {
            let in_list = |list: &[String]| {
                list.iter().any(|n| {
                    n == name || calls::group(n).is_some_and(|g| g.members().contains(name))
                })
            };
            let refused = [&p.calls.deny, &p.calls.kill, &p.forbid.calls];
            !refused.into_iter().any(|list| in_list(list))
                && p.calls.allow.as_deref().is_none_or(in_list)
        }
        Wish::Capability(name, root) => {
            !p.forbid.capabilities.iter().any(|c| c == name)
                && p.capabilities.as_ref().map_or(root, |l| l.iter().any(|c| c == name))
        }
        Wish::HostNetwork => network.access == Access::Host && !p.forbid.network,
        Wish::WriteExecute => p.write_execute != Some(false) && !p.forbid.write_execute,
        Wish::NewPrivileges => !p.no_new_privileges && !p.forbid.new_privileges,
        Wish::Personality => !p.lock_personality,
        Wish::SharedKeys => !p.keyring,
        Wish::SharedTmp => files.tmp == Tmp::Shared,
        Wish::HostProc => files.proc == Proc::Host,
    }
}
