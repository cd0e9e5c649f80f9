//! Questions asked of a service over the network: one connection each, a few bytes.
//!
//! The other side is hostile: no more than [`MAX_ANSWER`] bytes of it are read, and whoever asks
//! sets the time.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// Most bytes of an answer that are read: its first line is in them.
const MAX_ANSWER: usize = 1024;

/// Whether somebody accepts connections there.
///
/// # Errors
/// Why not.
pub(super) async fn tcp(address: SocketAddr) -> Result<(), String> {
    TcpStream::connect(address).await.map(drop).map_err(plain)
}

/// Whether `GET path` is answered with a status from 200 to 399. A redirect is an answer.
///
/// # Errors
/// What came instead.
pub(super) async fn http(address: SocketAddr, path: &str) -> Result<(), String> {
    // What would end the line would be a second request.
    if path.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err("the path is not one".to_owned());
    }
    let stream = TcpStream::connect(address).await.map_err(plain)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: ensemble\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    send(&stream, request.as_bytes()).await.map_err(plain)?;
    let answer = first_line(&stream).await.map_err(plain)?;
    match status(&answer) {
        Some(200..=399) => Ok(()),
        Some(other) => Err(format!("status {other}")),
        None => Err("the answer is not HTTP".to_owned()),
    }
}

fn plain(e: io::Error) -> String {
    match e.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => e.to_string(),
    }
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Bytes up to the end of the first line, of the answer, or of what we read.
async fn first_line(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = vec![0; MAX_ANSWER];
    let mut length = 0;
    while length < MAX_ANSWER {
        stream.readable().await?;
        let Some(room) = answer.get_mut(length..) else { break };
        match stream.try_read(room) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(e) => return Err(e),
        }
        if answer.get(..length).is_some_and(|all| all.contains(&b'\n')) {
            break;
        }
    }
    answer.truncate(length);
    Ok(answer)
}

/// `HTTP/1.1 200 OK`
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let (version, rest) = line.split_once(' ')?;
    if !version.starts_with("HTTP/") {
        return None;
    }
    let code = rest.split(' ').next()?;
    code.parse().ok().filter(|code| (100..1000).contains(code))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What `http` makes of this answer.
    fn answered(answer: &'static [u8]) -> Result<(), String> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            let mut request = [0; 500];
            let count = client.read(&mut request).unwrap();
            // It may have read enough and left.
            let _left = client.write_all(answer);
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let result = runtime.block_on(http(address, "/up"));
        assert!(thread.join().unwrap().starts_with("GET /up HTTP/1.1\r\nHost: 127.0.0.1:"));
        result
    }

    #[test]
    fn a_good_status_is_good_and_any_other_is_told() {
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\n\r\nhello"), Ok(()));
        assert_eq!(answered(b"HTTP/1.0 302 Elsewhere\r\nLocation: http://x/\r\n\r\n"), Ok(()));
        assert_eq!(answered(b"HTTP/1.1 503\n"), Err("status 503".into()));
        for nonsense in [&b""[..], b"SSH-2.0\r\n", b"HTTP/1.1 \xff\r\n", &[b'x'; 5000]] {
            assert_eq!(answered(nonsense), Err("the answer is not HTTP".into()));
        }
    }

    #[test]
    fn nobody_there_is_told() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = Err("connection refused".to_owned());
        assert_eq!(runtime.block_on(tcp(gone)), refused);
        assert_eq!(runtime.block_on(http(gone, "/")), refused);
        assert!(runtime.block_on(http(gone, "/ HTTP/1.1\r\nX: y")).is_err());
    }
}
