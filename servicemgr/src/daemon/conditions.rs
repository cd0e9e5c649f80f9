//! Whether what a service asks of the device holds, at this moment. Reads, changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use model::service::{Check, Condition};

/// Where the kernel tells about itself.
const CMDLINE: &str = "/proc/cmdline";
const FILE_SYSTEMS: &str = "/proc/filesystems";

/// What is there when an engine of containers started us and does not set `container`.
const CONTAINERS: [&str; 3] = ["/run/.containerenv", "/.dockerenv", "/run/systemd/container"];

/// The first condition that does not hold, as a sentence; `None` if all do. `parameter` gives the
/// value of one.
#[must_use]
pub(super) fn unmet(
    all: &[Condition],
    parameter: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    all.iter().find(|c| holds(&c.what, parameter) == c.not).map(|c| sentence(&c.what, c.not))
}

fn holds(check: &Check, parameter: &dyn Fn(&str) -> Option<String>) -> bool {
    match check {
        Check::Path(path) => Path::new(path).exists(),
        Check::NotEmpty(path) => fs::read_dir(path).is_ok_and(|mut all| all.next().is_some()),
        Check::Executable(path) => {
            fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        }
        Check::Cmdline(word) => words(CMDLINE).iter().any(|w| w == word),
        Check::Container => in_container(),
        Check::Parameter(name, wanted) => {
            parameter(name).is_some_and(|value| wanted == "*" || value == *wanted)
        }
        Check::FileSystem(name) => words(FILE_SYSTEMS).iter().any(|w| w == name && w != "nodev"),
    }
}

fn words(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn in_container() -> bool {
    std::env::var_os("container").is_some_and(|engine| !engine.is_empty())
        || CONTAINERS.iter().any(|path| Path::new(path).exists())
}

/// What is not as it should be.
fn sentence(check: &Check, not: bool) -> String {
    let there = if not { "there is" } else { "there is no" };
    match check {
        Check::Path(path) => format!("{there} {path}"),
        Check::NotEmpty(path) if not => format!("something is in {path}"),
        Check::NotEmpty(path) => format!("nothing is in {path}"),
        Check::Executable(path) => format!("{there} program {path}"),
        Check::Cmdline(word) => format!("{there} `{word}` on the kernel's command line"),
        Check::Container if not => "the device runs in a container".to_owned(),
        Check::Container => "the device does not run in a container".to_owned(),
        Check::Parameter(name, value) if value == "*" => {
            format!("parameter {name} has {} value", if not { "a" } else { "no" })
        }
        Check::Parameter(name, value) => {
            format!("parameter {name} is {}`{value}`", if not { "" } else { "not " })
        }
        Check::FileSystem(name) if not => format!("the kernel knows the file system {name}"),
        Check::FileSystem(name) => format!("the kernel does not know the file system {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(what: Check, not: bool) -> Option<String> {
        let parameter = |name: &str| (name == "a.b").then(|| "on".to_owned());
        unmet(&[Condition { what, not }], &parameter)
    }

    #[test]
    fn what_does_not_hold_is_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().display().to_string();
        assert_eq!(told(Check::Path("/proc".into()), false), None);
        assert_eq!(told(Check::Path("/proc".into()), true).unwrap(), "there is /proc");
        assert_eq!(told(Check::Path("/nowhere".into()), false).unwrap(), "there is no /nowhere");
        assert_eq!(told(Check::NotEmpty(here.clone()), true), None);
        let empty = told(Check::NotEmpty(here.clone()), false);
        assert_eq!(empty.unwrap(), format!("nothing is in {here}"));
        fs::write(directory.path().join("x"), "").unwrap();
        assert_eq!(told(Check::NotEmpty(here.clone()), false), None);
        assert_eq!(told(Check::Executable("/bin/sh".into()), false), None);
        assert!(told(Check::Executable(format!("{here}/x")), false).is_some());
        assert!(told(Check::Executable(here), false).is_some(), "a directory");
        assert_eq!(told(Check::FileSystem("proc".into()), false), None);
        assert!(told(Check::FileSystem("nodev".into()), false).is_some());
        assert!(told(Check::Cmdline("no-such-word".into()), false).is_some());
        assert_eq!(told(Check::Container, false).is_none(), told(Check::Container, true).is_some());
    }

    #[test]
    fn a_parameter_is_asked_for_by_value_or_at_all() {
        let is = |name: &str, value: &str| Check::Parameter(name.into(), value.into());
        assert_eq!(told(is("a.b", "on"), false), None);
        assert_eq!(told(is("a.b", "*"), false), None);
        assert_eq!(told(is("a.b", "off"), false).unwrap(), "parameter a.b is not `off`");
        assert_eq!(told(is("a.c", "*"), false).unwrap(), "parameter a.c has no value");
        assert_eq!(told(is("a.b", "*"), true).unwrap(), "parameter a.b has a value");
    }
}
