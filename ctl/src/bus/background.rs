//! What goes on while nobody looks, as [`api::background`] says.

use api::abilities::{Error, PATH};
use api::background::{INTERFACE, Ran, Task, Work};
use wire::client::Object;

use super::Abilities;

const BACKGROUND: Object = Object { path: PATH, interface: INTERFACE };

impl Abilities<'_> {
    pub(crate) fn tasks(&self) -> Result<Vec<Task>, Error> {
        self.call(BACKGROUND, "Tasks", &())
    }

    pub(crate) fn works(&self) -> Result<Vec<Work>, Error> {
        self.call(BACKGROUND, "Works", &())
    }

    pub(crate) fn run_work(&self, bundle: &str, ability: &str) -> Result<Ran, Error> {
        self.call(BACKGROUND, "Run", &(bundle, ability))
    }
}
