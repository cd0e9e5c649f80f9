//! Two ends, the link between them, their owners and their disks: all that pairing meets, on a clock that is set.

mod hostile;
mod model;
mod stories;

use std::collections::VecDeque;
use std::time::Duration;

use super::*;
use crate::DeviceId;
use crate::trust::{Change, Form, Level, Name, SecretKey};

/// Which end: the source, or the sink.
pub(super) const SOURCE: usize = 0;
pub(super) const SINK: usize = 1;

pub(super) const EXPORTED: [u8; 32] = [9; 32];

pub(super) fn key(end: usize) -> SecretKey {
    SecretKey::from_bytes(&[u8::try_from(end).unwrap() + 1; 32])
}

pub(super) fn own(end: usize) -> (Name, Form) {
    let (name, form) = [("phone", "phone"), ("tv", "tv"), ("watch", "wearable")][end];
    (Name::new(name).unwrap(), Form::new(form).unwrap())
}

/// One end and what is around it.
pub(super) struct End {
    pub(super) home: Home,
    pub(super) ladder: Ladder,
    /// When it wants to be called.
    pub(super) timer: Option<Duration>,
    /// On its screen.
    pub(super) shown: Option<Code>,
    /// Its owner is asked: to confirm, or for the code.
    pub(super) asked: bool,
    pub(super) outcome: Option<Result<Outcome, Reason>>,
    /// What came for it.
    pub(super) inbox: VecDeque<Vec<u8>>,
    /// It has proof, and went on to the group.
    pub(super) proved: bool,
    /// Its disk is full.
    pub(super) full: bool,
}

/// Both ends.
pub(super) struct World {
    pub(super) source: Source,
    pub(super) sink: Sink,
    pub(super) ends: [End; 2],
    pub(super) now: Duration,
    pub(super) linked: bool,
    /// How the one typed at the source.
    pub(super) typed_right: bool,
    pub(super) tries: u8,
}

impl World {
    /// Two devices that have a link, with these groups.
    pub(super) fn new(homes: [Home; 2]) -> Self {
        Self::with(homes, Ladder::default(), Duration::from_secs(1000))
    }

    pub(super) fn with(homes: [Home; 2], ladder: Ladder, now: Duration) -> Self {
        let mut world = Self::apart(homes, ladder, now);
        for end in [SOURCE, SINK] {
            let peer = key(1 - end).id();
            world.happens(end, Event::Connected { peer, exporter: EXPORTED });
        }
        world
    }

    /// Two devices without a link.
    pub(super) fn apart(homes: [Home; 2], ladder: Ladder, now: Duration) -> Self {
        let source = Source::new(key(SOURCE).id(), own(SOURCE), Level::Member, [3; 32]);
        let sink = Sink::new(key(SINK).id(), own(SINK), Level::Member, ladder.clone(), [4; 32]);
        let ends = homes.map(|home| End {
            home,
            ladder: ladder.clone(),
            timer: None,
            shown: None,
            asked: false,
            outcome: None,
            inbox: VecDeque::new(),
            proved: false,
            full: false,
        });
        Self { source, sink, ends, now, linked: true, typed_right: false, tries: 0 }
    }

    /// Something happens at an end, and what it wants done is done.
    pub(super) fn happens(&mut self, at: usize, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let actions = match at {
                SOURCE => self.source.on(event, self.now),
                _ => self.sink.on(event, self.now),
            };
            for action in actions {
                match self.act(at, action) {
                    Ok(answer) => events.extend(answer),
                    Err(refusal) => {
                        // What cannot be done takes the rest with it.
                        events.push_back(Event::Failed(refusal));
                        break;
                    }
                }
            }
        }
    }

    fn act(&mut self, at: usize, action: Action) -> Result<Option<Event>, Refusal> {
        let end = &mut self.ends[at];
        match action {
            Action::Send(bytes) => {
                let (length, body) = bytes.split_first_chunk::<2>().unwrap();
                assert_eq!(usize::from(u16::from_le_bytes(*length)), body.len());
                assert!((1..=MAX_FRAME).contains(&body.len()));
                let body = body.to_vec();
                if self.linked {
                    self.ends[1 - at].inbox.push_back(body);
                }
            }
            Action::AskConfirm { .. } | Action::AskCode { .. } => end.asked = true,
            Action::ShowCode(code) => end.shown = Some(code),
            Action::Timer(time) => {
                assert!(time >= self.now && time <= self.now + WHOLE, "every wait has an end");
                end.timer = Some(time);
            }
            Action::StoreLadder(_) if end.full => return Err(Refusal::Storage),
            Action::StoreLadder(ladder) => end.ladder = ladder,
            Action::AskStanding(peer) => {
                end.proved = true;
                return Ok(Some(Event::Standing(end.home.standing(&key(at).id(), &peer))));
            }
            Action::Invite { .. } | Action::Join(_) if end.full => return Err(Refusal::Storage),
            Action::Invite { peer, card } => {
                let (home, invitation) =
                    end.home.invite(&key(at), own(at), (peer, card), &[5; 32]).unwrap();
                end.home = home;
                return Ok(Some(Event::Invited(invitation)));
            }
            Action::Join(invitation) => {
                end.home = end.home.join(&key(at).id(), invitation).map_err(|_| Refusal::Group)?;
                return Ok(Some(Event::Joined));
            }
            Action::Done(outcome) => self.ends(at, Ok(outcome)),
            Action::Fail(reason) => self.ends(at, Err(reason)),
        }
        Ok(None)
    }

    fn ends(&mut self, at: usize, outcome: Result<Outcome, Reason>) {
        let end = &mut self.ends[at];
        assert!(end.outcome.is_none(), "one end");
        end.outcome = Some(outcome);
        (end.timer, end.asked, end.shown) = (None, false, None);
    }

    /// The oldest message for an end arrives.
    pub(super) fn arrives(&mut self, at: usize) -> bool {
        let frame = self.ends[at].inbox.pop_front();
        frame.map(|frame| self.happens(at, Event::Frame(frame))).is_some()
    }

    /// All messages arrive.
    pub(super) fn settle(&mut self) {
        while self.arrives(SINK) || self.arrives(SOURCE) {}
    }

    /// The link is gone, with what is under way.
    pub(super) fn cut(&mut self) {
        self.linked = false;
        for at in [SOURCE, SINK] {
            self.ends[at].inbox.clear();
            self.happens(at, Event::Closed);
        }
    }

    /// Time passes until one end wants to be called.
    pub(super) fn waits(&mut self) -> bool {
        let times = [SOURCE, SINK].map(|at| self.ends[at].timer);
        let Some((at, time)) = times
            .into_iter()
            .enumerate()
            .filter_map(|(at, time)| Some((at, time?)))
            .min_by_key(|(_, time)| *time)
        else {
            return false;
        };
        self.now = self.now.max(time);
        self.ends[at].timer = None;
        self.happens(at, Event::Tick);
        true
    }

    /// The sink's owner answers.
    pub(super) fn confirms(&mut self, yes: bool) {
        self.ends[SINK].asked = false;
        self.happens(SINK, Event::Confirmed(yes));
    }

    /// The source's owner types what the sink shows, or something else.
    pub(super) fn types(&mut self, right: bool) {
        let shown =
            self.ends[SINK].shown.clone().map_or_else(|| "123456".to_owned(), |code| code.digits());
        let wrong = if shown == "111111" { "222222" } else { "111111" };
        self.typed_right |= right;
        self.tries += 1;
        self.ends[SOURCE].asked = false;
        let code = if right { &shown } else { wrong };
        self.happens(SOURCE, Event::Code(code.parse().unwrap()));
    }

    /// Both do what they should.
    pub(super) fn pairs(&mut self) {
        self.settle();
        self.confirms(true);
        self.settle();
        self.types(true);
        self.settle();
    }

    pub(super) fn outcome(&self, at: usize) -> Result<Outcome, Reason> {
        self.ends[at].outcome.clone().expect("it is over")
    }

    pub(super) fn homes(&self) -> [Home; 2] {
        [SOURCE, SINK].map(|at| self.ends[at].home.clone())
    }
}

/// Both are members of one group, by what each of them holds.
pub(super) fn paired(homes: &[Home; 2]) -> bool {
    let [one, other] = homes;
    let (Some((one, first)), Some((other, second))) = (&one.group, &other.group) else {
        return false;
    };
    let members =
        |id: DeviceId| one.members().get(&id).is_some() && other.members().get(&id).is_some();
    one.group() == other.group()
        && first == second
        && members(key(SOURCE).id())
        && members(key(SINK).id())
}

/// Groups that two devices may come with.
pub(super) fn groups() -> Vec<(&'static str, [Home; 2])> {
    let none = Home::default();
    let founded = |at: usize| {
        let random = [u8::try_from(at).unwrap() + 20; 32];
        let card = crate::trust::Card::joins(own(2).0, own(2).1);
        none.invite(&key(at), own(at), (key(2).id(), card), &random).unwrap().0
    };
    let (phone, tv) = (founded(SOURCE), founded(SINK));
    let both = |home: &Home, at: usize| {
        let card = crate::trust::Card::joins(own(1 - at).0, own(1 - at).1);
        let (home, invitation) =
            home.invite(&key(at), own(at), (key(1 - at).id(), card), &[0; 32]).unwrap();
        (home, none.join(&key(1 - at).id(), invitation).unwrap())
    };
    let (phone_of_both, tv_of_both) = both(&phone, SOURCE);
    let mut removed = phone_of_both.clone();
    if let Some((log, _)) = &mut removed.group {
        let entries = log.author(&key(SOURCE), &Change::Remove(key(SINK).id())).unwrap();
        log.merge(entries).unwrap();
    }
    vec![
        ("neither in a group", [none.clone(), none.clone()]),
        ("the source in one", [phone.clone(), none.clone()]),
        ("the sink in one", [none.clone(), tv.clone()]),
        ("both in one", [phone_of_both.clone(), tv_of_both.clone()]),
        ("the sink added, and it does not know", [phone_of_both, none.clone()]),
        ("the sink removed, and it does not know", [removed, tv_of_both]),
        ("in different ones", [phone, tv]),
    ]
}
