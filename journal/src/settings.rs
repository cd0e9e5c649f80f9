//! Where everything is. A device never says otherwise; tests do.

use std::ffi::OsString;
use std::path::PathBuf;

use api::paths;

/// How to call it.
pub const USAGE: &str = "\
usage: journal [--log-dir DIR] [--run-dir DIR] [--bus SOCKET] [--kmsg FILE|none]

Takes LISTEN_FDS named `native` and `syslog` (datagrams), `streams` (output of services) and `bus`
(instead of a socket of its own).";

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The log.
    pub log: PathBuf,
    /// What lives as long as the device runs; the log too, if there can be none in `log`.
    pub run: PathBuf,
    /// The socket of the bus, if none is handed over.
    pub bus: PathBuf,
    /// The kernel's log.
    pub kmsg: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            log: paths::LOG_DIR.into(),
            run: "/run/journal".into(),
            bus: paths::JOURNAL_SOCKET.into(),
            kmsg: Some("/dev/kmsg".into()),
        }
    }
}

impl Settings {
    /// From the arguments after the program's name.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut settings = Self::default();
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let name = name.to_string_lossy().into_owned();
            let mut value =
                || args.next().map(PathBuf::from).ok_or_else(|| format!("{name} needs a path"));
            match name.as_str() {
                "--log-dir" => settings.log = value()?,
                "--run-dir" => settings.run = value()?,
                "--bus" => settings.bus = value()?,
                "--kmsg" => {
                    settings.kmsg = Some(value()?).filter(|path| path.as_os_str() != "none");
                }
                _ => return Err(format!("`{name}` is no argument")),
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Settings, String> {
        Settings::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn every_place_can_be_another_one() {
        assert_eq!(parse(&[]).unwrap(), Settings::default());
        let all = ["--log-dir", "/a", "--run-dir", "/b", "--bus", "/c", "--kmsg", "none"];
        let wanted = Settings { log: "/a".into(), run: "/b".into(), bus: "/c".into(), kmsg: None };
        assert_eq!(parse(&all), Ok(wanted));
        assert_eq!(parse(&["--bus"]), Err("--bus needs a path".into()));
        assert_eq!(parse(&["-v"]), Err("`-v` is no argument".into()));
    }
}
