//! `[source]` of bundles.

use insta::assert_snapshot;

use super::super::*;
use super::{NOTES, loaded, told};

fn with(source: &str) -> String {
    format!("{NOTES}\n[source]\n{source}")
}

/// The same for files that lie as in a root directory.
fn root(source: &str) -> String {
    format!("layout = \"root\"\n{}", with(source))
}

#[test]
fn a_source_is_a_directory_or_one_program() {
    let directory = loaded(&with("path = \"../other\"\nexclude = [\"*.orig\", \"docs/\"]")).source;
    assert_eq!(directory.origin, Origin::Directory("apps/other".to_owned()));
    assert_eq!(directory.exclude, ["*.orig", "docs"]);
    let binary =
        loaded(&with("kind = \"binary\"\npath = \"/opt/notes\"\nfiles = \"pictures\"")).source;
    assert_eq!(binary.origin, Origin::Binary("/opt/notes".to_owned()));
    assert_eq!(binary.files.as_deref(), Some("apps/notes/pictures"));
    assert_snapshot!(told(&with("kind = \"binray\"")), @r"38:8 `binray` is no kind of source (did you mean `binary`?)");
    assert_snapshot!(told(&with("kind = \"binary\"\nexclude = [\"x\", \"../y\"]")), @r#"
    38:8 the path of the program is missing (path = "target/release/notes")
    39:12 `exclude` says nothing about a source of kind "binary" (it is for "directory", "debian", "oci", "python", "node")
    39:17 `../y` leaves nothing out (a name, like "*.orig", or a path from the top, like "docs/old")
    "#);
}

#[test]
fn packages_images_wheels_and_crates_are_sources() {
    let debian =
        loaded(&root("kind = \"debian\"\npackages = [\"hello\", \"jq\"]\nfiles = \"over\"")).source;
    let names = ["hello", "jq"].map(str::to_owned).to_vec();
    assert_eq!(
        debian.origin,
        Origin::Debian(Packages { names, suite: "trixie".to_owned(), mirror: None })
    );
    assert_eq!(
        (debian.directory.as_str(), debian.files.as_deref()),
        ("apps/notes", Some("apps/notes/over"))
    );
    let oci = loaded(&root("kind = \"oci\"\narchive = \"image.tar\"")).source;
    assert_eq!(oci.origin, Origin::Oci("apps/notes/image.tar".to_owned()));
    let python = loaded(&with("kind = \"python\"\nwheels = [\"../wheels/*.whl\"]")).source;
    let wheels = vec!["apps/wheels/*.whl".to_owned()];
    assert_eq!(python.origin, Origin::Python { path: "apps/notes".to_owned(), wheels });
    let node = loaded(&with("kind = \"node\"")).source;
    assert_eq!(node.origin, Origin::Node("apps/notes".to_owned()));
    let Origin::Cargo(clock) =
        loaded(&with("kind = \"cargo\"\npath = \"../..\"\npackage = \"clock\"")).source.origin
    else {
        panic!("another origin");
    };
    assert_eq!(
        (clock.path.as_str(), clock.package.as_str(), clock.profile.as_str()),
        (".", "clock", "release")
    );
}

#[test]
fn what_is_missing_and_what_is_for_another_kind_is_told() {
    assert_snapshot!(told(&with("kind = \"debian\"")), @r#"
    38:8 files of kind "debian" lie as those of a whole system (layout = "root" at the top, beside the id)
    38:8 the list of packages is missing (packages = ["python3"])
    "#);
    assert_snapshot!(told(&root("kind = \"oci\"\npackages = [\"hello\"]\nwheels = [\"x\"]")), @r#"
    39:8 the image is missing (archive = "image.tar", which `podman save` writes)
    40:13 `packages` says nothing about a source of kind "oci" (it is for "debian")
    41:11 `wheels` says nothing about a source of kind "oci" (it is for "python")
    "#);
    assert_snapshot!(told(&root("kind = \"debian\"\npackages = [\"Hello\"]\nsuite = \"!\"\nruntime = \"x\"")), @r#"
    40:13 `Hello` is not the name of a Debian package (a-z, 0-9, `+`, `.` and `-`; versions are in the lock file)
    41:9 `!` is not a Debian suite (a code name like "trixie")
    42:11 nothing says which bundle lies below ([runtime] with its id: bundle = "org.example.python")
    "#);
    assert_snapshot!(told(&with("kind = \"cargo\"\nprofile = \"--all\"\nfiles = \"\"")), @r#"
    38:8 the package is missing (package = "clock")
    39:11 `--all` is not a name of cargo (letters, digits, - and _)
    40:9 this is not a path (the path of a file or directory, from this TOML)
    "#);
    let many = format!("kind = \"python\"\nwheels = [{}]", "\"x\",".repeat(MAX_EXCLUDED + 1));
    assert_snapshot!(told(&with(&many)), @r"39:267 more than 64 wheels");
}
