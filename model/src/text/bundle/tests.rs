//! Bundles as people write them, and as devices read them.

mod any;
mod layers;
mod origin;

use std::io;

use insta::assert_snapshot;

use super::*;
use crate::text::{BundleOf, ImageOf, check_file, template_bundle};

/// An app with something of everything.
const NOTES: &str = r#"
id = "org.example.notes"
version = "1.2.0"
name = "Notes"
names = { de = "Notizen" }
about = "Keeps what you write down"
icon = "notes.svg"

[requires]
api = 1
files = ["/usr/bin/python3"]

[[permission]]
name = "web"
reason = "To fetch pictures"

[[permission]]
name = "camera"
reason = "To take pictures"
reasons = { de = "Um Bilder zu machen" }

[[ability]]
name = "main"
exec = ["/usr/bin/python3", "notes.py"]
lifecycle = "bus"
exported = true

[[ability.skill]]
actions = ["view", "edit"]
[[ability.skill.uri]]
type = "text/*"
[[ability.skill.uri]]
scheme = "https"
host = "notes.example.org"
path-starts-with = "/n/"
"#;

/// A bundle in `apps/notes`, and permissions beside `apps`.
struct Files(String);

impl Files {
    fn all(&self) -> [(&str, &str); 4] {
        [
            ("apps/notes/bundle.toml", &self.0),
            (
                "permissions/camera.toml",
                "version = 1\nabout = \"see\"\n[files]\ndevices = [\"video*\"]\n",
            ),
            (
                "permissions/web.toml",
                "version = 1\nabout = \"ask\"\ngrant = \"system\"\n[network]\naccess = \"host\"\n",
            ),
            (
                "permissions/radio.toml",
                "version = 1\nabout = \"send\"\nlevel = \"system-basic\"\n[files]\ndevices = [\"rf\"]\n",
            ),
        ]
    }
}

impl crate::text::Source for Files {
    fn read(&self, path: &str) -> io::Result<String> {
        let found = self.all().into_iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let all = self.all();
        let names =
            all.iter().filter_map(|(path, _)| path.strip_prefix(directory)?.strip_prefix('/'));
        Ok(names.map(str::to_owned).collect())
    }

    fn is_file(&self, path: &str) -> bool {
        self.read(path).is_ok()
    }
}

fn report(text: &str) -> String {
    check_file(&Files(text.to_owned()), "apps/notes/bundle.toml").1.render(false)
}

/// What is wrong: line, column, message, help.
fn told(text: &str) -> String {
    let (_, report) = check_file(&Files(text.to_owned()), "apps/notes/bundle.toml");
    let line = |f: &crate::text::Finding| {
        let help = f.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}:{} {}{help}", f.line, f.column, f.message)
    };
    report.findings().iter().map(line).collect::<Vec<_>>().join("\n")
}

fn loaded(text: &str) -> Loaded {
    load(&Files(text.to_owned()), "apps/notes/bundle.toml").unwrap()
}

#[test]
fn a_bundle_is_read_with_its_permissions_sorted() {
    let Loaded { manifest, source, warnings } = loaded(NOTES);
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(manifest.name.of("de_AT.UTF-8"), "Notizen");
    let names: Vec<_> = manifest.permissions.iter().map(|p| p.permission.as_str()).collect();
    assert_eq!(names, ["camera", "web"]);
    assert_eq!(manifest.abilities[0].skills[0].uris.len(), 2);
    assert_eq!(source.origin, Origin::Directory("apps/notes".to_owned()));
}

#[test]
fn what_is_in_a_bundle_has_one_text_without_what_is_for_the_builder() {
    let text = format!("{NOTES}\n[source]\npath = \"app\"\n");
    let manifest = loaded(&text).manifest;
    let canonical = write(&manifest);
    assert_snapshot!(canonical, @r#"
    id = "org.example.notes"
    version = "1.2.0"
    name = "Notes"
    names = { de = "Notizen" }
    about = "Keeps what you write down"
    icon = "notes.svg"

    [requires]
    api = 1
    files = ["/usr/bin/python3"]

    [[permission]]
    name = "camera"
    reason = "To take pictures"
    reasons = { de = "Um Bilder zu machen" }

    [[permission]]
    name = "web"
    reason = "To fetch pictures"

    [[ability]]
    name = "main"
    exec = ["/usr/bin/python3", "notes.py"]
    lifecycle = "bus"
    exported = true

    [[ability.skill]]
    actions = ["view", "edit"]

    [[ability.skill.uri]]
    type = "text/*"

    [[ability.skill.uri]]
    scheme = "https"
    host = "notes.example.org"
    path-starts-with = "/n/"
    "#);
    assert_eq!(parse("notes", &canonical).unwrap(), manifest);
    let refused = parse("notes", &text).unwrap_err().render(false);
    assert_snapshot!(refused, @r"
    error: no [source] in a bundle
      --> notes:37:1
       |
    37 | [source]
       | ^^^^^^^^
       |
    help: it tells a builder where files come from: `ens bundle build` leaves it out
    ");
}

#[test]
fn every_mistake_of_a_bundle_is_told_at_once() {
    let text = r#"
id = "notes"
version = "1.0"
name = ""
names = { de_DE = "Notizen" }
icon = "../icon.png"
inherit = ["base"]
levle = "normal"
ability = []

[requires]
api = 7
architectures = ["amd64"]
form-factors = ["fone"]
files = ["python3"]

[data]
size = "1K"

[[permission]]
name = "Camera"
"#;
    assert_snapshot!(told(text), @r#"
    1:1 a bundle without abilities can do nothing (add an [[ability]] with a name and a program)
    2:6 `notes` is not the id of a bundle (at most 48 of `a-z`, `0-9` and `-`, in two or more words with dots between, each beginning with a letter: `org.example.notes`)
    3:11 `1.0` is not a version of a bundle (three numbers with dots between, none with a zero in front: "1.0.0")
    4:8 a name is empty (people read it: say it in a few words)
    5:11 `de_DE` is not a language (write it `de-DE`)
    6:8 `../icon.png` is not a path in the bundle: it has `.` or `..` (a path from the top of the bundle, like "bin/notes")
    7:1 no `inherit` here (a bundle stands by itself: it is read on devices where nothing else of yours is)
    8:1 unknown key `levle` (did you mean `level`?)
    12:7 it needs version 7 of what apps count on, and this is version 1 (update the device or the program that says so)
    13:18 no processor is called `amd64` (the kernel calls it `x86_64`)
    14:17 `fone` is no form factor (one of: headless, phone, tablet, tv, wearable)
    15:10 `python3` is not a path in the image: it does not begin with `/` (an absolute path like "/etc/motd")
    18:8 the data of a bundle can't be 1K (64K to 1024G)
    21:8 `Camera` can't be the name of a permission (1 to 64 of a-z, 0-9 and -, a letter first)
    "#);
}

#[test]
fn every_mistake_of_its_abilities_is_told_at_once() {
    let abilities = r#"
[[ability]]
name = "main"
kind = "pge"
exec = ["/usr/bin/python3 notes.py"]
environment = { HOME = "/", ENSEMBLE_X = "1" }
memory = "1K"

[[ability]]
name = "main"
exec = []
labels = { de = "Notizen" }
"#;
    let text = format!("id = \"a.b\"\nversion = \"1.0.0\"\nname = \"A\"\n{abilities}");
    assert_snapshot!(told(&text), @r#"
    7:8 `pge` is no kind of ability (did you mean `page`?)
    8:9 `/usr/bin/python3 notes.py` is not one path (each argument is an item of its own: ["/usr/bin/python3", "notes.py"])
    9:17 `HOME` is set by the device (leave it out)
    9:29 `ENSEMBLE_X` is set by the device (leave it out)
    10:10 no program starts with 1K of memory (at least 256K)
    13:8 two abilities are called `main`
    14:8 `exec` is empty (the program, then its arguments: ["/usr/bin/python3", "notes.py"])
    15:12 what is read where no language fits is missing (write it beside, in the language that most people know)
    "#);
}

#[test]
fn every_mistake_of_its_skills_is_told_at_once() {
    let skills = r#"
[[ability.skill]]
actions = []
entities = ["a b"]
[[ability.skill.uri]]
host = "Example.org"
port = 0
path = "a"
path-regex = "b"
type = "png"
[[ability.skill.uri]]
scheme = "https"
host = "example.org"
path-regex = "/notes/[0-9"
"#;
    let head = "id = \"a.b\"\nversion = \"1.0.0\"\nname = \"A\"\n";
    let ability = "[[ability]]\nname = \"main\"\nexec = [\"x\"]\nexported = true\n";
    assert_snapshot!(told(&format!("{head}{ability}{skills}")), @r#"
    10:11 a skill without actions answers nothing (name what it does: ["view"])
    11:13 `a b` is not a word (1 to 1024 bytes without spaces: "view", "org.example.scan")
    13:8 `Example.org` is not a host ("example.org", in small letters, without path and port: these have keys of their own)
    13:8 `host` says something only beside `scheme`
    14:8 a port can't be 0 (1 to 65535)
    15:8 `a` is not a path of a uri (it begins with `/`, has no `?` and `#`, and at most 1024 bytes)
    16:14 a uri has one kind of path (write another [[ability.skill.uri]] for it)
    17:8 `png` is not a type of content (in small letters: "image/png", "image/*" or "*/*")
    21:14 `/notes/[0-9` is not a regular expression (found unclosed character class)
    "#);
}

#[test]
fn permissions_are_looked_up_where_there_are_any() {
    let text =
        |permissions: &str| NOTES.replace("[[ability]]", &format!("{permissions}\n[[ability]]"));
    let wrong = "[[permission]]\nname = \"camra\"\n[[permission]]\nname = \"radio\"\n";
    assert_snapshot!(report(&text(wrong)), @r#"
    error: no permission is called `camra`
      --> apps/notes/bundle.toml:23:8
       |
    23 | name = "camra"
       |        ^^^^^^^
       |
    help: did you mean `camera`?

    error: nothing is said about why it needs `radio`
      --> apps/notes/bundle.toml:24:1
       |
    24 | [[permission]]
       | ^^^^^^^^^^^^^^
       |
    help: the owner is asked, and told the reason: reason = "To …"

    error: `radio` is for bundles of level `system-basic`
      --> apps/notes/bundle.toml:25:8
       |
    25 | name = "radio"
       |        ^^^^^^^ this one's is `normal`
       |
    help: level = "system-basic": devices then want a key that is trusted so far
    "#);
    let untold = NOTES
        .replace("reason = \"To take pictures\"\nreasons = { de = \"Um Bilder zu machen\" }", "");
    assert_snapshot!(report(&untold), @r#"
    error: nothing is said about why it needs `camera`
      --> apps/notes/bundle.toml:17:1
       |
    17 | [[permission]]
       | ^^^^^^^^^^^^^^
       |
    help: the owner is asked, and told the reason: reason = "To …"
    "#);
    let trusted = text("[[permission]]\nname = \"radio\"\nreason = \"To send\"\n");
    assert_eq!(report(&format!("level = \"system-basic\"\n{trusted}")), "");
}

#[test]
fn what_is_most_likely_not_meant_is_a_warning() {
    let text = NOTES.replace("exported = true", "permission = \"camera\"\nkind = \"form\"");
    assert_snapshot!(report(&text), @r#"
    warning: this permission says something only beside exported = true
      --> apps/notes/bundle.toml:26:14
       |
    26 | permission = "camera"
       |              ^^^^^^^^
    "#);
    assert!(load(&Files(text), "apps/notes/bundle.toml").is_ok());
}

#[test]
fn what_needs_a_later_version_is_told_so_and_nothing_else() {
    let later = NOTES.replace("api = 1", "api = 2\nholograms = 3");
    assert_snapshot!(parse("notes", &later).unwrap_err().render(false), @r"
    error: it needs version 2 of what apps count on, and this is version 1
      --> notes:10:7
       |
    10 | api = 2
       |       ^
       |
    help: update the device or the program that says so
    ");
}

#[test]
fn a_manifest_without_end_is_not_read() {
    let long = format!("{NOTES}\n#{}", "x".repeat(MAX_MANIFEST));
    assert_snapshot!(parse("notes", &long).unwrap_err().render(false), @r"
    error: the manifest has more than 64 KiB
    --> notes
    ");
    let arguments = vec!["\"0123456789abcdef\""; MAX_MANIFEST / 16].join(", ");
    let long = NOTES.replace("\"notes.py\"", &arguments);
    let told = report(&long);
    assert!(told.contains("the manifest has more than 64 KiB"), "{told}");
}

#[test]
fn a_new_bundle_is_one() {
    let packages = ["hello".to_owned(), "jq".to_owned()];
    let image = ImageOf {
        archive: "../image.tar".to_owned(),
        processor: "aarch64".to_owned(),
        exec: vec!["/bin/sh".to_owned(), "-c".to_owned(), "echo \"\\$1\"\n\u{7f}".to_owned()],
        environment: vec![("MODE".to_owned(), "a \"b\"".to_owned())],
        serves: true,
    };
    for of in [
        BundleOf::Shell,
        BundleOf::Python,
        BundleOf::Binary("../x/\"y\"", "y"),
        BundleOf::Debian(&packages),
        BundleOf::Runtime(&packages),
        BundleOf::Oci(&image),
        BundleOf::Node,
        BundleOf::Cargo,
    ] {
        let text = template_bundle(of, "org.example.notes", "notes", "../schema");
        // The permission that an image needs is looked up on the host.
        let known = text.replace("network-server", "camera");
        assert_eq!(report(&known), "", "{text}");
        let manifest = loaded(&known).manifest;
        assert_eq!(manifest.name.plain, "Notes");
        if let BundleOf::Oci(image) = of {
            assert_eq!(manifest.abilities[0].exec, image.exec);
            assert_eq!(manifest.abilities[0].environment["MODE"], "a \"b\"");
        }
    }
}
