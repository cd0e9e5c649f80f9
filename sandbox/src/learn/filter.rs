//! The filter that tells of calls: of files, sockets and memory, and of all that the inherited profile does
//! not allow anyway. All others are made without a word, so that reading and writing cost nothing.

use std::collections::BTreeSet;

use model::sandbox::{LEAST, Profile, View};

use super::table::told;
use crate::bpf::{Bad, Instruction, Program};
use crate::calls::{Arch, named};

/// `SECCOMP_RET_USER_NOTIF`, `SECCOMP_RET_ALLOW`.
const ASK: u32 = 0x7FC0_0000;
const ALLOW: u32 = 0x7FFF_0000;

/// Load a word of `struct seccomp_data`, compare, test bits, return.
const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Places of number, architecture and third argument in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const THIRD: u32 = 32;

/// `PROT_EXEC`: memory that is not to be executed is of no interest.
const EXECUTE: u32 = 4;

/// Calls that are made all the time and are told only with [`EXECUTE`] as their third argument.
const ONLY_EXECUTING: [&str; 3] = ["mmap", "mprotect", "pkey_mprotect"];

/// The filter, above a profile that allows what is not told.
///
/// # Errors
/// None known: the program is right by how it is made.
pub fn filter(inherited: &Profile, arch: Arch) -> Result<Program, Bad> {
    let quiet = quiet(inherited);
    let listed = inherited.files.view == View::Listed;
    let one = |code, yes, no, k| Instruction { code, yes, no, k };
    let ask = one(RETURN, 0, 0, ASK);
    let mut all = vec![one(LOAD, 0, 0, ARCH), one(EQUAL, 1, 0, arch.audit()), ask];
    all.push(one(LOAD, 0, 0, NUMBER));
    let calls = arch.calls();
    for (number, name) in &calls {
        if ONLY_EXECUTING.contains(name) {
            all.extend([
                one(EQUAL, 0, 4, *number),
                one(LOAD, 0, 0, THIRD),
                one(ANY_BIT, 0, 1, EXECUTE),
                ask,
                one(RETURN, 0, 0, ALLOW),
            ]);
        } else if told(name, listed) || !quiet.contains(name) {
            all.extend([one(EQUAL, 0, 1, *number), ask]);
        }
    }
    let highest = calls.keys().next_back().copied().unwrap_or(0);
    all.extend([one(AT_LEAST, 0, 1, highest.saturating_add(1)), ask]);
    all.push(one(RETURN, 0, 0, ALLOW));
    Program::new(all)
}

/// Calls that the profile allows, and without which nothing runs.
fn quiet(inherited: &Profile) -> BTreeSet<&'static str> {
    let mut names = named(&[LEAST.to_owned()]).unwrap_or_default();
    let calls = &inherited.calls;
    if let Some(allow) = &calls.allow {
        names.extend(named(allow).unwrap_or_default());
        for list in [&calls.deny, &calls.kill, &inherited.forbid.calls] {
            let refused = named(list).unwrap_or_default();
            names.retain(|name| !refused.contains(name));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use model::sandbox::{Calls, calls};

    use super::*;
    use crate::bpf::Call;

    /// Whether a call with this third argument is told.
    fn tells(inherited: &Profile, name: &str, third: u64) -> bool {
        let program = filter(inherited, Arch::X86_64).unwrap();
        let number = Arch::X86_64.number(&calls::call(name).unwrap()).unwrap();
        let arguments = [0, 0, third, 0, 0, 0];
        let call = Call { number, arch: Arch::X86_64.audit(), arguments };
        match program.run(&call) {
            Ok(verdict) => verdict != crate::rules::Verdict::Allow,
            Err(Bad::Returns(value)) => value == ASK,
            Err(bad) => panic!("{bad}"),
        }
    }

    fn base() -> Profile {
        let allow = Some(vec!["@basic".to_owned()]);
        Profile { calls: Calls { allow, ..Calls::default() }, ..Profile::default() }
    }

    #[test]
    fn reading_and_writing_are_never_told() {
        for inherited in [Profile::default(), base()] {
            for name in ["read", "write", "close", "futex", "rt_sigreturn", "exit_group", "poll"] {
                assert!(!tells(&inherited, name, 0), "{name}");
            }
            for name in ["openat", "execve", "socket", "mount", "ptrace"] {
                assert!(tells(&inherited, name, 0), "{name}");
            }
        }
    }

    #[test]
    fn what_the_inherited_profile_allows_is_told_only_without_it() {
        assert!(tells(&Profile::default(), "epoll_wait", 0));
        assert!(!tells(&base(), "epoll_wait", 0));
        let mut denies = base();
        denies.calls.deny = vec!["epoll_wait".into()];
        assert!(tells(&denies, "epoll_wait", 0));
    }

    #[test]
    fn memory_is_told_when_it_is_executed() {
        assert!(!tells(&base(), "mmap", 3) && tells(&base(), "mmap", 5));
        assert!(!tells(&base(), "mprotect", 1) && tells(&base(), "mprotect", 7));
    }

    #[test]
    fn calls_that_no_table_has_and_other_abis_are_told() {
        let program = filter(&base(), Arch::X86_64).unwrap();
        let told = |number, arch| {
            let answer = program.run(&Call { number, arch, arguments: [0; 6] });
            answer == Err(Bad::Returns(ASK))
        };
        assert!(told(9999, Arch::X86_64.audit()));
        assert!(told(crate::rules::X32 | 59, Arch::X86_64.audit()));
        assert!(told(3, 0x4000_0003), "32 bits");
        assert!(!told(0, Arch::X86_64.audit()), "read");
    }
}
