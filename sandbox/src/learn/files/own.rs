//! What a program may have for itself: `/tmp`, `/proc`, `/dev`.

use std::collections::BTreeMap;

use model::sandbox::{Proc, Tmp, is_below};

use super::Work;
use crate::learn::judge::Judge;
use crate::learn::observed::{Seen, Times, Use};
use crate::learn::resolve::Kind;
use crate::learn::{BEFORE, Line, sorted, times};
use crate::trees::{MAX_DEVICES, OF_DEVICE, TMP};

/// Where every terminal has a number of its own: all of them stand for one.
const TERMINALS: &str = "/dev/pts";

impl Work<'_> {
    pub(super) fn temporary(&mut self) {
        let all: Vec<_> = TMP.iter().flat_map(|place| self.below(place)).collect();
        let foreign = all.iter().find(|(path, _)| !TMP.contains(&path.as_str()));
        let foreign = foreign.map(|(path, _)| (*path).clone());
        let own = all.iter().find(|(path, _)| TMP.contains(&path.as_str()));
        let why = own.and_then(|(_, seen)| seen.uses.values().next()).copied();
        let older = self.older.is_some_and(|older| older.tmp == Tmp::Private);
        let is_own = self.files().tmp == Tmp::Private;
        match (is_own, foreign) {
            (true, Some(path)) => self.learned.note(format!(
                "{path:?} was there before: the inherited /tmp of its own begins empty"
            )),
            (false, None) if older || why.is_some() => {
                self.files().tmp = Tmp::Private;
                let why = why.map_or_else(|| BEFORE.to_owned(), times);
                let why = format!("only files that it made itself: {why}");
                self.learned.one("files", "tmp", "\"private\"", why);
            }
            _ => {}
        }
    }

    pub(super) fn processes(&mut self) {
        let others = self.observed.others;
        let all = self.below("/proc");
        let changed = all
            .iter()
            .find(|(_, seen)| seen.uses.keys().any(|how| matches!(how, Use::Write | Use::Make)));
        let changed = changed.map(|(path, _)| (*path).clone());
        let of_device =
            all.iter().any(|(path, _)| OF_DEVICE.iter().any(|hidden| is_below(path, hidden)));
        let used = all.iter().flat_map(|(_, seen)| seen.uses.values()).next().copied();
        let whole = others.count > 0 || of_device;
        let older = self.older.is_some_and(|older| older.proc == Proc::Own);
        let now = self.files().proc;
        match now {
            Proc::Host if !whole && changed.is_none() && (used.is_some() || older) => {
                self.files().proc = Proc::Own;
                let why = used.map_or_else(|| BEFORE.to_owned(), times);
                self.learned.one("files", "proc", "\"own\"", format!("only its own: {why}"));
            }
            Proc::Own if whole && !self.looks() => {
                self.files().proc = Proc::Host;
                let why = if others.count > 0 {
                    format!("looks at other processes: {}", times(others))
                } else {
                    "reads what /proc tells of the device".to_owned()
                };
                self.learned.one("files", "proc", "\"host\"", why);
            }
            Proc::Own if whole => self.learned.note(format!(
                "it looks at other processes in /proc ({}), which are not there for it",
                times(others)
            )),
            _ => {}
        }
        if let Some(path) = changed {
            self.learned.note(format!(
                "it changes {path:?}: no rule is made for that; most programs do without"
            ));
        }
    }

    pub(super) fn devices(&mut self) {
        let wanted: BTreeMap<String, Times> = self
            .observed
            .files
            .iter()
            .filter(|(path, seen)| is_below(path, "/dev") && device(seen).is_some())
            .filter_map(|(path, seen)| Some((path.clone(), device(seen)?)))
            .collect();
        let own = self.files().devices.clone();
        let older = self.older.and_then(|older| older.devices.clone());
        let more = older.clone().unwrap_or_default();
        let mut base = self.learned.profile.clone();
        base.files.devices = Some(own.clone().unwrap_or_default());
        let Ok(judge) = Judge::of(&base) else { return };
        let needed = |path: &String| !judge.allows(path, Kind::Device, Use::Read);
        let mut lines: BTreeMap<String, String> =
            more.into_iter().map(|name| (name, BEFORE.to_owned())).collect();
        let opened = |path: &String| {
            self.observed.files.get(path).is_some_and(|seen| seen.kind == Kind::Device)
        };
        if own.is_none() && older.is_none() && !wanted.keys().any(|p| opened(p) && needed(p)) {
            return;
        }
        for (path, seen) in wanted.iter().filter(|(path, _)| needed(path)) {
            if judge.hides(path) {
                continue;
            }
            let path = if is_below(path, TERMINALS) { TERMINALS } else { path };
            let Some(name) = path.strip_prefix("/dev/") else { continue };
            lines.insert(name.to_owned(), times(*seen));
        }
        let have = own.clone().unwrap_or_default();
        lines.retain(|name, _| !have.contains(name));
        let room = MAX_DEVICES.saturating_sub(have.len());
        for name in lines.keys().skip(room) {
            self.learned.note(format!("the device {name:?} is one too many"));
        }
        let lines: Vec<Line> =
            lines.into_iter().take(room).map(|(value, why)| Line { value, why }).collect();
        let all = have.into_iter().chain(lines.iter().map(|line| line.value.clone())).collect();
        self.files().devices = Some(sorted(all));
        if own.is_none() || !lines.is_empty() {
            let why = if lines.is_empty() { "/dev/null and the like" } else { "" };
            self.learned.texts("files", "devices", lines, why);
        }
    }
}

/// How a device, or a socket beside them, was used.
fn device(seen: &Seen) -> Option<Times> {
    let used = |(how, times): (&Use, &Times)| match (how, seen.kind) {
        (Use::Read | Use::Write, Kind::Device) | (Use::Connect, _) => Some(*times),
        _ => None,
    };
    seen.uses.iter().find_map(used)
}
