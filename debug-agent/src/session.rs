//! What to do about what the host says and the command does. Pure: events in, actions out.
//!
//! ```text
//!         Exec, PowerOff          ended             outputs ended, or quiet, or LINGER over
//!   idle ───────────────► running ──────► draining ─────────────────────────────────► idle
//!     ▲                      │                │                                (Exit or Error)
//!     └──── not started ─────┴── host gone ───┘ (kill)
//! ```
//!
//! Invariant: every `Exec` that begins is answered by exactly one `Exit`, after all its output.

use std::ffi::OsString;

use api::debug::{Ended, ToDevice, ToHost};

/// Bytes of output that are still taken after the command's end, in case something it left in the
/// background goes on writing.
pub const LINGER: usize = 1 << 20;

/// One of the two outputs of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The host said this.
    Host(ToDevice),
    /// The host went away.
    HostGone,
    /// The program of the last [`Action::Start`] could not be started.
    NotStarted {
        /// The status a shell would give.
        status: i32,
        /// Why, for people.
        why: String,
    },
    /// The command wrote this.
    Output(Stream, Vec<u8>),
    /// Nobody can write to this output any more.
    OutputEnd(Stream),
    /// The command ended; output may be left in its pipes.
    Ended(Ended),
    /// After its end: nothing is left in its pipes.
    Quiet,
}

/// What to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Tell the host.
    Send(ToHost),
    /// Start this program.
    Start(Vec<OsString>),
    /// Give the command these bytes as standard input.
    Feed(Vec<u8>),
    /// End its standard input, after what was fed.
    CloseStdin,
    /// Send its group a signal.
    Signal(u8),
    /// Kill its group, unless it ended, and forget it.
    Kill,
    /// Close its pipes and forget it.
    Forget,
}

/// What one host wants of us.
#[derive(Debug, Default)]
pub struct Session {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Started by `PowerOff`: the host is told only when it does not work.
    powers_off: bool,
    stdout: bool,
    stderr: bool,
    ended: Option<Ended>,
    /// Output since the end.
    lingered: usize,
}

impl Running {
    fn new(powers_off: bool) -> Self {
        Self { powers_off, stdout: true, stderr: true, ended: None, lingered: 0 }
    }
}

impl Session {
    /// Whether the command ended and what is left in its pipes is being read.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.ended.is_some())
    }

    /// Takes an event, answers with what to do.
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Host(message) => self.host(message),
            Event::HostGone => self.kill(),
            Event::NotStarted { status, why } => {
                let Some(Running { powers_off, .. }) = self.running.take() else {
                    return Vec::new();
                };
                let mut actions = vec![Action::Send(ToHost::Error(why))];
                if !powers_off {
                    actions.push(Action::Send(ToHost::Exit(Ended::Status(status))));
                }
                actions
            }
            Event::Output(stream, bytes) => self.output(stream, bytes),
            Event::OutputEnd(stream) => {
                if let Some(running) = &mut self.running {
                    match stream {
                        Stream::Stdout => running.stdout = false,
                        Stream::Stderr => running.stderr = false,
                    }
                }
                self.finish(false)
            }
            Event::Ended(how) => {
                if let Some(running) = &mut self.running {
                    running.ended = Some(how);
                }
                self.finish(false)
            }
            Event::Quiet => self.finish(true),
        }
    }

    fn host(&mut self, message: ToDevice) -> Vec<Action> {
        let runs = self.running.is_some();
        match message {
            ToDevice::Hello => {
                let version = concat!("ensemble ", env!("CARGO_PKG_VERSION"));
                vec![Action::Send(ToHost::Hello(version.to_owned()))]
            }
            ToDevice::Exec(_) if runs => {
                let why = "a command is running already: wait for its end, or connect anew";
                vec![Action::Send(ToHost::Error(why.to_owned()))]
            }
            ToDevice::Exec(argv) => {
                self.running = Some(Running::new(false));
                vec![Action::Start(argv)]
            }
            ToDevice::PowerOff => {
                let mut actions = self.kill();
                self.running = Some(Running::new(true));
                actions.push(Action::Start(vec!["ensctl".into(), "poweroff".into()]));
                actions
            }
            // What comes for a command that just ended crossed its `Exit` on the way.
            ToDevice::Stdin(_) | ToDevice::Signal(_) if !runs => Vec::new(),
            ToDevice::Stdin(bytes) if bytes.is_empty() => vec![Action::CloseStdin],
            ToDevice::Stdin(bytes) => vec![Action::Feed(bytes)],
            ToDevice::Signal(number) => vec![Action::Signal(number)],
        }
    }

    fn output(&mut self, stream: Stream, bytes: Vec<u8>) -> Vec<Action> {
        let Some(running) = &mut self.running else { return Vec::new() };
        if running.ended.is_some() {
            running.lingered = running.lingered.saturating_add(bytes.len());
        }
        let too_much = running.lingered > LINGER;
        let mut actions = vec![Action::Send(match stream {
            Stream::Stdout => ToHost::Stdout(bytes),
            Stream::Stderr => ToHost::Stderr(bytes),
        })];
        actions.extend(self.finish(too_much));
        actions
    }

    fn kill(&mut self) -> Vec<Action> {
        match self.running.take() {
            None => Vec::new(),
            Some(Running { powers_off: true, .. }) => vec![Action::Kill],
            Some(running) => {
                let ended = running.ended.unwrap_or(Ended::Signal(9));
                vec![Action::Kill, Action::Send(ToHost::Exit(ended))]
            }
        }
    }

    /// Reports the end if it is due: its outputs have ended too, or there is no waiting (`now`).
    fn finish(&mut self, now: bool) -> Vec<Action> {
        let over = |r: &Running| r.ended.is_some() && (now || !(r.stdout || r.stderr));
        let Some(Running { powers_off, ended: Some(ended), .. }) =
            self.running.take_if(|r| over(r))
        else {
            return Vec::new();
        };
        let mut actions = vec![Action::Forget];
        match (powers_off, ended) {
            (false, _) => actions.push(Action::Send(ToHost::Exit(ended))),
            (true, Ended::Status(0)) => {}
            (true, _) => {
                let why = "`ensctl poweroff` did not work: end the machine from outside";
                actions.push(Action::Send(ToHost::Error(why.to_owned())));
            }
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exec() -> Event {
        Event::Host(ToDevice::Exec(vec!["ls".into()]))
    }

    fn running() -> Session {
        let mut session = Session::default();
        assert_eq!(session.step(exec()), [Action::Start(vec!["ls".into()])]);
        session
    }

    #[test]
    fn the_exit_comes_after_all_output() {
        let mut s = running();
        assert_eq!(s.step(Event::Ended(Ended::Status(3))), []);
        assert!(s.is_draining());
        let last = s.step(Event::Output(Stream::Stdout, b"last".to_vec()));
        assert_eq!(last, [Action::Send(ToHost::Stdout(b"last".to_vec()))]);
        assert_eq!(s.step(Event::OutputEnd(Stream::Stdout)), []);
        assert_eq!(
            s.step(Event::OutputEnd(Stream::Stderr)),
            [Action::Forget, Action::Send(ToHost::Exit(Ended::Status(3)))]
        );
    }

    #[test]
    fn a_command_that_closed_its_outputs_still_runs() {
        let mut s = running();
        assert_eq!(s.step(Event::OutputEnd(Stream::Stdout)), []);
        assert_eq!(s.step(Event::OutputEnd(Stream::Stderr)), []);
        assert_eq!(s.step(Event::Host(ToDevice::Signal(15))), [Action::Signal(15)]);
        let end = s.step(Event::Ended(Ended::Signal(15)));
        assert_eq!(end, [Action::Forget, Action::Send(ToHost::Exit(Ended::Signal(15)))]);
    }

    #[test]
    fn what_stays_in_the_background_does_not_hold_up_the_exit() {
        let exit = [Action::Forget, Action::Send(ToHost::Exit(Ended::Status(0)))];
        let mut s = running();
        s.step(Event::Ended(Ended::Status(0)));
        assert_eq!(s.step(Event::Quiet), exit);

        let mut chatty = running();
        chatty.step(Event::Ended(Ended::Status(0)));
        let more = || Event::Output(Stream::Stderr, vec![0; LINGER / 2 + 1]);
        assert_eq!(chatty.step(more()).len(), 1);
        assert_eq!(chatty.step(more()).get(1..), Some(&exit[..]));
    }

    #[test]
    fn a_second_command_is_refused_while_one_runs() {
        let mut s = running();
        let [Action::Send(ToHost::Error(why))] = &s.step(exec())[..] else { panic!() };
        assert!(why.contains("running already"));
        assert_eq!(s.step(Event::Quiet), []);
    }

    #[test]
    fn a_program_that_cannot_be_started_gives_the_reason_and_a_shells_status() {
        let mut s = running();
        let why = "cannot start `ls`".to_owned();
        assert_eq!(
            s.step(Event::NotStarted { status: 127, why: why.clone() }),
            [Action::Send(ToHost::Error(why)), Action::Send(ToHost::Exit(Ended::Status(127)))]
        );
        assert_eq!(s.step(exec()).len(), 1);
    }

    #[test]
    fn power_off_ends_the_command_and_speaks_only_when_it_fails() {
        let mut s = running();
        let start = Action::Start(vec!["ensctl".into(), "poweroff".into()]);
        let killed = Action::Send(ToHost::Exit(Ended::Signal(9)));
        let actions = s.step(Event::Host(ToDevice::PowerOff));
        assert_eq!(actions, [Action::Kill, killed, start]);
        s.step(Event::Ended(Ended::Status(0)));
        assert_eq!(s.step(Event::Quiet), [Action::Forget]);

        s.step(Event::Host(ToDevice::PowerOff));
        s.step(Event::Ended(Ended::Status(3)));
        let failed = s.step(Event::Quiet);
        assert!(matches!(&failed[..], [Action::Forget, Action::Send(ToHost::Error(_))]));
    }

    #[test]
    fn words_for_a_command_that_just_ended_are_dropped() {
        let mut s = Session::default();
        for late in [ToDevice::Stdin(b"x".to_vec()), ToDevice::Signal(2)] {
            assert_eq!(s.step(Event::Host(late)), []);
        }
        assert_eq!(s.step(Event::HostGone), []);
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(exec()),
            Just(Event::Host(ToDevice::PowerOff)),
            Just(Event::Host(ToDevice::Stdin(vec![1]))),
            Just(Event::Host(ToDevice::Signal(1))),
            Just(Event::HostGone),
            Just(Event::NotStarted { status: 127, why: String::new() }),
            Just(Event::Output(Stream::Stdout, vec![1])),
            Just(Event::OutputEnd(Stream::Stdout)),
            Just(Event::OutputEnd(Stream::Stderr)),
            Just(Event::Ended(Ended::Status(0))),
            Just(Event::Quiet),
        ]
    }

    proptest! {
        #[test]
        fn there_is_never_a_second_process_and_never_an_exit_without_an_exec(
            events in proptest::collection::vec(any_event(), 0..60),
        ) {
            let mut session = Session::default();
            let (mut process, mut owed) = (false, 0);
            for event in events {
                owed += i32::from(event == exec() && !process);
                if matches!(event, Event::NotStarted { .. }) {
                    process = false;
                }
                for action in session.step(event) {
                    match action {
                        Action::Start(_) => {
                            prop_assert!(!process);
                            process = true;
                        }
                        Action::Kill | Action::Forget => process = false,
                        Action::Send(ToHost::Exit(_)) => owed -= 1,
                        _ => {}
                    }
                    prop_assert!(owed >= 0);
                }
            }
        }
    }
}
