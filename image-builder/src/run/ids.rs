//! Which user and group ids of the host a container gets.
//!
//! ```text
//! root             every id is itself, within what our own namespace has
//! with newuidmap   0 is us, 1.. are our range of /etc/subuid
//! otherwise        0 is us, and there is nobody else
//! ```

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Ids in a row: `count` from `inside` are those from `outside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    inside: u32,
    outside: u32,
    count: u32,
}

/// How a container's ids are mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    users: Vec<Range>,
    groups: Vec<Range>,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Root,
    Newuidmap,
    Alone,
}

impl Mapping {
    /// The best that this host gives us.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn of_this_host() -> Result<Self> {
        let (user, group) = (sys::process::user(), sys::process::group());
        if user == 0 {
            let read = |file: &str| -> Result<Vec<Range>> {
                Ok(themselves(&fs::read_to_string(Path::new("/proc/self").join(file))?))
            };
            let (users, groups) = (read("uid_map")?, read("gid_map")?);
            return Ok(Self { users, groups, how: How::Root });
        }
        let me = |id| Range { inside: 0, outside: id, count: 1 };
        let range = |file, id| {
            // Without the file, or a line in it, there is no range for us.
            let text = fs::read_to_string(file).unwrap_or_default();
            further(&text, &name_of(user), id)
        };
        let (users, groups) = (range("/etc/subuid", user), range("/etc/subgid", user));
        Ok(match (users, groups) {
            (Some(users), Some(groups)) if has_newuidmap() => Self {
                users: vec![me(user), users],
                groups: vec![me(group), groups],
                how: How::Newuidmap,
            },
            _ => Self { users: vec![me(user)], groups: vec![me(group)], how: How::Alone },
        })
    }

    /// What people should know about it.
    #[must_use]
    pub fn note(&self) -> Option<&'static str> {
        (self.how == How::Alone).then_some(
            "only one user id in the container: services of other users fail \
             (install uidmap and add yourself to /etc/subuid and /etc/subgid)",
        )
    }
}

/// Maps the ids of the user namespace that `pid` has entered.
///
/// # Errors
/// The kernel or `newuidmap` refuses.
pub fn apply(mapping: &Mapping, pid: u32) -> Result<()> {
    if mapping.how == How::Newuidmap {
        run("newuidmap", pid, &mapping.users)?;
        return run("newgidmap", pid, &mapping.groups);
    }
    let write = |file: &str, text: &str| {
        fs::write(format!("/proc/{pid}/{file}"), text)
            .with_context(|| format!("writing the container's {file}"))
    };
    if mapping.how == How::Alone {
        write("setgroups", "deny")?;
    }
    write("uid_map", &lines(&mapping.users))?;
    write("gid_map", &lines(&mapping.groups))
}

fn run(program: &str, pid: u32, ranges: &[Range]) -> Result<()> {
    let numbers = ranges.iter().flat_map(|r| [r.inside, r.outside, r.count]);
    let mut command = Command::new(program);
    command.arg(pid.to_string()).args(numbers.map(|n| n.to_string()));
    let output = command.output().with_context(|| format!("running {program}"))?;
    if !output.status.success() {
        bail!("{program} refused: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn lines(ranges: &[Range]) -> String {
    let line = |r: &Range| format!("{} {} {}\n", r.inside, r.outside, r.count);
    ranges.iter().map(line).collect()
}

/// Every id that our own map has, mapped to itself.
fn themselves(map: &str) -> Vec<Range> {
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let inside = numbers.next()?.ok()?;
        let count = numbers.nth(1)?.ok()?;
        Some(Range { inside, outside: inside, count })
    };
    map.lines().filter_map(range).collect()
}

/// The first range of a user in `/etc/subuid`, by name or number.
fn further(subuid: &str, name: &str, id: u32) -> Option<Range> {
    let id = id.to_string();
    subuid.lines().find_map(|line| {
        let (who, range) = line.split_once(':')?;
        let (start, count) = range.split_once(':')?;
        let (outside, count) = (start.parse().ok()?, count.trim().parse().ok()?);
        (who == name || who == id).then_some(Range { inside: 1, outside, count })
    })
}

fn name_of(user: u32) -> String {
    let user = user.to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry = passwd.lines().find(|line| line.split(':').nth(2) == Some(&user));
    entry.and_then(|line| line.split(':').next()).unwrap_or_default().to_owned()
}

fn has_newuidmap() -> bool {
    ["newuidmap", "newgidmap"].iter().all(|p| Command::new(p).output().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_exactly_the_ids_it_has() {
        let all = themselves("         0          0 4294967295\n");
        assert_eq!(lines(&all), "0 0 4294967295\n");
        let nested = themselves("0 1000 1\n1 100000 65536\n");
        assert_eq!(lines(&nested), "0 0 1\n1 1 65536\n");
    }

    #[test]
    fn a_user_gets_the_range_with_its_name_or_number() {
        let subuid = "ann:100000:65536\n1001:165536:65536\nbad line\n";
        let ann = Some(Range { inside: 1, outside: 100_000, count: 65536 });
        assert_eq!(further(subuid, "ann", 1000), ann);
        let bob = Some(Range { inside: 1, outside: 165_536, count: 65536 });
        assert_eq!(further(subuid, "bob", 1001), bob);
        assert_eq!(further(subuid, "eve", 1002), None);
    }
}
