//! That both know the code, without either saying it.
//!
//! ```text
//! code, source id + exporter, sink id + exporter ─► SPAKE2 ─ shares ─► key ─► HMAC(key, role, all that was said) = proof
//! ```
//!
//! Invariant: one run is one guess. The key, and the scalar that it is made with, are used once and never leave this file.

use hmac::{Hmac, KeyInit, Mac};
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::{Zeroize, Zeroizing};

use super::code::{Code, draw};
use crate::DeviceId;

/// What a proof is for.
const PROOF: &[u8] = b"ensemble pairing proof 1\0";

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Types the code.
    Source,
    /// Shows it.
    Sink,
}

impl Role {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Source => b"source",
            Self::Sink => b"sink",
        }
    }
}

/// Between whom: the ends of one TLS session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    pub(super) source: DeviceId,
    pub(super) sink: DeviceId,
    pub(super) exporter: [u8; 32],
}

/// One run, waiting for the other's share.
pub(super) struct Run {
    state: Spake2<Ed25519Group>,
}

/// A key that both have if both knew the code.
pub(super) struct Key(Zeroizing<Vec<u8>>);

impl Run {
    /// Begins: a run, and the share to be sent.
    pub(super) fn begin(
        role: Role,
        between: &Between,
        code: &Code,
        seed: &[u8; 32],
        number: u8,
    ) -> (Self, Vec<u8>) {
        let identity = |role: Role, id: &DeviceId| {
            Identity::new(&[role.word(), &id.0, &between.exporter].concat())
        };
        let (source, sink) =
            (identity(Role::Source, &between.source), identity(Role::Sink, &between.sink));
        let password = Password::new(Zeroizing::new(code.digits()).as_bytes());
        let random = Drawn { seed: *seed, number, block: 0, rest: Vec::new() };
        let (state, share) = match role {
            Role::Source => Spake2::start_a_with_rng(&password, &source, &sink, random),
            Role::Sink => Spake2::start_b_with_rng(&password, &source, &sink, random),
        };
        (Self { state }, share)
    }

    /// Ends: the key, if the other's share is one.
    pub(super) fn end(self, share: &[u8]) -> Option<Key> {
        self.state.finish(share).ok().map(|key| Key(Zeroizing::new(key)))
    }
}

impl Key {
    fn mac(&self, role: Role, said: &Sha256) -> Option<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        Some(
            mac.chain_update(PROOF).chain_update(role.word()).chain_update(said.clone().finalize()),
        )
    }

    /// What shows that this end has the key.
    pub(super) fn proof(&self, role: Role, said: &Sha256) -> Option<[u8; 32]> {
        Some(self.mac(role, said)?.finalize().into_bytes().into())
    }

    /// Whether the other end has it.
    pub(super) fn proves(&self, role: Role, said: &Sha256, proof: &[u8; 32]) -> bool {
        self.mac(role, said).is_some_and(|mac| mac.verify_slice(proof).is_ok())
    }
}

/// Randomness of a seed that is used for one pairing.
struct Drawn {
    seed: [u8; 32],
    number: u8,
    block: u8,
    rest: Vec<u8>,
}

impl Drawn {
    fn byte(&mut self) -> u8 {
        if let Some(byte) = self.rest.pop() {
            return byte;
        }
        let mut key = draw(&self.seed, b"scalar", self.number);
        let mut block = draw(&key, b"block", self.block);
        self.block = self.block.wrapping_add(1);
        self.rest.extend_from_slice(&block);
        key.zeroize();
        block.zeroize();
        self.rest.pop().unwrap_or_default()
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.seed.zeroize();
        self.rest.zeroize();
    }
}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        to.iter_mut().for_each(|byte| *byte = self.byte());
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

impl CryptoRng for Drawn {}
