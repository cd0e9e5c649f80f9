//! The answer that a question in brief got, for who asked it and cannot tell it (the crate [`brief`]).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;

use api::services::Error;
use brief::Answer;
use jiff::Timestamp;

use crate::args::Args;
use crate::call;
use crate::fault::Fault;
use crate::request::Request;
use crate::run::local;
use crate::services::named;

/// Tells what came at the descriptor, about the request that `line` is.
///
/// # Errors
/// What was answered, in words for people; or there is nothing of this kind.
pub fn run(line: impl IntoIterator<Item = OsString>) -> Result<ExitCode, Fault> {
    let args = Args::parse(line)?;
    let request = Request::from_args(&args, || (Timestamp::now(), local()))?;
    let wrong = || Fault::from(args.wrong(format!("`{}` is not for people", brief::ASKED)));
    let Request::Job(_, names) = &request else { return Err(wrong()) };
    let [name] = names.as_slice() else { return Err(wrong()) };
    let answer = sys::inherited::take(brief::FD).and_then(|fd| read(File::from(fd)));
    let bytes = answer.map_err(|_| wrong())?;
    Err(match Answer::read(&bytes) {
        Some(Answer::Done) => return Ok(ExitCode::SUCCESS),
        Some(Answer::Failed(why)) => call::said(named(name, Error::Failed(why.to_owned()))),
        Some(Answer::Replaced(why)) => call::said(named(name, Error::Replaced(why.to_owned()))),
        Some(Answer::InFull) | None => wrong(),
    })
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(brief::MAX_ANSWER).unwrap_or(u64::MAX);
    from.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use api::pid1::End;
    use brief::Question;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::request::Job;

    fn request(words: &[&str]) -> Request {
        let args = Args::parse(words.iter().map(OsString::from)).unwrap();
        assert!(args.options.is_empty(), "{words:?}");
        Request::from_args(&args, || (Timestamp::UNIX_EPOCH, TimeZone::UTC)).unwrap()
    }

    #[test]
    fn what_is_asked_in_brief_is_what_the_line_means() {
        for name in ["web", "openssh@3", "a.b_c-d", "0"] {
            for (verb, job) in [("start", Job::Start), ("stop", Job::Stop)] {
                let line = ["service", verb, name];
                let asked = match Question::of_words(&line).unwrap() {
                    Question::Start(name) => (Job::Start, name),
                    Question::Stop(name) => (Job::Stop, name),
                    other => unreachable!("{other:?}"),
                };
                assert_eq!(asked, (job, name));
                assert_eq!(request(&line), Request::Job(job, vec![name.to_owned()]));
            }
        }
        for (word, asked, end) in [
            ("poweroff", Question::PowerOff, End::PowerOff),
            ("reboot", Question::Reboot, End::Reboot),
            ("halt", Question::Halt, End::Halt),
        ] {
            assert_eq!(Question::of_words(&[word]), Some(asked));
            assert_eq!(request(&[word]), Request::Down(end));
        }
    }

    #[test]
    fn the_question_goes_where_the_daemon_listens() {
        assert_eq!(brief::SOCKET, api::paths::SERVICES_SOCKET);
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_no_longer_than_it_may_be() {
        assert_eq!(read(&b"\x02it ended"[..]).unwrap(), b"\x02it ended");
        assert_eq!(read(io::repeat(b'x')).unwrap().len(), brief::MAX_ANSWER);
    }
}
