//! Paths on the build host as plain text: joined and shortened without looking at a disk.

/// The directory of a path; empty for a bare name.
pub(crate) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
        None => "",
    }
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The last part of a path, without `.toml`.
pub(crate) fn stem(path: &str) -> &str {
    let name = file_name(path);
    name.strip_suffix(".toml").unwrap_or(name)
}

/// `path` as seen from the directory `base`, in its shortest form.
pub(crate) fn join(base: &str, path: &str) -> String {
    let joined = if path.starts_with('/') || base.is_empty() {
        path.to_owned()
    } else {
        format!("{base}/{path}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/').filter(|p| !matches!(*p, "" | ".")) {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            ("..", None) if joined.starts_with('/') => {}
            _ => parts.push(part),
        }
    }
    let short = parts.join("/");
    match (joined.starts_with('/'), short.is_empty()) {
        (true, _) => format!("/{short}"),
        (false, true) => ".".to_owned(),
        (false, false) => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_shortens() {
        assert_eq!(join("configs/devices", "../services/a.toml"), "configs/services/a.toml");
        assert_eq!(join("", "tv.toml"), "tv.toml");
        assert_eq!(join("/a", "/b/./c"), "/b/c");
        assert_eq!(join("a", "../../b"), "../b");
        assert_eq!(join("/", "../x"), "/x");
        assert_eq!(join("a", ".."), ".");
        assert_eq!(stem("configs/devices/tv.toml"), "tv");
        assert_eq!((parent("/x"), parent("x"), parent("a/x")), ("/", "", "a"));
    }
}
