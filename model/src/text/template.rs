//! What `ens new` writes: a commented TOML to start from.
//!
//! `schema` is the way from the new file to the directory of the schemas, like `../schema`.

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
}

/// A bundle with one page, called `name`.
#[must_use]
pub fn template_bundle(of: BundleOf<'_>, id: &str, name: &str, schema: &str) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let interpreted = |program: &str, ending: &str| {
        let requires = format!("files = [\"{program}\"]      # what a device must have");
        (requires, format!("\"{program}\", \"{name}.{ending}\""), "# path = \".\"".to_owned())
    };
    let (requires, exec, source) = match of {
        BundleOf::Shell => interpreted("/bin/sh", "sh"),
        BundleOf::Python => interpreted("/usr/bin/python3", "py"),
        BundleOf::Binary(path, file) => (
            "architectures = [\"x86_64\"]         # what the program was built for".to_owned(),
            format!("\"{}\"", quoted(file)),
            format!("kind = \"binary\"\npath = \"{}\"", quoted(path)),
        ),
    };
    let text = include_str!("template/bundle.toml").replace("@SCHEMA@", schema);
    let text = text.replace("@REQUIRES@", &requires).replace("@EXEC@", &exec);
    let text = text.replace("@SOURCE@", &source);
    let mut label = name.to_owned();
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.replace("@LABEL@", &label).replace("@ID@", id)
}
