//! Rules as a program for the kernel: as short as it gets, because every start pays for its length.
//!
//! ```text
//! architecture? ─ another ─► kill
//!      ▼
//! tree over ranges of numbers with one answer, each half as heavy as the other
//!      ├─► allow, EPERM, ENOSYS, kill          (one instruction each, shared)
//!      └─► tests of arguments                   (once for all calls with the same rule) ─► allow, EPERM
//! ```
//!
//! The kernel checks the program, translates it, compiles it in several passes, and runs it once for every number
//! of both its ABIs, to know which calls need no filter: all that is part of the start. A tree over single numbers,
//! as libseccomp makes it, costs five times as much; so [`library`] makes the same only as another opinion.
//! Whether both are right, [`crate::check`] finds out.

mod emit;
pub mod library;

use std::collections::BTreeMap;

use crate::bpf::Program;
use crate::calls::Arch;
use crate::refused::Refused;
use crate::rules::{ENOSYS, EPERM, Rule, Rules, Verdict, X32};
use emit::{Emit, Half, Label, halves};

/// Single numbers with an answer of their own that one range has, before it is two ranges: each costs a
/// comparison for all of the range, a range of its own costs two for the way to it.
const MAX_EXCEPTIONS: usize = 3;

/// Numbers count for the balance of the tree up to the last call: nobody calls the others.
const WEIGHT_BEYOND: u64 = 4;

/// The program of these rules. Not checked yet.
///
/// # Errors
/// It is too long for the kernel.
pub fn program(rules: &Rules) -> Result<Program, Refused> {
    let mut emit = Emit::default();
    let mut leaves = Leaves::default();
    let mut begins = Vec::new();
    let mut next = 0;
    for (number, rule) in rules.calls() {
        if number > next {
            begins.push((next, leaves.fixed(&mut emit, Verdict::Errno(ENOSYS))));
        }
        begins.push((number, leaves.of(&mut emit, rule)));
        next = number + 1;
    }
    begins.push((next, leaves.fixed(&mut emit, Verdict::Errno(ENOSYS))));
    let kill = leaves.fixed(&mut emit, Verdict::Kill);
    if rules.arch() == Arch::X86_64 {
        begins.push((X32, kill));
    }
    let root = tree(&mut emit, &ranges(&begins, next));
    let number = emit.load_number(root);
    emit.architecture(rules.arch().audit(), number, kill);
    Program::new(emit.finish()).map_err(|bad| Refused::Program(bad.to_string()))
}

/// What is at the end of the tree, each once.
#[derive(Debug, Default)]
struct Leaves {
    fixed: BTreeMap<Verdict, Label>,
    tests: BTreeMap<(bool, Vec<Vec<Half>>), Label>,
}

impl Leaves {
    fn fixed(&mut self, emit: &mut Emit, verdict: Verdict) -> Label {
        *self.fixed.entry(verdict).or_insert_with(|| emit.answer(verdict))
    }

    fn of(&mut self, emit: &mut Emit, rule: &Rule) -> Label {
        let (cases, allowed) = match rule {
            Rule::Fixed(verdict) => return self.fixed(emit, *verdict),
            Rule::Only(cases) => (cases, true),
            Rule::Except(cases) => (cases, false),
        };
        let cases: Vec<_> = cases.iter().map(|case| halves(case)).collect();
        let allow = self.fixed(emit, Verdict::Allow);
        let refuse = self.fixed(emit, Verdict::Errno(EPERM));
        let (yes, no) = if allowed { (allow, refuse) } else { (refuse, allow) };
        let known = self.tests.entry((allowed, cases));
        *known.or_insert_with_key(|(_, cases)| emit.any_of(cases, yes, no))
    }
}

/// Numbers from `first` to before the next one's, with one answer but for some.
#[derive(Debug, Clone)]
struct Range {
    first: u32,
    weight: u64,
    leaf: Label,
    except: Vec<(u32, Label)>,
}

/// As few ranges as possible, from where each answer begins; calls end before `end`.
fn ranges(begins: &[(u32, Label)], end: u32) -> Vec<Range> {
    let mut all: Vec<Range> = Vec::new();
    let nexts = begins.iter().skip(1).map(|(first, _)| u64::from(*first)).chain([u64::from(end)]);
    for ((first, leaf), next) in begins.iter().zip(nexts) {
        let beyond = *first >= end;
        let weight = if beyond { WEIGHT_BEYOND } else { next.min(end.into()) - u64::from(*first) };
        match all.last_mut() {
            Some(last) if last.leaf == *leaf => last.weight += weight,
            _ => all.push(Range { first: *first, weight, leaf: *leaf, except: Vec::new() }),
        }
        fold(&mut all);
    }
    all
}

/// A single number between two ranges with one answer becomes an exception of them.
fn fold(all: &mut Vec<Range>) {
    let [.., before, single, after] = all.as_slice() else { return };
    let alone = after.first - single.first == 1 && single.except.is_empty();
    if !alone || before.leaf != after.leaf || before.except.len() >= MAX_EXCEPTIONS {
        return;
    }
    let (single, after) = (single.clone(), after.clone());
    all.truncate(all.len() - 2);
    if let Some(before) = all.last_mut() {
        before.weight += single.weight + after.weight;
        before.except.push((single.first, single.leaf));
    }
}

/// Halves of about the same weight, down to one range; of none, past the end, which no program may lead to.
fn tree(emit: &mut Emit, ranges: &[Range]) -> Label {
    let all: u64 = ranges.iter().map(|range| range.weight).sum();
    let (mut left, mut best) = (0, (u64::MAX, 1));
    for (at, range) in ranges.iter().enumerate().take(ranges.len().saturating_sub(1)) {
        left += range.weight;
        best = best.min(((2 * left).abs_diff(all), at + 1));
    }
    match ranges.split_at_checked(best.1) {
        Some((low, [first, ..])) if !low.is_empty() => {
            let high = ranges.get(best.1..).unwrap_or_default();
            let number = first.first;
            let high = tree(emit, high);
            let low = tree(emit, low);
            emit.at_least(number, high, low)
        }
        _ => ranges.first().map_or(0, |range| {
            let test = |rest, (number, leaf): &(u32, Label)| emit.equal(*number, *leaf, rest);
            range.except.iter().fold(range.leaf, test)
        }),
    }
}

#[cfg(test)]
mod tests;
