//! Devices: from merged layers to [`Device`].

use std::collections::BTreeSet;

use super::check::{Check, choice, values};
use super::decode::At;
use super::report::{Place, Problem, Text};
use super::value::{self, Bad};
use super::{Names, Source, near, raw};
use crate::Name;
use crate::device::{
    Compression, Debug, Device, File, FileContent, FormFactor, KERNEL_HEADLESS, KERNEL_SCREEN,
    Kernel, KernelSource, Packages, SUITE, Screen, Shape, Storage, Target, User,
};

/// Service that `[debug] agent` brings.
pub const AGENT: &str = "debug-agent";

/// Service that `[debug] console` brings.
pub const CONSOLE: &str = "console";

/// Version of a device that names none.
const OS_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Sizes are in blocks of the file systems.
const BLOCK: u64 = 4096;

/// Least and largest boot partition: kernel and initramfs fit; FAT ends.
const BOOT: (u64, u64) = (16 << 20, 4 << 30);

/// Least and largest root slot.
const ROOT: (u64, u64) = (1 << 20, 1 << 40);

/// Least and largest state partition: ext4 with its journal fits.
const STATE: (u64, u64) = (16 << 20, 1 << 44);

/// Longest part of a command line that a device may add, in bytes; the kernel takes 2048 in all.
const MAX_CMDLINE: usize = 1024;

/// Most bytes of text in one `content`.
const MAX_CONTENT: usize = 256 << 10;

/// Users of Debian's base-passwd; each has a group of the same name unless listed here otherwise.
pub(crate) const DEBIAN_USERS: [(&str, u32); 18] = [
    ("root", 0),
    ("daemon", 1),
    ("bin", 2),
    ("sys", 3),
    ("sync", 4),
    ("games", 5),
    ("man", 6),
    ("lp", 7),
    ("mail", 8),
    ("news", 9),
    ("uucp", 10),
    ("proxy", 13),
    ("www-data", 33),
    ("backup", 34),
    ("list", 38),
    ("irc", 39),
    ("_apt", 42),
    ("nobody", 65534),
];

/// Groups of Debian's base-passwd.
pub(crate) const DEBIAN_GROUPS: [&str; 38] = [
    "root", "daemon", "bin", "sys", "adm", "tty", "disk", "lp", "mail", "news", "uucp", "man",
    "proxy", "kmem", "dialout", "fax", "voice", "cdrom", "floppy", "tape", "sudo", "audio", "dip",
    "www-data", "backup", "operator", "list", "irc", "src", "shadow", "utmp", "video", "sasl",
    "plugdev", "staff", "games", "users", "nogroup",
];

/// What is known of the build host.
#[derive(Clone, Copy)]
pub(crate) struct Host<'a> {
    /// The files that were read, by their number.
    pub(crate) texts: &'a [Text],
    pub(crate) source: &'a dyn Source,
}

/// What the check of a device needs besides its layers.
pub(crate) struct Context<'a> {
    /// Name of the device.
    pub(crate) name: Name,
    /// Where the device's own file begins: for what is missing altogether.
    pub(crate) place: Place,
    pub(crate) host: Host<'a>,
}

/// A checked device, with the places of what is looked up elsewhere.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) device: Device,
    pub(crate) enabled: Vec<At<Name>>,
    pub(crate) packages: Names,
}

/// Checks merged layers.
pub(crate) fn check(raw: &raw::Device, cx: &Context<'_>, c: &mut Check) -> Written {
    // A form factor that could not be read is not the default one.
    let whole = c.problems.is_empty();
    let release = raw.release.as_ref().is_some_and(|at| at.value);
    let target = target(raw, c);
    let form_factor = choice(raw.form_factor.as_ref(), FormFactor::Headless);
    let screen = screen(raw, cx, c);
    if whole {
        fits(raw, form_factor, cx, c);
    }
    let debug = debug(raw, release, c);
    let enabled = services(raw, debug, c);
    let (packages, package_places) = packages(raw.packages.as_ref(), c);
    let named = c.one(raw.hostname.as_ref(), value::hostname);
    let device = Device {
        name: cx.name.clone(),
        version: c.one(raw.os_version.as_ref(), value::version).unwrap_or(OS_VERSION.to_owned()),
        release,
        target,
        form_factor,
        hostname: named.unwrap_or(cx.name.to_string()),
        locale: c.one(raw.locale.as_ref(), value::locale).unwrap_or("C.UTF-8".to_owned()),
        timezone: c.one(raw.timezone.as_ref(), value::timezone).unwrap_or("UTC".to_owned()),
        kernel: kernel(raw.kernel.as_ref(), screen.is_some(), cx, c),
        packages,
        services: enabled
            .iter()
            .map(|at| at.value.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        files: files(raw.file.as_ref(), cx.host, c),
        users: users(raw.user.as_ref(), c),
        storage: storage(raw.storage.as_ref(), c),
        screen,
        input: input(raw),
        debug,
    };
    Written { device, enabled, packages: package_places }
}

fn target(raw: &raw::Device, c: &mut Check) -> Target {
    let target = choice(raw.target.as_ref(), Target::QemuX86_64);
    if let Some(at) = raw.target.as_ref().filter(|_| !target.is_built()) {
        let message = format!("the target `{target}` is known, but not built yet");
        let help = "qemu-x86_64 and container are built";
        c.add(Problem::new(at.place.clone(), message).help(help));
    }
    target
}

/// Whether there is a screen where there has to be one.
fn fits(raw: &raw::Device, form: FormFactor, cx: &Context<'_>, c: &mut Check) {
    match (form, &raw.screen) {
        (FormFactor::Headless, Some(screen)) => {
            let side = screen.width.as_ref().or(screen.height.as_ref());
            let place = side.map_or(&cx.place, |at| &at.place);
            let problem = Problem::new(place.clone(), "a headless device has no screen");
            c.add(problem.help("set `form-factor`, or leave out [screen]"));
        }
        (FormFactor::Headless, None) | (_, Some(_)) => {}
        (_, None) => {
            let place = raw.form_factor.as_ref().map_or(&cx.place, |at| &at.place);
            let message = format!("a {form} has a screen, and this one has no [screen]");
            let help = "[screen] with width and height in pixels";
            c.add(Problem::new(place.clone(), message).help(help));
        }
    }
}

fn screen(raw: &raw::Device, cx: &Context<'_>, c: &mut Check) -> Option<Screen> {
    let screen = raw.screen.as_ref()?;
    let side = |c: &mut Check, at: Option<&At<i64>>, what: &str| {
        if at.is_none() {
            let other = screen.width.as_ref().or(screen.height.as_ref());
            let place = other.map_or(&cx.place, |at| &at.place);
            c.add(Problem::new(place.clone(), format!("[screen] has no {what}")));
        }
        c.range(at, &format!("the {what}"), 1, value::MAX_SCREEN)
    };
    let (width, height) =
        (side(c, screen.width.as_ref(), "width"), side(c, screen.height.as_ref(), "height"));
    let density = c.range(screen.density.as_ref(), "the density", 1, 2000).unwrap_or(160);
    let shape = choice(screen.shape.as_ref(), Shape::Rect);
    Some(Screen { width: width?, height: height?, density, shape })
}

fn input(raw: &raw::Device) -> Vec<crate::device::Input> {
    let kinds = raw.input.as_ref().and_then(|i| i.kinds.as_ref());
    let all: BTreeSet<_> = kinds.into_iter().flatten().map(|at| at.value.0).collect();
    all.into_iter().collect()
}

fn debug(raw: &raw::Device, release: bool, c: &mut Check) -> Debug {
    let of = raw.debug.as_ref();
    let agent = of.and_then(|d| d.agent.as_ref()).filter(|at| at.value);
    let console = of.and_then(|d| d.console.as_ref()).filter(|at| at.value);
    if release {
        let parts = [
            (agent, "`[debug] agent` in a release: anyone at the host's end of it is root"),
            (console, "`[debug] console` in a release: anyone at the console is root"),
        ];
        for (at, message) in parts.into_iter().filter_map(|(at, m)| Some((at?, m))) {
            let problem = Problem::warning(at.place.clone(), message);
            let own = raw.release.as_ref().map(|r| r.place.clone()).unwrap_or_default();
            c.add(problem.also(own, "a release").help("set it to false in the release's TOML"));
        }
    }
    Debug { agent: agent.is_some(), console: console.is_some() }
}

/// What starts at boot: `enable`, and what the debug parts bring.
fn services(raw: &raw::Device, debug: Debug, c: &mut Check) -> Vec<At<Name>> {
    let listed = raw.services.as_ref();
    let mut enabled = c.list(listed.and_then(|s| s.enable.as_ref()), value::service_name);
    let disabled = c.list(listed.and_then(|s| s.disable.as_ref()), value::service_name);
    for at in &enabled {
        if let Some(off) = disabled.iter().find(|d| *d == at) {
            let problem = Problem::new(off.place.clone(), format!("`{}` is enabled too", at.value));
            c.add(problem.also(at.place.clone(), "enabled here").help("leave one of both out"));
        }
    }
    let of = raw.debug.as_ref();
    let parts = [
        (AGENT, "agent", debug.agent, of.and_then(|d| d.agent.as_ref())),
        (CONSOLE, "console", debug.console, of.and_then(|d| d.console.as_ref())),
    ];
    for (service, key, on, at) in parts {
        let explicit = enabled.iter().find(|e| e.value.as_str() == service);
        match (explicit, on, at, Name::try_from(service)) {
            (Some(explicit), false, ..) => {
                let message = format!("the service `{service}` is a part for development");
                let help = format!("write [debug] {key} = true; that enables it too");
                c.add(Problem::new(explicit.place.clone(), message).help(help));
                enabled.retain(|e| e.value.as_str() != service);
            }
            (None, true, Some(at), Ok(value)) => {
                enabled.push(At { value, place: at.place.clone() });
            }
            _ => {}
        }
    }
    enabled
}

fn kernel(raw: Option<&raw::Kernel>, screen: bool, cx: &Context<'_>, c: &mut Check) -> Kernel {
    let default = if screen { KERNEL_SCREEN } else { KERNEL_HEADLESS };
    let mut source = KernelSource::Package(default.to_owned());
    let Some(raw) = raw else {
        return Kernel { source, modules: Vec::new(), cmdline: Vec::new() };
    };
    if let (Some(package), Some(path)) = (&raw.package, &raw.path)
        && package.place.file == path.place.file
    {
        let problem = Problem::new(path.place.clone(), "a kernel is a package or a file, not both");
        c.add(problem.also(package.place.clone(), "the package"));
    }
    if let Some(package) = c.one(raw.package.as_ref(), value::package) {
        source = KernelSource::Package(package);
    }
    if let Some(at) = &raw.path {
        source = KernelSource::Path(beside(at, cx.host, c));
    }
    let cmdline = c.list(raw.cmdline.as_ref(), value::cmdline_word);
    let length: usize = cmdline.iter().map(|w| w.len() + 1).sum();
    if let Some(last) = cmdline.last().filter(|_| length > MAX_CMDLINE) {
        let message = format!("the command line is {length} bytes long");
        c.add(Problem::new(last.place.clone(), message).help(format!("at most {MAX_CMDLINE}")));
    }
    let modules = values(c.list(raw.modules.as_ref(), value::module));
    Kernel { source, modules, cmdline: values(cmdline) }
}

/// A path on the build host, as seen from the file that names it.
fn beside(at: &At<String>, host: Host<'_>, c: &mut Check) -> String {
    let from = host.texts.get(at.place.file).map_or("", |text| text.path.as_str());
    let path = super::path::join(super::path::parent(from), at);
    if !host.source.is_file(&path) {
        let problem = Problem::new(at.place.clone(), format!("there is no file `{path}`"));
        c.add(problem.help("a path from where this TOML is"));
    }
    path
}

fn packages(raw: Option<&raw::Packages>, c: &mut Check) -> (Packages, Names) {
    let empty = raw::Packages::default();
    let raw = raw.unwrap_or(&empty);
    let mut install = c.list(raw.install.as_ref(), value::package);
    install.sort_by(|a, b| a.value.cmp(&b.value));
    let packages = Packages {
        suite: c.one(raw.suite.as_ref(), value::suite).unwrap_or(SUITE.to_owned()),
        mirror: c.one(raw.mirror.as_ref(), value::mirror),
        install: install.iter().map(|at| at.value.clone()).collect(),
    };
    (packages, install)
}

/// Files of a device or of a case.
pub(crate) fn files(raw: Option<&Vec<At<raw::File>>>, host: Host<'_>, c: &mut Check) -> Vec<File> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    let places = list.iter().filter_map(|f| f.path.as_ref());
    c.unique(places.map(|p| (p.as_str(), &p.place)), |p| format!("two files are at `{p}`"));
    let mut files: Vec<File> = list.iter().filter_map(|f| file(f, host, c)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let leaf = |f: &File| f.content != FileContent::Directory;
    let solid: BTreeSet<&str> = files.iter().filter(|f| leaf(f)).map(|f| f.path.as_str()).collect();
    for at in list.iter().filter_map(|f| f.path.as_ref()) {
        let mut above = at.match_indices('/').filter_map(|(i, _)| at.get(..i));
        if let Some(file) = above.rfind(|p| solid.contains(p)) {
            let message = format!("`{file}` is a file, so nothing can be below it");
            c.add(Problem::new(at.place.clone(), message));
        }
    }
    files
}

fn file(raw: &At<raw::File>, host: Host<'_>, c: &mut Check) -> Option<File> {
    let path = c.one(raw.path.as_ref(), file_path);
    let mode = c.one(raw.mode.as_ref(), value::mode);
    let uid = c.number(raw.uid.as_ref(), value::owner).unwrap_or(0);
    let gid = c.number(raw.gid.as_ref(), value::owner).unwrap_or(0);
    let directory = raw.directory.as_ref().filter(|at| at.value);
    let given = [
        raw.source.as_ref().map(|at| &at.place),
        raw.content.as_ref().map(|at| &at.place),
        raw.symlink.as_ref().map(|at| &at.place),
        directory.map(|at| &at.place),
    ];
    let mut given = given.into_iter().flatten();
    if let (Some(one), Some(other)) = (given.next(), given.next()) {
        let problem = Problem::new(other.clone(), "a file is one thing only").label("and this");
        c.add(problem.also(one.clone(), "this").help("one of source, content, symlink, directory"));
    }
    let content = if let Some(at) = &raw.source {
        FileContent::Source(beside(at, host, c))
    } else if let Some(at) = &raw.content {
        FileContent::Text(c.one(Some(at), content)?)
    } else if let Some(at) = &raw.symlink {
        FileContent::Symlink(c.one(Some(at), link)?)
    } else if directory.is_some() {
        FileContent::Directory
    } else {
        let place = raw.path.as_ref().map_or(&raw.place, |at| &at.place);
        let problem = Problem::new(place.clone(), "nothing says what is in this file");
        c.add(problem.help("add one of source, content, symlink, directory"));
        return None;
    };
    let default = if content == FileContent::Directory { 0o755 } else { 0o644 };
    Some(File { path: path?, content, mode: mode.unwrap_or(default), uid, gid })
}

fn file_path(text: &str) -> value::Checked<String> {
    /// Kernel file systems and tmpfs: what an image has there is never seen.
    const HIDDEN: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];
    let path = value::image_path(text)?;
    let first = path.split('/').nth(1).unwrap_or_default();
    if HIDDEN.contains(&first) {
        return Err(Bad {
            message: format!("`{path}` is never seen: /{first} is mounted over on a device"),
            help: Some("a oneshot service can make it at boot".to_owned()),
        });
    }
    Ok(path)
}

fn content(text: &str) -> value::Checked<String> {
    if text.len() <= MAX_CONTENT {
        return Ok(text.to_owned());
    }
    let message = format!("`content` has {} bytes; at most {MAX_CONTENT}", text.len());
    Err(Bad { message, help: Some("put it into a file and name it as `source`".to_owned()) })
}

fn link(text: &str) -> value::Checked<String> {
    if (1..=value::MAX_PATH).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Bad { message: "a symbolic link points to a path".to_owned(), help: None })
}

fn users(raw: Option<&Vec<At<raw::User>>>, c: &mut Check) -> Vec<User> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    let names = list.iter().filter_map(|u| u.name.as_ref());
    c.unique(names.clone().map(|n| (n.as_str(), &n.place)), |n| {
        format!("two users are called `{n}`")
    });
    let ids = list.iter().filter_map(|u| u.uid.as_ref());
    c.unique(ids.clone().map(|n| (n.value, &n.place)), |n| {
        format!("two users have the number {n}")
    });
    for at in names.clone().filter(|n| DEBIAN_USERS.iter().any(|(d, _)| *d == n.as_str())) {
        c.add(Problem::new(at.place.clone(), format!("Debian has a user `{}` already", at.value)));
    }
    for at in ids {
        if let Some((name, _)) = DEBIAN_USERS.iter().find(|(_, id)| i64::from(*id) == at.value) {
            let message = format!("{} is the number of Debian's user `{name}`", at.value);
            c.add(Problem::new(at.place.clone(), message).help("people's numbers begin at 1000"));
        }
    }
    let own: Vec<&str> = names.map(|n| n.as_str()).collect();
    let mut users: Vec<User> = list.iter().filter_map(|u| user(u, &own, c)).collect();
    users.sort_by(|a, b| a.name.cmp(&b.name));
    users
}

fn user(raw: &raw::User, own: &[&str], c: &mut Check) -> Option<User> {
    let group = |text: &str| {
        let known = || DEBIAN_GROUPS.iter().chain(own).copied();
        if known().any(|g| g == text) {
            return Ok(text.to_owned());
        }
        let help = near::did_you_mean(text, known());
        Err(Bad {
            message: format!("no group is called `{text}`"),
            help: help
                .or_else(|| Some("a group of Debian's base, or another user's own".to_owned())),
        })
    };
    let path = |c: &mut Check, at: Option<&At<String>>, default: &str| {
        c.one(at, value::image_path).unwrap_or(default.to_owned())
    };
    let name = c.one(raw.name.as_ref(), value::user_name);
    let uid = c.number(raw.uid.as_ref(), value::uid);
    let gid = c.number(raw.gid.as_ref(), value::uid);
    let home = path(c, raw.home.as_ref(), "/nonexistent");
    let shell = path(c, raw.shell.as_ref(), "/usr/sbin/nologin");
    let groups = values(c.list(raw.groups.as_ref(), group));
    let uid = uid?;
    Some(User { name: name?, uid, gid: gid.unwrap_or(uid), home, shell, groups })
}

fn storage(raw: Option<&raw::Storage>, c: &mut Check) -> Storage {
    let empty = raw::Storage::default();
    let raw = raw.unwrap_or(&empty);
    let size = |(least, most): (u64, u64)| {
        move |text: &str| match value::size(text)? {
            bytes if !(least..=most).contains(&bytes) || bytes % BLOCK != 0 => Err(Bad {
                message: format!("this partition can't have {text}"),
                help: Some(format!(
                    "{} to {}, in steps of 4K",
                    value::size_text(least),
                    value::size_text(most)
                )),
            }),
            bytes => Ok(bytes),
        }
    };
    Storage {
        boot: c.one(raw.boot.as_ref(), size(BOOT)).unwrap_or(96 << 20),
        root: c.one(raw.root.as_ref(), size(ROOT)),
        state: c.one(raw.state.as_ref(), size(STATE)).unwrap_or(256 << 20),
        compression: choice(raw.compression.as_ref(), Compression::None),
    }
}
