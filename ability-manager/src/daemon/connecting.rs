//! Connections of apps to services of others: a socket between the two, which we make and do not keep.
//!
//! ```text
//! caller ─ Connect ─► engine ─ connect ─► service ─ Accept ─► a pair of sockets ─┬─► service, with the caller's bundle
//!                                                                              └─► caller, with the connection's number
//! ```
//!
//! Invariant: no end stays here, so that who ends or closes its own is noticed at the other.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use api::abilities::Error;
use api::app::Want as Said;

use super::Daemon;
use super::asks::{Asker, error};
use super::seat::Reply;
use crate::engine::{Caller, ConnectionId, Event, InstanceId, Refusal, Started};

impl Daemon {
    /// An app wants to be connected.
    pub(super) fn connect_for(&mut self, instance: InstanceId, want: Said, reply: Reply) {
        match no_descriptors(&reply) {
            Some(e) => reply.send::<()>(Err(&e)),
            None => self.start_for(instance, want, Asker::Connected(reply)),
        }
    }

    /// A service takes a connection.
    pub(super) fn accept(&mut self, instance: InstanceId, token: u32, reply: Reply) {
        match self.pair_for(instance, token, &reply) {
            Err(e) => reply.send::<()>(Err(&e)),
            Ok((connection, end, caller)) => {
                reply.send(Ok(&(zbus::OwnedFd::from(end), caller)));
                self.feed(Event::Accepted { instance, token });
                // Whoever asked for it is gone, if it is still there.
                self.ends.remove(&connection);
            }
        }
    }

    /// The service's end of a connection, and the bundle of the caller.
    fn pair_for(
        &mut self,
        instance: InstanceId,
        token: u32,
        reply: &Reply,
    ) -> Result<(ConnectionId, OwnedFd, String), Error> {
        if let Some(e) = no_descriptors(reply) {
            return Err(e);
        }
        let Some((connection, caller)) = self.engine.accepts(instance, token) else {
            let why = format!(
                "nobody waits for a connection with token {token}: it was taken, or its time was over"
            );
            return Err(Error::Invalid(why));
        };
        let caller = caller.map(ToString::to_string).unwrap_or_default();
        let failed = |e: io::Error| Error::Failed(format!("making a pair of sockets: {e}"));
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        self.ends.insert(connection, theirs);
        Ok((connection, ours.into(), caller))
    }

    /// The engine's answer to who wanted to be connected.
    pub(super) fn connected(&mut self, result: Result<Option<Started>, Refusal>, reply: Reply) {
        let gone = || Error::Failed("the service has ended meanwhile: see `ensctl log`".to_owned());
        let result = result.map_err(|why| error(&why)).and_then(|started| {
            let connection = started.and_then(|started| started.connection).ok_or_else(gone)?;
            let end = self.ends.remove(&connection).ok_or_else(gone)?;
            Ok((zbus::OwnedFd::from(OwnedFd::from(end)), connection.0))
        });
        reply.send(result.as_ref());
    }

    /// An app is done with a connection.
    pub(super) fn disconnect_for(&mut self, instance: InstanceId, connection: u32, reply: Reply) {
        let Some(request) = self.asked_by(Asker::App(reply)) else { return };
        let caller = Caller::App { instance, permitted: true, background: false };
        let connection = ConnectionId(connection);
        self.feed(Event::Disconnect { request, caller, connection });
    }
}

/// Why a client can't be given a socket, if it can't.
fn no_descriptors(reply: &Reply) -> Option<Error> {
    let why = "the answer is a descriptor, and the library of the app did not agree on them when it connected \
        (jeepney: `enable_fds=True`)";
    (!reply.passes()).then(|| Error::Invalid(why.to_owned()))
}
