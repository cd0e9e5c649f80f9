//! Stories about what comes along with a package.

use super::super::Archive;
use super::super::index::{Index, List};
use super::{Problem, closure};

/// Lines of `name version; Field: value; …`.
fn lists(text: &str) -> [List; 1] {
    let sum = "0".repeat(64);
    let stanza = |line: &str| {
        let mut parts = line.split(';').map(str::trim);
        let (name, version) = parts.next().unwrap().split_once(' ').unwrap();
        let fields: String = parts.map(|field| format!("{field}\n")).collect();
        format!(
            "Package: {name}\nVersion: {version}\nFilename: pool/x.deb\nSize: 1\nSHA256: {sum}\n{fields}"
        )
    };
    let text = text.lines().filter(|l| !l.trim().is_empty()).map(|l| stanza(l.trim()));
    [List { archive: Archive::Debian, text: text.collect::<Vec<_>>().join("\n") }]
}

fn chosen(text: &str, asked: &[&str]) -> Result<Vec<String>, Vec<String>> {
    let lists = lists(text);
    let index = Index::new(&lists);
    let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
    match closure(&index, &asked) {
        Ok(entries) => Ok(entries.iter().map(|e| e.name.to_owned()).collect()),
        Err(problems) => Err(problems.iter().map(Problem::to_string).collect()),
    }
}

fn names(all: &[&str]) -> Result<Vec<String>, Vec<String>> {
    Ok(all.iter().map(ToString::to_string).collect())
}

fn problems(all: &[&str]) -> Result<Vec<String>, Vec<String>> {
    Err(all.iter().map(ToString::to_string).collect())
}

#[test]
fn what_a_package_needs_comes_along_and_nothing_else() {
    let suite = "
        app 1; Depends: lib (>= 2), data; Pre-Depends: loader
        lib 2.1; Depends: loader
        loader 1
        data 1; Depends: app
        bash 5; Essential: yes
        other 1";
    assert_eq!(chosen(suite, &["app"]), names(&["app", "data", "lib", "loader"]));
}

#[test]
fn the_first_alternative_is_taken_unless_another_is_there_already() {
    let suite = "
        mail 1; Depends: exim | postfix
        exim 1
        postfix 1";
    assert_eq!(chosen(suite, &["mail"]), names(&["exim", "mail"]));
    assert_eq!(chosen(suite, &["mail", "postfix"]), names(&["mail", "postfix"]));
}

#[test]
fn an_alternative_that_is_too_old_is_passed_over() {
    let suite = "
        app 1; Depends: old (>= 2) | new (>= 2)
        old 1
        new 2";
    assert_eq!(chosen(suite, &["app"]), names(&["app", "new"]));
}

#[test]
fn a_versioned_need_takes_a_versioned_provider_only() {
    let suite = "
        app 1; Depends: abi (= 3)
        plain 1; Provides: abi
        exact 1; Provides: abi (= 3)";
    assert_eq!(chosen(suite, &["app"]), names(&["app", "exact"]));
}

#[test]
fn helpers_of_maintainer_scripts_stay_out_unless_asked_for() {
    let suite = "
        certs 1; Depends: debconf (>= 0.5) | debconf-2.0, adduser
        ca-certificates 1; Depends: openssl
        web 1; Depends: openssl
        openssl 3
        debconf 1; Depends: perl-base
        perl-base 5
        adduser 3";
    assert_eq!(chosen(suite, &["certs", "ca-certificates"]), names(&["ca-certificates", "certs"]));
    assert_eq!(chosen(suite, &["web"]), names(&["openssl", "web"]));
    assert_eq!(chosen(suite, &["certs", "adduser"]), names(&["adduser", "certs"]));
}

#[test]
fn all_problems_are_told_at_once() {
    let suite = "
        app 1; Depends: lib (>= 3), ghost | spirit
        lib 2
        busybox 1; Conflicts: busybox-static
        busybox-static 1
        chrony 1; Provides: time-daemon; Conflicts: time-daemon
        ntpsec 1; Provides: time-daemon
        strange 1; Depends: a b";
    let asked = [
        "app",
        "busibox",
        "time-daemon",
        "busybox",
        "busybox-static",
        "chrony",
        "ntpsec",
        "strange",
    ];
    assert_eq!(
        chosen(suite, &asked),
        problems(&[
            "no package `busibox`: did you mean busybox?",
            "no package `time-daemon`: did you mean chrony or ntpsec?",
            "`app` needs `lib (>= 3)`, and the suite has lib 2",
            "`app` needs `ghost | spirit`, which nothing in the suite provides",
            "`strange` has a dependency that cannot be read: `a b`",
            "`busybox` conflicts with `busybox-static`",
            "`chrony` conflicts with `time-daemon`, which `ntpsec` is",
        ])
    );
}

#[test]
fn breaks_counts_only_in_the_versions_it_names() {
    let suite = "
        new 2; Breaks: tool (<< 2)
        tool 2";
    assert_eq!(chosen(suite, &["new", "tool"]), names(&["new", "tool"]));
    let suite = suite.replace("tool 2", "tool 1.9");
    assert_eq!(
        chosen(&suite, &["new", "tool"]),
        problems(&["`new` breaks `tool (<< 2)`, which `tool` is"])
    );
}
