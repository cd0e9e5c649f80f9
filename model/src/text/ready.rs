//! Definitions on profiles that were read before: for who waits for a start.
//!
//! ```text
//! sandbox/*.toml ─ decode, inherit ─► Profiles ─ bytes ─► Profiles ─┐
//! definition ─ decode ──────────────────────────────────────────────┴─ merge, check ─► Service
//! ```
//!
//! Profiles are kept as they are written, not as they are meant, so that a definition over them is merged and
//! checked as if they had just been read. What is not kept is where each rule stands. Invariant: whoever wants to
//! hear that, or what is wrong, reads the texts ([`super::service::define`]); where there is something to
//! hear, nothing comes out here.

use std::collections::BTreeMap;

use super::decode::At;
use super::report::Place;
use super::sandbox::Inherited;
use super::service::{MAX_TEXT, check};
use super::source::{Loader, Source};
use super::{Nowhere, raw};
use crate::Name;
use crate::service::Service;

/// Profiles by name, each with all that it inherits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profiles(BTreeMap<String, raw::Sandbox>);

impl Profiles {
    /// Reads all that lie in the directories `profiles` of `source`, the nearest first, but those with which
    /// something is wrong.
    #[must_use]
    pub fn read(source: &dyn Source, profiles: &[String]) -> Self {
        let names = Inherited::new(profiles.to_vec()).names(&Loader::new(source));
        let one = |name: String| {
            // Each by itself: a mistake in one is none of the others.
            let mut loader = Loader::new(source);
            let place = Place::new(loader.add(&name, String::new()), 0..0);
            let called = At { value: name.clone(), place };
            let raw = Inherited::new(profiles.to_vec()).profile(&called, &mut loader)?;
            loader.failed().is_none().then_some((name, raw))
        };
        Self(names.into_iter().filter_map(one).collect())
    }

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(&self.0).unwrap_or_default()
    }

    /// Reads what [`Profiles::encode`] wrote; `None` when it is not that.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((profiles, [])) => Some(Self(profiles)),
            _ => None,
        }
    }

    /// The service that one text defines over these profiles; `None` if there is anything to say about it, or it
    /// asks for permissions, or builds on another profile.
    #[must_use]
    pub fn define(&self, name: &Name, text: &str) -> Option<Service> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let mut loader = Loader::new(&Nowhere);
        let file = loader.add("", text.to_owned());
        let mut raw: raw::Service = loader.decode(file)?;
        let own = raw.sandbox.take()?;
        // Those that it names and no others: they are copied.
        let named = own.inherit.iter().flatten().filter_map(|at| self.0.get_key_value(&at.value));
        let found = named.map(|(name, raw)| (name.clone(), raw.clone())).collect();
        raw.sandbox = Some(Inherited::of(found).join(own, &mut loader));
        let mut c = std::mem::take(&mut loader.check);
        let service = check(name.clone(), &raw, &Place::new(file, 0..0), &mut c).service;
        loader.check = c;
        let asks = raw.sandbox.is_some_and(|raw| raw.permissions.is_some());
        (!asks && loader.failed().is_none()).then_some(service)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::service::define;
    use super::*;

    struct Shipped;

    const PROFILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/sandbox");

    impl Source for Shipped {
        fn read(&self, path: &str) -> io::Result<String> {
            std::fs::read_to_string(path)
        }

        fn list(&self, directory: &str) -> io::Result<Vec<String>> {
            let names = std::fs::read_dir(directory)?;
            Ok(names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        }

        fn is_file(&self, path: &str) -> bool {
            std::path::Path::new(path).is_file()
        }
    }

    fn profiles() -> Profiles {
        let read = Profiles::read(&Shipped, &[PROFILES.to_owned()]);
        Profiles::decode(&read.encode()).unwrap()
    }

    fn name() -> Name {
        Name::try_from("app@org.example.notes_7").unwrap()
    }

    #[test]
    fn a_service_is_the_same_whether_its_profiles_were_read_before_or_now() {
        let profiles = profiles();
        for profile in profiles.0.keys() {
            let sandbox = [
                "",
                ", files = { read = [\"/srv/a\"], write = [\"/var/lib/a\"] }, write-execute = true",
                ", network = { access = \"host\", connect = [443] }, limits = { pids = 3 }",
            ];
            for more in sandbox {
                let text = format!(
                    "exec = [\"/usr/bin/x\"]\nlimits = {{ pids = 512 }}\n\
                     sandbox = {{ inherit = [\"{profile}\"]{more} }}\n"
                );
                let files = [("x.toml".to_owned(), text.clone())];
                let defined = define(&Shipped, &[PROFILES.to_owned()], &name(), &files);
                let defined = defined.ok().map(|defined| defined.service);
                assert_eq!(profiles.define(&name(), &text), defined, "{text}");
                assert!(defined.is_some() || !more.is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn where_there_is_something_to_say_nothing_comes_out() {
        let profiles = profiles();
        for text in [
            "",
            "exec = [",
            "exec = [\"/usr/bin/x\"]\n",
            "exec = [\"x\"]\nsandbox = { inherit = [\"app\"] }\n",
            "exec = [\"/usr/bin/x\"]\nsandbox = { inherit = [\"unheard-of\"] }\n",
            "exec = [\"/usr/bin/x\"]\nsandbox = { inherit = [\"app\"], permissions = [\"web\"] }\n",
        ] {
            assert_eq!(profiles.define(&name(), text), None, "{text}");
        }
    }
}
