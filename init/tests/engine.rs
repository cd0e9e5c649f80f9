//! PID 1's decisions: stories that show the policy, then what must hold in any run.

use std::time::Duration;

use api::pid1::{End, Exit, ToPid1, ToServicemgr};
use init::engine::{
    Action, Event, Finish, KILL_LIMIT, PET_EVERY, Pid1, RESCUE_RETRY, SILENCE_LIMIT, STOP_LIMIT,
    Setting, TERM_LIMIT,
};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};

const MACHINE: Setting = Setting { container: false, watchdog: false, began: 5 };
const CONTAINER: Setting = Setting { container: true, ..MACHINE };
const SERVICEMGR: i32 = 2;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exited(seq: u64, pid: i32) -> Action {
    Action::Tell(ToServicemgr::Exited { seq, pid, exit: Exit::Status(0) })
}

fn gone(pid: i32) -> Event {
    Event::Exited { pid, exit: Exit::Status(0) }
}

fn died() -> Event {
    Event::Exited { pid: SERVICEMGR, exit: Exit::Signal(9) }
}

fn go(generation: u32) -> Action {
    Action::Tell(ToServicemgr::Go { generation, began: 5 })
}

/// Without what is only said.
fn done(actions: Vec<Action>) -> Vec<Action> {
    let acts = |a: &Action| !matches!(a, Action::Fault(_) | Action::Note(_));
    actions.into_iter().filter(acts).collect()
}

/// A PID 1 whose servicemgr runs since second 0.
fn running(setting: Setting) -> Pid1 {
    let mut pid1 = Pid1::new(setting);
    assert!(pid1.step(at(0), Event::Booted).contains(&Action::Start));
    assert_eq!(pid1.step(at(0), Event::Started(SERVICEMGR)), [Action::Introduce, go(1)]);
    pid1
}

#[test]
fn an_exit_is_told_to_every_servicemgr_until_one_acknowledges_it() {
    let mut pid1 = running(MACHINE);
    assert_eq!(pid1.step(at(1), gone(10)), [exited(1, 10)]);
    assert_eq!(done(pid1.step(at(2), died())), [Action::Start]);
    assert_eq!(pid1.step(at(2), gone(11)), []);
    assert_eq!(
        pid1.step(at(2), Event::Started(SERVICEMGR)),
        [Action::Introduce, exited(1, 10), exited(2, 11), go(2)]
    );
    assert_eq!(pid1.step(at(3), Event::Said(ToPid1::Ack(1))), []);
    assert_eq!(done(pid1.step(at(4), died())), [Action::Start]);
    assert_eq!(
        pid1.step(at(4), Event::Started(SERVICEMGR)),
        [Action::Introduce, exited(2, 11), go(3)]
    );
}

#[test]
fn servicemgrs_that_make_room_for_new_definitions_keep_their_state() {
    let mut pid1 = running(MACHINE);
    for generation in 2..20 {
        let now = at(u64::from(generation) * 2);
        assert_eq!(pid1.step(now, Event::Said(ToPid1::State)), []);
        assert_eq!(
            pid1.step(now, gone(SERVICEMGR)),
            [Action::Note("servicemgr begins anew".into()), Action::Start]
        );
        let begun = pid1.step(now, Event::Started(SERVICEMGR));
        assert_eq!(begun, [Action::Introduce, go(generation)]);
    }
}

#[test]
fn going_down_is_servicemgrs_work_first_then_what_is_left_is_ended() {
    let mut pid1 = running(MACHINE);
    let asked = Action::Tell(ToServicemgr::Asked(End::Reboot));
    assert_eq!(pid1.step(at(1), Event::Asked(End::Reboot)), [asked]);
    assert_eq!(pid1.step(at(2), gone(10)), [exited(1, 10)]);
    let end = Event::Said(ToPid1::End(End::Reboot));
    assert_eq!(pid1.step(at(3), end), [Action::TermAll]);
    assert_eq!(pid1.step(at(3), gone(SERVICEMGR)), []);
    let finish = Action::Finish(Finish::Down(End::Reboot));
    assert_eq!(pid1.step(at(3), Event::Nobody), [finish]);
    assert_eq!(pid1.step(at(9), Event::Tick), []);
}

#[test]
fn a_servicemgr_that_never_stops_the_services_is_not_waited_for() {
    let mut pid1 = running(MACHINE);
    pid1.step(at(0), Event::Asked(End::PowerOff)).clear();
    assert_eq!(pid1.deadline(), Some(STOP_LIMIT));
    let mut now = STOP_LIMIT;
    assert_eq!(done(pid1.step(now, Event::Tick)), [Action::TermAll]);
    now += TERM_LIMIT;
    assert_eq!(pid1.step(now, Event::Tick), [Action::KillAll]);
    now += KILL_LIMIT;
    let finish = Action::Finish(Finish::Down(End::PowerOff));
    assert_eq!(done(pid1.step(now, Event::Tick)), [finish]);
}

#[test]
fn a_servicemgr_that_dies_while_stopping_is_replaced_and_asked_again() {
    let mut pid1 = running(MACHINE);
    pid1.step(at(1), Event::Asked(End::Halt)).clear();
    assert_eq!(done(pid1.step(at(2), died())), [Action::Start]);
    let asked = Action::Tell(ToServicemgr::Asked(End::Halt));
    assert_eq!(pid1.step(at(2), Event::Started(SERVICEMGR)), [Action::Introduce, go(2), asked]);
    assert_eq!(pid1.deadline(), Some(at(1) + STOP_LIMIT), "the time is not extended");
}

#[test]
fn on_a_machine_a_missing_servicemgr_leads_to_the_rescue_shell_and_back() {
    let mut pid1 = Pid1::new(MACHINE);
    pid1.step(at(0), Event::Booted).clear();
    let missing = || Event::NotStarted { why: "no such file".into(), lasting: true };
    let why = "servicemgr cannot run: it did not start: no such file";
    assert_eq!(pid1.step(at(0), missing()), [Action::Shell(why.into())]);
    assert_eq!(pid1.step(at(0), Event::ShellStarted(7)), []);
    assert_eq!(pid1.deadline(), None, "somebody is at work");
    assert_eq!(done(pid1.step(at(99), gone(7))), [Action::Start]);
    assert_eq!(pid1.step(at(99), missing()), [Action::Shell(why.into())]);
    assert_eq!(done(pid1.step(at(99), Event::NoShell("none".into()))), []);
    assert_eq!(pid1.deadline(), Some(at(99) + RESCUE_RETRY));
    assert_eq!(pid1.step(at(100), Event::Asked(End::Reboot)), [Action::TermAll]);
}

#[test]
fn a_container_without_a_servicemgr_fails() {
    let mut pid1 = Pid1::new(CONTAINER);
    pid1.step(at(0), Event::Booted).clear();
    let missing = Event::NotStarted { why: "no such file".into(), lasting: true };
    assert_eq!(done(pid1.step(at(0), missing)), [Action::TermAll]);
    assert_eq!(pid1.step(at(0), Event::Nobody), [Action::Finish(Finish::Failed)]);
}

#[test]
fn who_asks_during_boot_gets_no_servicemgr_at_all() {
    let mut pid1 = Pid1::new(MACHINE);
    assert_eq!(pid1.step(at(0), Event::Asked(End::PowerOff)), []);
    assert_eq!(pid1.step(at(1), Event::Booted), [Action::TermAll]);
}

#[test]
fn a_silent_servicemgr_is_replaced_before_the_hardware_watchdog_bites() {
    let mut pid1 = running(Setting { watchdog: true, ..MACHINE });
    let mut now = Duration::ZERO;
    let mut seen = Vec::new();
    while now <= SILENCE_LIMIT + PET_EVERY {
        now = pid1.deadline().unwrap();
        seen.extend(done(pid1.step(now, Event::Tick)));
        if now == PET_EVERY {
            pid1.step(now, Event::Said(ToPid1::Alive)).clear();
        }
    }
    // Heard at 15 s, so at 45 s it has been silent for just long enough, at 60 s for too long.
    assert_eq!(seen, [Action::Pet, Action::Pet, Action::Pet, Action::Kill(SERVICEMGR)]);
}

#[test]
fn a_servicemgr_that_is_clogged_or_hung_up_is_killed_once() {
    let mut pid1 = running(MACHINE);
    assert_eq!(done(pid1.step(at(1), Event::Clogged)), [Action::Kill(SERVICEMGR)]);
    assert_eq!(done(pid1.step(at(1), Event::Clogged)), []);
    let mut pid1 = running(MACHINE);
    assert_eq!(pid1.step(at(1), Event::HungUp), []);
    let until = pid1.deadline().unwrap();
    assert_eq!(done(pid1.step(until, Event::Tick)), [Action::Kill(SERVICEMGR)]);
    assert_eq!(pid1.deadline(), None);
}

/// Something that happens, whatever state PID 1 is in.
#[derive(Debug, Clone)]
enum Turn {
    ServiceEnds,
    ServicemgrEnds(Exit),
    ShellEnds,
    Says(ToPid1),
    AcknowledgesAll,
    Asked(End),
    HangsUp,
    Clogs,
    Nobody,
    Pass(Duration),
    /// Starts of servicemgr and of the shell fail or succeed from now on.
    Starts(bool),
}

fn turn() -> impl Strategy<Value = Turn> {
    let exit = prop_oneof![Just(Exit::Signal(9)), Just(Exit::Status(1)), Just(Exit::Unknown)];
    prop_oneof![
        6 => Just(Turn::ServiceEnds),
        4 => exit.prop_map(Turn::ServicemgrEnds),
        1 => Just(Turn::ShellEnds),
        1 => Just(Turn::Says(ToPid1::Settled)),
        1 => (0_u64..9).prop_map(|seq| Turn::Says(ToPid1::Ack(seq))),
        1 => Just(Turn::AcknowledgesAll),
        1 => Just(Turn::Asked(End::PowerOff)),
        1 => Just(Turn::Says(ToPid1::End(End::Reboot))),
        1 => Just(Turn::HangsUp),
        1 => Just(Turn::Clogs),
        1 => Just(Turn::Nobody),
        6 => (0_u64..20_000).prop_map(|ms| Turn::Pass(Duration::from_millis(ms))),
        1 => proptest::bool::ANY.prop_map(Turn::Starts),
    ]
}

/// Does what PID 1 asks, and checks that it may ask it.
struct World {
    pid1: Pid1,
    now: Duration,
    next_pid: i32,
    starts: bool,
    servicemgr: Option<i32>,
    shell: Option<i32>,
    /// What the living servicemgr was told, in order.
    told: Vec<ToServicemgr>,
    /// Ends of services that nobody acknowledged: sequence number and process id.
    owed: Vec<(u64, i32)>,
    seq: u64,
    ending: bool,
    finished: bool,
}

impl World {
    fn new(setting: Setting) -> Self {
        let mut world = Self {
            pid1: Pid1::new(setting),
            now: Duration::ZERO,
            next_pid: 100,
            starts: true,
            servicemgr: None,
            shell: None,
            told: Vec::new(),
            owed: Vec::new(),
            seq: 0,
            ending: false,
            finished: false,
        };
        world.happens(Event::Booted);
        world
    }

    fn pid(&mut self) -> i32 {
        self.next_pid += 1;
        self.next_pid
    }

    fn happens(&mut self, event: Event) {
        let mut todo = vec![event];
        while let Some(event) = todo.pop() {
            for action in self.pid1.step(self.now, event) {
                assert!(!self.finished, "nothing comes after the last action");
                todo.extend(self.does(action));
            }
        }
        self.check();
    }

    fn does(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Start => {
                assert_eq!(self.servicemgr, None, "one servicemgr at most");
                assert!(!self.ending);
                self.told.clear();
                if !self.starts {
                    return Some(Event::NotStarted { why: "no".into(), lasting: false });
                }
                let pid = self.pid();
                self.servicemgr = Some(pid);
                Some(Event::Started(pid))
            }
            Action::Tell(message) => {
                assert!(self.servicemgr.is_some());
                self.told.push(message);
                None
            }
            Action::Kill(pid) => {
                assert_eq!(self.servicemgr, Some(pid));
                self.servicemgr = None;
                Some(Event::Exited { pid, exit: Exit::Signal(9) })
            }
            Action::Shell(_) => {
                assert_eq!((self.servicemgr, self.shell), (None, None));
                if !self.starts {
                    return Some(Event::NoShell("no".into()));
                }
                let pid = self.pid();
                self.shell = Some(pid);
                Some(Event::ShellStarted(pid))
            }
            Action::TermAll => {
                self.ending = true;
                None
            }
            Action::Finish(_) => {
                self.finished = true;
                None
            }
            _ => None,
        }
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::ServiceEnds => {
                let pid = self.pid();
                if !self.ending {
                    self.seq += 1;
                    self.owed.push((self.seq, pid));
                }
                self.happens(gone(pid));
            }
            Turn::ServicemgrEnds(exit) => {
                if let Some(pid) = self.servicemgr.take() {
                    self.happens(Event::Exited { pid, exit });
                }
            }
            Turn::ShellEnds => {
                if let Some(pid) = self.shell.take() {
                    self.happens(gone(pid));
                }
            }
            Turn::Says(said) => self.says(said),
            Turn::AcknowledgesAll => self.says(ToPid1::Ack(self.seq)),
            Turn::Asked(end) => self.happens(Event::Asked(end)),
            Turn::HangsUp if self.servicemgr.is_some() => self.happens(Event::HungUp),
            Turn::Clogs if self.servicemgr.is_some() => self.happens(Event::Clogged),
            Turn::Nobody if self.servicemgr.is_none() => self.happens(Event::Nobody),
            Turn::HangsUp | Turn::Clogs | Turn::Nobody => {}
            Turn::Pass(time) => self.pass(time),
            Turn::Starts(starts) => self.starts = starts,
        }
    }

    fn says(&mut self, said: ToPid1) {
        if self.servicemgr.is_some() {
            if let ToPid1::Ack(seq) = said {
                self.owed.retain(|(owed, _)| *owed > seq);
            }
            self.happens(Event::Said(said));
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.pid1.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            self.happens(Event::Tick);
            let next = self.pid1.deadline();
            assert!(next.is_none_or(|next| next > self.now), "a deadline is over once served");
        }
        self.now = until;
    }

    fn check(&self) {
        if self.finished {
            return;
        }
        let lives = self.servicemgr.is_some() || self.shell.is_some();
        assert!(lives || self.pid1.deadline().is_some(), "PID 1 is stuck");
        assert_eq!(self.pid1.servicemgr(), self.servicemgr);
        if self.servicemgr.is_some() && !self.ending {
            self.check_told();
        }
    }

    fn check_told(&self) {
        let exit = |message: &ToServicemgr| match message {
            ToServicemgr::Exited { seq, pid, .. } => Some((*seq, *pid)),
            _ => None,
        };
        let exits: Vec<(u64, i32)> = self.told.iter().filter_map(exit).collect();
        assert!(exits.is_sorted_by(|a, b| a.0 < b.0));
        for owed in &self.owed {
            assert!(exits.contains(owed), "{owed:?} was not told");
        }
        let gos = self.told.iter().filter(|m| matches!(m, ToServicemgr::Go { .. })).count();
        assert_eq!(gos, 1);
    }
}

proptest! {
    #[test]
    fn no_exit_is_lost_and_pid_1_is_never_stuck(
        turns in proptest::collection::vec(turn(), 0..80),
        container in proptest::bool::ANY,
        watchdog in proptest::bool::ANY,
    ) {
        let mut world = World::new(Setting { container, watchdog, began: 5 });
        for turn in turns {
            world.turn(turn);
        }
    }

    #[test]
    fn whoever_asks_gets_the_device_down_in_bounded_time(
        turns in proptest::collection::vec(turn(), 0..40),
    ) {
        let mut world = World::new(MACHINE);
        for turn in turns {
            world.turn(turn);
        }
        world.turn(Turn::Asked(End::PowerOff));
        world.pass(STOP_LIMIT + TERM_LIMIT + KILL_LIMIT);
        assert!(world.finished);
    }
}
