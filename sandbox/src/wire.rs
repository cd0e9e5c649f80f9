//! How `sandbox-compiler` is spoken to: one request on standard input, one answer on standard output.
//!
//! ```text
//! request: postcard (Arch, [Profile])          to the end of the input
//! answer:  postcard [Ok(Compiled) | Err(text)]  one for each profile, in their order
//! ```
//!
//! Exit status 0 with an answer; otherwise 1 and a sentence on standard error. A profile that can't be
//! compiled is an answer, not a failure.

use std::fmt;

use model::sandbox::{Compiled, Profile};

use crate::calls::Arch;

/// Most profiles in one request: as many as services.
pub const MAX_PROFILES: usize = model::plan::MAX_SERVICES;

/// Longest request. Profiles of a device are some kilobytes.
pub const MAX_REQUEST: usize = 16 << 20;

/// Longest answer: a filter is at most 32 KiB.
pub const MAX_ANSWER: usize = 256 << 20;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// For which processor.
    pub arch: Arch,
    /// The profiles.
    pub profiles: Vec<Profile>,
}

/// One answer for each profile.
pub type Answer = Vec<Result<Compiled, String>>;

/// What came is no request or no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbled(String);

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Garbled {}

impl Request {
    /// As bytes.
    ///
    /// # Errors
    /// It is longer than [`MAX_REQUEST`], or has more profiles than [`MAX_PROFILES`].
    pub fn encode(&self) -> Result<Vec<u8>, Garbled> {
        if self.profiles.len() > MAX_PROFILES {
            return Err(Garbled(format!("more profiles than {MAX_PROFILES}")));
        }
        encode(&(self.arch, &self.profiles), MAX_REQUEST)
    }

    /// From bytes.
    ///
    /// # Errors
    /// They are no request.
    pub fn decode(bytes: &[u8]) -> Result<Self, Garbled> {
        let (arch, profiles): (Arch, Vec<Profile>) = decode(bytes, MAX_REQUEST)?;
        if profiles.len() > MAX_PROFILES {
            return Err(Garbled(format!("more profiles than {MAX_PROFILES}")));
        }
        Ok(Self { arch, profiles })
    }
}

/// An answer as bytes.
///
/// # Errors
/// It is longer than [`MAX_ANSWER`].
pub fn encode_answer(answer: &Answer) -> Result<Vec<u8>, Garbled> {
    encode(answer, MAX_ANSWER)
}

/// An answer to a request for so many profiles.
///
/// # Errors
/// The bytes are none.
pub fn decode_answer(bytes: &[u8], profiles: usize) -> Result<Answer, Garbled> {
    let answer: Answer = decode(bytes, MAX_ANSWER)?;
    if answer.len() != profiles {
        return Err(Garbled(format!("{} answers to {profiles} questions", answer.len())));
    }
    Ok(answer)
}

fn encode<T: serde::Serialize>(what: &T, most: usize) -> Result<Vec<u8>, Garbled> {
    let bytes = postcard::to_stdvec(what).map_err(|error| Garbled(error.to_string()))?;
    if bytes.len() > most {
        return Err(Garbled(format!("{} bytes, and at most {most} are taken", bytes.len())));
    }
    Ok(bytes)
}

fn decode<T: for<'a> serde::Deserialize<'a>>(bytes: &[u8], most: usize) -> Result<T, Garbled> {
    if bytes.len() > most {
        return Err(Garbled(format!("more than {most} bytes")));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((what, [])) => Ok(what),
        Ok((_, rest)) => Err(Garbled(format!("{} bytes too many", rest.len()))),
        Err(error) => Err(Garbled(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_an_answer_come_out_as_they_went_in() {
        let request = Request { arch: Arch::Aarch64, profiles: vec![Profile::default(); 2] };
        assert_eq!(Request::decode(&request.encode().unwrap()), Ok(request));
        let answer = vec![Ok(Compiled::default()), Err("no".to_owned())];
        let bytes = encode_answer(&answer).unwrap();
        assert_eq!(decode_answer(&bytes, 2), Ok(answer));
        assert!(decode_answer(&bytes, 3).is_err(), "one answer for each profile");
        assert!(decode_answer(&bytes[1..], 2).is_err());
    }

    #[test]
    fn too_many_profiles_are_refused_on_both_sides() {
        let profiles = vec![Profile::default(); MAX_PROFILES + 1];
        let bytes = postcard::to_stdvec(&(Arch::X86_64, &profiles)).unwrap();
        assert!(Request::decode(&bytes).is_err());
        assert!(Request { arch: Arch::X86_64, profiles }.encode().is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
            let _ = Request::decode(&bytes);
            let _ = decode_answer(&bytes, 1);
        }
    }
}
