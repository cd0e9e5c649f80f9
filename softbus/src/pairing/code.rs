//! The six digits.
//!
//! Invariant: those that are shown are 100000 to 999999; never in a log: it is shown only where [`Code::digits`] is called.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The least; it has six digits.
const FIRST: u64 = 100_000;

/// How many there are.
const COUNT: u64 = 900_000;

/// What is shown on one device and typed on the other.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Code(u64);

/// It is not six digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code is six digits, as the other device shows them")]
pub struct BadCode;

impl Code {
    /// The code that comes of 32 bytes nobody can guess.
    #[must_use]
    pub fn from_random(random: &[u8; 32]) -> Self {
        // Of 64 bits, the remainder is as likely as any other but for one part in 2⁴⁴.
        let number = random.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Self(FIRST.saturating_add(number.checked_rem(COUNT).unwrap_or_default()))
    }

    /// As it is shown and typed.
    #[must_use]
    pub fn digits(&self) -> String {
        format!("{:06}", self.0)
    }
}

impl FromStr for Code {
    type Err = BadCode;

    /// Blanks and dashes between digits are for the eye.
    fn from_str(text: &str) -> Result<Self, BadCode> {
        let digits: String =
            text.chars().filter(|letter| !matches!(letter, ' ' | '-')).take(7).collect();
        let plain = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_digit());
        // None that is shown begins with 0; typed, it is a wrong one like others.
        digits.parse().ok().filter(|_| plain).map(Self).ok_or(BadCode)
    }
}

/// Never shown.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code")
    }
}

/// As much randomness as is needed, of 32 bytes: what is drawn for one use says nothing of another.
pub(super) fn draw(seed: &[u8; 32], what: &[u8], number: u8) -> [u8; 32] {
    // A key of any length is good for an HMAC.
    let mac = Hmac::<Sha256>::new_from_slice(seed)
        .map(|mac| mac.chain_update(what).chain_update([number]));
    mac.map_or([0; 32], |mac| mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_digits_and_is_read_as_people_type_it() {
        for seed in 0..=255_u8 {
            let code = Code::from_random(&draw(&[seed; 32], b"code", 0));
            assert_eq!(code.digits().len(), 6);
            assert_eq!(code.digits().parse(), Ok(code));
        }
        assert_eq!(" 123 456".parse::<Code>().unwrap().digits(), "123456");
        assert_eq!("123-456".parse::<Code>().unwrap().digits(), "123456");
        for wrong in ["", "12345", "1234567", "12345a", "+12345", "١٢٣٤٥٦"] {
            assert_eq!(wrong.parse::<Code>(), Err(BadCode), "{wrong}");
        }
        assert_eq!(format!("{:?}", Code(123_456)), "a code");
    }
}
