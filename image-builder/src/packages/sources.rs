//! Which mirrors the host's own apt uses for Debian, read from its sources. Pure.
//!
//! Both forms of `sources.list(5)` are read: one line per source, and deb822 paragraphs. An entry is
//! Debian's when a suite of it is one of Debian's, its components have `main`, and its keyring, if
//! one is named, is Debian's. Only the URL is taken; the device names the suite.

use std::path::PathBuf;

use super::Archive;

/// Where Debian's keys are when a source does not say.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Names of Debian's suites, and code names that hosts of these years have.
pub const SUITES: &[&str] = &[
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "unstable",
    "sid",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
];

/// One mirror of one archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// What it has.
    pub archive: Archive,
    /// Its URL, without a final `/`.
    pub url: String,
    /// The keys that sign it.
    pub keyring: PathBuf,
}

/// One entry of a host's sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Source {
    urls: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    signed_by: Option<String>,
}

/// The mirror of each archive that these files name: (file name, text). At most one per archive;
/// where several fit, one that names Debian's keyring, then the first.
#[must_use]
pub fn mirrors(files: &[(String, String)]) -> Vec<Mirror> {
    let mut found: Vec<(bool, Mirror)> = Vec::new();
    for (name, text) in files {
        let sources = if name.ends_with(".sources") { deb822(text) } else { one_line(text) };
        found.extend(sources.iter().filter_map(mirror));
    }
    let best = |archive| {
        let of_archive = || found.iter().filter(|(_, m)| m.archive == archive);
        of_archive().find(|(sure, _)| *sure).or_else(|| of_archive().next()).map(|(_, m)| m.clone())
    };
    [Archive::Debian, Archive::Security].into_iter().filter_map(best).collect()
}

/// The mirrors below one URL that a device names: `…/debian` has `…/debian-security` beside it.
#[must_use]
pub fn mirrors_of(url: &str, keyring: PathBuf) -> Vec<Mirror> {
    let url = url.trim_end_matches('/').to_owned();
    let security = format!("{url}-security");
    vec![
        Mirror { archive: Archive::Debian, url, keyring: keyring.clone() },
        Mirror { archive: Archive::Security, url: security, keyring },
    ]
}

/// The mirror of an entry, and whether it names Debian's keyring.
fn mirror(source: &Source) -> Option<(bool, Mirror)> {
    let archive = source.suites.iter().find_map(|suite| archive_of(suite))?;
    let main = source.components.iter().any(|c| c == "main" || c == "updates/main");
    let url = source.urls.iter().find(|u| fetchable(u)).filter(|_| main)?;
    let named = source.signed_by.as_deref();
    if named.is_some_and(|key| !key.contains("debian-archive")) {
        return None;
    }
    let keyring = PathBuf::from(named.filter(|key| key.starts_with('/')).unwrap_or(KEYRING));
    Some((named.is_some(), Mirror { archive, url: url.trim_end_matches('/').to_owned(), keyring }))
}

fn archive_of(suite: &str) -> Option<Archive> {
    let suite = suite.trim_end_matches('/');
    let base = suite.split(['-', '/']).next()?;
    let rest = suite.get(base.len()..)?;
    if !SUITES.contains(&base) {
        return None;
    }
    match rest {
        "" | "-updates" => Some(Archive::Debian),
        "-security" | "/updates" => Some(Archive::Security),
        _ => None,
    }
}

/// Whether apt's helper can fetch single files from it.
fn fetchable(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|s| matches!(s, "http" | "https" | "ftp")) || url.starts_with("file:/")
}

/// `deb [signed-by=KEY] URL SUITE COMPONENT…`
fn one_line(text: &str) -> Vec<Source> {
    text.lines().filter_map(|line| one_source(line.split('#').next()?.trim())).collect()
}

fn one_source(line: &str) -> Option<Source> {
    let rest = line.strip_prefix("deb")?;
    let rest = rest
        .strip_prefix(char::is_whitespace)
        .or_else(|| rest.starts_with('[').then_some(rest))?
        .trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options.split_whitespace().find_map(|o| o.strip_prefix("signed-by="));
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        urls: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        signed_by: signed_by.map(str::to_owned),
    })
}

/// Paragraphs of `Key: value`, values going on in lines that begin with a space.
fn deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for paragraph in text.split("\n\n") {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in paragraph.lines().filter(|l| !l.starts_with('#')) {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((key, value)) = line.split_once(':') {
                fields.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let get = |key: &str| fields.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        let words = |key: &str| -> Vec<String> {
            get(key).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        let off = get("enabled")
            .is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "no" | "false" | "0"));
        if !off && words("types").iter().any(|t| t == "deb") {
            sources.push(Source {
                urls: words("uris"),
                suites: words("suites"),
                components: words("components"),
                signed_by: get("signed-by").filter(|v| !v.is_empty()).map(str::to_owned),
            });
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::{Mirror, mirrors, mirrors_of};
    use proptest::prelude::*;

    fn shown(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        mirrors(&files).iter().map(line).collect()
    }

    fn line(m: &Mirror) -> String {
        format!("{:?} {} {}", m.archive, m.url, m.keyring.display())
    }

    #[test]
    fn deb822_sources_give_the_urls_of_debian_only() {
        let debian = "\
Types: deb
# http://snapshot.example/20250520
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main contrib
 non-free-firmware
Signed-By: /etc/keys/debian-archive-local.gpg
";
        let other = "Types: deb\nURIs: https://pkg.example/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k/other.gpg\n";
        assert_eq!(
            shown(&[("a.sources", other), ("debian.sources", debian)]),
            [
                "Debian http://mirror.example/debian /usr/share/keyrings/debian-archive-keyring.gpg",
                "Security http://mirror.example/debian-security /etc/keys/debian-archive-local.gpg",
            ]
        );
    }

    #[test]
    fn one_line_sources_are_read_with_and_without_options() {
        let text = "\
# deb http://commented.example/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
deb-src http://a.example/debian bookworm main
deb https://cloud.example/apt cloud-sdk-bookworm main
deb https://docker.example/linux/debian bookworm stable
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://a.example/debian/ stable main # mine
deb http://b.example/debian-security bullseye/updates main
";
        assert_eq!(
            shown(&[("sources.list", text)]),
            [
                "Debian https://a.example/debian /usr/share/keyrings/debian-archive-keyring.gpg",
                "Security http://b.example/debian-security /usr/share/keyrings/debian-archive-keyring.gpg",
            ]
        );
    }

    #[test]
    fn a_source_that_names_debians_keyring_is_surer_than_one_that_names_none() {
        let text = "\
deb http://tools.example bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian bookworm main";
        assert_eq!(
            shown(&[("sources.list", text)]),
            ["Debian http://a.example/debian /usr/share/keyrings/debian-archive-keyring.gpg"]
        );
    }

    #[test]
    fn a_disabled_source_and_another_distribution_are_no_mirror() {
        let off = "Types: deb\nEnabled: no\nURIs: http://a.example/debian\nSuites: trixie\nComponents: main\n";
        let ubuntu = "deb http://archive.example/ubuntu noble main universe";
        assert!(shown(&[("a.sources", off), ("sources.list", ubuntu)]).is_empty());
    }

    #[test]
    fn a_mirror_of_the_device_has_security_beside_it() {
        let urls: Vec<_> = mirrors_of("http://m.example/debian/", "/k".into())
            .into_iter()
            .map(|m| m.url)
            .collect();
        assert_eq!(urls, ["http://m.example/debian", "http://m.example/debian-security"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "(deb |[\\[\\]:a-z \n#]){0,40}") {
            let _ = mirrors(&[("a.list".into(), text.clone()), ("b.sources".into(), text)]);
        }
    }
}
