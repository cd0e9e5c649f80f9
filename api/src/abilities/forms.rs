//! Cards: what abilities of kind `form` show on the screen of who adds them, on the object of [`super::PATH`].

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use zbus::Type;

use super::Error;

/// The interface.
pub const FORMS_INTERFACE: &str = "org.ensemble.Forms1";

/// A card. Times are in nanoseconds since PID 1 began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Form {
    /// Its number.
    pub number: u32,
    /// The bundle that fills it.
    pub bundle: String,
    /// Its ability.
    pub ability: String,
    /// What people call that.
    pub label: String,
    /// Columns and rows that it takes: `2x4`.
    pub size: String,
    /// What is on it: words by their names, which the app and who draws it agree on (`title`, `text`, …).
    pub data: HashMap<String, String>,
    /// When it was filled last; 0 if never in this boot.
    pub updated: u64,
    /// When it is filled anew by itself; 0: when the app has news.
    pub next: u64,
    /// Why it could not be filled the last time; empty when it could.
    pub why: String,
}

/// Cards.
#[zbus::proxy(
    interface = "org.ensemble.Forms1",
    default_path = "/org/ensemble/Abilities",
    default_service = "org.ensemble.Abilities"
)]
pub trait Forms {
    /// Adds a card of an ability, in one of its sizes (empty: its first), and has it filled. Answers with its number;
    /// `changed` tells when it is filled. It stays until it is removed, also over a boot. Root only.
    fn add(&self, bundle: &str, ability: &str, size: &str) -> Result<u32, Error>;

    /// Removes a card. Root only.
    fn remove(&self, number: u32) -> Result<(), Error>;

    /// Every card, by number. Root only: what is on them is nobody else's business.
    fn forms(&self) -> Result<Vec<Form>, Error>;

    /// A card was filled, could not be, or is gone.
    #[zbus(signal)]
    fn changed(&self, number: u32) -> zbus::Result<()>;
}
