//! Which wheels run where: the tags of their file names (PEP 425, 600, 656).
//!
//! ```text
//! NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl      each of the three may be several, with dots between
//! ```
//!
//! Pure. A wheel fits if one of its Pythons, one of its interfaces and one of its platforms do together.

use anyhow::{Context, Result, bail, ensure};

/// What runs Python on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Minor version of Python 3; `None`: not known here.
    pub(super) minor: Option<u32>,
    /// Minor version of the C library 2; `None`: not known here.
    pub(super) glibc: Option<u32>,
    /// The processor in the kernel's spelling; `None`: any.
    pub(super) architecture: Option<String>,
}

/// The name of a wheel's file, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// What it is called, as Python's packages compare names: `typing-extensions`.
    pub(super) package: String,
    /// What its own directories begin with: `typing_extensions-4.12.2`.
    pub(super) stem: String,
    pythons: Vec<String>,
    interfaces: Vec<String>,
    platforms: Vec<String>,
}

impl Name {
    /// From a file name.
    pub(super) fn parse(file: &str) -> Result<Self> {
        let plain = file
            .strip_suffix(".whl")
            .context("a wheel is called NAME-VERSION-PYTHON-ABI-PLATFORM.whl")?;
        let parts: Vec<&str> = plain.split('-').collect();
        let (name, version, tags) = match parts.as_slice() {
            [name, version, tags @ ..] if (3..=4).contains(&tags.len()) => (name, version, tags),
            _ => bail!("a wheel is called NAME-VERSION-PYTHON-ABI-PLATFORM.whl"),
        };
        let [.., python, interface, platform] = tags else { bail!("a wheel has three tags") };
        let legal = |c: char| c.is_ascii_alphanumeric() || "._+!".contains(c);
        ensure!(
            parts.iter().all(|part| !part.is_empty() && part.chars().all(legal)),
            "a name of a wheel has letters, digits and `._+!`"
        );
        let list = |tag: &str| tag.split('.').map(str::to_owned).collect();
        Ok(Self {
            package: package(name),
            stem: format!("{name}-{version}"),
            pythons: list(python),
            interfaces: list(interface),
            platforms: list(platform),
        })
    }

    /// Whether it runs there; with the reason, if not.
    pub(super) fn fits(&self, target: &Target) -> Result<(), String> {
        let any = |tags: &[String], fits: &dyn Fn(&str) -> bool| tags.iter().any(|tag| fits(tag));
        let stable = any(&self.interfaces, &|tag| tag == "abi3");
        let own = any(&self.interfaces, &|tag| tag != "abi3" && tag != "none");
        if (own || stable) && target.minor.is_none() {
            return Err("it is for one version of Python, and nothing says which the device has: name a [runtime]".to_owned());
        }
        if !any(&self.pythons, &|tag| python(tag, target.minor, stable)) {
            let is =
                target.minor.map_or("Python 3".to_owned(), |minor| format!("Python 3.{minor}"));
            return Err(format!(
                "it is for {}, and the device has {is}",
                self.pythons.join(" or ")
            ));
        }
        let interface = |tag: &str| {
            tag == "none"
                || tag == "abi3"
                || target.minor.is_some_and(|minor| tag == format!("cp3{minor}"))
        };
        if !any(&self.interfaces, &interface) {
            return Err(format!("it is built for the interface {}", self.interfaces.join(" or ")));
        }
        if !any(&self.platforms, &|tag| platform(tag, target)) {
            let on = target.architecture.as_deref().unwrap_or("any processor");
            let library =
                target.glibc.map(|minor| format!(" with glibc 2.{minor}")).unwrap_or_default();
            return Err(format!(
                "it is for {}, and the bundle is for Linux on {on}{library}",
                self.platforms.join(" or ")
            ));
        }
        Ok(())
    }
}

/// A name as Python's packages compare them (PEP 503).
pub(super) fn package(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if plain.ends_with('-') => {}
            '-' | '_' | '.' => plain.push('-'),
            c => plain.push(c.to_ascii_lowercase()),
        }
    }
    plain
}

/// `py3`, `py313`, `cp313`; one for a stable interface runs on later ones too.
fn python(tag: &str, minor: Option<u32>, stable: bool) -> bool {
    let Some(version) = tag.strip_prefix("py3").or_else(|| tag.strip_prefix("cp3")) else {
        return false;
    };
    if version.is_empty() {
        return true;
    }
    match (version.parse::<u32>(), minor) {
        (Ok(wanted), Some(minor)) if stable || tag.starts_with("py") => wanted <= minor,
        (Ok(wanted), Some(minor)) => wanted == minor,
        _ => false,
    }
}

/// The C libraries that old names of platforms stand for.
const NAMED: &[(&str, u32)] = &[("manylinux1_", 5), ("manylinux2010_", 12), ("manylinux2014_", 17)];

fn platform(tag: &str, target: &Target) -> bool {
    if tag == "any" {
        return true;
    }
    let on = |architecture: &str| target.architecture.as_deref() == Some(architecture);
    let library = |wanted: u32| target.glibc.is_none_or(|have| wanted <= have);
    if let Some(architecture) = tag.strip_prefix("linux_") {
        return on(architecture);
    }
    for (prefix, wanted) in NAMED {
        if let Some(architecture) = tag.strip_prefix(prefix) {
            return on(architecture) && library(*wanted);
        }
    }
    let Some((minor, architecture)) =
        tag.strip_prefix("manylinux_2_").and_then(|rest| rest.split_once('_'))
    else {
        return false;
    };
    on(architecture) && minor.parse().is_ok_and(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(file: &str, target: &Target) -> String {
        Name::parse(file).unwrap().fits(target).err().unwrap_or_default()
    }

    fn trixie() -> Target {
        Target { minor: Some(13), glibc: Some(41), architecture: Some("x86_64".to_owned()) }
    }

    #[test]
    fn what_runs_on_python_3_13_of_debian_fits() {
        for file in [
            "idna-3.10-py3-none-any.whl",
            "six-1.17.0-py2.py3-none-any.whl",
            "x-1-py38-none-any.whl",
            "numpy-2.1.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "cryptography-43.0.0-cp39-abi3-manylinux_2_28_x86_64.whl",
            "x-1-2build-cp313-cp313-linux_x86_64.whl",
            "x-1-cp313-none-manylinux1_x86_64.whl",
        ] {
            assert_eq!(told(file, &trixie()), "", "{file}");
        }
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        for (file, why) in [
            ("x-1-py2-none-any.whl", "it is for py2, and the device has Python 3.13"),
            ("x-1-py314-none-any.whl", "it is for py314, and the device has Python 3.13"),
            ("x-1-cp312-cp312-linux_x86_64.whl", "it is for cp312, and the device has Python 3.13"),
            ("x-1-cp313-cp313t-linux_x86_64.whl", "it is built for the interface cp313t"),
            (
                "x-1-cp313-cp313-musllinux_1_2_x86_64.whl",
                "it is for musllinux_1_2_x86_64, and the bundle is for Linux on x86_64 with glibc 2.41",
            ),
            (
                "x-1-cp313-cp313-manylinux_2_42_x86_64.whl",
                "it is for manylinux_2_42_x86_64, and the bundle is for Linux on x86_64 with glibc 2.41",
            ),
            (
                "x-1-cp313-cp313-manylinux_2_17_aarch64.whl",
                "it is for manylinux_2_17_aarch64, and the bundle is for Linux on x86_64 with glibc 2.41",
            ),
            (
                "x-1-cp313-cp313-win_amd64.whl",
                "it is for win_amd64, and the bundle is for Linux on x86_64 with glibc 2.41",
            ),
        ] {
            assert_eq!(told(file, &trixie()), why, "{file}");
        }
    }

    #[test]
    fn without_a_known_python_only_what_runs_on_all_fits() {
        let unknown = Target { minor: None, glibc: None, architecture: None };
        assert_eq!(told("x-1-py3-none-any.whl", &unknown), "");
        assert!(told("x-1-cp313-cp313-linux_x86_64.whl", &unknown).contains("name a [runtime]"));
        assert!(told("x-1-py3-none-linux_x86_64.whl", &unknown).contains("Linux on any processor"));
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for file in [
            "x.whl",
            "x-1.tar.gz",
            "x-1-py3-none.whl",
            "x-1-a-b-c-d-e.whl",
            "../x-1-py3-none-any.whl",
            "x--py3-none-any.whl",
        ] {
            assert!(Name::parse(file).is_err(), "{file}");
        }
        assert_eq!(
            Name::parse("Typing_Extensions-4.12.2-py3-none-any.whl").unwrap().package,
            "typing-extensions"
        );
        assert_eq!(package("a.-_b"), "a-b");
    }
}
