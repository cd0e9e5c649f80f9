//! A manifest as text: what goes into a bundle and is signed.
//!
//! Invariant: one manifest has one text. Keys stand in the order of the language; what is as if it were absent
//! is left out.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::units::{duration_text, size_text};
use crate::bundle::{Ability, BundleKind, DATA_SIZE, Manifest, Requires, Said};
use crate::want::{Skill, SkillPath, SkillUri};
use crate::word::Word;

/// The text of a manifest; [`super::parse`] reads it as the same.
#[must_use]
pub fn write(manifest: &Manifest) -> String {
    let mut out = Lines::default();
    out.text("id", manifest.id.as_str());
    out.text("version", &manifest.version.to_string());
    out.said("name", "names", &manifest.name);
    out.said("about", "abouts", &manifest.about);
    out.some("icon", manifest.icon.as_deref());
    out.word("kind", manifest.kind);
    if manifest.kind == BundleKind::App {
        out.word("layout", manifest.layout);
    }
    out.word("level", manifest.level);
    let acl: Vec<&str> = manifest.acl.iter().map(crate::Name::as_str).collect();
    out.list("acl", &acl);
    if let Some(runtime) = &manifest.runtime {
        out.table("[runtime]");
        out.text("bundle", runtime.bundle.as_str());
        out.text("version", &runtime.version.to_string());
    }
    requires(&manifest.requires, &mut out);
    if let Some(directory) = &manifest.resources {
        out.table("[resources]");
        out.text("directory", directory);
    }
    if manifest.data.size != DATA_SIZE {
        out.table("[data]");
        out.text("size", &size_text(manifest.data.size));
    }
    for asked in &manifest.permissions {
        out.table("[[permission]]");
        out.text("name", asked.permission.as_str());
        out.said("reason", "reasons", &asked.reason);
    }
    for one in &manifest.abilities {
        ability(one, &mut out);
    }
    out.0
}

fn requires(requires: &Requires, out: &mut Lines) {
    if *requires == Requires::default() {
        return;
    }
    out.table("[requires]");
    if requires.api != 0 {
        out.line("api", &requires.api.to_string());
    }
    out.list("architectures", &requires.architectures);
    out.words("form-factors", &requires.form_factors);
    out.list("files", &requires.files);
}

fn ability(ability: &Ability, out: &mut Lines) {
    out.table("[[ability]]");
    out.text("name", ability.name.as_str());
    out.word("kind", ability.kind);
    out.word("launch", ability.launch);
    out.list("exec", &ability.exec);
    out.word("lifecycle", ability.lifecycle);
    out.yes("exported", ability.exported);
    out.some("permission", ability.permission.as_ref().map(crate::Name::as_str));
    if let Some(label) = &ability.label {
        out.said("label", "labels", label);
    }
    out.pairs("environment", &ability.environment);
    out.some("memory", ability.memory.map(size_text).as_deref());
    out.yes("write-execute", ability.write_execute);
    out.yes("before-unlock", ability.before_unlock);
    out.words("background", &ability.background);
    if let Some(work) = &ability.work {
        out.table("[ability.work]");
        out.words("needs", &work.needs);
        out.some("every", work.every.map(duration_text).as_deref());
    }
    if let Some(form) = &ability.form {
        out.table("[ability.form]");
        let sizes: Vec<String> = form.sizes.iter().map(ToString::to_string).collect();
        out.list("sizes", &sizes);
        out.some("refresh", form.refresh.map(duration_text).as_deref());
    }
    for one in &ability.skills {
        skill(one, out);
    }
}

fn skill(skill: &Skill, out: &mut Lines) {
    out.table("[[ability.skill]]");
    out.list("actions", &skill.actions);
    out.list("entities", &skill.entities);
    for one in &skill.uris {
        uri(one, out);
    }
}

fn uri(uri: &SkillUri, out: &mut Lines) {
    out.table("[[ability.skill.uri]]");
    out.some("scheme", uri.scheme.as_deref());
    out.some("host", uri.host.as_deref());
    if let Some(port) = uri.port {
        out.line("port", &port.to_string());
    }
    match &uri.path {
        Some(SkillPath::Is(path)) => out.text("path", path),
        Some(SkillPath::StartsWith(path)) => out.text("path-starts-with", path),
        Some(SkillPath::Regex(path)) => out.text("path-regex", path),
        None => {}
    }
    out.some("type", uri.mime.as_deref());
}

/// The text so far.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, key: &str, value: &str) {
        // Writing to a String never fails.
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn table(&mut self, heading: &str) {
        let _ = writeln!(self.0, "\n{heading}");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.line(key, &quoted(text));
    }

    fn some(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn yes(&mut self, key: &str, yes: bool) {
        if yes {
            self.line(key, "true");
        }
    }

    /// A word that is not the first of its kind, which holds when nothing is written.
    fn word<T: Word + Default>(&mut self, key: &str, word: T) {
        if word != T::default() {
            self.text(key, word.word());
        }
    }

    fn list<T: AsRef<str>>(&mut self, key: &str, list: &[T]) {
        if !list.is_empty() {
            let items: Vec<String> = list.iter().map(|text| quoted(text.as_ref())).collect();
            self.line(key, &format!("[{}]", items.join(", ")));
        }
    }

    fn words<T: Word>(&mut self, key: &str, list: &[T]) {
        let words: Vec<&str> = list.iter().map(|word| word.word()).collect();
        self.list(key, &words);
    }

    fn pairs(&mut self, key: &str, pairs: &BTreeMap<String, String>) {
        if !pairs.is_empty() {
            let items = pairs.iter().map(|(key, text)| format!("{key} = {}", quoted(text)));
            self.line(key, &format!("{{ {} }}", items.collect::<Vec<_>>().join(", ")));
        }
    }

    fn said(&mut self, key: &str, keys: &str, said: &Said) {
        if !said.plain.is_empty() {
            self.text(key, &said.plain);
        }
        self.pairs(keys, &said.locales);
    }
}

/// A text as TOML has it between quotes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                // Writing to a String never fails.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
