//! A link to a peer: the words at its beginning, then what each has to tell the other; further streams are served.
//!
//! ```text
//! dialed: opens the first stream, says Hello ──► taken: says Hello back
//!   both ◄── Entries, Seen, Secret, Profile ──►        until one says why it ends
//! ```
//!
//! Invariants: a peer that reads nothing is hung up on when [`UNREAD`] messages wait for it; what it says is taken one message
//! after the other; nothing is said to a peer that has not said Hello.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::hub::{Hub, now};
use super::mail::Mail;
use crate::DeviceId;
use crate::engine::{Closed, Link, Receiver, Sender};
use crate::session::control::{self, Hello, MAX_FRAME, Message};
use crate::session::{self, Bye, GREETING, LinkId};
use crate::streams::{self, Caller};
use crate::trust::Seen;

/// Messages that wait for a peer.
const UNREAD: usize = 64;

/// Bytes of entries in one message: the rest comes when the peer has these.
const PAGE: usize = MAX_FRAME - (8 << 10);

/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is to be said.
#[derive(Debug)]
enum Say {
    Message(Message),
    Bye(Bye),
}

/// A link that is up.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) link: Link,
    pub(super) peer: DeviceId,
    pub(super) hello: Option<Hello>,
    /// When that came, in seconds since 1970.
    pub(super) greeted: u64,
    /// What the peer has of the log.
    seen: Option<Seen>,
    say: mpsc::Sender<Say>,
}

impl Here {
    /// Says something, once the peer has said Hello.
    fn say(&self, message: Message) {
        if self.say.try_send(Say::Message(message)).is_err() {
            self.link.close(Bye::Silent.word());
        }
    }

    /// Says what is left to say, and ends it.
    pub(super) fn close(self, bye: Bye) {
        if self.say.try_send(Say::Bye(bye)).is_err() {
            self.link.close(bye.word());
        }
    }
}

impl Hub {
    /// A link is up.
    pub(super) fn linked(&mut self, link: Link, dialed: bool, wanted: bool) {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        let peer = link.peer();
        let seen = self.group.as_ref().map(|group| group.log.seen()).unwrap_or_default();
        let (run, time, profile) = (self.run, now(), self.profile.digest());
        let hello = Hello {
            oldest: control::OLDEST,
            newest: control::NEWEST,
            run,
            wanted,
            time,
            profile,
            seen,
        };
        let (say, words) = mpsc::channel(UNREAD);
        self.links.insert(
            id,
            Here { link: link.clone(), peer, hello: None, greeted: 0, seen: None, say },
        );
        let mail = self.mail.clone();
        tokio::spawn(async move {
            let talked = talk(&mail, &link, id, dialed, hello, words).await;
            // Most likely the peer is about to say why.
            if let Err(e) = talked
                && timeout(LAST_WORDS, link.closed()).await.is_err()
            {
                super::say(5, &format!("what {} says makes no sense: {e}", peer.short()));
                link.close(Bye::Nonsense.word());
            }
            let closed = link.closed().await;
            mail.tell(move |hub| hub.unlinked(id, &closed)).await;
        });
        self.step(session::Event::Linked { link: id, peer, dialed });
    }

    /// A link is down.
    fn unlinked(&mut self, id: LinkId, closed: &Closed) {
        let Some(here) = self.links.remove(&id) else { return };
        let bye = match closed {
            Closed::There(word) | Closed::Refused(word) => Bye::from_word(word),
            _ => None,
        };
        let why = match bye {
            Some(Bye::Removed) => "it says that this device is not of its group any more: if so, `ensctl device leave` here, and pair again".to_owned(),
            Some(Bye::Left) => "it has left the group".to_owned(),
            Some(Bye::Version) => "it speaks no version that this device speaks: update the older one".to_owned(),
            Some(Bye::Ending) => "it is going down".to_owned(),
            _ => closed.to_string(),
        };
        self.trouble(here.peer, why);
        self.step(session::Event::Closed { link: id, bye });
    }

    /// Ends a link for a reason of ours.
    pub(super) fn cut(&mut self, id: LinkId, bye: Bye) {
        if let Some(here) = self.links.remove(&id) {
            here.close(bye);
            self.step(session::Event::Closed { link: id, bye: Some(bye) });
        }
    }

    /// A peer says something.
    fn said(&mut self, id: LinkId, message: Message) {
        let Some(here) = self.links.get_mut(&id) else { return };
        let (peer, link, greeted) = (here.peer, here.link.clone(), here.hello.is_some());
        match message {
            Message::Hello(hello) if !greeted => {
                if control::version(&hello).is_none() || !hello.seen.is_bounded() {
                    return self.cut(id, Bye::Version);
                }
                let (run, wanted) = (hello.run, hello.wanted);
                let known = self
                    .peers
                    .get(&peer)
                    .is_some_and(|known| known.profile.digest() == hello.profile);
                here.seen = Some(hello.seen.clone());
                (here.hello, here.greeted) = (Some(hello), now());
                if !known {
                    here.say(Message::AskProfile);
                }
                if let Some(group) = &self.group {
                    here.say(Message::Secret(group.secret.clone()));
                }
                self.push(id);
                self.step(session::Event::Greeted { link: id, run, wanted });
                if self.session.link(&peer) == Some(id) {
                    self.reached(peer, &link);
                }
            }
            // Nothing else comes first, and that comes once.
            _ if !greeted => self.cut(id, Bye::Nonsense),
            Message::Hello(_) => self.cut(id, Bye::Nonsense),
            Message::Entries(entries) => self.learn(id, entries),
            Message::Seen(seen) => {
                // Who did not get further will not by being told the same.
                let further = seen.is_bounded() && here.seen.as_ref() != Some(&seen);
                if further {
                    here.seen = Some(seen);
                    self.push(id);
                }
            }
            Message::AskProfile => self.tell_profile(Some(id)),
            Message::Profile(mut profile, mut addresses) => {
                profile.bound();
                addresses.truncate(session::MAX_ADDRESSES);
                self.known(peer).profile = profile;
                self.save_soon();
                self.step(session::Event::Known(peer, addresses));
            }
            Message::Secret(secret) => self.take_secret(&secret),
        }
    }

    /// Tells a peer the next entries that it lacks.
    fn push(&mut self, id: LinkId) {
        let (Some(group), Some(here)) = (&self.group, self.links.get(&id)) else { return };
        let Some(seen) = &here.seen else { return };
        let entries = group.log.since(seen, PAGE);
        if !entries.is_empty() {
            here.say(Message::Entries(entries));
        }
    }

    /// Tells all peers what they lack.
    pub(super) fn push_all(&mut self) {
        let all: Vec<LinkId> = self.links.keys().copied().collect();
        all.into_iter().for_each(|id| self.push(id));
    }

    /// Tells a peer how far we are.
    pub(super) fn tell_seen(&self, id: LinkId) {
        if let (Some(group), Some(here)) = (&self.group, self.links.get(&id)) {
            here.say(Message::Seen(group.log.seen()));
        }
    }

    /// Tells all peers the secret.
    pub(super) fn tell_secret(&self) {
        let Some(group) = &self.group else { return };
        for here in self.links.values().filter(|here| here.hello.is_some()) {
            here.say(Message::Secret(group.secret.clone()));
        }
    }

    /// Tells a peer, or all, what this device is and where.
    pub(super) fn tell_profile(&self, id: Option<LinkId>) {
        let to = |(one, here): &(&LinkId, &Here)| {
            id.is_none_or(|id| id == **one) && here.hello.is_some()
        };
        // Where a link-local address is, is another matter on each device.
        let far = |address: &&SocketAddr| match address.ip() {
            IpAddr::V4(ip) => !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_unicast_link_local(),
        };
        let addresses = self.addresses.iter().filter(far).copied();
        let addresses: Vec<_> = addresses.take(session::MAX_ADDRESSES).collect();
        for (_, here) in self.links.iter().filter(to) {
            here.say(Message::Profile(self.profile.clone(), addresses.clone()));
        }
    }

    /// Who opens a stream on a link, if it may be there.
    fn caller(&self, id: LinkId) -> Option<Caller> {
        let here = self.links.get(&id)?;
        let member = self.member(&here.peer)?;
        let level = member.level;
        let (name, owner) = (member.name.to_string(), level == crate::trust::Level::Owner);
        Some(Caller { id: here.peer, name, level: level.as_str().to_owned(), owner })
    }
}

/// Talks over a link until it ends.
async fn talk(
    mail: &Mail,
    link: &Link,
    id: LinkId,
    dialed: bool,
    hello: Hello,
    words: mpsc::Receiver<Say>,
) -> io::Result<()> {
    let first = async {
        let stream = if dialed { link.open().await } else { link.accept().await };
        stream.map_err(io::Error::other)
    };
    let silent = |_| io::Error::from(io::ErrorKind::TimedOut);
    let (mut sender, receiver) = timeout(GREETING, first).await.map_err(silent)??;
    let hello = control::frame(&Message::Hello(hello)).map_err(io::Error::other)?;
    sender.write_all(&hello).await?;
    let (writer, closing) = (write(sender, words), link.clone());
    tokio::spawn(async move {
        // Whatever comes of it, that is the end.
        let bye = writer.await.unwrap_or(Bye::Silent);
        closing.close(bye.word());
    });
    tokio::select! {
        read = read(mail, id, receiver) => read,
        () = serve(mail, link, id) => Ok(()),
    }
}

/// Takes what a peer says, one after the other.
async fn read(mail: &Mail, id: LinkId, mut receiver: Receiver) -> io::Result<()> {
    loop {
        let mut head = [0; 4];
        receiver.read_exact(&mut head).await?;
        let mut body = vec![0; control::length(head).map_err(io::Error::other)?];
        receiver.read_exact(&mut body).await?;
        if let Some(message) = control::message(&body).map_err(io::Error::other)? {
            mail.tell(move |hub| hub.said(id, message)).await;
        }
    }
}

/// Says what is to be said, until it is to end.
async fn write(mut sender: Sender, mut words: mpsc::Receiver<Say>) -> io::Result<Bye> {
    while let Some(say) = words.recv().await {
        match say {
            Say::Message(message) => {
                sender.write_all(&control::frame(&message).map_err(io::Error::other)?).await?;
            }
            Say::Bye(bye) => {
                // What was said before counts, if the peer takes it.
                let _in_time = timeout(LAST_WORDS, sender.finish()).await;
                return Ok(bye);
            }
        }
    }
    Ok(Bye::Ending)
}

/// Serves the streams that a peer opens.
async fn serve(mail: &Mail, link: &Link, id: LinkId) {
    while let Ok((sender, receiver)) = link.accept().await {
        let asked = mail.call(move |hub, reply| {
            // It may have ended meanwhile.
            let _gone = reply.send(hub.caller(id).map(|caller| (caller, Arc::clone(&hub.doors))));
        });
        if let Some(Some((caller, doors))) = asked.await {
            tokio::spawn(async move { streams::serve(&doors, &caller, receiver, sender).await });
        }
    }
}
