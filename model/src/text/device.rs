//! Devices: from merged layers to [`Device`].

use std::collections::BTreeSet;

use super::check::{Check, choice, values};
use super::decode::At;
use super::files::{self, Host};
use super::report::{Place, Problem};
use super::service::{one_service, template};
use super::value::{self, Bad};
use super::{Names, apps, parameters, raw, sandbox, units, users};
use crate::Name;
use crate::device::{
    Compression, Debug, Device, FormFactor, KERNEL_HEADLESS, KERNEL_SCREEN, Kernel, KernelSource,
    Packages, SUITE, Screen, Shape, Storage, Target,
};
use crate::sandbox::{Feature, OF_CONTAINERS};

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
    pub(crate) templates: Vec<At<Name>>,
    pub(crate) packages: Names,
    pub(crate) modules: Names,
    pub(crate) files: Names,
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
    if release {
        files::fit_for_release(raw.file.as_ref(), c);
    }
    let mut enabled = services(raw, debug, c);
    enabled.extend(of_apps(raw, &enabled));
    let (packages, mut wanted) = packages(raw.packages.as_ref(), c);
    let kernel = kernel(raw.kernel.as_ref(), screen.is_some(), cx, c);
    if let KernelSource::Package(package) = &kernel.source {
        let at = raw.kernel.as_ref().and_then(|k| k.package.as_ref());
        let place = at.map_or(&cx.place, |at| &at.place).clone();
        wanted.push(At { value: package.clone(), place });
    }
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
        kernel,
        packages,
        services: enabled
            .iter()
            .map(|at| at.value.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        parameters: parameters::check(raw.parameters.as_ref(), c),
        files: files::check(raw.file.as_ref(), cx.host, c),
        users: users::check(raw.user.as_ref(), c),
        storage: storage(raw.storage.as_ref(), c),
        screen,
        input: input(raw),
        debug,
        optional: optional(raw.sandbox.as_ref(), target, c),
    };
    let modules = raw.kernel.as_ref().and_then(|k| k.modules.clone()).unwrap_or_default();
    let files = raw.file.iter().flatten().filter_map(|file| file.path.clone()).collect();
    let templates = raw.services.as_ref().and_then(|s| s.templates.as_ref());
    let templates = c.list(templates, template);
    Written { device, enabled, templates, packages: wanted, modules, files }
}

/// The services that its apps and stores bring.
fn of_apps(raw: &raw::Device, enabled: &[At<Name>]) -> Vec<At<Name>> {
    let brought = [
        (apps::ABILITY_MANAGER, apps::begins(raw)),
        (crate::store::SERVICE, apps::begin_stores(raw)),
    ];
    let off = raw.services.as_ref().and_then(|s| s.disable.as_ref());
    let service = |(name, place): (&str, Option<&Place>)| {
        let (value, place) = (Name::try_from(name).ok()?, place?.clone());
        let off = off.is_some_and(|list| list.iter().any(|at| at.as_str() == name));
        (!off && enabled.iter().all(|at| at.value != value)).then_some(At { value, place })
    };
    brought.into_iter().filter_map(service).collect()
}

/// What its kernel may lack.
fn optional(raw: Option<&raw::Tolerated>, target: Target, c: &mut Check) -> Vec<Feature> {
    let list = raw.and_then(|raw| raw.optional.as_ref());
    let mut all = sandbox::features(list, c);
    if target == Target::Container && list.is_none() {
        all.extend(OF_CONTAINERS);
    }
    all
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
    let mut enabled = c.list(listed.and_then(|s| s.enable.as_ref()), one_service);
    let disabled = c.list(listed.and_then(|s| s.disable.as_ref()), one_service);
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
        source = KernelSource::Path(files::beside(at, cx.host, c));
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

fn storage(raw: Option<&raw::Storage>, c: &mut Check) -> Storage {
    let empty = raw::Storage::default();
    let raw = raw.unwrap_or(&empty);
    let size = |(least, most): (u64, u64)| {
        move |text: &str| match units::size(text)? {
            bytes if !(least..=most).contains(&bytes) || bytes % BLOCK != 0 => Err(Bad {
                message: format!("this partition can't have {text}"),
                help: Some(format!(
                    "{} to {}, in steps of 4K",
                    units::size_text(least),
                    units::size_text(most)
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
