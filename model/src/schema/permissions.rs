//! The table of the permissions that ship, as Markdown.

use std::fmt::Write;

use crate::permission::{Grant, Level};
use crate::text::permission::Defined;
use crate::word::Word;

/// What stands above the table.
const HEAD: &str = "\
# Every permission that ships

<!-- Written by `cargo ens check --write-schemas` from `configs/permissions`. Do not edit. -->

What a permission is, and how one is asked for and decided about, is told in [apps.md](apps.md#permissions) and \
[sandbox.md](sandbox.md#permissions). `level` is what a program must be: any, a part of the system, or one without which \
the system is not. `by` is who decides: the owner of the device, or whoever wrote the program's definition (asking is enough \
then). On a device `ensctl permission show NAME` tells the same, with the line of each rule.
";

/// The page of these permissions, in their order.
#[must_use]
pub fn permissions(all: &[Defined]) -> String {
    let mut page = HEAD.to_owned();
    let count = |level| all.iter().filter(|one| one.permission.level == level).count();
    let (normal, basic, core) =
        (count(Level::Normal), count(Level::SystemBasic), count(Level::SystemCore));
    // Writing to a String never fails.
    let _ = writeln!(
        page,
        "\n{} in all: {normal} normal, {basic} system-basic, {core} system-core.\n",
        all.len()
    );
    page.push_str("| permission | lets a program | level | by | gives |\n|---|---|---|---|---|\n");
    for one in all {
        let permission = &one.permission;
        let by = match permission.grant {
            Grant::System => "definition",
            Grant::User => "owner",
        };
        let (name, about, level) =
            (&permission.name, &permission.about.plain, permission.level.word());
        let _ = writeln!(page, "| `{name}` | {about} | {level} | {by} | {} |", gives(one));
    }
    page
}

/// What a permission gives, key by key.
fn gives(one: &Defined) -> String {
    let mut keys: Vec<(&str, Vec<&str>)> = Vec::new();
    let bus = &one.permission.bus;
    let names = [("bus.talk", &bus.talk), ("bus.own", &bus.own)];
    let names =
        names.iter().flat_map(|(key, names)| names.iter().map(|name| (*key, name.as_str())));
    let rules = one.rules.iter().map(|rule| (rule.key.as_str(), rule.value.as_str()));
    for (key, value) in rules.chain(names) {
        match keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => keys.push((key, vec![value])),
        }
    }
    let line = |(key, values): (&str, Vec<&str>)| {
        let values: Vec<&str> = values.into_iter().filter(|value| !value.is_empty()).collect();
        let none = if values.is_empty() { "none".to_owned() } else { values.join(" ") };
        format!("`{key}` {none}").replace('*', "\\*")
    };
    let mut lines: Vec<String> = keys.into_iter().map(line).collect();
    lines.extend(one.permission.checked_by.as_ref().map(|service| format!("held by `{service}`")));
    lines.join("<br>")
}
