//! What keeps a service well: restarts, limits, commands, conditions, probes, credentials.

use super::super::check::{Check, choice};
use super::super::decode::At;
use super::super::report::{Place, Problem};
use super::super::value::{self, Bad, Checked, bad};
use super::super::{raw, units};
use super::relations::at_most;
use super::words::signal;
use super::{one_of, written_by};
use crate::service::{
    Check as Look, Command, Commands, Condition, Credential, CredentialSource, Critical, Health,
    Kind, Limits, Probe, Reload, Restart, RestartWhen, SIGTERM,
};

/// Least memory limit: below it no program starts.
pub(crate) const MIN_MEMORY: u64 = 256 << 10;

/// The least that can be stored: directories and a few small files.
const MIN_STORAGE: u64 = 64 << 10;

/// The smallest stack: arguments and environment take up to a quarter of it.
const MIN_STACK: u64 = 256 << 10;

/// Most commands of one kind.
pub(crate) const MAX_COMMANDS: usize = 16;

/// Most conditions of one service.
pub(crate) const MAX_CONDITIONS: usize = 32;

/// Most credentials of one service.
pub(crate) const MAX_CREDENTIALS: usize = 32;

/// Most descriptors that a service may leave with servicemgr.
pub(crate) const MAX_FD_STORE: u32 = 64;

/// Most failures that a critical service may be allowed, and most bad answers of a probe.
pub(crate) const MAX_FAILURES: u32 = 1000;

/// By which a service of type `notify-reload` is told to, as in systemd.
const SIGHUP: i32 = 1;

/// Program and arguments of `key`; `None` when it is empty.
pub(super) fn command(raw: &At<Vec<At<String>>>, key: &str, c: &mut Check) -> Option<Command> {
    let Some((program, arguments)) = raw.value.split_first() else {
        c.add(Problem::new(raw.place.clone(), format!("`{key}` is empty")).help(
            "the program's absolute path, then its arguments: [\"/usr/bin/web\", \"--port=80\"]",
        ));
        return None;
    };
    let path = |text: &str| {
        if text.contains(char::is_whitespace) {
            let message = format!("`{text}` is not one path");
            let help = "each argument is an item of its own: [\"/usr/bin/web\", \"--port=80\"]";
            return Err(Bad { message, help: Some(help.to_owned()) });
        }
        value::image_path(text)
    };
    let program = c.one(Some(program), path);
    let arguments = arguments.iter().filter_map(|a| c.one(Some(a), value::argument));
    Some(program.into_iter().chain(arguments.collect::<Vec<_>>()).collect())
}

pub(super) fn commands(raw: &raw::Service, c: &mut Check) -> Commands {
    let empty = raw::Commands::default();
    let own = raw.commands.as_ref().unwrap_or(&empty);
    let mut list = |key: &str, list: &Option<Vec<At<Vec<At<String>>>>>| {
        let list = list.as_deref().unwrap_or_default();
        at_most(list, MAX_COMMANDS, &format!("commands in `{key}`"), c);
        list.iter().filter_map(|raw| command(raw, key, c)).collect()
    };
    let before_start = list("before-start", &own.before_start);
    let after_start = list("after-start", &own.after_start);
    let stop = list("stop", &own.stop);
    let after_stop = list("after-stop", &own.after_stop);
    if let (Some(command), Some(signal)) = (&own.reload, &raw.reload_signal) {
        let problem = Problem::new(signal.place.clone(), "a reload is a command or a signal");
        c.add(problem.also(command.place.clone(), "the command").help("leave one of them out"));
    }
    let by_command = own.reload.as_ref().and_then(|raw| command(raw, "reload", c));
    let by_signal = c.one(raw.reload_signal.as_ref(), signal).map(Reload::Signal);
    let kind = choice(raw.kind.as_ref(), Kind::Simple);
    let usual = (kind == Kind::NotifyReload).then_some(Reload::Signal(SIGHUP));
    let reload = by_command.map(Reload::Command).or(by_signal).or(usual);
    let stop_signal = c.one(raw.stop_signal.as_ref(), signal).unwrap_or(SIGTERM);
    Commands { before_start, after_start, reload, stop, after_stop, stop_signal }
}

pub(super) fn restart(raw: Option<&raw::Restart>, kind: Kind, c: &mut Check) -> Restart {
    let default = Restart::default();
    let Some(raw) = raw else { return default };
    let jitter = |text: &str| units::share(text, "the longest part of a wait, like \"20%\"");
    let restart = Restart {
        when: choice(raw.when.as_ref(), default.when),
        delay: c.one(raw.delay.as_ref(), units::duration).unwrap_or(default.delay),
        max_delay: c.one(raw.max_delay.as_ref(), units::duration).unwrap_or(default.max_delay),
        limit: c.range(raw.limit.as_ref(), "the limit", 1, 1_000_000).unwrap_or(default.limit),
        window: c.one(raw.window.as_ref(), units::timeout).unwrap_or(default.window),
        jitter: c.one(raw.jitter.as_ref(), jitter).unwrap_or(default.jitter),
    };
    if let (Some(delay), true) = (&raw.delay, restart.delay > restart.max_delay) {
        let problem = Problem::new(delay.place.clone(), "`delay` is longer than `max-delay`");
        c.add(match &raw.max_delay {
            Some(max) => problem.also(max.place.clone(), "the longest wait"),
            None => problem.help("set `max-delay` too; it is 10s"),
        });
    }
    if let (Some(when), Kind::Oneshot, RestartWhen::Always) = (&raw.when, kind, restart.when) {
        let problem = "a oneshot service that always restarts never becomes ready";
        c.add(
            Problem::new(when.place.clone(), problem).help("\"on-failure\" tries until it works"),
        );
    }
    restart
}

pub(super) fn critical(raw: &raw::Critical, c: &mut Check) -> Option<Critical> {
    let default = Critical::default();
    let limit = c.range(raw.limit.as_ref(), "the limit", 0, MAX_FAILURES).unwrap_or(default.limit);
    let window = c.one(raw.window.as_ref(), units::timeout).unwrap_or(default.window);
    (limit != 0).then_some(Critical { limit, window })
}

/// Bytes of memory that are enough for a program.
pub(crate) fn memory(text: &str) -> Checked<u64> {
    match units::size(text)? {
        bytes if bytes < MIN_MEMORY => {
            bad(format!("no program starts with {text} of memory"), "at least 256K")
        }
        bytes => Ok(bytes),
    }
}

pub(crate) fn pids(at: Option<&At<i64>>, c: &mut Check) -> Option<u32> {
    c.range(at, "the number of processes", 1, 4_194_304)
}

pub(crate) fn open_files(at: Option<&At<i64>>, c: &mut Check) -> Option<u64> {
    c.range(at, "the number of open files", 8, 1_048_576)
}

pub(crate) fn signals(at: Option<&At<i64>>, c: &mut Check) -> Option<u64> {
    c.range(at, "the number of signals", 0, 1_048_576)
}

pub(crate) fn stack(text: &str) -> Checked<u64> {
    match units::size(text)? {
        bytes if bytes < MIN_STACK => {
            bad(format!("no program starts with {text} of stack"), "at least 256K")
        }
        bytes => Ok(bytes),
    }
}

pub(crate) fn storage(text: &str) -> Checked<u64> {
    match units::size(text)? {
        bytes if bytes < MIN_STORAGE => {
            bad(format!("{text} is less than a few files take"), "at least 64K")
        }
        bytes => Ok(bytes),
    }
}

pub(crate) fn storage_files(at: Option<&At<i64>>, c: &mut Check) -> Option<u64> {
    c.range(at, "the number of files", 8, 1_000_000_000)
}

pub(super) fn limits(raw: &raw::Limits, c: &mut Check) -> Limits {
    let rate = |text: &str| match units::size(text)? {
        0 => bad("nothing could be read or written", "bytes a second, like \"10M\""),
        bytes => Ok(bytes),
    };
    let weight = |c: &mut Check, at: &Option<At<i64>>| c.range(at.as_ref(), "a weight", 1, 10_000);
    let limits = Limits {
        memory: c.one(raw.memory.as_ref(), memory),
        memory_high: c.one(raw.memory_high.as_ref(), memory),
        out_of_memory: choice(raw.out_of_memory.as_ref(), Default::default()),
        oom_score: c.range(raw.oom_score.as_ref(), "the score", -1000, 1000),
        cpu: c.one(raw.cpu.as_ref(), units::percent),
        cpu_weight: weight(c, &raw.cpu_weight),
        io_weight: weight(c, &raw.io_weight),
        io_read: c.one(raw.io_read.as_ref(), rate),
        io_write: c.one(raw.io_write.as_ref(), rate),
        pids: pids(raw.pids.as_ref(), c),
        open_files: open_files(raw.open_files.as_ref(), c),
        core: c.one(raw.core.as_ref(), units::size),
        signals: signals(raw.signals.as_ref(), c),
        locked_memory: c.one(raw.locked_memory.as_ref(), units::size),
        file_size: c.one(raw.file_size.as_ref(), units::size),
        stack: c.one(raw.stack.as_ref(), stack),
        storage: c.one(raw.storage.as_ref(), storage),
        storage_files: storage_files(raw.storage_files.as_ref(), c),
    };
    if let (Some(high), Some(max), Some(memory)) = (&raw.memory_high, &raw.memory, limits.memory)
        && limits.memory_high.is_some_and(|high| high > memory)
    {
        let message = "`memory-high` is above `memory`, so it is never reached";
        let problem = Problem::new(high.place.clone(), message);
        c.add(problem.also(max.place.clone(), "here it is killed already"));
    }
    limits
}

pub(super) fn health(raw: &raw::Health, file: &Place, c: &mut Check) -> Option<Health> {
    let keys = [
        ("exec", written_by(&raw.exec)),
        ("http", written_by(&raw.http)),
        ("tcp", written_by(&raw.tcp)),
    ];
    one_of(file, "[health]", &keys, c);
    let tcp = |text: &str| value::ip_port(text, "like \"127.0.0.1:80\" or \"[::1]:80\"");
    let probes = [
        raw.exec.as_ref().and_then(|raw| command(raw, "exec", c)).map(Probe::Exec),
        c.one(raw.http.as_ref(), page),
        c.one(raw.tcp.as_ref(), tcp).map(Probe::Tcp),
    ];
    let mut time =
        |at: &Option<At<String>>, default| c.one(at.as_ref(), units::timeout).unwrap_or(default);
    let interval = time(&raw.interval, Health::INTERVAL);
    let timeout = time(&raw.timeout, Health::TIMEOUT);
    let retries = c.range(raw.retries.as_ref(), "the number of bad answers", 1, MAX_FAILURES);
    Some(Health {
        probe: probes.into_iter().flatten().next()?,
        interval,
        timeout,
        retries: retries.unwrap_or(Health::RETRIES),
        readiness: raw.readiness.as_ref().is_some_and(|at| at.value),
    })
}

/// `127.0.0.1:80/health`.
fn page(text: &str) -> Checked<Probe> {
    const HELP: &str = "an address, a port and a path: \"127.0.0.1:80/health\"";
    let Some(slash) = text.find('/') else {
        return bad(format!("`{text}` has no path"), HELP);
    };
    let (at, path) = text.split_at(slash);
    if path.len() > 1024 || !path.bytes().all(|b| b.is_ascii_graphic()) {
        return bad(format!("`{path}` is not a path to ask for"), "at most 1024 ASCII letters");
    }
    Ok(Probe::Http { address: value::ip_port(at, HELP)?, path: path.to_owned() })
}

pub(super) fn conditions(raw: Option<&Vec<At<raw::Condition>>>, c: &mut Check) -> Vec<Condition> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    at_most(list, MAX_CONDITIONS, "conditions", c);
    list.iter().filter_map(|raw| condition(raw, c)).collect()
}

fn condition(raw: &At<raw::Condition>, c: &mut Check) -> Option<Condition> {
    let keys = [
        ("path", written_by(&raw.path)),
        ("not-empty", written_by(&raw.not_empty)),
        ("executable", written_by(&raw.executable)),
        ("cmdline", written_by(&raw.cmdline)),
        ("container", written_by(&raw.container)),
        ("parameter", written_by(&raw.parameter)),
        ("file-system", written_by(&raw.file_system)),
    ];
    one_of(&raw.place, "a condition", &keys, c);
    let path = |c: &mut Check, at: &Option<At<String>>| c.one(at.as_ref(), value::image_path);
    let parameter = |text: &str| {
        let Some((name, value)) = text.split_once('=') else {
            return bad(
                format!("`{text}` has no value"),
                "a name and a value: \"persist.wifi=on\"",
            );
        };
        Ok(Look::Parameter(value::parameter(name)?, value::parameter_value(value)?))
    };
    let container = raw.container.as_ref();
    let checks = [
        path(c, &raw.path).map(Look::Path),
        path(c, &raw.not_empty).map(Look::NotEmpty),
        path(c, &raw.executable).map(Look::Executable),
        c.one(raw.cmdline.as_ref(), value::cmdline_word).map(Look::Cmdline),
        container.map(|_| Look::Container),
        c.one(raw.parameter.as_ref(), parameter),
        c.one(raw.file_system.as_ref(), file_system).map(Look::FileSystem),
    ];
    let not = raw.not.as_ref().is_some_and(|at| at.value);
    let outside = container.is_some_and(|at| !at.value);
    Some(Condition { what: checks.into_iter().flatten().next()?, not: not != outside })
}

fn file_system(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a file system"), "a name in /proc/filesystems: \"btrfs\"")
}

pub(super) fn credentials(
    raw: Option<&Vec<At<raw::Credential>>>,
    c: &mut Check,
) -> Vec<Credential> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    at_most(list, MAX_CREDENTIALS, "credentials", c);
    let names = list.iter().filter_map(|raw| raw.name.as_ref());
    c.unique(names.map(|n| (n.as_str(), &n.place)), |n| {
        format!("two credentials are called `{n}`")
    });
    let checked = list.iter().filter_map(|raw| {
        let keys = [("path", written_by(&raw.path)), ("text", written_by(&raw.text))];
        one_of(&raw.place, "a credential", &keys, c);
        let name = c.one(raw.name.as_ref(), |text| {
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
            let shaped = (1..=64).contains(&text.len()) && !text.starts_with('.');
            if shaped && text.bytes().all(legal) {
                return Ok(text.to_owned());
            }
            bad(format!("`{text}` is not the name of a credential"), "a file name, at most 64")
        });
        let path = c.one(raw.path.as_ref(), value::image_path).map(CredentialSource::Path);
        let text = raw.text.as_ref().map(|at| CredentialSource::Text(at.value.clone()));
        Some(Credential { name: name?, source: path.or(text)? })
    });
    checked.collect()
}
