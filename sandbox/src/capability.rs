//! Capabilities by number; `model` has the list.

pub(crate) use model::capability::bit;
