//! Clients of a control socket, a task each.
//!
//! The kernel says who a client is when it connects; nothing it sends can change that. Invariant: there are never
//! more than `MAX_CLIENTS` of root's, nor of all others together, so that others can't keep root out.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// Clients at a time; a further one is hung up on. Those of root are counted apart.
const MAX_CLIENTS: usize = 32;

/// Pause after the system had no descriptor for a new client.
const PAUSE: Duration = Duration::from_millis(200);

/// Somebody who has connected.
#[derive(Debug)]
pub struct Client {
    /// What it sends, and is sent.
    pub stream: UnixStream,
    /// Who it is.
    pub uid: u32,
    /// Changes when it is gone: nobody is there to hear an answer.
    pub gone: watch::Receiver<()>,
}

/// Takes clients for as long as it is waited for, and serves each of them. What comes of that is the client's own problem.
pub async fn serve<T, F>(listener: UnixListener, mut serve_one: impl FnMut(Client) -> F)
where
    F: Future<Output = T> + Send + 'static,
    T: Send,
{
    let (of_root, of_others) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    loop {
        let accepted = listener.accept().await;
        let (stream, uid) = match accepted.and_then(|(s, _)| Ok((sys::bind::peer_uid(&s)?, s))) {
            Ok((uid, stream)) => (stream, uid),
            Err(e) => {
                said(&e);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let clients = if uid == 0 { &of_root } else { &of_others };
        if clients.fetch_add(1, Ordering::Relaxed) >= MAX_CLIENTS {
            clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (here, gone) = watch::channel(());
        let (served, clients) = (serve_one(Client { stream, uid, gone }), Arc::clone(clients));
        tokio::spawn(async move {
            let _its_problem = served.await;
            drop(here);
            clients.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn said(e: &io::Error) {
    log::warn!("could not take a client: {e}");
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream as Blocking;
    use std::thread;

    use super::*;

    #[test]
    fn so_many_are_served_at_a_time_and_one_more_is_hung_up_on_until_one_has_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let uid = sys::process::user();
        // It ends with the test.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let greet = move |client: Client| async move {
                    assert_eq!(client.uid, uid);
                    client.stream.try_write(b"x").unwrap();
                    // Until it has hung up.
                    while !matches!(client.stream.try_read(&mut [0]), Ok(0)) {
                        client.stream.readable().await.unwrap();
                    }
                };
                serve(UnixListener::from_std(listener).unwrap(), greet).await;
            });
        });
        let connect = || {
            let mut stream = Blocking::connect(&path).unwrap();
            let served = stream.read(&mut [0]).unwrap() > 0;
            served.then_some(stream)
        };
        let mut all: Vec<Blocking> = (0..MAX_CLIENTS).map(|_| connect().unwrap()).collect();
        assert!(connect().is_none(), "one too many");
        all.pop();
        while connect().is_none() {}
    }
}
