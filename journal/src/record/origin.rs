//! Who said it, as the kernel and servicemgr tell: the trusted fields of a record.

use api::export;

/// Longest name of a service we believe in, in bytes.
pub const MAX_SERVICE: usize = 128;

/// Who said it. What is unknown is left out of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The way it came: `journal`, `syslog`, `stdout`, `kernel`, or `driver` for our own words.
    pub transport: &'static str,
    /// Process id.
    pub pid: Option<i32>,
    /// User and group id.
    pub user: Option<(u32, u32)>,
    /// Name of the process.
    pub comm: Option<Vec<u8>>,
    /// `NAME.service`.
    pub unit: Option<String>,
}

impl Origin {
    /// Writes the trusted fields.
    pub fn write(&self, out: &mut Vec<u8>) {
        export::put_own(out, "_TRANSPORT", self.transport.as_bytes());
        if let Some(pid) = self.pid {
            export::put_number(out, "_PID", u64::try_from(pid).unwrap_or(0));
        }
        if let Some((user, group)) = self.user {
            export::put_number(out, "_UID", user.into());
            export::put_number(out, "_GID", group.into());
        }
        if let Some(comm) = &self.comm {
            export::put_own(out, "_COMM", comm);
        }
        if let Some(unit) = &self.unit {
            export::put_own(out, "_SYSTEMD_UNIT", unit.as_bytes());
        }
    }
}

/// Whether a name can be that of a service.
#[must_use]
pub fn is_service(name: &str) -> bool {
    (1..=MAX_SERVICE).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@:".contains(&b))
}

/// The unit whose cgroup this is, from `/proc/PID/cgroup`. A service cannot make cgroups above its
/// own, so the first `services` on the path is servicemgr's.
#[must_use]
pub fn unit(cgroup: &str) -> Option<String> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut parts = path.split('/').skip_while(|part| *part != "services").skip(1);
    let service = parts.next().filter(|name| is_service(name))?;
    Some(format!("{service}.service"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_cgroup_names_the_unit() {
        let unit = |cgroup| unit(cgroup).unwrap_or_default();
        assert_eq!(unit("0::/services/web\n"), "web.service");
        assert_eq!(unit("1:cpu:/x\n0::/services/web/worker\n"), "web.service");
        assert_eq!(unit("0::/services/web/services/sshd\n"), "web.service");
        assert_eq!(unit("0::/system\n"), "");
        assert_eq!(unit("0::/services/\n"), "");
        assert_eq!(unit("0::/services/a b\n"), "");
        assert_eq!(unit("9:name=systemd:/services/web\n"), "");
    }

    proptest! {
        #[test]
        fn any_cgroup_file_is_fine(text in "\\PC{0,200}") {
            let _ = unit(&text);
        }
    }
}
