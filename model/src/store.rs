//! Stores of apps that a device comes with, as they are in its image.
//!
//! ```text
//! PATH/NAME/place        where it is: a URL, or a directory of the device
//! PATH/NAME/root.json    its first root: whose word counts
//! ```

/// Where they are.
pub const PATH: &str = "/usr/lib/ensemble/stores";

/// The file with the place of a store.
pub const PLACE: &str = "place";

/// The file with the first root of a store.
pub const ROOT: &str = "root.json";

/// Service that asks stores.
pub const SERVICE: &str = "store";

/// Most stores that a device knows.
pub const MAX_STORES: usize = 32;

/// Longest place of a store, in bytes.
pub const MAX_PLACE: usize = 1024;
