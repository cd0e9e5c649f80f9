//! Writing a program from its end to its beginning, so that what a jump leads to is there already.
//!
//! A comparison leads at most 255 instructions on; where that is not far enough, it leads to an unconditional
//! jump that is put in its way, or to a copy of the answer.
//!
//! Invariant: a label is the number of instructions from it to the end, so it never changes.

use std::collections::BTreeMap;

use crate::bpf::{Instruction, halves as words};
use crate::rules::{Test, Verdict};

// Operations (`linux/bpf_common.h`).
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const SHARES: u16 = 0x45;
const RETURN: u16 = 0x06;

// Places in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

// `SECCOMP_RET_…`.
const KILL: u32 = 0x8000_0000;
const ALLOW: u32 = 0x7FFF_0000;
const ERRNO: u32 = 0x0005_0000;

/// How far a comparison leads, with room for two jumps that are put in its way.
const FAR: usize = 250;

/// A place in the program: how many instructions are from it to the end.
pub(super) type Label = usize;

/// Bits of one word of the arguments, and what they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Half {
    /// Place of the word.
    at: u32,
    mask: u32,
    value: u32,
}

/// A case word by word; words about which nothing is said are left out.
pub(super) fn halves(case: &[Test]) -> Vec<Half> {
    let of = |test: &Test| {
        let at = ARGUMENTS + 8 * u32::from(test.argument);
        let ([low, high], [low_value, high_value]) = (words(test.mask), words(test.value));
        [
            Half { at, mask: low, value: low_value },
            Half { at: at + 4, mask: high, value: high_value },
        ]
    };
    case.iter().flat_map(of).filter(|half| (half.mask, half.value) != (0, 0)).collect()
}

/// Where tests begin, and the word that must be looked at before.
#[derive(Debug, Clone, Copy)]
struct Begin {
    label: Label,
    word: Option<u32>,
}

/// The program so far, its last instruction first.
#[derive(Debug, Default)]
pub(super) struct Emit {
    all: Vec<Instruction>,
    /// The nearest instruction that leads where a label does.
    near: BTreeMap<Label, Label>,
}

impl Emit {
    /// From its first instruction.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.all.reverse();
        self.all
    }

    pub(super) fn answer(&mut self, verdict: Verdict) -> Label {
        let k = match verdict {
            Verdict::Allow => ALLOW,
            Verdict::Errno(errno) => ERRNO | u32::from(errno),
            Verdict::Kill => KILL,
        };
        self.push(RETURN, 0, 0, k)
    }

    /// Whether the number is at least this.
    pub(super) fn at_least(&mut self, number: u32, yes: Label, no: Label) -> Label {
        self.compare(AT_LEAST, number, yes, no)
    }

    /// Whether the number is this.
    pub(super) fn equal(&mut self, number: u32, yes: Label, no: Label) -> Label {
        self.compare(EQUAL, number, yes, no)
    }

    /// The number is looked at, then it goes on with `then`, the newest label.
    pub(super) fn load_number(&mut self, then: Label) -> Label {
        self.load(NUMBER, then)
    }

    /// The architecture is looked at first of all.
    pub(super) fn architecture(&mut self, own: u32, yes: Label, no: Label) -> Label {
        let compare = self.compare(EQUAL, own, yes, no);
        self.load(ARCH, compare)
    }

    /// Whether one of these cases holds: all of a case must.
    pub(super) fn any_of(&mut self, cases: &[Vec<Half>], yes: Label, no: Label) -> Label {
        let cases: Vec<_> = cases.iter().map(Vec::as_slice).collect();
        let begin = self.any(&cases, yes, no);
        self.loaded(begin)
    }

    /// Cases that begin with the same test share it.
    fn any(&mut self, cases: &[&[Half]], yes: Label, no: Label) -> Begin {
        let Some((first, _)) = cases.split_first() else { return Begin { label: no, word: None } };
        let Some((test, _)) = first.split_first() else { return Begin { label: yes, word: None } };
        let same = cases.iter().take_while(|case| case.first() == Some(test)).count();
        let (same, rest) = cases.split_at_checked(same).unwrap_or((cases, &[]));
        let tails: Vec<_> = same.iter().map(|case| case.get(1..).unwrap_or_default()).collect();
        let rest = self.any(rest, yes, no);
        // What masks no bits away leaves the word to who comes next.
        let whole = test.mask == u32::MAX || test.value == 0;
        let at_hand = rest.word.is_none() || whole && rest.word == Some(test.at);
        let last = tails.iter().any(|tail| tail.is_empty());
        let full = if at_hand && last { rest.label } else { self.loaded(rest) };
        let otherwise = if at_hand { rest.label } else { full };
        let tails = self.any(&tails, yes, full);
        let then = self.loaded(tails);
        let label = match (test.mask, test.value) {
            (mask, 0) => self.compare(SHARES, mask, otherwise, then),
            (u32::MAX, value) => self.compare(EQUAL, value, then, otherwise),
            (mask, value) => {
                self.compare(EQUAL, value, then, otherwise);
                self.push(AND, 0, 0, mask)
            }
        };
        Begin { label, word: Some(test.at) }
    }

    /// Where it begins for whom its word is not at hand.
    fn loaded(&mut self, begin: Begin) -> Label {
        begin.word.map_or(begin.label, |at| self.load(at, begin.label))
    }

    fn load(&mut self, at: u32, then: Label) -> Label {
        self.before(then);
        self.push(LOAD, 0, 0, at)
    }

    /// The next instruction comes right before `then`.
    fn before(&mut self, then: Label) {
        if then != self.all.len() {
            self.jump(then);
        }
    }

    fn compare(&mut self, code: u16, k: u32, yes: Label, no: Label) -> Label {
        let (yes, no) = (self.near(yes), self.near(no));
        let skip = |label| u8::try_from(self.all.len() - label).unwrap_or(u8::MAX);
        let (yes, no) = (skip(yes), skip(no));
        self.push(code, yes, no, k)
    }

    /// What leads where `label` does and can be reached by a comparison.
    fn near(&mut self, label: Label) -> Label {
        let known = self.near.get(&label).copied().unwrap_or(label);
        if self.all.len() - known < FAR {
            return known;
        }
        let there = self.jump(label);
        self.near.insert(label, there);
        there
    }

    fn jump(&mut self, to: Label) -> Label {
        let target = self.all.get(to.wrapping_sub(1)).copied();
        match target {
            Some(Instruction { code: RETURN, k, .. }) => self.push(RETURN, 0, 0, k),
            _ => {
                let skip = u32::try_from(self.all.len() - to).unwrap_or(u32::MAX);
                self.push(JUMP, 0, 0, skip)
            }
        }
    }

    fn push(&mut self, code: u16, yes: u8, no: u8, k: u32) -> Label {
        self.all.push(Instruction { code, yes, no, k });
        self.all.len()
    }
}
