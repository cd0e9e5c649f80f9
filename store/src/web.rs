//! Files by http and https. Whom to trust about names is in the device's certificates; what comes is checked by its own
//! signatures all the same, so a store without https is no worse but for who sees what is asked for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::source::Opened;

/// Whom this device trusts about names of web servers.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Longest file of certificates, in bytes.
const MAX_CERTIFICATES: u64 = 4 << 20;

/// How long a server may take to say anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes a second that a server must give at least, when all of a file is looked at: who is slower is ended, and goes on at the next try.
const SLOWEST: u64 = 4 << 10;

/// Times a server may send us elsewhere.
const MAX_REDIRECTS: u32 = 5;

/// A store on the web.
#[derive(Debug)]
pub struct Web {
    agent: Agent,
    /// Without a `/` at the end.
    base: String,
}

impl Web {
    /// The one at this place; none of a place that is no URL.
    ///
    /// # Errors
    /// It is a URL of something else, or there are no certificates for https.
    pub(crate) fn of(place: &str) -> Result<Option<Self>, String> {
        let Some((scheme, rest)) = place.split_once("://") else { return Ok(None) };
        if !["http", "https"].contains(&scheme) || rest.is_empty() {
            return Err(format!("{place}: a store is at http://…, https://… or a directory"));
        }
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "?#".contains(c)) {
            return Err(format!("{place} is no URL that files could be below"));
        }
        let certificates =
            if scheme == "https" { certificates(Path::new(CERTIFICATES))? } else { vec![] };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&certificates))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_send_request(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .max_redirects(MAX_REDIRECTS)
            .http_status_as_error(false)
            .user_agent("ensemble-store")
            .accept_encoding("identity");
        let base = place.trim_end_matches('/').to_owned();
        Ok(Some(Self { agent: config.build().into(), base }))
    }

    /// Asks for a file from `at` on.
    pub(crate) fn open(&self, path: &str, at: u64, most: u64) -> Result<Option<Opened>, String> {
        let url = format!("{}/{}", self.base, encoded(path));
        let time = PATIENCE.saturating_add(Duration::from_secs(most / SLOWEST));
        let ask = self.agent.get(&url).config().timeout_recv_body(Some(time)).build();
        let ask = if at > 0 { ask.header("Range", format!("bytes={at}-")) } else { ask };
        let answer = ask.call().map_err(|e| format!("asking for {url}: {e}"))?;
        let begins = match answer.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if begin(&answer) == Some(at) => at,
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => return Ok(None),
            // There is nothing behind what we have: it is begun anew.
            StatusCode::RANGE_NOT_SATISFIABLE if at > 0 => return self.open(path, 0, most),
            other => return Err(format!("asking for {url}: the server says {other}")),
        };
        Ok(Some(Opened { at: begins, bytes: Box::new(answer.into_body().into_reader()) }))
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
        assert!(Web::of("/srv/store").unwrap().is_none());
        assert_eq!(Web::of("http://a/b/").unwrap().unwrap().base, "http://a/b");
        for bad in ["ftp://a", "http://", "http://a/?x", "http://a b", "http://a#b"] {
            assert!(Web::of(bad).is_err(), "{bad}");
        }
        assert_eq!(encoded("targets/a b%ä.bundle"), "targets/a%20b%25%C3%A4.bundle");
    }
}
