//! The list that the image builder leaves for stage-0: one `module PATH` a line, in load order.

use std::path::PathBuf;

/// The modules, and the lines that are none. `#` begins a comment.
#[must_use]
pub fn parse(text: &str) -> (Vec<PathBuf>, Vec<&str>) {
    let mut modules = Vec::new();
    let mut odd = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        match line.split_once(' ') {
            Some(("module", path)) => modules.push(PathBuf::from(path.trim_start())),
            _ => odd.push(line),
        }
    }
    (modules, odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_keep_their_order_and_odd_lines_are_told() {
        let text =
            "# virtio\nmodule lib/modules/6/a.ko.xz\n\nmodule  lib/b.ko\nmodules c\nmodule\n";
        let (modules, odd) = parse(text);
        assert_eq!(modules, ["lib/modules/6/a.ko.xz", "lib/b.ko"].map(PathBuf::from));
        assert_eq!(odd, ["modules c", "module"]);
    }
}
