//! From what a service is to how its process is made. Pure: no file is read here.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt;
use std::sync::Arc;

use model::service::{Kind, Output, Service};
use sys::confine::Confine;
use sys::passwd::Users;
use sys::spawn::{Ids, Launch, Limit, Resource};

use crate::capability;

/// Where programs are looked for by those who look.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// Files a service may have open unless it raises that itself: more breaks `select(2)`.
const OPEN_FILES: u64 = 1024;

/// What does not depend on the service.
#[derive(Debug, Clone)]
pub struct Host {
    /// Path for `$NOTIFY_SOCKET`.
    pub notify: String,
    /// How far a process may raise its limit of open files here.
    pub open_files: u64,
    /// Services need their OOM score set back: the servicemgr's is not the usual one.
    pub oom_score: bool,
    /// Capabilities that can be kept here, as a mask: a container may lack some.
    pub capabilities: u64,
}

/// Why a service can't be started, whatever happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No such user.
    User(String),
    /// No such capability.
    Capability(String),
    /// There is no program.
    NoProgram,
    /// A zero byte, which no system call takes.
    ZeroByte(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user {name}: not in /etc/passwd: add it to [[user]]"),
            Self::Capability(name) => write!(f, "capability {name}: the kernel has none"),
            Self::NoProgram => f.write_str("exec is empty: name a program"),
            Self::ZeroByte(text) => write!(f, "{text:?}: contains a zero byte"),
        }
    }
}

impl std::error::Error for Refused {}

/// What one process of a service has for itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own<'a> {
    /// Names of the descriptors 3 and up.
    pub fds: &'a [&'a str],
    /// The command it runs instead of the service's program.
    pub command: Option<&'a [String]>,
    /// Variables that only servicemgr knows.
    pub variables: &'a [(&'a str, String)],
    /// Its profile as [`crate::fit()`] made it for this kernel; nothing if it confines nothing.
    pub confine: Option<&'a Arc<Confine>>,
}

/// How a process of `service` is made.
///
/// # Errors
/// [`Refused`] when the service asks for something that does not exist.
pub fn launch(
    service: &Service,
    users: &Users,
    host: &Host,
    own: &Own<'_>,
) -> Result<Launch, Refused> {
    let user = match &service.user {
        Some(name) => Some(users.find(name).ok_or_else(|| Refused::User(name.clone()))?),
        None => None,
    };
    let mut environment = BTreeMap::from([
        ("PATH", PATH.to_owned()),
        ("NOTIFY_SOCKET", host.notify.clone()),
        ("ENSEMBLE_SERVICE", service.name.to_string()),
    ]);
    if service.output == Output::Console {
        environment.insert("TERM", "linux".to_owned());
    }
    if let Some(user) = &user {
        environment.extend([
            ("USER", user.name.clone()),
            ("LOGNAME", user.name.clone()),
            ("HOME", user.home.clone()),
            ("SHELL", user.shell.clone()),
        ]);
    }
    for (name, value) in &service.environment {
        environment.insert(name, value.clone());
    }
    if own.command.is_none() {
        environment.extend(watched(service));
    }
    if !own.fds.is_empty() {
        environment.insert("LISTEN_FDS", own.fds.len().to_string());
        environment.insert("LISTEN_FDNAMES", own.fds.join(":"));
    }
    for (name, value) in own.variables {
        environment.insert(name, value.clone());
    }
    let exec = own.command.unwrap_or(&service.exec);
    let variables = environment.iter().map(|(name, value)| format!("{name}={value}"));
    Ok(Launch {
        program: c(exec.first().ok_or(Refused::NoProgram)?)?,
        arguments: exec.iter().map(|a| c(a)).collect::<Result<_, _>>()?,
        environment: variables.map(|v| c(&v)).collect::<Result<_, _>>()?,
        directory: c(service.directory.as_deref().unwrap_or("/"))?,
        limits: limits(service, host),
        ids: user.map(|u| Ids { uid: u.uid, gid: u.gid, groups: u.groups }),
        capabilities: capabilities(service, host)?,
        no_new_privileges: service.sandbox.no_new_privileges
            || service.sandbox.forbid.new_privileges
            || filters_without_right(host, own),
        watchdog: service.watchdog.is_some() && own.command.is_none(),
        starter: service.kind == Kind::Forking && own.command.is_none(),
        terminal: service.output == Output::Console,
        confine: own.confine.cloned(),
        oom_score: match service.limits.oom_score {
            Some(score) => Some(c(&score.to_string())?),
            None => host.oom_score.then(|| c"0".to_owned()),
        },
    })
}

/// Whether the rules of a process could not be set as it is here (some containers): the kernel takes them from
/// one that gains no privileges, or from `SYS_ADMIN`.
fn filters_without_right(host: &Host, own: &Own<'_>) -> bool {
    let right = capability::bit("SYS_ADMIN").unwrap_or_default();
    own.confine.is_some() && host.capabilities & right == 0
}

/// What the main process is to tell us, and may leave with us.
fn watched(service: &Service) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if let Some(watchdog) = service.watchdog {
        all.push(("WATCHDOG_USEC", watchdog.as_micros().to_string()));
    }
    if service.fd_store > 0 {
        all.push(("FDSTORE", service.fd_store.to_string()));
    }
    all
}

fn limits(service: &Service, host: &Host) -> Vec<Limit> {
    let limits = &service.limits;
    let mut all = Vec::new();
    if limits.open_files.is_none() {
        let (soft, hard) = (OPEN_FILES.min(host.open_files), host.open_files);
        all.push(Limit { what: Resource::OpenFiles, soft, hard });
    }
    let said = [
        (Resource::OpenFiles, limits.open_files),
        (Resource::Core, limits.core),
        (Resource::PendingSignals, limits.signals),
        (Resource::LockedMemory, limits.locked_memory),
        (Resource::FileSize, limits.file_size),
        (Resource::Stack, limits.stack),
    ];
    let said = said.into_iter().filter_map(|(what, most)| Some((what, most?)));
    all.extend(said.map(|(what, most)| Limit { what, soft: most, hard: most }));
    all
}

/// What `service` wants to keep and nobody has here.
#[must_use]
pub fn lacking<'s>(service: &'s Service, host: &Host) -> Vec<&'s str> {
    let names = service.sandbox.capabilities.iter().flatten();
    let there = |name: &str| capability::bit(name).is_none_or(|bit| host.capabilities & bit != 0);
    names.map(String::as_str).filter(|name| !there(name)).collect()
}

/// The mask to keep. An empty list is a wish too: without it a program with the set-user-id bit
/// could give back to another user what that left behind; so are those that are forbidden.
fn capabilities(service: &Service, host: &Host) -> Result<Option<u64>, Refused> {
    let forbidden = mask(&service.sandbox.forbid.capabilities)?;
    let kept = match &service.sandbox.capabilities {
        Some(names) => mask(names)?,
        None if forbidden == 0 => return Ok(None),
        None if service.user.is_some() => 0,
        None => u64::MAX,
    };
    Ok(Some(kept & host.capabilities & !forbidden))
}

fn mask(names: &[String]) -> Result<u64, Refused> {
    let bit =
        |name: &String| capability::bit(name).ok_or_else(|| Refused::Capability(name.clone()));
    names.iter().try_fold(0, |all, name| Ok(all | bit(name)?))
}

fn c(text: &str) -> Result<CString, Refused> {
    CString::new(text).map_err(|_| Refused::ZeroByte(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use model::Name;

    use super::*;

    fn service() -> Service {
        let exec = vec!["/usr/bin/web".into(), "-v".into()];
        Service::new(Name::try_from("web").unwrap(), exec)
    }

    fn host() -> Host {
        Host { notify: "/run/n".into(), open_files: 4096, oom_score: false, capabilities: u64::MAX }
    }

    fn users() -> Users {
        Users::from_text("web:x:80:81::/srv/web:/bin/sh\n", "video:x:44:web\n")
    }

    fn environment(launch: &Launch) -> Vec<&str> {
        launch.environment.iter().map(|v| v.to_str().unwrap()).collect()
    }

    #[test]
    fn root_gets_a_clean_environment_and_no_way_to_gain_privileges() {
        let launch = launch(&service(), &Users::default(), &host(), &Own::default()).unwrap();
        assert_eq!(
            environment(&launch),
            [
                "ENSEMBLE_SERVICE=web",
                "NOTIFY_SOCKET=/run/n",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
            ]
        );
        assert_eq!((launch.ids, launch.capabilities), (None, None));
        assert!(launch.no_new_privileges);
        let files = Limit { what: Resource::OpenFiles, soft: 1024, hard: 4096 };
        assert_eq!(launch.limits, [files]);
    }

    #[test]
    fn what_is_said_of_what_a_process_uses_is_a_limit_of_it() {
        let mut s = service();
        (s.limits.open_files, s.limits.core, s.limits.signals) = (Some(3000), Some(0), Some(256));
        (s.limits.locked_memory, s.limits.file_size) = (Some(65536), Some(1 << 20));
        s.limits.stack = Some(1 << 21);
        let limit = |what, n| Limit { what, soft: n, hard: n };
        assert_eq!(
            launch(&s, &Users::default(), &host(), &Own::default()).unwrap().limits,
            [
                limit(Resource::OpenFiles, 3000),
                limit(Resource::Core, 0),
                limit(Resource::PendingSignals, 256),
                limit(Resource::LockedMemory, 65536),
                limit(Resource::FileSize, 1 << 20),
                limit(Resource::Stack, 1 << 21),
            ]
        );
    }

    #[test]
    fn a_user_brings_its_groups_and_home_and_its_own_variables_win() {
        let mut s = service();
        s.user = Some("web".into());
        s.environment.insert("HOME".into(), "/tmp".into());
        let own = Own { fds: &["http", "http"], ..Own::default() };
        let launch = launch(&s, &users(), &host(), &own).unwrap();
        assert_eq!(launch.ids, Some(Ids { uid: 80, gid: 81, groups: vec![44] }));
        let all = environment(&launch);
        for wanted in ["HOME=/tmp", "USER=web", "LISTEN_FDS=2", "LISTEN_FDNAMES=http:http"] {
            assert!(all.contains(&wanted), "{wanted} in {all:?}");
        }
    }

    #[test]
    fn a_watched_service_knows_it_and_its_commands_are_told_what_they_are_for() {
        let mut s = service();
        s.watchdog = Some(std::time::Duration::from_secs(3));
        (s.fd_store, s.limits.oom_score) = (4, Some(-500));
        let main = launch(&s, &users(), &host(), &Own::default()).unwrap();
        assert_eq!(main.oom_score.as_deref(), Some(c"-500"));
        let all = environment(&main);
        assert!(all.contains(&"WATCHDOG_USEC=3000000") && all.contains(&"FDSTORE=4"), "{all:?}");
        let (command, variables) = (["/bin/kill".to_owned()], [("MAINPID", "7".to_owned())]);
        let own = Own { command: Some(&command), variables: &variables, ..Own::default() };
        let side = launch(&s, &users(), &host(), &own).unwrap();
        let all = environment(&side);
        assert!(all.contains(&"MAINPID=7") && !all.iter().any(|v| v.starts_with("WATCHDOG")));
        assert_eq!(side.program.as_c_str(), c"/bin/kill");
    }

    #[test]
    fn capabilities_are_a_mask_and_an_empty_list_is_none_at_all() {
        let mut s = service();
        s.sandbox.capabilities = Some(vec!["NET_ADMIN".into(), "CHOWN".into()]);
        let kept =
            |s: &Service| launch(s, &users(), &host(), &Own::default()).unwrap().capabilities;
        assert_eq!(kept(&s), Some(1 << 12 | 1));
        s.sandbox.capabilities = Some(Vec::new());
        assert_eq!(kept(&s), Some(0));
        s.user = Some("web".into());
        assert_eq!(kept(&s), Some(0));
        s.sandbox.capabilities = None;
        assert_eq!(kept(&s), None);
    }

    #[test]
    fn what_is_forbidden_is_not_kept_whatever_is_listed() {
        let kept =
            |s: &Service| launch(s, &users(), &host(), &Own::default()).unwrap().capabilities;
        let mut s = service();
        s.sandbox.forbid.capabilities = vec!["CHOWN".into()];
        assert_eq!(kept(&s), Some(!1), "all others of root");
        s.sandbox.capabilities = Some(vec!["CHOWN".into(), "NET_ADMIN".into()]);
        assert_eq!(kept(&s), Some(1 << 12));
        s.user = Some("web".into());
        s.sandbox.capabilities = None;
        assert_eq!(kept(&s), Some(0), "a user had none");
        s.sandbox.no_new_privileges = false;
        s.sandbox.forbid.new_privileges = true;
        let launch = launch(&s, &users(), &host(), &Own::default()).unwrap();
        assert!(launch.no_new_privileges);
    }

    #[test]
    fn where_the_kernel_takes_no_rules_otherwise_no_program_gains_privileges() {
        let mut s = service();
        s.sandbox.no_new_privileges = false;
        let confine = Arc::new(Confine::default());
        let gains = |own: &Own<'_>, capabilities| {
            let host = Host { capabilities, ..host() };
            !launch(&s, &users(), &host, own).unwrap().no_new_privileges
        };
        let own = Own { confine: Some(&confine), ..Own::default() };
        assert!(gains(&own, u64::MAX) && !gains(&own, 1));
        assert!(gains(&Own::default(), 1), "without rules there is nothing to set");
    }

    #[test]
    fn what_a_container_lacks_is_named_and_not_kept() {
        let mut s = service();
        s.sandbox.capabilities = Some(vec!["SYSLOG".into(), "CHOWN".into()]);
        let host = Host { capabilities: 1, ..host() };
        assert_eq!(launch(&s, &users(), &host, &Own::default()).unwrap().capabilities, Some(1));
        assert_eq!(lacking(&s, &host), ["SYSLOG"]);
    }

    #[test]
    fn what_does_not_exist_is_refused_with_what_to_do() {
        let refused = |change: fn(&mut Service)| {
            let mut s = service();
            change(&mut s);
            launch(&s, &users(), &host(), &Own::default()).unwrap_err().to_string()
        };
        let nobody = refused(|s| s.user = Some("nobody".into()));
        assert_eq!(nobody, "user nobody: not in /etc/passwd: add it to [[user]]");
        let flight = refused(|s| s.sandbox.capabilities = Some(vec!["FLY".into()]));
        assert_eq!(flight, "capability FLY: the kernel has none");
        assert_eq!(refused(|s| s.exec.clear()), "exec is empty: name a program");
        assert_eq!(refused(|s| s.exec.push("a\0".into())), "\"a\\0\": contains a zero byte");
    }
}
