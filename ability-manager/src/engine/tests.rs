//! Stories on a virtual clock.
