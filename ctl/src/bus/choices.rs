//! Choices, defaults and cards, as [`api::abilities`] says.

use api::abilities::{
    CHOICES_INTERFACE, Choice, DefaultAbility, Error, FORMS_INTERFACE, Form, PATH, Want,
};
use wire::client::Object;

use super::Abilities;

const CHOICES: Object = Object { path: PATH, interface: CHOICES_INTERFACE };
const FORMS: Object = Object { path: PATH, interface: FORMS_INTERFACE };

impl Abilities<'_> {
    pub(crate) fn choices(&self) -> Result<Vec<Choice>, Error> {
        self.call(CHOICES, "Choices", &())
    }

    pub(crate) fn choose(&self, number: u32, candidate: u32, always: bool) -> Result<(), Error> {
        self.call(CHOICES, "Choose", &(number, candidate, always))
    }

    pub(crate) fn defaults(&self) -> Result<Vec<DefaultAbility>, Error> {
        self.call(CHOICES, "Defaults", &())
    }

    pub(crate) fn set_default(
        &self,
        want: &Want,
        bundle: &str,
        ability: &str,
    ) -> Result<(), Error> {
        self.call(CHOICES, "SetDefault", &(want, bundle, ability))
    }

    pub(crate) fn forms(&self) -> Result<Vec<Form>, Error> {
        self.call(FORMS, "Forms", &())
    }

    pub(crate) fn form_add(&self, bundle: &str, ability: &str, size: &str) -> Result<u32, Error> {
        self.call(FORMS, "Add", &(bundle, ability, size))
    }

    pub(crate) fn form_remove(&self, number: u32) -> Result<(), Error> {
        self.call(FORMS, "Remove", &(number,))
    }
}
