//! Where each rule of a profile was written, for people who ask why.

mod empty;

use super::super::decode::{At, Choice};
use super::super::raw;
use super::super::report::{Place, Text, line_and_column};
use crate::sandbox::Profile;
use crate::word::Word;

/// One rule, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its key with the tables above it: `files.read`.
    pub key: String,
    /// One value, as text; nothing for a list in which nothing is.
    pub value: String,
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
}

/// A profile with all that it inherits, and where each rule of it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The rules.
    pub profile: Profile,
    /// Their places, in the order of the language; empty lists are last.
    pub rules: Vec<Rule>,
}

/// A rule that is still in its text.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) place: Place,
}

/// Every rule of `raw`, which has all that it inherits joined to it; empty lists are last.
pub(crate) fn rules(raw: &raw::Sandbox, texts: &[Text]) -> Vec<Rule> {
    let rule = |placed: Placed| {
        let text = texts.get(placed.place.file)?;
        let (line, _) = line_and_column(&text.text, &placed.place);
        let Placed { key, value, .. } = placed;
        Some(Rule { key: key.to_owned(), value, file: text.path.clone(), line })
    };
    let placed = places(raw).into_iter().filter_map(rule);
    placed.chain(empty::rules(raw, texts)).collect()
}

/// The same, still in their texts.
pub(crate) fn places(raw: &raw::Sandbox) -> Vec<Placed> {
    let mut all = Rules { all: Vec::new() };
    all.texts("requires", &raw.requires);
    all.texts("optional", &raw.optional);
    all.texts("capabilities", &raw.capabilities);
    all.flag("no-new-privileges", &raw.no_new_privileges);
    all.flag("write-execute", &raw.write_execute);
    all.flag("lock-personality", &raw.lock_personality);
    all.word("keyring", &raw.keyring);
    all.words("namespaces", &raw.namespaces);
    if let Some(files) = &raw.files {
        all.word("files.view", &files.view);
        all.text("files.root", &files.root);
        all.texts("files.read", &files.read);
        all.texts("files.write", &files.write);
        all.texts("files.execute", &files.execute);
        all.word("files.tmp", &files.tmp);
        all.word("files.proc", &files.proc);
        all.texts("files.devices", &files.devices);
    }
    if let Some(network) = &raw.network {
        all.word("network.access", &network.access);
        all.words("network.families", &network.families);
        all.numbers("network.connect", &network.connect);
        all.numbers("network.listen", &network.listen);
        all.flag("network.udp", &network.udp);
    }
    if let Some(calls) = &raw.calls {
        all.texts("calls.allow", &calls.allow);
        all.texts("calls.deny", &calls.deny);
        all.texts("calls.kill", &calls.kill);
    }
    if let Some(limits) = &raw.limits {
        all.text("limits.memory", &limits.memory);
        all.text("limits.cpu", &limits.cpu);
        all.number("limits.pids", &limits.pids);
        all.number("limits.open-files", &limits.open_files);
        all.text("limits.core", &limits.core);
        all.number("limits.signals", &limits.signals);
        all.text("limits.locked-memory", &limits.locked_memory);
        all.text("limits.file-size", &limits.file_size);
        all.text("limits.stack", &limits.stack);
        all.text("limits.storage", &limits.storage);
        all.number("limits.storage-files", &limits.storage_files);
    }
    if let Some(forbid) = &raw.forbid {
        all.texts("forbid.files", &forbid.files);
        all.texts("forbid.write", &forbid.write);
        all.texts("forbid.calls", &forbid.calls);
        all.texts("forbid.capabilities", &forbid.capabilities);
        all.words("forbid.families", &forbid.families);
        all.flag("forbid.network", &forbid.network);
        all.flag("forbid.write-execute", &forbid.write_execute);
        all.flag("forbid.new-privileges", &forbid.new_privileges);
    }
    all.all
}

struct Rules {
    all: Vec<Placed>,
}

impl Rules {
    fn add(&mut self, key: &'static str, value: String, place: &Place) {
        self.all.push(Placed { key, value, place: place.clone() });
    }

    fn flag(&mut self, key: &'static str, at: &Option<At<bool>>) {
        at.iter().for_each(|at| self.add(key, at.value.to_string(), &at.place));
    }

    fn word<T: Word>(&mut self, key: &'static str, at: &Option<At<Choice<T>>>) {
        at.iter().for_each(|at| self.add(key, at.value.0.word().to_owned(), &at.place));
    }

    fn words<T: Word>(&mut self, key: &'static str, list: &Option<Vec<At<Choice<T>>>>) {
        let list = list.iter().flatten();
        list.for_each(|at| self.add(key, at.value.0.word().to_owned(), &at.place));
    }

    fn texts(&mut self, key: &'static str, list: &Option<Vec<At<String>>>) {
        list.iter().flatten().for_each(|at| self.add(key, at.value.clone(), &at.place));
    }

    fn text(&mut self, key: &'static str, at: &Option<At<String>>) {
        at.iter().for_each(|at| self.add(key, at.value.clone(), &at.place));
    }

    fn number(&mut self, key: &'static str, at: &Option<At<i64>>) {
        at.iter().for_each(|at| self.add(key, at.value.to_string(), &at.place));
    }

    fn numbers(&mut self, key: &'static str, list: &Option<Vec<At<i64>>>) {
        list.iter().flatten().for_each(|at| self.add(key, at.value.to_string(), &at.place));
    }
}
