//! `ensctl forward`: a port here that is one of another device.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::near::hint;
use crate::run::Out;

/// Connections at a time; further ones wait. The other device has no more streams for one.
const MAX_CONNECTIONS: usize = 24;

/// Wait while there are as many.
const PAUSE: Duration = Duration::from_millis(50);

/// Forwards until it is ended from outside.
///
/// # Errors
/// [`Fault`]: nothing can listen here.
pub(crate) fn run(
    here: SocketAddr,
    device: &str,
    port: u16,
    json: bool,
    out: &Out,
) -> Result<(), Fault> {
    known(device)?;
    let wrong = |e: std::io::Error| Fault::NotWell(format!("cannot listen at {here}: {e}"));
    let listener = TcpListener::bind(here).map_err(wrong)?;
    let here = listener.local_addr().map_err(wrong)?;
    if json {
        let event = json!({ "event": "listening", "here": here.to_string(), "device": device, "port": port });
        out.text(&format!("{event}\n"))?;
    } else {
        out.text(&format!("{here} is port {port} of {device}, until Ctrl-C.\n"))?;
    }
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let (connection, _) = listener.accept().map_err(wrong)?;
        while open.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
            thread::park_timeout(PAUSE);
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (open, device) = (Arc::clone(&open), device.to_owned());
        let carrying = move || {
            if let Err(fault) = carry(connection, &device, port) {
                let _code = Out::standard().complain(&fault);
            }
            open.fetch_sub(1, Ordering::Relaxed);
        };
        thread::Builder::new().spawn(carrying)?;
    }
}

/// Says at once that there is no such device, and not to the first who connects.
fn known(device: &str) -> Result<(), Fault> {
    let all = call::devices(true, Some(PATIENCE), |bus| bus.list())?;
    if all.iter().any(|row| row.name == device || row.id.starts_with(device)) {
        return Ok(());
    }
    let near = hint(device, all.iter().map(|row| row.name.as_str()));
    let why = format!("no device is called `{device}`{near}\n`ensctl device list` shows them");
    Err(Fault::NoSuchService(why))
}

fn carry(connection: TcpStream, device: &str, port: u16) -> Result<(), Fault> {
    let number = port.to_string();
    let stream = super::open(device, "port", &HashMap::from([("port", number.as_str())]))?;
    remote::pump::pump(stream, connection)
        .map_err(|e| Fault::NotWell(format!("a connection to {device}:{port} broke: {e}")))
}
