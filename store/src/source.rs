//! Where files of a store come from: the web, or whoever asks, who opens the files of a directory and hands them over.

use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;

use api::stores::supply;

use crate::web::{Terms, Web};

/// Where files of a store come from.
#[derive(Debug)]
pub enum Supply {
    /// A web server.
    Web(Web),
    /// Somebody who opens files for us.
    Caller(OwnedFd),
}

/// A file that is being read, from a place on.
pub(crate) struct Opened {
    /// Where reading begins: where it was asked for, or 0 where that can't be.
    pub(crate) at: u64,
    pub(crate) bytes: Box<dyn Read>,
}

impl Supply {
    /// That of a store at `place`.
    ///
    /// # Errors
    /// It is a directory, and nobody opens it; or it is nothing that can be asked.
    pub fn of(place: &str, from: Vec<OwnedFd>) -> Result<Self, String> {
        match (Web::of(place, &Terms::default())?, from.into_iter().next()) {
            (Some(web), _) => Ok(Self::Web(web)),
            (None, Some(caller)) => Ok(Self::Caller(caller)),
            (None, None) => Err(format!("{place} is a directory, and the caller does not open it")),
        }
    }

    /// Opens a file, if it is there, to be read from `at` on; `most` bytes are wanted.
    pub(crate) fn open(&self, path: &str, at: u64, most: u64) -> Result<Option<Opened>, String> {
        if !supply::legal(path) {
            return Err(format!("`{path}` is no name of a file in a store"));
        }
        match self {
            Self::Web(web) => web.open(path, at, most),
            Self::Caller(caller) => handed(caller, path, at),
        }
    }
}

impl tuf::Source for Supply {
    fn get(&mut self, file: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        let Some(opened) = self.open(&format!("metadata/{file}"), 0, most)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = opened.bytes.take(most.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| format!("reading {file}: {e}"))?;
        Ok(Some(bytes))
    }
}

/// Asks the caller for a file.
fn handed(caller: &OwnedFd, path: &str, at: u64) -> Result<Option<Opened>, String> {
    let gone = |e: io::Error| format!("who opens the directory is gone: {e}");
    sys::seqpacket::send(caller, path.as_bytes(), &[]).map_err(gone)?;
    let mut packet = [0; supply::MAX_PACKET];
    let (count, fds, _) = sys::seqpacket::recv(caller, &mut packet).map_err(gone)?;
    match (packet.get(..count).unwrap_or_default(), fds.into_iter().next()) {
        ([supply::FOUND, ..], Some(fd)) => {
            let mut file = std::fs::File::from(fd);
            let at = file.seek(SeekFrom::Start(at)).map_err(|e| format!("reading {path}: {e}"))?;
            Ok(Some(Opened { at, bytes: Box::new(file) }))
        }
        ([supply::MISSING, ..], _) => Ok(None),
        ([supply::WRONG, why @ ..], _) => {
            Err(format!("opening {path}: {}", String::from_utf8_lossy(why)))
        }
        _ => Err("who opens the directory is gone".to_owned()),
    }
}
