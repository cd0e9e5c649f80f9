//! Who is believed to be a server, where it may send us, and how long it may take.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "how long something takes is what is looked at")]

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use store::{Supply, Terms, Web};
use tuf::Source;

/// How long a server may take here.
const PATIENCE: Duration = Duration::from_millis(400);

/// When a test of something that must end has waited long enough, on a busy machine too.
const LONG: Duration = Duration::from_secs(15);

/// The file of a certificate, with its key.
fn pem(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../tests/cases/store-https").join(format!("{name}.pem"))
}

/// What a server says to who has asked, byte by byte with a pause if it says so.
#[derive(Clone)]
enum Say {
    All(String),
    /// Then it goes on for ever, so many milliseconds apart.
    Trickle(String, u64),
    /// Not even a greeting.
    Nothing,
}

fn ok(text: &str) -> Say {
    Say::All(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    ))
}

fn to(place: &str) -> Say {
    Say::All(format!(
        "HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ))
}

/// A server with this certificate, or without https; answers with its port.
fn server(certificate: Option<&str>, say: Say) -> u16 {
    let config = certificate.map(|name| {
        let text = fs::read(pem(name)).unwrap();
        let chain = CertificateDer::pem_slice_iter(&text).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(&text).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap())
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (say, config) = (say.clone(), config.clone());
            thread::spawn(move || {
                let stream = stream.unwrap();
                // Who hangs up has heard enough.
                let _gone = match config {
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(connection, stream), &say)
                    }
                    None => serve(stream, &say),
                };
            });
        }
    });
    port
}

fn serve(mut stream: impl Read + Write, say: &Say) -> std::io::Result<()> {
    if matches!(say, Say::Nothing) {
        loop {
            thread::park();
        }
    }
    for line in BufReader::new(&mut stream).lines() {
        // What is no text is answered all the same.
        if line.map_or(true, |line| line.is_empty()) {
            break;
        }
    }
    match say {
        Say::All(text) => stream.write_all(text.as_bytes()),
        Say::Trickle(text, apart) => {
            stream.write_all(text.as_bytes())?;
            loop {
                stream.flush()?;
                thread::sleep(Duration::from_millis(*apart));
                stream.write_all(b"x")?;
            }
        }
        Say::Nothing => Ok(()),
    }
}

fn terms() -> Terms {
    Terms { certificates: pem("ca"), patience: PATIENCE, slowest: 1000 }
}

/// What comes of asking `place` for a file.
fn asked(place: &str) -> Result<String, String> {
    let web = Web::of(place, &terms()).unwrap().unwrap();
    let bytes = Supply::Web(web).get("timestamp.json", 100_000)?;
    Ok(String::from_utf8(bytes.unwrap()).unwrap())
}

fn refused(place: &str) -> String {
    let began = Instant::now();
    let why = asked(place).unwrap_err();
    assert!(began.elapsed() < LONG, "{:?}: {why}", began.elapsed());
    why
}

#[test]
fn a_server_is_believed_whose_certificate_is_signed_by_one_of_the_device() {
    let port = server(Some("good"), ok("yes"));
    assert_eq!(asked(&format!("https://localhost:{port}")), Ok("yes".to_owned()));
    for (certificate, host, reason) in [
        ("stranger", "localhost", "its certificate is"),
        (
            "expired",
            "localhost",
            "its certificate has expired at 2021-01-01T00:00:00Z, or the clock",
        ),
        ("good", "127.0.0.1", "its certificate is for other names"),
    ] {
        let port = server(Some(certificate), ok("yes"));
        let why = refused(&format!("https://{host}:{port}"));
        assert!(why.contains(reason), "{certificate}: {why}");
    }
    let port = server(None, ok("yes"));
    let why = refused(&format!("https://localhost:{port}"));
    assert!(why.contains("does not speak https"), "{why}");
    let none = Terms { certificates: "/none".into(), ..terms() };
    let why = Web::of("https://localhost", &none).unwrap_err();
    assert!(why.contains("the package ca-certificates brings it"), "{why}");
    let port = server(None, ok("yes"));
    let web = Web::of(&format!("http://localhost:{port}"), &none).unwrap().unwrap();
    assert!(Supply::Web(web).get("x", 9).is_ok(), "http asks nobody for it");
}

#[test]
fn a_server_may_send_us_elsewhere_but_not_for_ever_and_never_from_https_to_less() {
    let good = server(Some("good"), ok("yes"));
    let plain = server(None, ok("yes"));
    let (good, plain) = (format!("https://localhost:{good}"), format!("http://localhost:{plain}"));
    for certificate in [None, Some("good")] {
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let port = server(certificate, to(&good));
        assert_eq!(asked(&format!("{scheme}://localhost:{port}")), Ok("yes".to_owned()));
    }
    let port = server(Some("good"), to(&plain));
    let why = refused(&format!("https://localhost:{port}"));
    assert!(why.contains(&format!("sends us to {plain}")) && why.contains("to less"), "{why}");
    let port = server(None, to(&plain));
    assert_eq!(asked(&format!("http://localhost:{port}")), Ok("yes".to_owned()));
    let port = server(None, to("/again"));
    let why = refused(&format!("http://localhost:{port}"));
    assert!(why.contains("elsewhere more than 5 times"), "{why}");
}

#[test]
fn a_server_that_says_nothing_or_too_little_is_given_up() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\nbegin";
    for certificate in [None, Some("good")] {
        let scheme = if certificate.is_some() { "https" } else { "http" };
        for (say, reason) in [
            (Say::Nothing, " 0.4 s"),
            (Say::Trickle("HTTP/1.1 200 OK\r\n".to_owned(), 20), " 0.4 s"),
            (Say::Trickle(long.to_owned(), 60_000), "for 0.4 s less than 1000 bytes a second came"),
            (Say::Trickle(long.to_owned(), 50), "for 0.4 s less than 1000 bytes a second came"),
        ] {
            let port = server(certificate, say);
            let why = refused(&format!("{scheme}://localhost:{port}"));
            assert!(why.contains(reason), "{why}");
        }
    }
    // Nobody takes the connection.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = full.local_addr().unwrap().port();
    let _waiting: Vec<_> = (0..4).map(|_| TcpStream::connect(("127.0.0.1", port))).collect();
    assert!(refused(&format!("http://localhost:{port}")).contains("did not answer within 0.4 s"));
    drop(full);
    let why = refused(&format!("http://localhost:{port}"));
    assert!(why.contains("refused"), "{why} {:?}", ErrorKind::ConnectionRefused);
}
