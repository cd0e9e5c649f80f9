//! The files of a store that is a directory, opened for `store`, which sees nothing of the device.
//!
//! ```text
//! store ── path ──► thread ── below the directory, no link followed ──► descriptor, or why not
//! ```

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;

use api::stores::supply::{FOUND, MAX_PACKET, MISSING, WRONG, legal};

use crate::fault::Fault;

/// A socket to a thread that opens the files of a store which is a directory; none of one that is not.
pub(super) fn supplied(place: &str) -> Result<Option<OwnedFd>, Fault> {
    if place.contains("://") {
        return Ok(None);
    }
    let wrong = |e: std::io::Error| Fault::NotWell(format!("cannot open {place}: {e}"));
    let directory = File::open(place).map_err(wrong)?;
    let (ours, theirs) = sys::seqpacket::pair().map_err(wrong)?;
    thread::spawn(move || supply(&ours, &directory));
    Ok(Some(theirs))
}

/// Opens files for as long as somebody asks.
fn supply(asks: &OwnedFd, directory: &File) {
    let mut packet = [0; MAX_PACKET];
    while let Ok((count @ 1.., _, _)) = sys::seqpacket::recv(asks, &mut packet) {
        let path = std::str::from_utf8(packet.get(..count).unwrap_or_default());
        let path = path.ok().filter(|path| legal(path));
        let opened = path.map(|path| sys::below::open(directory, Path::new(path)));
        let sent = match opened {
            Some(Ok(file)) => sys::seqpacket::send(asks, &[FOUND], &[file.as_fd()]),
            Some(Err(e)) if e.kind() == std::io::ErrorKind::NotFound => {
                sys::seqpacket::send(asks, &[MISSING], &[])
            }
            Some(Err(e)) => wrong(asks, &e.to_string()),
            None => wrong(asks, "it is no file of a store"),
        };
        if sent.is_err() {
            return;
        }
    }
}

fn wrong(asks: &OwnedFd, why: &str) -> std::io::Result<()> {
    let packet: Vec<u8> = std::iter::once(WRONG).chain(why.bytes()).take(MAX_PACKET).collect();
    sys::seqpacket::send(asks, &packet, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_store_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("metadata")).unwrap();
        std::fs::write(directory.path().join("metadata/1.root.json"), "{}").unwrap();
        std::fs::write(directory.path().join("secret"), "x").unwrap();
        let asks = supplied(directory.path().to_str().unwrap()).unwrap().unwrap();
        let ask = |path: &str| {
            sys::seqpacket::send(&asks, path.as_bytes(), &[]).unwrap();
            let mut packet = [0; MAX_PACKET];
            let (_, fds, _) = sys::seqpacket::recv(&asks, &mut packet).unwrap();
            (packet[0], fds.len())
        };
        assert_eq!(ask("metadata/1.root.json"), (FOUND, 1));
        assert_eq!(ask("metadata/2.root.json"), (MISSING, 0));
        assert_eq!(ask("metadata/../secret"), (WRONG, 0));
        assert_eq!(ask("secret"), (WRONG, 0));
        assert_eq!(supplied("https://example.org").unwrap().map(drop), None);
    }
}
