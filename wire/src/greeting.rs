//! The lines before the first message. The kernel told us who the client is, so what it claims to
//! be is not looked at.

use std::io;

use crate::server::bad;

/// Longest greeting, in bytes; a library needs about a hundred.
const MAX_GREETING: usize = 4096;

/// What was said so far.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    /// Not looked at yet; once it has begun, of the first message.
    pub bytes: Vec<u8>,
    /// Bytes in all.
    pub heard: usize,
    /// Messages come now.
    pub begun: bool,
    /// The client asked for descriptors, and may.
    pub descriptors: bool,
    may: bool,
    opened: bool,
    known: bool,
}

impl Greeting {
    pub(crate) fn new(descriptors: bool) -> Self {
        Self { may: descriptors, ..Self::default() }
    }

    /// Takes bytes and gives the answer.
    pub(crate) fn hear(&mut self, bytes: &[u8], guid: &str) -> io::Result<String> {
        self.heard += bytes.len();
        if self.heard > MAX_GREETING {
            return Err(bad("the greeting does not end"));
        }
        self.bytes.extend(bytes);
        if !self.opened {
            match self.bytes.first() {
                None => return Ok(String::new()),
                Some(0) => self.bytes.drain(..1),
                Some(_) => return Err(bad("a client begins with a zero byte")),
            };
            self.opened = true;
        }
        let mut answer = String::new();
        while !self.begun
            && let Some(end) = self.bytes.windows(2).position(|end| end == b"\r\n")
        {
            let line: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let line = std::str::from_utf8(&line).map_err(|_| bad("a line that is no text"))?;
            answer += &self.line(line.trim_ascii_end(), guid)?;
        }
        Ok(answer)
    }

    fn line(&mut self, line: &str, guid: &str) -> io::Result<String> {
        let mut words = line.split_ascii_whitespace();
        let (what, mechanism, identity) = (words.next(), words.next(), words.next());
        Ok(match (what, mechanism) {
            (Some("AUTH"), Some("EXTERNAL")) if identity.is_none() => "DATA\r\n".to_owned(),
            (Some("AUTH"), Some("EXTERNAL")) | (Some("DATA"), _) => {
                self.known = true;
                format!("OK {guid}\r\n")
            }
            (Some("AUTH" | "CANCEL" | "ERROR"), _) => {
                self.known = false;
                "REJECTED EXTERNAL\r\n".to_owned()
            }
            (Some("NEGOTIATE_UNIX_FD"), _) if self.known && self.may => {
                self.descriptors = true;
                "AGREE_UNIX_FD\r\n".to_owned()
            }
            (Some("BEGIN"), _) if self.known => {
                self.begun = true;
                String::new()
            }
            (Some("BEGIN"), _) => return Err(bad("it begins before it said who it is")),
            _ => "ERROR not here\r\n".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"\0AUTH\r\nAUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\nl\x01\r\n";

    fn answers(mut greeting: Greeting, pieces: &[&[u8]]) -> io::Result<(String, Greeting)> {
        let mut all = String::new();
        for piece in pieces {
            all += &greeting.hear(piece, "g")?;
        }
        Ok((all, greeting))
    }

    #[test]
    fn a_greeting_is_understood_however_it_is_cut() {
        for size in [1, 3, 100] {
            let pieces: Vec<&[u8]> = TEXT.chunks(size).collect();
            let (said, greeting) = answers(Greeting::new(false), &pieces).unwrap();
            assert_eq!(said, "REJECTED EXTERNAL\r\nDATA\r\nOK g\r\nERROR not here\r\n");
            assert!(greeting.begun && !greeting.descriptors);
            assert_eq!(greeting.bytes, b"l\x01\r\n");
        }
        let short: &[u8] = b"\0AUTH EXTERNAL 30\r\n";
        assert_eq!(answers(Greeting::default(), &[short]).unwrap().0, "OK g\r\n");
    }

    #[test]
    fn descriptors_are_agreed_upon_where_they_may_come() {
        let (said, greeting) = answers(Greeting::new(true), &[TEXT]).unwrap();
        assert_eq!(said, "REJECTED EXTERNAL\r\nDATA\r\nOK g\r\nAGREE_UNIX_FD\r\n");
        assert!(greeting.descriptors);
    }

    #[test]
    fn who_does_not_greet_is_hung_up_on() {
        let (long, lines) = (vec![b'x'; MAX_GREETING], b"\r\n".repeat(MAX_GREETING));
        for pieces in [
            &[&b"\n"[..]][..],
            &[b"\0", &long],
            &[b"\0", &lines],
            &[b"\0BEGIN\r\n"],
            &[b"\0\xff\r\n"],
        ] {
            assert!(answers(Greeting::default(), pieces).is_err(), "{pieces:?}");
        }
    }
}
