//! The same rules as a program made by libseccomp: another opinion of what they are, never handed to a kernel.
//!
//! ```text
//! ours: architecture? x32? number past the last call?      ─► kill, kill, ENOSYS
//! except: a tree over the calls with a rule `Except`        ─► EPERM, or on to
//! only: a tree over all that is allowed, by number          ─► allowed, or EPERM
//! ```
//!
//! libseccomp has one action for what no rule is about, so "all but these arguments" and "only these
//! arguments" are two of its programs; the first one's "allow" becomes a jump to the second. It
//! translates numbers between architectures by names, and does not know the newer ones: so the
//! programs are made as for this machine, with the other's numbers, and then its name is put in.
//! Whether all that is right, [`crate::check`] finds out.

use std::io::{Read, pipe};

use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
};

use crate::bpf::{Instruction, Program};
use crate::calls::Arch;
use crate::refused::Refused;
use crate::rules::{ENOSYS, EPERM, Rule, Rules, Test, Verdict, X32};

/// `BPF_CTL_OPTIMIZE`: a binary tree over the numbers.
const BINARY_TREE: u32 = 2;

/// Operations of what we write ourselves (`linux/bpf_common.h`).
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const GREATER: u16 = 0x25;
const AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Places in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

const KILL: u32 = 0x8000_0000;
const ALLOW: u32 = 0x7FFF_0000;
const ERRNO: u32 = 0x0005_0000;

/// libseccomp's program of these rules. Not checked yet.
///
/// # Errors
/// libseccomp fails, or its program is too long for the kernel.
pub fn program(rules: &Rules) -> Result<Program, Refused> {
    let mut all = prologue(rules);
    let except: Vec<_> = rules
        .calls()
        .filter_map(|(number, rule)| match rule {
            Rule::Except(cases) => Some((number, cases)),
            _ => None,
        })
        .collect();
    let only = only(rules)?;
    if !except.is_empty() {
        let mut filter = new(ScmpAction::Allow)?;
        for (number, cases) in except {
            add(&mut filter, ScmpAction::Errno(EPERM.into()), number, cases)?;
        }
        let first = own(&filter, rules.arch())?;
        let end = first.len();
        all.extend(first.into_iter().enumerate().map(|(at, one)| match one {
            Instruction { code: RETURN, k: ALLOW, .. } => {
                jump(u32::try_from(end - at - 1).unwrap_or(u32::MAX))
            }
            other => other,
        }));
    }
    all.extend(own(&only, rules.arch())?);
    Program::new(all).map_err(|bad| Refused::Library(bad.to_string()))
}

/// What comes before all else.
fn prologue(rules: &Rules) -> Vec<Instruction> {
    let one = |code, yes, no, k| Instruction { code, yes, no, k };
    let mut all = vec![
        one(LOAD, 0, 0, ARCH),
        one(EQUAL, 1, 0, rules.arch().audit()),
        one(RETURN, 0, 0, KILL),
        one(LOAD, 0, 0, NUMBER),
    ];
    if rules.arch() == Arch::X86_64 {
        all.extend([one(AT_LEAST, 0, 1, X32), one(RETURN, 0, 0, KILL)]);
    }
    all.push(one(GREATER, 0, 1, rules.highest()));
    all.push(one(RETURN, 0, 0, ERRNO | u32::from(ENOSYS)));
    all
}

fn jump(k: u32) -> Instruction {
    Instruction { code: JUMP, yes: 0, no: 0, k }
}

/// Everything that is allowed, or refused otherwise than with `EPERM`.
fn only(rules: &Rules) -> Result<ScmpFilterContext, Refused> {
    let mut filter = new(ScmpAction::Errno(EPERM.into()))?;
    let mut next = 0;
    for (number, rule) in rules.calls() {
        // Numbers between those of calls.
        for free in next..number {
            add(&mut filter, ScmpAction::Errno(ENOSYS.into()), free, &[])?;
        }
        next = number + 1;
        match rule {
            Rule::Fixed(Verdict::Errno(EPERM)) => {}
            Rule::Fixed(Verdict::Errno(errno)) => {
                add(&mut filter, ScmpAction::Errno((*errno).into()), number, &[])?;
            }
            Rule::Fixed(Verdict::Kill) => add(&mut filter, ScmpAction::KillProcess, number, &[])?,
            Rule::Fixed(Verdict::Allow) | Rule::Except(_) => {
                add(&mut filter, ScmpAction::Allow, number, &[])?;
            }
            Rule::Only(cases) if cases.is_empty() => {}
            Rule::Only(cases) => add(&mut filter, ScmpAction::Allow, number, cases)?,
        }
    }
    Ok(filter)
}

fn new(otherwise: ScmpAction) -> Result<ScmpFilterContext, Refused> {
    let mut filter = ScmpFilterContext::new(otherwise).map_err(failed)?;
    filter.set_ctl_optimize(BINARY_TREE).map_err(failed)?;
    Ok(filter)
}

/// Adds one rule for each case, or one for all arguments if there is none.
fn add(
    filter: &mut ScmpFilterContext,
    action: ScmpAction,
    number: u32,
    cases: &[Vec<Test>],
) -> Result<(), Refused> {
    let number = i32::try_from(number).map_err(|_| Refused::Library(format!("call {number}")))?;
    let call = ScmpSyscall::from(number);
    if cases.is_empty() {
        filter.add_rule_exact(action, call).map_err(failed)?;
    }
    for case in cases {
        let compare = |test: &Test| {
            let how = ScmpCompareOp::MaskedEqual(test.mask);
            ScmpArgCompare::new(test.argument.into(), how, test.value)
        };
        let tests: Vec<_> = case.iter().map(compare).collect();
        filter.add_rule_conditional_exact(action, call, &tests).map_err(failed)?;
    }
    Ok(())
}

/// The instructions, with the name of `arch` where that of this machine stands.
fn own(filter: &ScmpFilterContext, arch: Arch) -> Result<Vec<Instruction>, Refused> {
    let native = match ScmpArch::native() {
        ScmpArch::X8664 => Arch::X86_64,
        ScmpArch::Aarch64 => Arch::Aarch64,
        other => return Err(Refused::Library(format!("this machine is {other:?}"))),
    };
    let mut all = export(filter)?.instructions().to_vec();
    let at = all.windows(2).position(|pair| match pair {
        [load, compare] => {
            (load.code, load.k) == (LOAD, ARCH)
                && (compare.code, compare.k) == (EQUAL, native.audit())
        }
        _ => false,
    });
    match at.and_then(|at| all.get_mut(at + 1)) {
        Some(compare) => compare.k = arch.audit(),
        None => {
            return Err(Refused::Library("its program does not ask for the architecture".into()));
        }
    }
    Ok(all)
}

/// The program. It fits a pipe, which holds 64 KiB: the longest has 32.
fn export(filter: &ScmpFilterContext) -> Result<Program, Refused> {
    let (mut from, into) = pipe().map_err(failed)?;
    filter.export_bpf(&into).map_err(failed)?;
    drop(into);
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(failed)?;
    Program::parse(&bytes).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Refused {
    Refused::Library(error.to_string())
}
