//! Choices between abilities that can do the same, and defaults, on the object of [`super::PATH`].

use serde::{Deserialize, Serialize};
use zbus::Type;

use super::{Candidate, Error, Want};

/// The interface.
pub const CHOICES_INTERFACE: &str = "org.ensemble.Choices1";

/// An app wants what several abilities can do, and waits until somebody chooses.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, Type)]
pub struct Choice {
    /// Its number, for [`ChoicesProxy::choose`].
    pub number: u32,
    /// The bundle that wants it.
    pub bundle: String,
    /// What people call that.
    pub label: String,
    /// What it wants.
    pub want: Want,
    /// Which can do it: the first is number 1.
    pub candidates: Vec<Candidate>,
    /// Seconds that it still waits; then the app is refused.
    pub left: u64,
}

/// What does something by default: what was chosen for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct DefaultAbility {
    /// What is to be done; empty: anything.
    pub action: String,
    /// Of which kinds it must be.
    pub entities: Vec<String>,
    /// Scheme of the uri; empty: none.
    pub scheme: String,
    /// Type; empty: none.
    pub mime: String,
    /// The bundle that does it.
    pub bundle: String,
    /// Its ability.
    pub ability: String,
}

/// Choices and defaults.
#[zbus::proxy(
    interface = "org.ensemble.Choices1",
    default_path = "/org/ensemble/Abilities",
    default_service = "org.ensemble.Abilities"
)]
pub trait Choices {
    /// Choices that wait, the first asked first. Root only: a want may have in it what is nobody else's business.
    fn choices(&self) -> Result<Vec<Choice>, Error>;

    /// Chooses: a candidate from 1 on, or 0 for none of them. `always`: it is the default from now on. Root only.
    fn choose(&self, number: u32, candidate: u32, always: bool) -> Result<(), Error>;

    /// What does what by default, sorted.
    fn defaults(&self) -> Result<Vec<DefaultAbility>, Error>;

    /// From now on this ability does what is wanted so, whatever thing it is about: it is the default for the action, the
    /// entities, the scheme of the uri and the type. With an empty bundle nothing is. Root only.
    fn set_default(&self, want: Want, bundle: &str, ability: &str) -> Result<(), Error>;

    /// Choices have come or gone.
    #[zbus(signal)]
    fn changed(&self) -> zbus::Result<()>;
}
