//! Bare QUIC: the code that iroh is built on, without it. The peer's key is not checked: only speed is asked for.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use noq::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use noq::rustls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};

use super::kinds::ALPN;

/// What precedes an ed25519 key in PKCS #8.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Takes any key.
#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

pub(crate) fn endpoint(address: SocketAddr) -> Result<noq::Endpoint> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = &[&rustls::version::TLS13];
    let key = PrivatePkcs8KeyDer::from([PKCS8.as_slice(), &[7; 32]].concat());
    let key = rustls::crypto::ring::sign::any_eddsa_type(&key)?;
    let public = CertificateDer::from(key.public_key().context("a public key")?.to_vec());
    let certified = Arc::new(CertifiedKey::new(vec![public], key));

    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)?;
    let resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified));
    let mut server = builder.with_no_client_auth().with_cert_resolver(resolver);
    server.alpn_protocols = vec![ALPN.to_vec()];
    let server = noq::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));

    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let mut client =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Any)).with_no_client_auth();
    client.alpn_protocols = vec![ALPN.to_vec()];
    let endpoint = noq::Endpoint::server(server, address)?;
    endpoint.set_default_client_config(noq::ClientConfig::new(Arc::new(
        QuicClientConfig::try_from(client)?,
    )));
    Ok(endpoint)
}
