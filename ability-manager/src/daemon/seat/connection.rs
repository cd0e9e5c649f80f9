//! One connection of an app, from its greeting to its end.
//!
//! Invariant: no more of its calls are under way than [`MAX_CALLS`], and the next message is taken only when
//! there is room for its answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use api::app::{INTERFACE, MAX_STATE, PATH, Want};
use model::want::MAX_WANT;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc};
use zbus::connection::socket::{ReadHalf, WriteHalf};
use zbus::message::{Message, Type as Kind};
use zbus::wire::Type;

use super::call::{Call, Reply, What, fails};
use super::driver::{self, Answer};
use super::{Leaving, OWNER};

/// Longest message of an app, in bytes: its state and what is around it, or a want.
const MAX_MESSAGE: usize = MAX_STATE + MAX_WANT;

/// Calls of one connection that may wait for an answer.
const MAX_CALLS: usize = 16;

/// How long a client may take to introduce itself.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Messages that a connection may send in [`WINDOW`]; the rest waits for the next. No app has so much to say
/// to us, and who does takes the processor from the others.
const MAX_RATE: u32 = 500;

/// See [`MAX_RATE`].
const WINDOW: Duration = Duration::from_secs(1);

const LIMITS: wire::Limits = wire::Limits {
    message: MAX_MESSAGE,
    unanswered: None,
    // An app is given its end of a connection; nobody takes any from it.
    descriptors: wire::Descriptors::Closed,
};

/// Serves a connection until one side ends it.
pub(super) async fn serve(
    stream: UnixStream,
    leaving: Leaving,
    out: mpsc::Sender<Message>,
    queue: mpsc::Receiver<Message>,
) {
    let greeting = wire::greet(stream, &leaving.shared.guid, LIMITS, |_| None::<Infallible>);
    let Ok(Ok(wire::Begun::Messages(reader, writer))) =
        tokio::time::timeout(HANDSHAKE, greeting).await
    else {
        return;
    };
    // An app that breaks off or speaks nonsense is hung up on, and that is all.
    tokio::select! {
        _ended = read(reader, writer.can_pass_unix_fd(), &leaving, out) => {}
        _ended = write(writer, queue) => {}
    }
}

async fn write(mut writer: wire::Writer, mut queue: mpsc::Receiver<Message>) -> zbus::Result<()> {
    while let Some(message) = queue.recv().await {
        writer.send_message(&message).await?;
    }
    Ok(())
}

/// `passes`: the client takes descriptors.
async fn read(
    mut reader: wire::Reader,
    passes: bool,
    leaving: &Leaving,
    out: mpsc::Sender<Message>,
) -> zbus::Result<()> {
    let room = Arc::new(Semaphore::new(MAX_CALLS));
    let mut client = driver::Client::new(leaving.number, &leaving.shared);
    let mut turn = Turn::new();
    let (mut early, mut descriptors) = (Vec::new(), Vec::new());
    for number in 1.. {
        turn.wait().await;
        let message = reader.receive_message(number, &mut early, &mut descriptors).await?;
        if message.message_type() != Kind::MethodCall {
            continue;
        }
        let answers = match driver::hear(&mut client, &message) {
            Answer::These(answers) => answers,
            Answer::App => {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
                match understand(&message) {
                    Ok(what) => {
                        let to = client.name.clone();
                        let reply = Reply::new(message, out.clone(), (to, passes), permit);
                        if what == What::Attach {
                            leaving.attach();
                        }
                        let call = Call { whose: leaving.shared.whose, what, reply };
                        if leaving.shared.calls.send(call).await.is_err() {
                            break;
                        }
                        continue;
                    }
                    Err((name, why)) => {
                        fails(&message, OWNER, &client.name, name, &why).into_iter().collect()
                    }
                }
            }
        };
        for answer in answers {
            if out.send(answer).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Why a call is none: the name of an error, and a sentence.
type Wrong = (&'static str, String);

const NO_SUCH_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";
const NO_SUCH_OBJECT: &str = "org.freedesktop.DBus.Error.UnknownObject";
const NO_SUCH_INTERFACE: &str = "org.freedesktop.DBus.Error.UnknownInterface";
const BAD_ARGUMENTS: &str = "org.freedesktop.DBus.Error.InvalidArgs";

/// The call that a message to us is.
fn understand(message: &Message) -> Result<What, Wrong> {
    let header = message.header();
    let path = header.path().map(ToString::to_string).unwrap_or_default();
    if path != PATH {
        return Err((NO_SUCH_OBJECT, format!("nothing is at {path}: {PATH} is")));
    }
    if let Some(interface) = header.interface().filter(|i| i.as_str() != INTERFACE) {
        return Err((NO_SUCH_INTERFACE, format!("{PATH} has no interface {interface}")));
    }
    let member = header.member().map(ToString::to_string).unwrap_or_default();
    Ok(match member.as_str() {
        "Attach" => arguments::<()>(message, "").map(|()| What::Attach)?,
        "Done" => {
            let (token, state): (u32, Vec<u8>) = arguments(message, "uay")?;
            What::Done { token, state: bounded(state)? }
        }
        "Restart" => What::Restart(bounded(arguments::<(Vec<u8>,)>(message, "ay")?.0)?),
        "Start" => What::Start(arguments::<(Want,)>(message, "a{sv}")?.0),
        "Candidates" => What::Candidates(arguments::<(Want,)>(message, "a{sv}")?.0),
        "Terminate" => arguments::<()>(message, "").map(|()| What::Terminate)?,
        "Permissions" => What::Permissions(arguments::<(Vec<String>,)>(message, "as")?.0),
        "Request" => What::Request(arguments::<(Vec<String>,)>(message, "as")?.0),
        "BeginTask" => What::BeginTask(arguments::<(String,)>(message, "s")?.0),
        "EndTask" => What::EndTask(arguments::<(u32,)>(message, "u")?.0),
        "BeginContinuous" => {
            let (mode, reason) = arguments(message, "ss")?;
            What::BeginContinuous { mode, reason }
        }
        "EndContinuous" => What::EndContinuous(arguments::<(u32,)>(message, "u")?.0),
        "Progress" => {
            let (task, done, total) = arguments(message, "utt")?;
            What::Progress { task, done, total }
        }
        "Connect" => What::Connect(arguments::<(Want,)>(message, "a{sv}")?.0),
        "Accept" => What::Accept(arguments::<(u32,)>(message, "u")?.0),
        "UpdateForm" => {
            let (form, data) = arguments(message, "ua{ss}")?;
            What::UpdateForm { form, data }
        }
        "Disconnect" => What::Disconnect(arguments::<(u32,)>(message, "u")?.0),
        "Resource" => What::Resource(arguments::<(String,)>(message, "s")?.0),
        _ => return Err((NO_SUCH_METHOD, format!("{INTERFACE} has no method {member}"))),
    })
}

/// A state that is not too large to be kept.
fn bounded(state: Vec<u8>) -> Result<Vec<u8>, Wrong> {
    if state.len() <= MAX_STATE {
        return Ok(state);
    }
    let why = format!(
        "a state of {} bytes: at most {MAX_STATE} are kept: save less, and keep the rest in files",
        state.len()
    );
    Err(("org.ensemble.Abilities1.Error.Invalid", why))
}

/// The arguments of a call.
fn arguments<T: DeserializeOwned + Type>(message: &Message, wanted: &str) -> Result<T, Wrong> {
    let body = message.body();
    body.deserialize().map_err(|e| {
        let said = body.signature().to_string_no_parens();
        (BAD_ARGUMENTS, format!("the arguments are `{wanted}`, not `{said}`: {e}"))
    })
}

/// Who sent too much waits for its turn.
struct Turn {
    since: tokio::time::Instant,
    taken: u32,
}

impl Turn {
    fn new() -> Self {
        Self { since: now(), taken: 0 }
    }

    async fn wait(&mut self) {
        let end = self.since + WINDOW;
        if self.taken >= MAX_RATE && now() < end {
            tokio::time::sleep_until(end).await;
        }
        if now() >= end {
            *self = Self::new();
        }
        self.taken += 1;
    }
}

fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
