//! Devices that pair and form a group: the cores of `softbus`, compiled in without the engine.

use std::collections::VecDeque;
use std::time::Duration;

use crate::pairing::{
    Action, Event, Home, Ladder, Message, Refusal, Sink, Source, WHOLE, decode, encode,
};
use crate::trust::{Card, Change, Entry, Form, Label, Level, Log, Name, SecretKey};

/// Steps that are played.
const MAX_STEPS: usize = 64;

fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number % 4 + 1; 32])
}

fn own(number: u8) -> (Name, Form) {
    let name = Name::new(["phone", "tv", "watch", "tv"][usize::from(number % 4)]);
    (name.expect("a name"), Form::new("tv").expect("a form"))
}

fn card(number: u8, level: Level) -> Card {
    let (name, form) = own(number);
    Card { level, ..Card::joins(name, form) }
}

fn group() -> Log {
    let mut log = Log::found(&key(0), card(0, Level::Owner), [7; 16]).expect("a group");
    for number in [1, 2] {
        let add = Change::Add { device: key(number).id(), card: card(number, Level::Owner) };
        let entries = log.author(&key(0), &add).expect("an owner may");
        log.merge(entries).expect("good entries");
    }
    log
}

/// A log, an entry, and three devices that say and hear what the bytes say.
pub(crate) fn trust(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => {
            let Ok(log) = Log::from_bytes(rest) else { return };
            let again = Log::from_bytes(&log.to_bytes()).expect("what was written can be read");
            assert_eq!((again.members(), again.seen()), (log.members(), log.seen()));
        }
        1 => {
            let Ok(entry) = Entry::from_bytes(rest) else { return };
            assert_eq!(entry.as_bytes(), rest, "one spelling");
            // Of another group, or of nobody known.
            let _any = group().merge(vec![entry]);
        }
        _ => agree(rest),
    }
}

/// What a device may say.
fn change(what: u8) -> Change {
    let device = key(what >> 3).id();
    match what % 8 {
        0 => Change::Add { device, card: card(what >> 3, Level::Owner) },
        1 | 2 => Change::Remove(device),
        3 => Change::Name { device, name: own(what >> 5).0 },
        4 => Change::Label { device, label: Label::SL5 },
        5 => Change::Level { device, level: Level::Owner },
        _ => Change::Level { device, level: Level::Guest },
    }
}

fn agree(bytes: &[u8]) {
    let mut logs = [group(), group(), group()];
    for step in bytes.chunks_exact(2).take(MAX_STEPS) {
        let (who, what) = (usize::from(step[0] % 3), step[1]);
        let other = (who + 1 + usize::from(what % 2)) % 3;
        if step[0] & 0x80 != 0 {
            let entries = logs[who].since(&logs[other].seen(), 2000);
            logs[other].merge(entries).expect("good entries");
            continue;
        }
        let author = key(u8::try_from(who).unwrap_or_default());
        if let Ok(entries) = logs[who].author(&author, &change(what)) {
            logs[who].merge(entries).expect("its own entries");
        }
    }
    for round in 0..3 {
        for (from, to) in [(0, 1), (1, 2), (2, 0)] {
            let entries = logs[from].since(&logs[to].seen(), usize::MAX);
            let changed = logs[to].merge(entries).expect("good entries");
            assert!(round < 2 || changed.added == 0, "all is told in two rounds");
        }
    }
    assert_eq!((logs[0].members(), logs[1].members()), (logs[1].members(), logs[2].members()));
}

/// A message, the file of wrong codes, and both ends with what the bytes say between them.
pub(crate) fn pairing(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => {
            let Some(message) = decode(rest) else { return };
            let again = encode(&message);
            assert_eq!(again.get(2..).and_then(decode), Some(message));
        }
        1 => {
            let now = Duration::from_secs(100);
            let Ok(mut ladder) = Ladder::from_bytes(rest, &[1; 16], now) else { return };
            let most = Some(Duration::from_secs(600));
            assert!(ladder.frozen(now) <= most);
            ladder.failed(now);
            let again = Ladder::from_bytes(&ladder.to_bytes(&[1; 16], now), &[1; 16], now);
            assert_eq!(again, Ok(ladder));
        }
        _ => Ends::new().play(rest),
    }
}

struct Ends {
    source: Source,
    sink: Sink,
    homes: [Home; 2],
    inbox: [VecDeque<Vec<u8>>; 2],
    now: Duration,
    code: String,
    right: bool,
}

impl Ends {
    fn new() -> Self {
        let end = |number| (key(number).id(), own(number));
        let ((source, first), (sink, second)) = (end(0), end(1));
        let mut ends = Self {
            source: Source::new(source, first, Level::Member, [3; 32]),
            sink: Sink::new(sink, second, Level::Member, Ladder::default(), [4; 32]),
            homes: Default::default(),
            inbox: Default::default(),
            now: Duration::from_secs(1),
            code: "000000".to_owned(),
            right: false,
        };
        ends.happens(0, Event::Connected { peer: sink, exporter: [9; 32] });
        ends.happens(1, Event::Connected { peer: source, exporter: [9; 32] });
        ends
    }

    fn happens(&mut self, at: usize, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let actions = match at {
                0 => self.source.on(event, self.now),
                _ => self.sink.on(event, self.now),
            };
            for action in actions {
                events.extend(self.act(at, action));
            }
        }
    }

    fn act(&mut self, at: usize, action: Action) -> Option<Event> {
        let key = key(u8::try_from(at).unwrap_or_default());
        match action {
            Action::Send(bytes) => self.inbox[1 - at].push_back(bytes[2..].to_vec()),
            Action::ShowCode(code) => self.code = code.digits(),
            Action::AskStanding(peer) => {
                assert!(self.right, "nobody gets here without the code");
                return Some(Event::Standing(self.homes[at].standing(&key.id(), &peer)));
            }
            Action::Invite { peer, card } => {
                let number = u8::try_from(at).unwrap_or_default();
                let made = self.homes[at].invite(&key, own(number), (peer, card), &[5; 32]);
                let (home, invitation) = made.ok()?;
                self.homes[at] = home;
                return Some(Event::Invited(invitation));
            }
            Action::Join(invitation) => {
                return Some(match self.homes[at].join(&key.id(), invitation) {
                    Ok(home) => {
                        self.homes[at] = home;
                        Event::Joined
                    }
                    Err(_) => Event::Failed(Refusal::Group),
                });
            }
            _ => {}
        }
        None
    }

    fn play(mut self, bytes: &[u8]) {
        for step in bytes.chunks(3).take(MAX_STEPS) {
            let [what, at, by] = [0, 1, 2].map(|at| step.get(at).copied().unwrap_or_default());
            let end = usize::from(what & 1);
            match what >> 1 & 7 {
                0 => self.happens(1, Event::Confirmed(at % 8 != 0)),
                1 => {
                    self.right |= by % 4 != 0;
                    let code = if by % 4 == 0 { "123123" } else { &self.code };
                    let code = code.parse().expect("six digits");
                    self.happens(0, Event::Code(code));
                }
                2 => {
                    if let Some(mut frame) = self.inbox[end].pop_front() {
                        let at = usize::from(at) % frame.len();
                        frame[at] ^= by;
                        self.happens(end, Event::Frame(frame));
                    }
                }
                3 => self.happens(end, Event::Frame(step.to_vec())),
                4 if at % 16 == 0 => {
                    self.now += Duration::from_secs(u64::from(by));
                    self.happens(end, Event::Tick);
                }
                _ => {
                    if let Some(frame) = self.inbox[end].pop_front() {
                        self.happens(end, Event::Frame(frame));
                    }
                }
            }
        }
        self.now += WHOLE;
        for end in [0, 1] {
            self.happens(end, Event::Tick);
        }
        assert!(self.source.over() && self.sink.over(), "everything ends");
    }
}

/// Files, entries and messages as they are written; a pairing that goes well.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let with = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    if target == "trust" {
        let log = group();
        let mut all =
            vec![with(0, &log.to_bytes()), with(2, &[0, 1, 1, 9, 0x80, 0, 2, 17, 0x81, 1])];
        all.extend(log.all().iter().map(|entry| with(1, entry.as_bytes())));
        return all;
    }
    let (name, form) = own(0);
    let hello = Message::Hello { versions: (1, 1), name, form };
    let entries = Message::Entries(group().all());
    let messages = [hello, entries, Message::Share(vec![0x41; 33]), Message::Proof([1; 32])];
    let mut all: Vec<_> = messages.iter().map(|message| with(0, &encode(message)[2..])).collect();
    let mut ladder = Ladder::default();
    (0..3).for_each(|_| ladder.failed(Duration::from_secs(9)));
    all.push(with(1, &ladder.to_bytes(&[1; 16], Duration::from_secs(9))));
    // Hello both ways, yes, shown, the code, shares, proofs, the group.
    let arrives = |end: u8| [10 | end, 1, 1];
    let steps = [
        vec![arrives(1), arrives(0), [0, 1, 1], arrives(0), [2, 1, 1]],
        (0..12).map(|step| arrives((step + 1) % 2)).collect(),
    ];
    all.push(with(2, &steps.concat().concat()));
    all
}
