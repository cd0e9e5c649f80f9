//! What is asked of servicemgr most, in a few bytes, for a tool that runs for a moment; and that tool.
//!
//! ```text
//! client ── verb, length, name ──►  servicemgr      one write
//!        ◄── done | in full | failed, why | replaced, why      and it hangs up
//! ```
//!
//! On the control socket, whose other clients begin with a zero byte, as D-Bus has it. Each question is one
//! of the calls of the bus and means the same. `in full`: nothing was done, and the answer is one that
//! needs more words; whoever asks makes the call itself. Bytes from outside: anything else is nothing.
//!
//! Needs no library, since the tool has none.

#![cfg_attr(not(test), no_std)]

/// Where it is asked.
pub const SOCKET: &str = "/run/ensemble/services.sock";

/// Longest name that fits, in bytes; a service's name has at most half as many.
pub const MAX_NAME: usize = 128;

/// Longest question, in bytes.
pub const MAX_QUESTION: usize = 2 + MAX_NAME;

/// Longest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 64 << 10;

/// First word of a command line for who finds the answer at descriptor [`FD`].
pub const ASKED: &str = "--asked";

/// The descriptor at which the connection is left.
pub const FD: i32 = 3;

/// The answer when all is as was asked.
pub const DONE: u8 = 0;

/// The answer when whoever asks is to ask in full.
pub const IN_FULL: u8 = 1;

const FAILED: u8 = 2;
const REPLACED: u8 = 3;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// Start this service, and answer when it is ready.
    Start(&'a str),
    /// Stop this service, and answer when its processes are gone.
    Stop(&'a str),
    /// Take the device down and switch it off.
    PowerOff,
    /// Take the device down and start it again.
    Reboot,
    /// Take the device down, and leave the power on.
    Halt,
}

impl<'a> Question<'a> {
    /// What a command line of `ensctl` asks, without the name of the program. Only the plainest: all else
    /// is for the whole tool, which decides what a command line means.
    #[must_use]
    pub fn of_words(words: &[&'a str]) -> Option<Self> {
        match *words {
            ["service", "start", name] if is_plain(name) => Some(Self::Start(name)),
            ["service", "stop", name] if is_plain(name) => Some(Self::Stop(name)),
            ["poweroff"] => Some(Self::PowerOff),
            ["reboot"] => Some(Self::Reboot),
            ["halt"] => Some(Self::Halt),
            _ => None,
        }
    }

    /// As bytes, in `room`.
    #[must_use]
    pub fn bytes<'r>(&self, room: &'r mut [u8; MAX_QUESTION]) -> &'r [u8] {
        let (verb, name) = match *self {
            Self::Start(name) => (b'+', name),
            Self::Stop(name) => (b'-', name),
            Self::PowerOff => (b'p', ""),
            Self::Reboot => (b'r', ""),
            Self::Halt => (b'h', ""),
        };
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        let bytes = [verb, length].into_iter().chain(name.bytes());
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        room.get(..2 + usize::from(length)).unwrap_or_default()
    }

    /// What bytes ask.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (verb, length, name) = match bytes {
            [verb, length, name @ ..] => (*verb, *length, name),
            _ => return None,
        };
        let name = str::from_utf8(name).ok().filter(|n| n.len() == usize::from(length))?;
        match (verb, name) {
            (b'+', name) if is_plain(name) => Some(Self::Start(name)),
            (b'-', name) if is_plain(name) => Some(Self::Stop(name)),
            (b'p', "") => Some(Self::PowerOff),
            (b'r', "") => Some(Self::Reboot),
            (b'h', "") => Some(Self::Halt),
            _ => None,
        }
    }
}

/// Whether this can be nothing but a name: no option, and nothing that is written in another way.
fn is_plain(name: &str) -> bool {
    let legal =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    name.len() <= MAX_NAME
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && name.bytes().all(legal)
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// All is as was asked.
    Done,
    /// Nothing was done: ask in full.
    InFull,
    /// The job ended, and not as asked.
    Failed(&'a str),
    /// Another request took over before the job ended.
    Replaced(&'a str),
}

impl<'a> Answer<'a> {
    /// As a byte and the text behind it.
    #[must_use]
    pub fn parts(&self) -> (u8, &'a str) {
        let (what, why) = match *self {
            Self::Done => (DONE, ""),
            Self::InFull => (IN_FULL, ""),
            Self::Failed(why) => (FAILED, why),
            Self::Replaced(why) => (REPLACED, why),
        };
        (what, why.get(..why.floor_char_boundary(MAX_ANSWER - 1)).unwrap_or_default())
    }

    /// What bytes answer.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (what, why) = bytes.split_first().filter(|_| bytes.len() <= MAX_ANSWER)?;
        match (*what, str::from_utf8(why).ok()?) {
            (DONE, "") => Some(Self::Done),
            (IN_FULL, "") => Some(Self::InFull),
            (FAILED, why) => Some(Self::Failed(why)),
            (REPLACED, why) => Some(Self::Replaced(why)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENDS: [Question<'_>; 3] = [Question::PowerOff, Question::Reboot, Question::Halt];

    fn bytes(answer: Answer<'_>) -> Vec<u8> {
        let (what, why) = answer.parts();
        [&[what], why.as_bytes()].concat()
    }

    fn back(question: Question<'_>) -> bool {
        Question::read(question.bytes(&mut [0; MAX_QUESTION])) == Some(question)
    }

    #[test]
    fn a_question_is_what_was_asked() {
        let longest = "x".repeat(MAX_NAME);
        for name in ["web", "openssh@3", &longest] {
            assert!(back(Question::Start(name)) && back(Question::Stop(name)));
        }
        assert!(ENDS.into_iter().all(back));
    }

    #[test]
    fn what_is_longer_or_shorter_than_it_says_asks_nothing() {
        for bytes in
            [&b""[..], b"+", b"+\x03we", b"+\x03webs", b"+\x00", b"p\x01x", b"\0AUTH", b"?\x01a"]
        {
            assert_eq!(Question::read(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn only_the_plainest_lines_are_taken() {
        assert_eq!(Question::of_words(&["service", "stop", "web"]), Some(Question::Stop("web")));
        assert_eq!(Question::of_words(&["reboot"]), Some(Question::Reboot));
        let long = "x".repeat(MAX_NAME + 1);
        for name in ["", "-h", "--json", "we b", "@x", "café", &long] {
            assert_eq!(Question::of_words(&["service", "start", name]), None, "{name}");
        }
        for words in
            [&["service", "start"][..], &["service", "start", "a", "b"], &["poweroff", "-h"], &[]]
        {
            assert_eq!(Question::of_words(words), None, "{words:?}");
        }
    }

    proptest! {
        #[test]
        fn an_answer_is_what_was_said(why in "\\PC{0,40}", which in 0..4) {
            let answer = match which {
                0 => Answer::Done,
                1 => Answer::InFull,
                2 => Answer::Failed(&why),
                _ => Answer::Replaced(&why),
            };
            let all = bytes(answer);
            prop_assert_eq!(Answer::read(&all), Some(answer));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(all: Vec<u8>) {
            if let Some(question) = Question::read(&all) {
                let mut room = [0; MAX_QUESTION];
                prop_assert_eq!(question.bytes(&mut room), &all[..]);
            }
            if let Some(answer) = Answer::read(&all) {
                prop_assert_eq!(bytes(answer), all);
            }
        }
    }
}
