//! Programs of filters: read, checked and run as the kernel does, without the kernel.
//!
//! Classic BPF with the operations that seccomp takes (`kernel/seccomp.c`, `seccomp_check_filter`), on
//! `struct seccomp_data`. Written from the kernel's documentation and source, and knows nothing of
//! who makes programs: what it says of one is worth something because it is another opinion.
//!
//! Invariant: jumps only go forward and within the program, so every run ends.

use std::fmt;

use crate::rules::Verdict;

/// Most instructions the kernel takes: `BPF_MAXINSNS`.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// Bytes of a `struct sock_filter`.
const INSTRUCTION: usize = 8;

/// Bytes of a `struct seccomp_data`.
const DATA: u32 = 64;

/// Place of the architecture in it, after the number.
const ARCH: u32 = 4;

/// Words of memory that a program has: `BPF_MEMWORDS`.
const MEMORY: usize = 16;

/// `SECCOMP_RET_…`: what is done, and what is said of it.
const RET_ACTION: u32 = 0xFFFF_0000;
const RET_DATA: u32 = 0x0000_FFFF;
const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_ALLOW: u32 = 0x7FFF_0000;

/// A `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when true.
    pub yes: u8,
    /// Instructions to skip when false.
    pub no: u8,
    /// Operand.
    pub k: u32,
}

/// What is wrong with a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bad {
    /// Not whole instructions, or none.
    Length(usize),
    /// More than [`MAX_INSTRUCTIONS`].
    TooLong(usize),
    /// An operation that seccomp does not take, or an operand out of range, at this instruction.
    Instruction(usize),
    /// It jumps or runs past its end, from this instruction.
    Past(usize),
    /// It returns what none of ours returns.
    Returns(u32),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => write!(f, "{bytes} bytes are no program"),
            Self::TooLong(count) => {
                write!(f, "{count} instructions, and the kernel takes {MAX_INSTRUCTIONS}")
            }
            Self::Instruction(at) => write!(f, "instruction {at} is none that a filter may have"),
            Self::Past(at) => write!(f, "instruction {at} leads past the end"),
            Self::Returns(value) => write!(f, "it returns {value:#x}"),
        }
    }
}

impl std::error::Error for Bad {}

/// One system call, as a filter sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Call {
    /// Number.
    pub number: u32,
    /// `AUDIT_ARCH_…`.
    pub arch: u32,
    /// Arguments.
    pub arguments: [u64; 6],
}

impl Call {
    /// The word at this place of `struct seccomp_data`; both of our architectures are little-endian.
    fn word(&self, at: u32) -> u32 {
        let [low, high] = match at {
            0 => return self.number,
            4 => return self.arch,
            8 | 12 => [0, 0],
            _ => {
                let which = usize::try_from((at - 16) / 8).unwrap_or(usize::MAX);
                halves(self.arguments.get(which).copied().unwrap_or(0))
            }
        };
        if at.is_multiple_of(8) { low } else { high }
    }
}

/// Low and high half.
pub(crate) fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

/// A program that the kernel would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(Vec<Instruction>);

impl Program {
    /// Reads `struct sock_filter`s.
    ///
    /// # Errors
    /// [`Bad`]: what the kernel would refuse.
    pub fn parse(bytes: &[u8]) -> Result<Self, Bad> {
        let (all, rest) = bytes.as_chunks::<INSTRUCTION>();
        if !rest.is_empty() || all.is_empty() {
            return Err(Bad::Length(bytes.len()));
        }
        let read = |&[a, b, yes, no, e, f, g, h]: &[u8; INSTRUCTION]| Instruction {
            code: u16::from_le_bytes([a, b]),
            yes,
            no,
            k: u32::from_le_bytes([e, f, g, h]),
        };
        Self::new(all.iter().map(read).collect())
    }

    /// Checks a program.
    ///
    /// # Errors
    /// [`Bad`]: what the kernel would refuse.
    pub fn new(all: Vec<Instruction>) -> Result<Self, Bad> {
        if all.len() > MAX_INSTRUCTIONS {
            return Err(Bad::TooLong(all.len()));
        }
        let inside = |at: usize, skip: u32| {
            usize::try_from(skip).is_ok_and(|skip| skip < all.len() - at - 1)
        };
        for (at, one) in all.iter().enumerate() {
            match Operation::of(*one).ok_or(Bad::Instruction(at))? {
                Operation::Jump if !inside(at, one.k) => return Err(Bad::Past(at)),
                Operation::Compare(..)
                    if !inside(at, one.yes.into()) || !inside(at, one.no.into()) =>
                {
                    return Err(Bad::Past(at));
                }
                _ => {}
            }
        }
        match all.last().and_then(|last| Operation::of(*last)) {
            Some(Operation::Return | Operation::ReturnA) => Ok(Self(all)),
            _ => Err(Bad::Past(all.len().saturating_sub(1))),
        }
    }

    /// The instructions.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// Every constant that something is compared with.
    pub fn constants(&self) -> impl Iterator<Item = u32> {
        let compares = |one: &&Instruction| {
            matches!(Operation::of(**one), Some(Operation::Compare(_, Other::K)))
        };
        self.0.iter().filter(compares).map(|one| one.k)
    }

    /// As `struct sock_filter`s.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * INSTRUCTION);
        for one in &self.0 {
            bytes.extend(one.code.to_le_bytes());
            bytes.extend([one.yes, one.no]);
            bytes.extend(one.k.to_le_bytes());
        }
        bytes
    }

    /// What it says of a call.
    ///
    /// # Errors
    /// It returns what none of ours returns.
    pub fn run(&self, call: &Call) -> Result<Verdict, Bad> {
        self.trace(call).map(|(verdict, _)| verdict)
    }

    /// Whether it looks at more than number and architecture. The kernel keeps the answer for a call that
    /// is allowed without that, and does not run the program again.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn looks_closer(&self, call: &Call) -> Result<bool, Bad> {
        self.trace(call).map(|(_, closer)| closer)
    }

    /// What it says, and whether it looked closer.
    fn trace(&self, call: &Call) -> Result<(Verdict, bool), Bad> {
        let (mut a, mut x) = (0_u32, 0_u32);
        let mut closer = false;
        let mut memory = [0_u32; MEMORY];
        let mut at = 0;
        while let Some(&one) = self.0.get(at) {
            let k = one.k;
            let slot = usize::try_from(k).unwrap_or(usize::MAX);
            let mut skip = 0;
            match Operation::of(one).ok_or(Bad::Instruction(at))? {
                Operation::Load => {
                    closer |= k > ARCH;
                    a = call.word(k);
                }
                Operation::Immediate => a = k,
                Operation::Length => a = DATA,
                Operation::ImmediateX => x = k,
                Operation::LengthX => x = DATA,
                Operation::Recall => a = memory.get(slot).copied().unwrap_or(0),
                Operation::RecallX => x = memory.get(slot).copied().unwrap_or(0),
                Operation::Store => set(&mut memory, slot, a),
                Operation::StoreX => set(&mut memory, slot, x),
                Operation::ToX => x = a,
                Operation::FromX => a = x,
                Operation::Compute(how, other) => match how.compute(a, other.value(k, x)) {
                    Some(result) => a = result,
                    // The kernel ends a program that divides by zero with 0: kill the thread.
                    None => return Ok((verdict(0)?, closer)),
                },
                Operation::Jump => skip = k,
                Operation::Compare(how, other) => {
                    let yes = how.holds(a, other.value(k, x));
                    skip = u32::from(if yes { one.yes } else { one.no });
                }
                Operation::Return => return Ok((verdict(k)?, closer)),
                Operation::ReturnA => return Ok((verdict(a)?, closer)),
            }
            at += 1 + usize::try_from(skip).unwrap_or(MAX_INSTRUCTIONS);
        }
        Err(Bad::Past(at))
    }
}

fn set(memory: &mut [u32; MEMORY], slot: usize, value: u32) {
    if let Some(place) = memory.get_mut(slot) {
        *place = value;
    }
}

fn verdict(returned: u32) -> Result<Verdict, Bad> {
    let errno = u16::try_from(returned & RET_DATA).unwrap_or(0);
    match returned & RET_ACTION {
        RET_ALLOW => Ok(Verdict::Allow),
        RET_KILL_PROCESS => Ok(Verdict::Kill),
        RET_ERRNO => Ok(Verdict::Errno(errno)),
        _ => Err(Bad::Returns(returned)),
    }
}

/// What an instruction does.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Load,
    Immediate,
    Length,
    ImmediateX,
    LengthX,
    Recall,
    RecallX,
    Store,
    StoreX,
    ToX,
    FromX,
    Compute(How, Other),
    Jump,
    Compare(Relation, Other),
    Return,
    ReturnA,
}

/// The other operand.
#[derive(Debug, Clone, Copy)]
enum Other {
    K,
    X,
}

impl Other {
    fn value(self, k: u32, x: u32) -> u32 {
        match self {
            Self::K => k,
            Self::X => x,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum How {
    Add,
    Sub,
    Mul,
    Div,
    And,
    Or,
    Xor,
    Left,
    Right,
    Negative,
}

impl How {
    fn compute(self, a: u32, other: u32) -> Option<u32> {
        Some(match self {
            Self::Add => a.wrapping_add(other),
            Self::Sub => a.wrapping_sub(other),
            Self::Mul => a.wrapping_mul(other),
            Self::Div => a.checked_div(other)?,
            Self::And => a & other,
            Self::Or => a | other,
            Self::Xor => a ^ other,
            Self::Left => a.wrapping_shl(other),
            Self::Right => a.wrapping_shr(other),
            Self::Negative => a.wrapping_neg(),
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Relation {
    Equal,
    Greater,
    AtLeast,
    Shares,
}

impl Relation {
    fn holds(self, a: u32, other: u32) -> bool {
        match self {
            Self::Equal => a == other,
            Self::Greater => a > other,
            Self::AtLeast => a >= other,
            Self::Shares => a & other != 0,
        }
    }
}

impl Operation {
    /// The operation, if seccomp takes it with this operand. Codes: `linux/bpf_common.h`.
    fn of(one: Instruction) -> Option<Self> {
        let memory = |operation| (one.k < 16).then_some(operation);
        match one.code {
            0x20 => (one.k < DATA && one.k.is_multiple_of(4)).then_some(Self::Load),
            0x00 => Some(Self::Immediate),
            0x80 => Some(Self::Length),
            0x01 => Some(Self::ImmediateX),
            0x81 => Some(Self::LengthX),
            0x60 => memory(Self::Recall),
            0x61 => memory(Self::RecallX),
            0x02 => memory(Self::Store),
            0x03 => memory(Self::StoreX),
            0x07 => Some(Self::ToX),
            0x87 => Some(Self::FromX),
            0x05 => Some(Self::Jump),
            0x06 => Some(Self::Return),
            0x16 => Some(Self::ReturnA),
            code => {
                let other = if code & 0x08 == 0 { Other::K } else { Other::X };
                match code & !0x08 {
                    0x15 => Some(Self::Compare(Relation::Equal, other)),
                    0x25 => Some(Self::Compare(Relation::Greater, other)),
                    0x35 => Some(Self::Compare(Relation::AtLeast, other)),
                    0x45 => Some(Self::Compare(Relation::Shares, other)),
                    arithmetic => Some(Self::Compute(how(arithmetic, one.k, other)?, other)),
                }
            }
        }
    }
}

/// Arithmetic; the kernel takes no division by, and no shift past, a constant that is known to be bad.
fn how(code: u16, k: u32, other: Other) -> Option<How> {
    let constant = matches!(other, Other::K);
    match code {
        0x04 => Some(How::Add),
        0x14 => Some(How::Sub),
        0x24 => Some(How::Mul),
        0x34 => (!constant || k != 0).then_some(How::Div),
        0x44 => Some(How::Or),
        0x54 => Some(How::And),
        0x64 => (!constant || k < 32).then_some(How::Left),
        0x74 => (!constant || k < 32).then_some(How::Right),
        0x84 => constant.then_some(How::Negative),
        0xA4 => Some(How::Xor),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
