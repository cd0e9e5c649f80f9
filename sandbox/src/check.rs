//! A program is run for every call and compared with the rules it was made from.
//!
//! Every number up to past the last one, those with x32's bit, those around every constant of the program,
//! and those of other architectures; for a call with a rule about arguments, the values at which the rule
//! changes its answer, in every combination, and every single bit turned.

use std::collections::{BTreeMap, BTreeSet};

use crate::bpf::{Call, Program};
use crate::calls::Arch;
use crate::refused::Refused;
use crate::rules::{Case, Rule, Rules, Verdict, X32};

/// Numbers past the last call that are tried one by one.
const BEYOND: u32 = 600;

/// Most combinations of arguments that are tried for one call.
const MAX_COMBINATIONS: usize = 100_000;

/// `AUDIT_ARCH_I386`, `AUDIT_ARCH_ARM`, and none.
const FOREIGN: [u32; 3] = [0x4000_0003, 0x4000_0028, 0];

/// Arguments for calls without a rule about them.
const ANY: [[u64; 6]; 3] = [[0; 6], [u64::MAX; 6], [1, 2, 3, 4, 5, 6]];

/// Compares a program with its rules.
///
/// # Errors
/// [`Refused::Differs`], with the first call that gets another answer.
pub fn check(program: &Program, rules: &Rules) -> Result<(), Refused> {
    let arch = rules.arch().audit();
    let one = |number, arguments: [u64; 6]| {
        same(program, &Call { number, arch, arguments }, rules.verdict(number, &arguments))
    };
    let about: BTreeMap<u32, &Rule> = rules.calls().collect();
    let beyond = [X32 - 1, X32, X32 | 1, X32 | 59, X32 | 547, 0x8000_0000, u32::MAX];
    // Between these, numbers get the same answer: the program has nothing to tell them apart by.
    let around: BTreeSet<u32> =
        program.constants().flat_map(|k| [k.saturating_sub(1), k, k.saturating_add(1)]).collect();
    for number in (0..=rules.highest() + BEYOND).chain(beyond).chain(around) {
        match about.get(&number) {
            Some(Rule::Only(cases) | Rule::Except(cases)) => {
                for arguments in classes(cases)? {
                    one(number, arguments)?;
                }
            }
            _ => ANY.iter().try_for_each(|arguments| one(number, *arguments))?,
        }
    }
    let others = Arch::ALL.map(Arch::audit).into_iter().filter(|other| *other != arch);
    for arch in others.chain(FOREIGN) {
        for number in (0..=rules.highest() + 1).chain(beyond) {
            let call = Call { number, arch, arguments: [0; 6] };
            same(program, &call, Verdict::Kill)?;
        }
    }
    Ok(())
}

fn same(program: &Program, call: &Call, wanted: Verdict) -> Result<(), Refused> {
    match program.run(call) {
        Ok(got) if got == wanted => Ok(()),
        got => Err(Refused::Differs(format!("{call:x?}: {got:?} instead of {wanted:?}"))),
    }
}

/// Arguments at which a rule of these cases changes its answer, and around them.
fn classes(cases: &[Case]) -> Result<Vec<[u64; 6]>, Refused> {
    let mut values: BTreeMap<u8, BTreeSet<u64>> = BTreeMap::new();
    for test in cases.iter().flatten() {
        let lowest = test.mask & test.mask.wrapping_neg();
        let highest = test.mask ^ (test.mask & (test.mask.wrapping_shr(1)));
        let turned = [lowest, highest, test.mask, !test.mask].map(|bits| test.value ^ bits);
        let near = turned.into_iter().chain([test.value]);
        values.entry(test.argument).or_default().extend(near.chain([0, u64::MAX]));
    }
    let mut all = vec![[0; 6]];
    for (argument, values) in &values {
        if all.len() * values.len() > MAX_COMBINATIONS {
            return Err(Refused::TooMany { what: "cases of one call", most: MAX_COMBINATIONS });
        }
        let with = |base: &[u64; 6], value: u64| set(*base, *argument, value);
        all = all.iter().flat_map(|base| values.iter().map(move |v| with(base, *v))).collect();
    }
    for case in cases {
        let holds = case.iter().fold([0; 6], |all, test| set(all, test.argument, test.value));
        for test in case {
            let value = holds.get(usize::from(test.argument)).copied().unwrap_or(0);
            all.extend((0..64).map(|bit| set(holds, test.argument, value ^ (1 << bit))));
        }
    }
    Ok(all)
}

fn set(mut all: [u64; 6], argument: u8, value: u64) -> [u64; 6] {
    if let Some(place) = all.get_mut(usize::from(argument)) {
        *place = value;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf::Instruction;
    use crate::rules::tests::profile;

    #[test]
    fn a_program_that_allows_one_call_too_many_is_noticed() {
        let rules = Rules::of(&profile(&["@basic"]), Arch::X86_64).unwrap().unwrap();
        let all = vec![Instruction { code: 0x06, yes: 0, no: 0, k: 0x7FFF_0000 }];
        let program = Program::new(all).unwrap();
        assert!(matches!(check(&program, &rules), Err(Refused::Differs(_))));
    }

    #[test]
    fn a_program_with_one_comparison_turned_round_is_noticed_on_both_processors() {
        for arch in Arch::ALL {
            let profile = profile(&["@basic"]);
            let rules = Rules::of(&profile, arch).unwrap().unwrap();
            let compiled = crate::compile(&profile, arch).unwrap();
            let right = Program::parse(&compiled.filter).unwrap().instructions().to_vec();
            check(&Program::new(right.clone()).unwrap(), &rules).unwrap();
            let mut turned = 0;
            for at in 0..right.len() {
                let mut wrong = right.clone();
                if wrong[at].yes == wrong[at].no {
                    continue;
                }
                (wrong[at].yes, wrong[at].no) = (wrong[at].no, wrong[at].yes);
                let noticed = check(&Program::new(wrong).unwrap(), &rules);
                assert!(matches!(noticed, Err(Refused::Differs(_))), "{arch}: {at}");
                turned += 1;
            }
            assert!(turned > 30, "{arch}: {turned}");
        }
    }

    #[test]
    fn each_bit_of_an_argument_is_turned() {
        let case = vec![crate::rules::Test { argument: 2, mask: 6, value: 4 }];
        let all = classes(&[case]).unwrap();
        for value in [4, 0, 2, 6, 5, 12, 4 | (1 << 63)] {
            assert!(all.iter().any(|arguments| arguments[2] == value), "{value}");
        }
    }
}
