//! What an app asks, as values, and the way its answer goes.

use std::collections::HashMap;

use api::app::{Error, Want};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use zbus::DBusError;
use zbus::message::{Flags, Message};
use zbus::wire::DynamicType;

use super::{OWNER, Whose};

/// A call of an app.
#[derive(Debug)]
pub(crate) struct Call {
    /// Whose.
    pub whose: Whose,
    /// What it asks.
    pub what: What,
    /// Where the answer goes.
    pub reply: Reply,
}

/// What an app asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// It is there.
    Attach,
    /// It did what `token` asked for.
    Done {
        /// Of which event.
        token: u32,
        /// What it wants to find again.
        state: Vec<u8>,
    },
    /// It wants something done.
    Start(Want),
    /// What would answer a want.
    Candidates(Want),
    /// It wants to end.
    Terminate,
    /// Whether it has permissions.
    Permissions(Vec<String>),
    /// It asks for permissions.
    Request(Vec<String>),
    /// It wants to be connected to a service.
    Connect(Want),
    /// It takes the connection that it was told of with this token.
    Accept(u32),
    /// It ends a connection, by its number.
    Disconnect(u32),
    /// It fills a card, by its number.
    UpdateForm {
        /// Which.
        form: u32,
        /// With this.
        data: HashMap<String, String>,
    },
    /// It wants time off the screen, for this reason.
    BeginTask(String),
    /// It has done what it wanted time for.
    EndTask(u32),
    /// It goes on off the screen.
    BeginContinuous {
        /// With what: a word of its manifest.
        mode: String,
        /// What for.
        reason: String,
    },
    /// It does so no more.
    EndContinuous(u32),
    /// A transfer that goes on has come so far.
    Progress {
        /// Its number.
        task: u32,
        /// What is done.
        done: u64,
        /// Of how much; 0 if nobody knows.
        total: u64,
    },
    /// It wants to begin anew, and to find this again.
    Restart(Vec<u8>),
    /// It wants to know where its resource of this name is.
    Resource(String),
}

/// The way of one answer. Dropped without one, it says that there will be none.
#[derive(Debug)]
pub(crate) struct Reply {
    call: Message,
    out: Option<mpsc::Sender<Message>>,
    to: String,
    passes: bool,
    _room: OwnedSemaphorePermit,
}

impl Reply {
    pub(super) fn new(
        call: Message,
        out: mpsc::Sender<Message>,
        (to, passes): (String, bool),
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self { call, out: Some(out), to, passes, _room: room }
    }

    /// Whether an answer may have descriptors: the client has to agree on them at the beginning.
    pub(crate) fn passes(&self) -> bool {
        self.passes
    }

    /// Answers.
    pub(crate) fn send<B: Serialize + DynamicType>(mut self, answer: Result<&B, &Error>) {
        self.put(answer);
    }

    fn put<B: Serialize + DynamicType>(&mut self, answer: Result<&B, &Error>) {
        let Some(out) = self.out.take() else { return };
        let message = match answer {
            Ok(body) => returns(&self.call, OWNER, &self.to, body),
            Err(e) => {
                let why = e.description().unwrap_or_default();
                fails(&self.call, OWNER, &self.to, e.name().as_str(), why)
            }
        };
        // One that has gone, or lets its answers pile up, has lost them by its own doing.
        let _gone = message.map(|message| out.try_send(message));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let why = "ability-manager did not come to it: ask again".to_owned();
        self.put::<()>(Err(&Error::Failed(why)));
    }
}

/// An answer; none to who wants none.
pub(super) fn returns<B: Serialize + DynamicType>(
    call: &Message,
    sender: &str,
    to: &str,
    body: &B,
) -> Option<Message> {
    let header = call.header();
    if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
        return None;
    }
    let reply = Message::method_return(&header).sender(sender).destination(to).build(body);
    reply.inspect_err(|e| log::warn!("an answer that is no message: {e}")).ok()
}

/// An error; none to who wants no answer.
pub(super) fn fails(
    call: &Message,
    sender: &str,
    to: &str,
    name: &str,
    why: &str,
) -> Option<Message> {
    let header = call.header();
    if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
        return None;
    }
    let reply = Message::error(&header, name).sender(sender).destination(to).build(&(why,));
    reply.inspect_err(|e| log::warn!("an error that is no message: {e}")).ok()
}
