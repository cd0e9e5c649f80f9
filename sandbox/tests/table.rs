//! The table of system calls beside what else knows their numbers on this machine.

#![cfg(feature = "compile")]
#![expect(clippy::print_stderr, reason = "a test that can't run says so")]

use std::collections::BTreeMap;
use std::fs;

use libseccomp::{ScmpArch, ScmpSyscall};
use model::sandbox::calls;
use sandbox::calls::Arch;

#[test]
fn every_number_that_libseccomp_knows_is_ours() {
    let mut known = 0;
    for (arch, theirs) in [(Arch::X86_64, ScmpArch::X8664), (Arch::Aarch64, ScmpArch::Aarch64)] {
        for call in calls::all() {
            let Ok(number) = ScmpSyscall::from_name_by_arch(call.name, theirs) else { continue };
            // A negative number is libseccomp's own, for a call that this processor lacks.
            let number = u32::try_from(i32::from(number)).ok();
            assert_eq!(arch.number(&call), number, "{} on {arch}", call.name);
            known += usize::from(number.is_some());
        }
    }
    assert!(known > 600, "{known}");
}

#[test]
fn every_call_of_the_headers_here_is_in_the_table_unless_it_is_newer() {
    let arch = Arch::own().unwrap();
    let places = [
        "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
        "/usr/include/aarch64-linux-gnu/asm/unistd_64.h",
    ];
    let place = match arch {
        Arch::X86_64 => places[0],
        Arch::Aarch64 => places[1],
    };
    let Ok(header) = fs::read_to_string(place) else {
        eprintln!("skipped: no {place}");
        return;
    };
    let ours: BTreeMap<&str, u32> =
        arch.calls().into_iter().map(|(number, name)| (name, number)).collect();
    let highest = ours.values().max().unwrap();
    let mut seen = 0;
    for line in header.lines() {
        let Some((name, number)) =
            line.strip_prefix("#define __NR_").and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let Ok(number) = number.trim().parse::<u32>() else { continue };
        seen += 1;
        match ours.get(name) {
            Some(known) => assert_eq!(*known, number, "{name}"),
            None => assert!(number > *highest, "{name} is missing from the table"),
        }
    }
    assert!(seen > 250, "{seen} calls in {place}");
}
