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
