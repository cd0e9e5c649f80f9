//! The channel behind ens run -- CMD, in development images only.
