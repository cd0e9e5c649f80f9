//! Questions to the owner that nobody has answered yet. Pure.
//!
//! ```text
//! request ─► names: settled ones get their reply, the others wait for their questions ─► all there: answered
//! question (bundle, permission) ─► answered once, or out of time
//! ```
//!
//! Invariants: a request is answered once, when the last of its questions is; a question that nobody
//! waits for is not pending.

use std::time::Duration;

use model::Name;
use model::bundle::BundleId;
use serde::{Deserialize, Serialize};

use super::{Effect, Refused, Reply};

/// How long the owner has for an answer: who did not answer by then does not look.
pub const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Most questions pending.
pub const MAX_PENDING: usize = 64;

/// Most questions pending for one bundle: more would be a wall of questions.
pub const MAX_PENDING_OF_ONE: usize = 8;

/// Most requests that wait.
pub const MAX_WAITING: usize = 128;

/// A question to the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// For this bundle.
    pub bundle: BundleId,
    /// About this permission.
    pub permission: Name,
    /// Since when it is pending.
    pub since: Duration,
}

/// A request that is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    request: u64,
    bundle: BundleId,
    /// In the order in which they were asked for.
    replies: Vec<(Name, Option<Reply>)>,
}

/// All questions, and who waits for their answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    questions: Vec<Question>,
    waiting: Vec<Waiting>,
}

impl Pending {
    pub(super) fn questions(&self) -> &[Question] {
        &self.questions
    }

    pub(super) fn has(&self, bundle: &BundleId, permission: &Name) -> bool {
        self.questions.iter().any(|q| q.bundle == *bundle && q.permission == *permission)
    }

    /// When the next question is out of time.
    pub(super) fn due(&self) -> Option<Duration> {
        self.questions.iter().map(|q| q.since.saturating_add(ANSWER_TIME)).min()
    }

    /// The first question that is out of time.
    pub(super) fn late(&self, now: Duration) -> Option<Question> {
        let mut late = self.questions.iter();
        late.find(|q| q.since.saturating_add(ANSWER_TIME) <= now).cloned()
    }

    /// A request; those of its names without a reply become questions.
    pub(super) fn add(
        &mut self,
        now: Duration,
        request: u64,
        bundle: &BundleId,
        replies: Vec<(Name, Option<Reply>)>,
    ) -> Result<Vec<Effect>, Refused> {
        let open = replies.iter().filter(|(_, reply)| reply.is_none()).map(|(name, _)| name);
        let mut new: Vec<Name> = open.filter(|name| !self.has(bundle, name)).cloned().collect();
        new.sort();
        new.dedup();
        let own = self.questions.iter().filter(|q| q.bundle == *bundle).count();
        if own + new.len() > MAX_PENDING_OF_ONE || self.questions.len() + new.len() > MAX_PENDING {
            return Err(Refused(format!(
                "{} questions of {bundle} wait for the owner, {} in all: more than {MAX_PENDING_OF_ONE} and \
                 {MAX_PENDING} are not asked at once: ask when those are answered",
                own,
                self.questions.len()
            )));
        }
        let waiting = Waiting { request, bundle: bundle.clone(), replies };
        if waiting.replies.iter().all(|(_, reply)| reply.is_some()) {
            return Ok(vec![waiting.answer()]);
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(Refused(format!(
                "{MAX_WAITING} requests wait for the owner's answers: ask again later"
            )));
        }
        self.waiting.push(waiting);
        let ask = |permission| {
            self.questions.push(Question {
                bundle: bundle.clone(),
                permission: Name::clone(&permission),
                since: now,
            });
            Effect::Ask { bundle: bundle.clone(), permission }
        };
        Ok(new.into_iter().map(ask).collect())
    }

    /// A question has its answer; nothing happens if nobody asked.
    pub(super) fn answer(
        &mut self,
        bundle: &BundleId,
        permission: &Name,
        reply: Reply,
    ) -> Vec<Effect> {
        if !self.has(bundle, permission) {
            return Vec::new();
        }
        self.questions.retain(|q| !(q.bundle == *bundle && q.permission == *permission));
        let mut effects =
            vec![Effect::Asked { bundle: bundle.clone(), permission: permission.clone() }];
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.bundle == *bundle) {
            let names = waiting.replies.iter_mut().filter(|(name, _)| name == permission);
            names.for_each(|(_, slot)| *slot = slot.or(Some(reply)));
        }
        let done = |waiting: &Waiting| waiting.replies.iter().all(|(_, reply)| reply.is_some());
        let answers = self.waiting.iter().filter(|waiting| done(waiting)).map(Waiting::answer);
        effects.extend(answers);
        self.waiting.retain(|waiting| !done(waiting));
        effects
    }

    /// Who made a request is gone: its answer is for nobody.
    pub(super) fn leave(&mut self, request: u64) -> Vec<Effect> {
        self.waiting.retain(|waiting| waiting.request != request);
        let (wanted, idle): (Vec<_>, Vec<_>) =
            self.questions.drain(..).partition(|question| awaited(&self.waiting, question));
        self.questions = wanted;
        let asked = |q: Question| Effect::Asked { bundle: q.bundle, permission: q.permission };
        idle.into_iter().map(asked).collect()
    }
}

/// Whether somebody waits for the answer.
fn awaited(waiting: &[Waiting], question: &Question) -> bool {
    waiting.iter().filter(|waiting| waiting.bundle == question.bundle).any(|waiting| {
        let mut open = waiting.replies.iter().filter(|(_, reply)| reply.is_none());
        open.any(|(name, _)| *name == question.permission)
    })
}

impl Waiting {
    fn answer(&self) -> Effect {
        let reply =
            |(name, reply): &(Name, Option<Reply>)| (name.clone(), reply.unwrap_or(Reply::Refused));
        Effect::Answer { request: self.request, replies: self.replies.iter().map(reply).collect() }
    }
}
