//! Instances of apps: services of the moment that ability-manager starts.
//!
//! ```text
//! app@org.example.notes_7      the 7th instance; "10004", its user, is in no file
//! app@org.example.notes        what all instances of the app have together
//! ```
//!
//! Invariant: no text gives a service such a user: names of users begin with a letter.

use crate::Name;
use crate::bundle::APP_IDS;
use crate::service::Service;

/// What the names of instances begin with.
pub const INSTANCE: &str = "app@";

impl Service {
    /// The number of its user, if that is an app's.
    #[must_use]
    pub fn app_id(&self) -> Option<u32> {
        let text = self.user.as_deref()?;
        text.parse().ok().filter(|id: &u32| APP_IDS.contains(id) && id.to_string() == text)
    }

    /// What its instances have together, if it is one of an app.
    #[must_use]
    pub fn app(&self) -> Option<Name> {
        self.app_id().and_then(|_| app_of(&self.name))
    }
}

/// The app of an instance: its name without the number.
#[must_use]
pub fn app_of(instance: &Name) -> Option<Name> {
    let text = instance.as_str();
    let (app, number) = text.rsplit_once('_')?;
    let canonical = number.parse::<u64>().is_ok_and(|n| n.to_string() == number);
    let named = app.strip_prefix(INSTANCE).is_some_and(|id| !id.is_empty());
    (named && canonical).then(|| Name::try_from(app).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_its_app_and_a_number() {
        let of = |text: &str| {
            Name::try_from(text).ok().and_then(|name| app_of(&name)).map(|app| app.to_string())
        };
        let app = Some("app@org.example.notes".to_owned());
        assert_eq!(of("app@org.example.notes_7"), app);
        assert_eq!(of("app@org.example.notes_18446744073709551615"), app);
        let none = [
            "app@_7",
            "app@org.example",
            "app@a.b_",
            "app@a.b_07",
            "app@a.b_x",
            "web@a.b_7",
            "web",
        ];
        for text in none {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn only_numbers_of_apps_as_they_are_written_are_users_of_apps() {
        let id = |user: &str| {
            let mut service = Service::new(Name::try_from("app@a.b_1").unwrap(), Vec::new());
            service.user = Some(user.to_owned());
            service.app_id()
        };
        assert_eq!((id("10000"), id("29999")), (Some(10_000), Some(29_999)));
        for user in ["9999", "30000", "0", "010000", "+10000", "root", "", "10000 "] {
            assert_eq!(id(user), None, "{user}");
        }
    }
}
