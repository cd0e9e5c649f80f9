//! The graph of the boot benchmark: services in chains, each ready before the next starts.

/// Services in one chain.
pub const CHAIN: u32 = 10;

/// The service that must be ready before `id` starts; none for the first of a chain.
#[must_use]
pub fn before(id: u32) -> Option<u32> {
    if id.is_multiple_of(CHAIN) { None } else { Some(id - 1) }
}

/// The name of a service.
#[must_use]
pub fn name(id: u32) -> String {
    format!("daemon-{id}")
}
