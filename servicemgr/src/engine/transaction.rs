//! A request as one transaction: all it would start and stop, before any of it is done.
//!
//! ```text
//! start: what was asked for and all it pulls in     ─┐  one service in both, or two in `start` that
//! stop:  what conflicts with those, and its users   ─┘  conflict: refused, with a sentence
//! ```
//!
//! Invariant: of two services that conflict at most one is wanted.

use super::{Ask, Engine, Id, Next, Reason, State, Transaction};

/// Whose wish a start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A person's: what has failed is tried again, with all it can't do without.
    Person,
    /// That of one that failed or ended well: it itself is tried again. If what it needs were tried
    /// too, and that is what failed, that would go on for ever.
    Handler,
    /// A trigger's.
    Trigger,
    /// The boot's: one that can't run at all fails alone.
    Boot,
}

/// What a request would do.
#[derive(Debug)]
pub(super) struct Draft {
    /// Those to start, and whether a person wants that.
    pub(super) start: Vec<(Id, bool)>,
    /// Those to take down, and where they go.
    pub(super) stop: Vec<Id>,
    starts: Vec<bool>,
    stops: Vec<Option<Next>>,
    /// Edges looked at.
    pub(super) looks: usize,
}

impl Draft {
    /// Where a service that is taken down goes.
    pub(super) fn next(&self, id: Id) -> Next {
        self.stops.get(id).copied().flatten().unwrap_or_default()
    }

    fn starts(&self, id: Id) -> bool {
        self.starts.get(id).copied().unwrap_or(false)
    }

    /// Whether this is new.
    fn add_start(&mut self, id: Id, person: bool) -> bool {
        let new = self.starts.get_mut(id).is_some_and(|s| !std::mem::replace(s, true));
        if new {
            self.start.push((id, person));
        }
        new
    }

    /// Whether this is new: one that is to come back may have to stay down.
    fn add_stop(&mut self, id: Id, next: Next) -> bool {
        let Some(slot) = self.stops.get_mut(id) else { return false };
        match slot {
            None => self.stop.push(id),
            Some(Next::Waiting) if next == Next::Off => {}
            Some(_) => return false,
        }
        *slot = Some(next);
        true
    }

    fn forget_start(&mut self, from: usize) {
        for (id, _) in self.start.drain(from..) {
            self.starts.get_mut(id).into_iter().for_each(|s| *s = false);
        }
    }

    fn forget_stop(&mut self, from: usize) {
        for id in self.stop.drain(from..) {
            self.stops.get_mut(id).into_iter().for_each(|s| *s = None);
        }
    }
}

impl Engine {
    /// What a request would do, in order: users stop first, needs start first. Nothing is done.
    ///
    /// # Errors
    /// Why it can't be done, as a sentence.
    pub fn plan(&self, ids: &[Id], ask: Ask) -> Result<Transaction, String> {
        let draft = self.draft(ids, ask)?;
        let there = |id: &Id| !matches!(self.state(*id), State::Off | State::Failed);
        let stop: Vec<Id> = draft.stop.iter().copied().filter(there).collect();
        let back = stop.iter().copied().filter(|id| draft.next(*id) == Next::Waiting);
        let mut start: Vec<Id> = draft.start.iter().map(|(id, _)| *id).chain(back).collect();
        start.sort_unstable();
        start.dedup();
        Ok(Transaction { stop: self.sorted(&stop, true), start: self.sorted(&start, false) })
    }

    /// All of one request.
    pub(super) fn draft(&self, ids: &[Id], ask: Ask) -> Result<Draft, String> {
        let mut draft = self.empty_draft();
        for id in ids {
            match ask {
                Ask::Start => self.draft_start(&mut draft, *id, Wish::Person)?,
                Ask::Stop => self.draft_stop(&mut draft, *id, Next::Off),
                Ask::Restart => {
                    self.draft_stop(&mut draft, *id, Next::Waiting);
                    draft.add_start(*id, true);
                    self.draft_start(&mut draft, *id, Wish::Person)?;
                }
                _ => {}
            }
        }
        Ok(draft)
    }

    pub(super) fn empty_draft(&self) -> Draft {
        Draft {
            start: Vec::new(),
            stop: Vec::new(),
            starts: vec![false; self.units.len()],
            stops: vec![None; self.units.len()],
            looks: 0,
        }
    }

    /// Adds `root` and all it pulls in. On an error the draft is as before.
    pub(super) fn draft_start(
        &self,
        draft: &mut Draft,
        root: Id,
        wish: Wish,
    ) -> Result<(), String> {
        let (starts, stops) = (draft.start.len(), draft.stop.len());
        let result = self.pulled(draft, root, wish).and_then(|()| {
            let new = draft.start.get(starts..).unwrap_or_default().to_vec();
            // A restart has put the root there before.
            let own = draft.starts(root) && !new.iter().any(|(id, _)| *id == root);
            let new = new.into_iter().map(|(id, _)| id).chain(own.then_some(root));
            self.displaced(draft, root, &new.collect::<Vec<_>>())
        });
        if result.is_err() {
            draft.forget_start(starts);
            draft.forget_stop(stops);
        }
        result
    }

    fn pulled(&self, draft: &mut Draft, root: Id, wish: Wish) -> Result<(), String> {
        // With each: whether it is tried again if it has failed, and whether the root needs it.
        let mut todo = vec![(root, matches!(wish, Wish::Person | Wish::Handler), true)];
        while let Some((id, fresh, hard)) = todo.pop() {
            let Some(unit) = self.units.get(id) else { continue };
            let again = id == root && draft.starts(root);
            if !again && (!self.begins(id, fresh, id == root) || !draft.add_start(id, fresh)) {
                continue;
            }
            if let Some(why) = unit.forbidden.as_ref().filter(|_| wish != Wish::Boot && hard) {
                let name = &self.name(root);
                let whose =
                    if id == root { "it".into() } else { format!("its need {}", unit.name) };
                return Err(format!("cannot start {name}: {whose} cannot run: {why}"));
            }
            draft.looks += unit.links.needs.len();
            let pulled = unit.links.needs.iter().filter(|e| e.pulls && e.to != id);
            todo.extend(pulled.map(|e| {
                let hard_too = e.kind.hard();
                (e.to, wish == Wish::Person && fresh && hard_too, hard && hard_too)
            }));
        }
        Ok(())
    }

    /// Whether a service that is asked for begins to start. One that has failed does if a person
    /// wants it.
    fn begins(&self, id: Id, person: bool, direct: bool) -> bool {
        let Some(life) = self.units.get(id).map(|u| &u.life) else { return false };
        match life.state {
            State::Off => true,
            State::Failed => person,
            State::Backoff => person && direct,
            State::Leaving | State::Stopping => life.next != Next::Waiting || !life.wanted,
            State::Done => direct && self.again_if_done(id, person),
            State::Waiting | State::Starting | State::Ready => false,
        }
    }

    /// A start runs it again though it is done: it was skipped, or it is a trigger that starts it.
    pub(super) fn again_if_done(&self, id: Id, person: bool) -> bool {
        self.unit(id, |u| {
            u.life.armed && !person || matches!(u.life.reason, Some(Reason::Skipped(_)))
        })
    }

    /// Adds what must stop for `new`, and finds contradictions.
    fn displaced(&self, draft: &mut Draft, root: Id, new: &[Id]) -> Result<(), String> {
        for id in new {
            let Some(unit) = self.units.get(*id) else { continue };
            draft.looks += unit.links.foes.len();
            for foe in unit.links.foes.iter().copied().filter(|foe| foe != id) {
                if draft.starts(foe) {
                    let too = if new.contains(&foe) { "it needs too" } else { "starts too" };
                    return Err(self.contradiction(root, *id, foe, too));
                }
                let up = !matches!(self.state(foe), State::Off | State::Failed);
                if !up && !self.unit(foe, |u| u.life.wanted) {
                    continue;
                }
                let from = draft.stop.len();
                self.draft_stop(draft, foe, Next::Off);
                let fallen = draft.stop.get(from..).unwrap_or_default();
                if let Some(both) = fallen.iter().find(|id| draft.starts(**id)) {
                    return Err(self.fall_of(root, *id, foe, *both));
                }
            }
        }
        Ok(())
    }

    /// Adds `root`, all that require it, and all that are part of one of them.
    fn draft_stop(&self, draft: &mut Draft, root: Id, next: Next) {
        let mut todo = vec![(root, next)];
        while let Some((id, next)) = todo.pop() {
            if !draft.add_stop(id, next) {
                continue;
            }
            let Some(unit) = self.units.get(id) else { continue };
            draft.looks += unit.links.users.len() + unit.links.parts.len();
            let users = unit.links.users.iter().filter(|e| e.kind.hard());
            todo.extend(users.map(|e| (e.to, if e.binds { Next::Off } else { next })));
            todo.extend(unit.links.parts.iter().map(|part| (*part, next)));
        }
    }

    fn name(&self, id: Id) -> String {
        self.units.get(id).map(|u| u.name.to_string()).unwrap_or_default()
    }

    /// Two that are to start conflict.
    fn contradiction(&self, root: Id, id: Id, foe: Id, too: &str) -> String {
        let (name, one, other) = (self.name(root), self.name(id), self.name(foe));
        match too {
            _ if foe == root => {
                format!("cannot start {name}: it needs {one}, which conflicts with it")
            }
            "it needs too" if id == root => {
                format!("cannot start {name}: it conflicts with {other}, which it needs")
            }
            _ if id == root => {
                format!("cannot start {name}: it conflicts with {other}, which {too}")
            }
            _ => format!(
                "cannot start {name}: it needs {one}, which conflicts with {other}, which {too}"
            ),
        }
    }

    /// One that is to start goes down with another that must stop.
    fn fall_of(&self, root: Id, id: Id, foe: Id, both: Id) -> String {
        let (name, one, other, both_name) =
            (self.name(root), self.name(id), self.name(foe), self.name(both));
        let what = if both == root { "it".into() } else { format!("it needs {both_name}, which") };
        let with = if id == root { "it".to_owned() } else { format!("{one}, which it needs too") };
        format!("cannot start {name}: {what} goes down with {other}, which conflicts with {with}")
    }

    /// `ids` in the order of the edges between them: needs first, or users first.
    fn sorted(&self, ids: &[Id], users_first: bool) -> Vec<Id> {
        let mut wanted = vec![false; self.units.len()];
        for id in ids {
            wanted.get_mut(*id).into_iter().for_each(|w| *w = true);
        }
        let mut sorted = Vec::new();
        for root in ids {
            let mut path = vec![(*root, 0)];
            if !wanted.get_mut(*root).is_some_and(std::mem::take) {
                continue;
            }
            while let Some((at, next)) = path.last_mut() {
                let links = self.units.get(*at).map(|u| &u.links);
                let edges = links.map(|l| if users_first { &l.users } else { &l.needs });
                let Some(edge) = edges.and_then(|edges| edges.get(*next)) else {
                    sorted.push(*at);
                    path.pop();
                    continue;
                };
                *next += 1;
                let to = edge.to;
                if wanted.get_mut(to).is_some_and(std::mem::take) {
                    path.push((to, 0));
                }
            }
        }
        sorted
    }
}
