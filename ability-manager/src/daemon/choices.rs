//! Choices and defaults on the control socket.

use api::abilities::{Choice, DefaultAbility, Error, Want};
use model::Name;
use model::bundle::BundleId;
use zbus::interface;
use zbus::object_server::SignalEmitter;

use super::control::Desk;
use super::wanted;
use crate::engine::Target;

/// One client's view of choices.
pub(super) struct Choices {
    desk: Desk,
}

impl Choices {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[interface(name = "org.ensemble.Choices1")]
impl Choices {
    async fn choices(&self) -> Result<Vec<Choice>, Error> {
        self.desk.only_root("see what apps want")?;
        self.desk.look(|daemon| Ok(daemon.open_choices())).await
    }

    async fn choose(&self, number: u32, candidate: u32, always: bool) -> Result<(), Error> {
        self.desk.only_root("choose")?;
        self.desk.look(move |daemon| daemon.choose(number, candidate, always)).await
    }

    async fn defaults(&self) -> Result<Vec<DefaultAbility>, Error> {
        self.desk.look(|daemon| Ok(daemon.all_defaults())).await
    }

    async fn set_default(&self, want: Want, bundle: String, ability: String) -> Result<(), Error> {
        self.desk.only_root("set a default")?;
        let want = wanted::read(want)?;
        let by = if bundle.is_empty() { None } else { Some(target(&bundle, &ability)?) };
        self.desk.look(move |daemon| daemon.set_default(want, by)).await
    }

    #[zbus(signal)]
    pub(super) async fn changed(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

/// An ability, by its names.
pub(super) fn target(bundle: &str, ability: &str) -> Result<Target, Error> {
    let bundle = BundleId::try_from(bundle)
        .map_err(|e| Error::NotFound(format!("no bundle is called so: {e}")))?;
    let ability = Name::try_from(ability)
        .map_err(|e| Error::NotFound(format!("no ability is called so: {e}")))?;
    Ok(Target { bundle, ability })
}
