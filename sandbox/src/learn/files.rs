//! Rules about files: own directories first, then what is written, executed and read, in this order,
//! because each gives something of the next.

mod own;

use std::collections::{BTreeMap, BTreeSet};

use model::sandbox::{Files, Proc, Profile, Tmp, View, is_below};

use super::collapse::{collapse, outermost};
use super::judge::Judge;
use super::observed::{Observed, Seen, Times, Use};
use super::resolve::Kind;
use super::{BEFORE, Given, Learned, Line, times};
use crate::refused::Refused;
use crate::trees::{MAX_TREES, TMP};

/// Adds the rules about files.
pub(super) fn learn(
    observed: &Observed,
    given: &Given,
    learned: &mut Learned,
) -> Result<(), Refused> {
    let mut work =
        Work { observed, older: given.older.as_ref().map(|older| &older.files), learned };
    work.view();
    work.temporary();
    work.processes();
    work.devices();
    let lists = work.lists()?;
    work.rules(&lists, &given.inherited.files);
    Ok(())
}

/// The three lists.
#[derive(Default)]
struct Lists {
    read: BTreeSet<String>,
    write: BTreeSet<String>,
    execute: BTreeSet<String>,
}

struct Work<'a> {
    observed: &'a Observed,
    older: Option<&'a Files>,
    learned: &'a mut Learned,
}

impl<'a> Work<'a> {
    fn files(&mut self) -> &mut Files {
        &mut self.learned.profile.files
    }

    fn view(&mut self) {
        if self.older.is_some_and(|older| older.view == View::Listed)
            && self.files().view == View::Whole
        {
            self.files().view = View::Listed;
            self.learned.one("files", "view", "\"listed\"", BEFORE);
        }
    }

    /// Whether looking at a file needs a rule.
    fn looks(&self) -> bool {
        self.learned.profile.files.view == View::Listed
    }

    /// Files below a directory, of those that need a rule.
    fn below(&self, tree: &str) -> Vec<(&'a String, &'a Seen)> {
        let looks = self.looks();
        let needs = |how: &Use| looks || !matches!(how, Use::Look | Use::Connect);
        let all = self.observed.files.iter();
        all.filter(|(path, seen)| is_below(path, tree) && seen.uses.keys().any(needs)).collect()
    }

    /// The lists, each with what those before it do not give.
    fn lists(&mut self) -> Result<Lists, Refused> {
        let listed = self.looks();
        let reads_all = !listed
            && self.learned.profile.files.read.is_none()
            && self.uses("/").any(|how| matches!(how, Use::Read | Use::List));
        if reads_all {
            self.learned.note("it lists /, so nothing can be said of what it reads".to_owned());
        }
        let older = self.older;
        let before = |list: fn(&Files) -> &Option<Vec<String>>| -> BTreeSet<String> {
            older.and_then(|older| list(older).clone()).unwrap_or_default().into_iter().collect()
        };
        let mut lists = Lists {
            read: before(|files| &files.read),
            write: before(|files| &files.write),
            execute: before(|files| &files.execute),
        };
        let files = self.files();
        files.write.get_or_insert_default();
        files.execute.get_or_insert_default();
        if !reads_all {
            files.read.get_or_insert_default();
        }
        let start = self.learned.profile.clone();
        let judge = Judge::of(&start)?;
        let execute = self.missing(&judge, &[Use::Execute], listed.then_some(Use::Map));
        let execute: BTreeSet<String> = execute.into_iter().chain(lists.execute.clone()).collect();
        // What is mapped as code is not written either, in whichever view.
        let code: BTreeSet<String> = execute.iter().cloned().chain(self.mapped()).collect();
        let mut write = self.missing(&judge, &[Use::Write, Use::Make], None);
        write.extend(lists.write.clone());
        self.agree(&mut write, &code, &start);
        let apart = |tree: &str, others: &BTreeSet<String>| {
            !others.iter().any(|other| is_below(other, tree) || is_below(tree, other))
        };
        let forbids = |tree: &str, more: &[String]| {
            start.forbid.files.iter().chain(more).any(|forbidden| is_below(forbidden, tree))
        };
        let may = |tree: &str| apart(tree, &code) && !forbids(tree, &start.forbid.write);
        lists.write = self.fit(collapse(&write, MAX_TREES, &may), &start.files.write);
        let may = |tree: &str| apart(tree, &lists.write) && !forbids(tree, &[]);
        lists.execute = self.fit(collapse(&execute, MAX_TREES, &may), &start.files.execute);
        let mut now = start.clone();
        extend(&mut now.files.write, &lists.write);
        extend(&mut now.files.execute, &lists.execute);
        let judge = Judge::of(&now)?;
        let looks: &[Use] = if listed { &[Use::Look, Use::Connect] } else { &[Use::Map] };
        let mut read = self.missing(&judge, &[Use::Read, Use::List], None);
        for how in looks {
            read.extend(self.missing(&judge, &[*how], None));
        }
        read.extend(
            lists.read.iter().filter(|path| !judge.allows(path, Kind::File, Use::Read)).cloned(),
        );
        lists.read = self.fit(collapse(&read, MAX_TREES, &|t| !forbids(t, &[])), &start.files.read);
        extend(&mut now.files.read, &lists.read);
        self.learned.profile = now;
        Ok(lists)
    }

    fn mapped(&self) -> impl Iterator<Item = String> + use<'a> {
        let all = self.observed.files.iter();
        let code = all.filter(|(_, seen)| seen.uses.contains_key(&Use::Map));
        code.map(|(path, _)| path.clone())
    }

    fn uses(&self, path: &str) -> impl Iterator<Item = &Use> {
        self.observed.files.get(path).into_iter().flat_map(|seen| seen.uses.keys())
    }

    /// Paths that need a rule for one of these uses; those that none can give are noted, together where the
    /// reason is the same.
    fn missing(&mut self, judge: &Judge, hows: &[Use], more: Option<Use>) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut told: BTreeMap<String, (u64, &String)> = BTreeMap::new();
        for (path, seen) in &self.observed.files {
            let wanted = |how: &Use| hows.contains(how) || more == Some(*how);
            for (how, times) in seen.uses.iter().filter(|(how, _)| wanted(how)) {
                if judge.allows(path, seen.kind, *how) {
                    continue;
                }
                match without_rule(path, seen.kind, *how, judge, &self.learned.profile) {
                    Some(why) => told.entry(why).or_insert((0, path)).0 += times.count,
                    // Which process it is changes from run to run.
                    None if is_below(path, "/proc") => drop(all.insert("/proc".to_owned())),
                    None => drop(all.insert(path.clone())),
                }
            }
        }
        for (why, (count, first)) in told.into_iter().filter(|(why, _)| !why.is_empty()) {
            let calls = if count == 1 { "1 call".to_owned() } else { format!("{count} calls") };
            self.learned.note(format!("{why}: {calls}, the first about {first:?}"));
        }
        all
    }

    /// What is executed is not written: of two that meet, the program wins.
    fn agree(&mut self, write: &mut BTreeSet<String>, execute: &BTreeSet<String>, start: &Profile) {
        let inherited = start.files.execute.iter().flatten();
        let programs: BTreeSet<&String> = execute.iter().chain(inherited).collect();
        let written: Vec<String> = write.iter().cloned().collect();
        for tree in written {
            let meets = |program: &&&String| is_below(program, &tree) || is_below(&tree, program);
            if let Some(program) = programs.iter().find(meets) {
                write.remove(&tree);
                self.learned.note(format!(
                    "{tree:?} is written and {program:?} executed: no profile allows both; writing is left out"
                ));
            }
        }
    }

    /// As many trees as the list still takes.
    fn fit(&mut self, trees: BTreeSet<String>, has: &Option<Vec<String>>) -> BTreeSet<String> {
        let room = MAX_TREES.saturating_sub(has.as_ref().map_or(0, Vec::len));
        for tree in trees.iter().skip(room).take(1) {
            let over = trees.len().saturating_sub(room);
            self.learned
                .note(format!("{over} trees are too many for one list; the first: {tree:?}"));
        }
        trees.into_iter().take(room).collect()
    }

    fn rules(&mut self, lists: &Lists, inherited: &Files) {
        let all = [
            ("read", &lists.read, &inherited.read, "what it executes may be read too"),
            ("write", &lists.write, &inherited.write, "it changes no files"),
            ("execute", &lists.execute, &inherited.execute, "it executes nothing"),
        ];
        for (key, trees, inherited, none) in all {
            if trees.is_empty() && (inherited.is_some() || self.looks()) {
                continue;
            }
            if key == "read" && self.learned.profile.files.read.is_none() {
                continue;
            }
            let lines: Vec<Line> = trees
                .iter()
                .map(|tree| Line { value: tree.clone(), why: self.why(tree, key) })
                .collect();
            self.learned.texts("files", key, lines, if trees.is_empty() { none } else { "" });
        }
    }

    /// What was done in a tree.
    fn why(&self, tree: &str, key: &str) -> String {
        let looks = self.looks();
        let about = |how: &Use| match key {
            "write" => matches!(how, Use::Write | Use::Make),
            "execute" => matches!(how, Use::Execute | Use::Map),
            _ if matches!(how, Use::Look | Use::Connect) => looks,
            _ => !matches!(how, Use::Write | Use::Make | Use::Execute),
        };
        let proc = tree == "/proc";
        let inside = self.observed.files.range(tree.to_owned()..);
        let inside = inside.take_while(|(path, _)| path.starts_with(tree));
        let mut all: Vec<(&String, &Use, &Times)> = Vec::new();
        for (path, seen) in inside.filter(|(path, _)| is_below(path, tree)) {
            all.extend(
                seen.uses.iter().filter(|(how, _)| about(how)).map(|(how, t)| (path, how, t)),
            );
        }
        let count = all.iter().map(|(.., times)| times.count).sum();
        let Some((_, first_use, first)) = all.first() else { return BEFORE.to_owned() };
        let told = times(Times { count, call: first.call });
        let paths: BTreeSet<&String> = all.iter().map(|(path, ..)| *path).collect();
        match (paths.len(), *first_use) {
            (1, Use::Make) if paths.contains(&tree.to_owned()) => {
                format!("makes and removes files in it: {told}")
            }
            (1, Use::List) => format!("lists it, and a list of names is of all in it: {told}"),
            (1, Use::Look) => format!("looked for: {told}"),
            (1, _) => told,
            (n, _) if proc => format!("{n} files of processes: {told}"),
            (n, _) => format!("{n} files: {told}"),
        }
    }
}

/// Why no list can give a use; empty if that has been told.
fn without_rule(
    path: &str,
    kind: Kind,
    how: Use,
    judge: &Judge,
    profile: &Profile,
) -> Option<String> {
    let files = &profile.files;
    let own_tmp = files.tmp == Tmp::Private && TMP.iter().any(|place| is_below(path, place));
    let changes = matches!(how, Use::Write | Use::Make);
    let proc = is_below(path, "/proc") && (changes || files.proc == Proc::Own);
    let forbidden = profile.forbid.files.iter().find(|tree| is_below(path, tree));
    let why = if let Some(tree) = forbidden {
        format!("{tree:?} is forbidden to all that inherit this")
    } else if changes && judge.keeps(path) {
        "writing this is forbidden to all that inherit this".to_owned()
    } else if own_tmp && matches!(how, Use::Execute | Use::Map) {
        "nothing in a /tmp of its own is executed".to_owned()
    } else if own_tmp || proc {
        String::new()
    } else if files.devices.is_some() && is_below(path, "/dev") {
        "not there, or not changed, in a /dev of its own".to_owned()
    } else if judge.listed() && path == "/" {
        "the root of a listed view can't be listed".to_owned()
    } else if how == Use::Look && kind == Kind::Directory {
        // To show it would show all in it.
        "directories that are only looked at are not in the view".to_owned()
    } else {
        return None;
    };
    Some(why)
}

fn extend(list: &mut Option<Vec<String>>, more: &BTreeSet<String>) {
    if let Some(list) = list {
        let all: BTreeSet<String> = list.iter().chain(more).cloned().collect();
        *list = outermost(&all).into_iter().collect();
    }
}
