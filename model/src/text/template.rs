//! What `ens new` writes: a commented TOML to start from.
//!
//! `schema` is the way from the new file to the directory of the schemas, like `../schema`.

use std::fmt::Write as _;

/// A device called `name` that inherits `from`.
#[must_use]
pub fn template_device(name: &str, from: &str, schema: &str) -> String {
    let text = include_str!("template/device.toml").replace("SCHEMA", schema);
    text.replace("NAME", name).replace("FROM", from)
}

/// A service called `name`.
#[must_use]
pub fn template_service(name: &str, schema: &str) -> String {
    include_str!("template/service.toml").replace("SCHEMA", schema).replace("NAME", name)
}

/// A profile called `name`.
#[must_use]
pub fn template_sandbox(name: &str, schema: &str) -> String {
    include_str!("template/sandbox.toml").replace("SCHEMA", schema).replace("NAME", name)
}

/// A permission called `name`.
#[must_use]
pub fn template_permission(name: &str, schema: &str) -> String {
    include_str!("template/permission.toml").replace("SCHEMA", schema).replace("NAME", name)
}

/// A case about the service called `name`.
#[must_use]
pub fn template_case(name: &str, schema: &str) -> String {
    include_str!("template/case.toml").replace("SCHEMA", schema).replace("NAME", name)
}

/// What a new bundle begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleOf<'a> {
    /// A script for the device's shell, called `NAME.sh`.
    Shell,
    /// A script for the device's Python, called `NAME.py`.
    Python,
    /// A program of the host, by its path from the new TOML, and its file name.
    Binary(&'a str, &'a str),
    /// Packages of Debian; the first is what is started.
    Debian(&'a [String]),
    /// The same, for others to lie upon.
    Runtime(&'a [String]),
    /// The image of a container.
    Oci(&'a ImageOf),
    /// A script for Node, called `NAME.js`.
    Node,
    /// A package of cargo that is called as the bundle.
    Cargo,
}

/// What an image says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageOf {
    /// Its path from the new TOML.
    pub archive: String,
    /// The processor, in the kernel's spelling.
    pub processor: String,
    /// Program and arguments.
    pub exec: Vec<String>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// Others connect to it.
    pub serves: bool,
}

/// Parts of a new bundle that differ.
#[derive(Default)]
struct Parts {
    layout: String,
    requires: String,
    permission: String,
    ability: String,
    source: String,
}

/// The processor of what has to be for one.
const X86_64: &str = "architectures = [\"x86_64\"]         # what its programs were built for";

/// Where most bundles that are scripts are.
const HERE: &str = "# path = \".\"";

/// A bundle with one page, called `name`.
#[must_use]
pub fn template_bundle(of: BundleOf<'_>, id: &str, name: &str, schema: &str) -> String {
    let parts = parts(of, name);
    let text = include_str!("template/bundle.toml").replace("@SCHEMA@", schema);
    let text = text.replace("@LAYOUT@", &parts.layout).replace("@REQUIRES@", &parts.requires);
    let text = text.replace("@PERMISSION@", &parts.permission);
    let text = text.replace("@ABILITY@", &parts.ability).replace("@SOURCE@", &parts.source);
    let mut label = name.to_owned();
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.replace("@LABEL@", &label).replace("@ID@", id)
}

fn parts(of: BundleOf<'_>, name: &str) -> Parts {
    let interpreted = |program: &str, ending: &str, source: &str| Parts {
        requires: format!("files = [{}]      # what a device must have", quoted(program)),
        ability: ability(&[program.to_owned(), format!("{name}.{ending}")], ""),
        source: source.to_owned(),
        ..Parts::default()
    };
    let of_root = "layout = \"root\"                    # its files are a system of their own, seen in place of the device's\n";
    let packages = |names: &[String]| format!("kind = \"debian\"\npackages = {}", list(names));
    match of {
        BundleOf::Shell => interpreted("/bin/sh", "sh", HERE),
        BundleOf::Python => interpreted("/usr/bin/python3", "py", PYTHON),
        BundleOf::Node => {
            let exec = ["/usr/bin/node".to_owned(), format!("{name}.js")];
            let ability = ability(&exec, "write-execute = true               # Node compiles while it runs\n");
            Parts { ability, ..interpreted("/usr/bin/node", "js", "kind = \"node\"                      # with package-lock.json, and node_modules of `npm ci`") }
        }
        BundleOf::Binary(path, file) => Parts {
            requires: X86_64.to_owned(),
            ability: ability(&[file.to_owned()], ""),
            source: format!("kind = \"binary\"\npath = {}", quoted(path)),
            ..Parts::default()
        },
        BundleOf::Cargo => Parts {
            requires: X86_64.to_owned(),
            ability: ability(&[name.to_owned()], ""),
            source: format!("kind = \"cargo\"\npackage = \"{name}\""),
            ..Parts::default()
        },
        BundleOf::Debian(names) => {
            let program = names.first().map(|name| format!("/usr/bin/{name}"));
            Parts {
                layout: of_root.to_owned(),
                requires: X86_64.to_owned(),
                ability: ability(&program.into_iter().collect::<Vec<_>>(), ""),
                source: packages(names),
                ..Parts::default()
            }
        }
        BundleOf::Runtime(names) => Parts {
            layout: "kind = \"runtime\"                   # apps lie upon it: [runtime] bundle = \"@ID@\"\n".to_owned(),
            requires: X86_64.to_owned(),
            source: packages(names),
            ..Parts::default()
        },
        BundleOf::Oci(image) => Parts { layout: of_root.to_owned(), ..of_image(image) },
    }
}

/// What may be added to a bundle in Python.
const PYTHON: &str = "kind = \"python\"
# wheels = [\"wheels/*.whl\"]        # pip download --only-binary=:all: --dest wheels NAME";

fn of_image(image: &ImageOf) -> Parts {
    let mut more = String::new();
    for (name, value) in &image.environment {
        // Writing into a String cannot fail.
        let _ = writeln!(more, "{name} = {}", quoted(value));
    }
    if !more.is_empty() {
        more = format!("\n[ability.environment]\n{more}");
    }
    let permission = if image.serves {
        "[[permission]]                     # its image says that others connect to it\nname = \"network-server\"\n\
         reason = \"To answer others on the network\"\n\n"
    } else {
        ""
    };
    Parts {
        requires: format!(
            "architectures = [{}]         # what the image is for",
            quoted(&image.processor)
        ),
        permission: permission.to_owned(),
        ability: ability(&image.exec, &more),
        source: format!("kind = \"oci\"\narchive = {}", quoted(&image.archive)),
        ..Parts::default()
    }
}

fn ability(exec: &[String], more: &str) -> String {
    format!(include_str!("template/ability.toml"), exec = list(exec), more = more)
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// A text of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
