//! Files by http and https. Whom to trust about names is in the device's certificates; what comes is checked by its own
//! signatures all the same, so a store without https is no worse but for who sees what is asked for.
//!
//! Invariants: no wait has no end (`pace`); whoever was asked by https is never asked by less, wherever it sends us.

mod pace;
mod reason;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, RustlsConnector, TcpConnector,
};
use ureq::{Agent, Body};

use crate::source::Opened;
use pace::Pace;

/// Whom this device trusts about names of web servers.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Longest file of certificates, in bytes.
const MAX_CERTIFICATES: u64 = 4 << 20;

/// How long a server may take to say anything, and anything more.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes a second that a server must give at least: who is slower is ended, and goes on at the next try.
const SLOWEST: u64 = 4 << 10;

/// Times a server may send us elsewhere.
const MAX_REDIRECTS: u32 = 5;

/// How servers are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The file of those whom to trust about names.
    pub certificates: PathBuf,
    /// How long a server may take to say anything.
    pub patience: Duration,
    /// Bytes a second that it must give at least.
    pub slowest: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { certificates: CERTIFICATES.into(), patience: PATIENCE, slowest: SLOWEST }
    }
}

/// A store on the web.
#[derive(Debug)]
pub struct Web {
    agent: Agent,
    /// Without a `/` at the end.
    base: String,
    terms: Terms,
}

impl Web {
    /// The one at this place; none of a place that is no URL.
    ///
    /// # Errors
    /// It is a URL of something else, or there are no certificates for https.
    pub fn of(place: &str, terms: &Terms) -> Result<Option<Self>, String> {
        let Some((scheme, rest)) = place.split_once("://") else { return Ok(None) };
        if !["http", "https"].contains(&scheme) || rest.is_empty() {
            return Err(format!("{place}: a store is at http://…, https://… or a directory"));
        }
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "?#".contains(c)) {
            return Err(format!("{place} is no URL that files could be below"));
        }
        let https = scheme == "https";
        let certificates = match certificates(&terms.certificates) {
            Err(why) if https => return Err(why),
            // It may send us to https; then nobody is trusted.
            all => all.unwrap_or_default(),
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&certificates))
            .build();
        let patience = Some(terms.patience);
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_send_request(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .max_redirects(MAX_REDIRECTS)
            .https_only(https)
            .http_status_as_error(false)
            .user_agent("ensemble-store")
            .accept_encoding("identity");
        let pace = Pace { patience: terms.patience, slowest: terms.slowest };
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(pace)
                .chain(RustlsConnector::default());
        let agent = Agent::with_parts(config.build(), connector, DefaultResolver::default());
        let base = place.trim_end_matches('/').to_owned();
        Ok(Some(Self { agent, base, terms: terms.clone() }))
    }

    /// Asks for a file from `at` on.
    pub(crate) fn open(&self, path: &str, at: u64, most: u64) -> Result<Option<Opened>, String> {
        let url = format!("{}/{}", self.base, encoded(path));
        let time = Duration::from_secs(most / self.terms.slowest.max(1));
        let time = self.terms.patience.saturating_add(time);
        let ask = self.agent.get(&url).config().timeout_recv_body(Some(time)).build();
        let ask = if at > 0 { ask.header("Range", format!("bytes={at}-")) } else { ask };
        let failed = |e| format!("asking for {url}: {}", reason::of(&e, &self.terms));
        let answer = ask.call().map_err(failed)?;
        let begins = match answer.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if begin(&answer) == Some(at) => at,
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => return Ok(None),
            // There is nothing behind what we have: it is begun anew.
            StatusCode::RANGE_NOT_SATISFIABLE if at > 0 => return self.open(path, 0, most),
            other => return Err(format!("asking for {url}: the server says {other}")),
        };
        let bytes = Told { bytes: answer.into_body().into_reader(), terms: self.terms.clone() };
        Ok(Some(Opened { at: begins, bytes: Box::new(bytes) }))
    }
}

/// What comes, with reasons in words when it does not.
struct Told<R> {
    bytes: R,
    terms: Terms,
}

impl<R: Read> Read for Told<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(to).map_err(|e| reason::inside(e, &self.terms))
    }
}

/// Where the part begins that a server sends: `Content-Range: bytes 5-9/10`.
fn begin(answer: &Response<Body>) -> Option<u64> {
    let range = answer.headers().get("Content-Range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// A path as a URL has it.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let read = sys::regular::read(path, MAX_CERTIFICATES, true);
    let advice = "the package ca-certificates brings it";
    let (_, bytes) = read.map_err(|e| format!("{}: {e}: {advice}", path.display()))?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let all: Vec<_> = ureq::tls::parse_pem(&bytes).filter_map(certificate).collect();
    if all.is_empty() {
        return Err(format!("{} has no certificates: {advice}", path.display()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_urls_or_directories() {
        let of = |place| Web::of(place, &Terms::default());
        assert!(of("/srv/store").unwrap().is_none());
        assert_eq!(of("http://a/b/").unwrap().unwrap().base, "http://a/b");
        for bad in ["ftp://a", "http://", "http://a/?x", "http://a b", "http://a#b"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert_eq!(encoded("targets/a b%ä.bundle"), "targets/a%20b%25%C3%A4.bundle");
    }
}
