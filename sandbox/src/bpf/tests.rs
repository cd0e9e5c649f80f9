use super::*;

fn one(code: u16, yes: u8, no: u8, k: u32) -> Instruction {
    Instruction { code, yes, no, k }
}

#[test]
fn a_program_sees_number_architecture_and_both_halves_of_arguments() {
    let call = Call { number: 7, arch: 9, arguments: [0, 0x1_0000_0002, 0, 0, 0, u64::MAX] };
    let words = [0, 4, 16, 24, 28, 60].map(|at| call.word(at));
    assert_eq!(words, [7, 9, 0, 2, 1, u32::MAX]);
}

#[test]
fn a_comparison_goes_one_way_or_the_other() {
    let program = Program::new(vec![
        one(0x20, 0, 0, 0),
        one(0x15, 0, 1, 39),
        one(0x06, 0, 0, RET_ERRNO | 38),
        one(0x06, 0, 0, RET_ALLOW),
    ])
    .unwrap();
    let run = |number| program.run(&Call { number, ..Call::default() }).unwrap();
    assert_eq!((run(39), run(40)), (Verdict::Errno(38), Verdict::Allow));
    assert_eq!(Program::parse(&program.bytes()), Ok(program));
}

#[test]
fn what_the_kernel_would_not_load_is_refused() {
    let end = one(0x06, 0, 0, RET_ALLOW);
    let refused = |all: &[Instruction]| Program::new(all.to_vec()).unwrap_err();
    assert_eq!(refused(&[one(0x20, 0, 0, 2), end]), Bad::Instruction(0), "half a word");
    assert_eq!(refused(&[one(0x20, 0, 0, 64), end]), Bad::Instruction(0), "past the data");
    assert_eq!(refused(&[one(0x28, 0, 0, 0), end]), Bad::Instruction(0), "a half word");
    assert_eq!(refused(&[one(0x15, 1, 0, 0), end]), Bad::Past(0));
    assert_eq!(refused(&[one(0x05, 0, 0, u32::MAX), end]), Bad::Past(0));
    assert_eq!(refused(&[one(0x20, 0, 0, 0)]), Bad::Past(0), "no return");
    assert_eq!(refused(&[one(0x34, 0, 0, 0), end]), Bad::Instruction(0), "division by zero");
    assert_eq!(refused(&vec![end; MAX_INSTRUCTIONS + 1]), Bad::TooLong(MAX_INSTRUCTIONS + 1));
    assert_eq!(Program::parse(&[0; 7]), Err(Bad::Length(7)));
    assert_eq!(Program::parse(&[]), Err(Bad::Length(0)));
}

#[test]
fn an_answer_that_none_of_our_filters_gives_is_an_error() {
    let program = Program::new(vec![one(0x06, 0, 0, 0x7FF0_0000)]).unwrap();
    assert_eq!(program.run(&Call::default()), Err(Bad::Returns(0x7FF0_0000)));
}

proptest::proptest! {
    #[test]
    fn any_program_that_is_taken_ends(codes in proptest::collection::vec(
        (proptest::sample::select(vec![0x20_u16, 0x15, 0x25, 0x35, 0x45, 0x05, 0x06, 0x54, 0x07, 0x1C]),
         0_u8..8, 0_u8..8, 0_u32..70), 1..40), number: u32)
    {
        let all = codes.into_iter().map(|(code, yes, no, k)| one(code, yes, no, k)).collect();
        if let Ok(program) = Program::new(all) {
            let _ = program.run(&Call { number, ..Call::default() });
        }
    }
}
