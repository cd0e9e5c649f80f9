//! What a program may do, joined rule by rule. Every value keeps the place that wrote it.
//!
//! Two ways of joining:
//!
//! - a profile and one that inherits it ([`inherit`]): lists are joined, of single values the one that
//!   inherits wins, and what one of them forbids stays forbidden. Invariant: joining takes no rule out of
//!   `[forbid]`.
//! - a service and its drop-ins, which are one thing in several files: as all else in them.

use std::borrow::Cow;

use super::{Item, Merge, Merging, join};
use crate::text::decode::At;
use crate::text::raw;

/// `over` inherits `one`.
pub(crate) fn inherit(mut one: raw::Sandbox, over: raw::Sandbox) -> raw::Sandbox {
    one.merge(over, "", &mut Merging::default());
    one
}

by_field! {
    Sandbox {
        exception, inherit, permissions, requires, optional, capabilities, no_new_privileges, write_execute,
        lock_personality, keyring, namespaces, files, network, calls,
        limits, forbid
    }
    Files { view, root, read, write, execute, tmp, proc, devices }
    Network { access, families, connect, listen, udp }
    Calls { allow, deny, kill }
    Bounds { memory, cpu, pids, open_files, core, signals, locked_memory, file_size, stack, storage,
        storage_files }
}

impl Merge for Option<raw::Forbid> {
    fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
        let Some(over) = over else { return };
        let one = self.get_or_insert_default();
        let raw::Forbid {
            files,
            write,
            calls,
            capabilities,
            families,
            network,
            write_execute,
            new_privileges,
        } = over;
        one.files.merge(files, &join(key, "files"), m);
        one.write.merge(write, &join(key, "write"), m);
        one.calls.merge(calls, &join(key, "calls"), m);
        one.capabilities.merge(capabilities, &join(key, "capabilities"), m);
        one.families.merge(families, &join(key, "families"), m);
        forbid(&mut one.network, network, m);
        forbid(&mut one.write_execute, write_execute, m);
        forbid(&mut one.new_privileges, new_privileges, m);
    }
}

/// What is forbidden stays so, except between files of one service.
fn forbid(one: &mut Option<At<bool>>, over: Option<At<bool>>, m: &Merging) {
    let stays = !m.empties && one.as_ref().is_some_and(|at| at.value);
    if over.is_some() && !stays {
        *one = over;
    }
}

impl Item for i64 {
    fn name(&self) -> Cow<'_, str> {
        self.to_string().into()
    }
}
