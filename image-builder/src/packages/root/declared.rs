//! What packages declare instead of scripts: users in `sysusers.d`, directories in `tmpfiles.d`.
//!
//! Of `sysusers.d(5)`: `u`, `g`, `m`. Of `tmpfiles.d(5)`: `d`, `D` and `v`, `q`, `Q` below `/var`, which become
//! the state a device begins with. What is below `/run` a service makes itself when it starts.

use anyhow::{Context, Result, ensure};

use super::accounts::Accounts;
use super::texts;
use crate::tree::{Node, Tree};

/// One line of `sysusers.d`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) is_user: bool,
    pub(super) name: String,
    /// `None` when any number will do.
    pub(super) id: Option<u32>,
    /// Name or number of the main group, if it is not the user's own.
    pub(super) group: Option<String>,
    /// The group that a user joins; nothing else counts then.
    pub(super) joins: Option<String>,
    pub(super) about: Option<String>,
    pub(super) home: Option<String>,
    pub(super) shell: Option<String>,
}

impl Declaration {
    /// A user with a number and a group of its own.
    pub(super) fn user(name: &str, home: &str) -> Self {
        Self {
            is_user: true,
            name: name.to_owned(),
            home: Some(home.to_owned()),
            ..Self::default()
        }
    }

    /// Groups before users before memberships; those with a number before those without.
    pub(super) fn order(&self) -> u8 {
        let kind = if self.joins.is_some() { 4 } else { u8::from(self.is_user) };
        kind + if self.id.is_none() { 2 } else { 0 }
    }
}

/// Every line of `usr/lib/sysusers.d` that counts.
pub(super) fn declarations(tree: &Tree) -> Result<Vec<Declaration>> {
    let mut all = Vec::new();
    for (path, text) in texts(tree, "usr/lib/sysusers.d", ".conf")? {
        for line in lines(&text) {
            all.extend(declaration(line).with_context(|| format!("reading `{path}`: `{line}`"))?);
        }
    }
    Ok(all)
}

fn declaration(line: &str) -> Result<Option<Declaration>> {
    let words = words(line);
    let word = |i: usize| words.get(i).filter(|w| !matches!(w.as_str(), "-" | "")).cloned();
    let kind = word(0).unwrap_or_default();
    let name = word(1).context("a line without a name")?;
    let number = |text: &str| text.parse::<u32>().ok();
    let base = Declaration { name, ..Declaration::default() };
    Ok(match kind.trim_end_matches('!') {
        "u" => {
            let (id, group) = match word(2) {
                None => (None, None),
                Some(id) => match id.split_once(':') {
                    None => (number(&id), None),
                    Some((id, group)) => (number(id), Some(group.to_owned())),
                },
            };
            Some(Declaration {
                is_user: true,
                id,
                group,
                about: word(3),
                home: word(4),
                shell: word(5),
                ..base
            })
        }
        "g" => Some(Declaration { id: word(2).as_deref().and_then(number), ..base }),
        "m" => Some(Declaration {
            joins: Some(word(2).context("a membership without a group")?),
            ..base
        }),
        // `r` widens the range of numbers; ours is Debian's.
        _ => None,
    })
}

/// Makes the directories below `/var` that `usr/lib/tmpfiles.d` asks for.
pub(super) fn directories(tree: &mut Tree, accounts: &Accounts) -> Result<()> {
    for (path, text) in texts(tree, "usr/lib/tmpfiles.d", ".conf")? {
        for line in lines(&text) {
            directory(tree, accounts, line)
                .with_context(|| format!("reading `{path}`: `{line}`"))?;
        }
    }
    Ok(())
}

fn directory(tree: &mut Tree, accounts: &Accounts, line: &str) -> Result<()> {
    let words = words(line);
    let word = |i: usize| words.get(i).map(String::as_str).filter(|w| !matches!(*w, "-" | ""));
    let is_directory =
        matches!(word(0).and_then(|w| w.chars().next()), Some('d' | 'D' | 'v' | 'q' | 'Q'));
    let Some(path) = word(1).and_then(|p| p.strip_prefix("/var/")).filter(|_| is_directory) else {
        return Ok(());
    };
    ensure!(!path.contains('%'), "specifiers are not supported: make the directory with [[file]]");
    let mode = word(2).map_or("0755", |m| m.trim_start_matches([':', '~']));
    let mode = u16::from_str_radix(mode, 8).context("a mode that is no octal number")?;
    let user = word(3).map_or("root", |u| u.trim_start_matches(':'));
    let group = word(4).map_or("root", |g| g.trim_start_matches(':'));
    let uid = accounts.uid(user).with_context(|| format!("there is no user `{user}`"))?;
    let gid = accounts.gid(group).with_context(|| format!("there is no group `{group}`"))?;
    let path = format!("var/{}", path.trim_end_matches('/'));
    tree.insert(&path, Node::directory(mode & 0o7777).owned_by(uid, gid))?;
    Ok(())
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'))
}

/// Words at spaces; quotes keep spaces within a word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut inside) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(end)) if c == end => quote = None,
            ('"' | '\'', None) => (quote, inside) = (Some(c), true),
            (c, None) if c.is_whitespace() => {
                if inside {
                    words.push(std::mem::take(&mut word));
                }
                inside = false;
            }
            (c, _) => {
                word.push(c);
                inside = true;
            }
        }
    }
    if inside {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn quotes_keep_spaces_within_a_word() {
        assert_eq!(
            words("u  dbus - \"System Message Bus\" ''"),
            ["u", "dbus", "-", "System Message Bus", ""]
        );
    }
}
