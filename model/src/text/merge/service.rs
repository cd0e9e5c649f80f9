//! A service under its drop-ins, merged key by key. Every value keeps the place that wrote it.
//!
//! Single values (a whole command is one): the later file wins. Lists: joined; an empty list takes
//! away all that earlier files have. Tables in lists: one with the same name, path or time takes the
//! other's place. Another `type` takes away the keys that only the earlier one knows.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Item, Merge, Merging, join, text};
use crate::service::Kind;
use crate::text::decode::{At, Pairs};
use crate::text::raw;

/// Merges files of one service, the shipped one first.
pub(crate) fn overlay(files: impl IntoIterator<Item = raw::Service>) -> raw::Service {
    let mut merged = raw::Service::default();
    let mut m = Merging { empties: true, ..Merging::default() };
    for mut over in files {
        if let Some(kind) = over.kind.as_ref().filter(|kind| Some(*kind) != merged.kind.as_ref()) {
            forget_keys_of_others(&mut merged, kind.value.0);
        }
        let signal = over.reload_signal.is_some();
        if let Some(commands) = merged.commands.as_mut().filter(|_| signal) {
            commands.reload = None;
        }
        if over.commands.as_mut().is_some_and(|c| c.reload.is_some()) {
            merged.reload_signal = None;
        }
        merged.merge(over, "", &mut m);
    }
    merged
}

/// Takes away what only other types than `kind` know.
fn forget_keys_of_others(service: &mut raw::Service, kind: Kind) {
    if kind != Kind::Forking {
        service.pid_file = None;
    }
    if !matches!(kind, Kind::Notify | Kind::NotifyReload) {
        service.ready_fd = None;
        service.watchdog = None;
    }
    if kind != Kind::Oneshot {
        service.remain = None;
    }
}

by_field! {
    Restart { when, delay, max_delay, jitter, limit, window }
    Critical { limit, window }
    Limits {
        memory, memory_high, out_of_memory, oom_score, cpu, cpu_weight, io_weight, io_read, io_write,
        pids, open_files, core, signals, locked_memory, file_size, stack, storage,
        storage_files
    }
    Commands { before_start, after_start, reload, stop, after_stop }
    Bus { name, also, owner, users }
    Service {
        about, exec, kind, start, requires, wants, binds, after, before, conflicts, part_of,
        on_failure, on_success, start_timeout, stop_timeout, stop_signal, reload_signal, idle_stop,
        remain, ready_fd, pid_file, watchdog, fd_store, user, environment, working_directory, output,
        restart, critical, limits, sandbox, commands, health, bus, socket, timer, path, device,
        parameter, signal, condition, credential
    }
}

/// The question is one thing, whichever kind it is of.
impl Merge for Option<raw::Health> {
    fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
        let Some(over) = over else { return };
        let one = self.get_or_insert_default();
        let raw::Health { exec, http, tcp, interval, timeout, retries, readiness } = over;
        if exec.is_some() || http.is_some() || tcp.is_some() {
            (one.exec, one.http, one.tcp) = (exec, http, tcp);
        }
        one.interval.merge(interval, &join(key, "interval"), m);
        one.timeout.merge(timeout, &join(key, "timeout"), m);
        one.retries.merge(retries, &join(key, "retries"), m);
        one.readiness.merge(readiness, &join(key, "readiness"), m);
    }
}

impl Merge for Option<Pairs> {
    fn merge(&mut self, over: Self, _: &str, _: &mut Merging) {
        let Some(Pairs(over)) = over else { return };
        let Pairs(pairs) = self.get_or_insert_default();
        let new: BTreeSet<String> = crate::gather(over.iter().map(|(key, _)| key.value.clone()));
        pairs.retain(|(key, _)| !new.contains(&key.value));
        pairs.extend(over);
    }
}

/// A command, by all its words.
impl Item for Vec<At<String>> {
    fn name(&self) -> Cow<'_, str> {
        self.iter().map(|word| word.as_str()).collect::<Vec<_>>().join("\0").into()
    }
}

impl Item for raw::Socket {
    fn name(&self) -> Cow<'_, str> {
        text(&self.name).into()
    }
}

impl Item for raw::Timer {
    fn name(&self) -> Cow<'_, str> {
        let keys =
            [&self.calendar, &self.after_boot, &self.after_arm, &self.after_start, &self.after_end];
        keys.map(text).join("\0").into()
    }
}

impl Item for raw::PathWatch {
    fn name(&self) -> Cow<'_, str> {
        text(&self.path).into()
    }
}

impl Item for raw::DeviceMatch {
    fn name(&self) -> Cow<'_, str> {
        format!("{}\0{}", text(&self.subsystem), text(&self.name)).into()
    }
}

impl Item for raw::ParameterMatch {
    fn name(&self) -> Cow<'_, str> {
        format!("{}\0{}", text(&self.name), text(&self.is)).into()
    }
}

impl Item for raw::SignalMatch {
    fn name(&self) -> Cow<'_, str> {
        let keys = [&self.sender, &self.path, &self.interface, &self.member, &self.arg0];
        keys.map(text).join("\0").into()
    }
}

impl Item for raw::Condition {
    fn name(&self) -> Cow<'_, str> {
        let keys = [
            &self.path,
            &self.not_empty,
            &self.executable,
            &self.cmdline,
            &self.parameter,
            &self.file_system,
        ];
        keys.map(text).join("\0").into()
    }
}

impl Item for raw::Credential {
    fn name(&self) -> Cow<'_, str> {
        text(&self.name).into()
    }
}
