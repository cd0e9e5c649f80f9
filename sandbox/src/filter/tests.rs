//! Programs do what their rules say, whatever the rules, and stay short.

use proptest::prelude::*;

use super::*;
use crate::bpf::Call;
use crate::rules::Test;
use crate::rules::tests::profile;

fn finish(mut emit: Emit, root: Label) -> Program {
    emit.load_number(root);
    Program::new(emit.finish()).unwrap()
}

fn call(number: u32) -> Call {
    Call { number, ..Call::default() }
}

#[test]
fn the_filter_of_ordinary_programs_is_a_quarter_of_that_of_the_library() {
    for arch in Arch::ALL {
        let mut all = profile(&["@basic"]);
        all.write_execute = Some(false);
        all.files.write = Some(vec![]);
        let rules = Rules::of(&all, arch).unwrap().unwrap();
        let ours = program(&rules).unwrap().instructions().len();
        let theirs = library::program(&rules).unwrap().instructions().len();
        assert!(ours < 150 && 4 * ours < theirs, "{ours} {theirs}");
    }
}

#[test]
fn answers_that_are_too_far_for_a_comparison_are_reached_all_the_same() {
    let mut emit = Emit::default();
    let leaves: Vec<_> = (0..5).map(|errno| emit.answer(Verdict::Errno(errno))).collect();
    let leaf = |number: u32| usize::try_from(number % 5).unwrap();
    let begins: Vec<_> = (0..1500).map(|number| (number, leaves[leaf(number)])).collect();
    let root = tree(&mut emit, &ranges(&begins, 1500));
    let program = finish(emit, root);
    for number in 0..1500 {
        let wanted = Verdict::Errno(u16::try_from(number % 5).unwrap());
        assert_eq!(program.run(&call(number)), Ok(wanted), "{number}");
    }
}

#[test]
fn a_single_number_between_two_ranges_with_one_answer_splits_neither() {
    let mut emit = Emit::default();
    let [a, b] = [1, 2].map(|errno| emit.answer(Verdict::Errno(errno)));
    let begins = [(0, a), (5, b), (6, a), (9, b), (11, a), (20, b)];
    let all = ranges(&begins, 20);
    let firsts: Vec<_> = all.iter().map(|range| (range.first, range.except.len())).collect();
    assert_eq!(firsts, [(0, 1), (9, 0), (11, 0), (20, 0)]);
    let root = tree(&mut emit, &all);
    let program = finish(emit, root);
    let twos: Vec<_> =
        (0..30).filter(|n| program.run(&call(*n)) == Ok(Verdict::Errno(2))).collect();
    assert_eq!(twos, [vec![5, 9, 10], (20..30).collect()].concat());
}

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(0xFFFF_FFFF),
        (0..64_u32).prop_map(|bit| 1 << bit),
        0..8_u64,
        any::<u64>(),
    ]
}

fn cases() -> impl Strategy<Value = Vec<Vec<Test>>> {
    let test =
        (0..3_u8, word(), word(), any::<bool>()).prop_map(|(argument, mask, value, fits)| Test {
            argument,
            mask,
            value: if fits { value & mask } else { value },
        });
    proptest::collection::vec(proptest::collection::vec(test, 0..4), 0..6)
}

proptest! {
    #[test]
    fn whatever_is_said_of_arguments_the_program_says_the_same(
        cases in cases(),
        allowed in any::<bool>(),
        others in proptest::collection::vec([word(), word(), word()], 8),
    ) {
        let rule = if allowed { Rule::Only(cases.clone()) } else { Rule::Except(cases.clone()) };
        let mut emit = Emit::default();
        let root = Leaves::default().of(&mut emit, &rule);
        let program = finish(emit, root);
        // Besides chance, arguments that hold for a case.
        let hold = cases.iter().map(|case| {
            case.iter().fold([0_u64; 3], |mut all, test| {
                all[usize::from(test.argument)] |= test.value;
                all
            })
        });
        for some in others.iter().copied().chain(hold) {
            let mut arguments = [7; 6];
            arguments[..3].copy_from_slice(&some);
            let call = Call { arguments, ..Call::default() };
            prop_assert_eq!(program.run(&call), Ok(rule.verdict(&arguments)), "{:x?}", call);
        }
    }
}
