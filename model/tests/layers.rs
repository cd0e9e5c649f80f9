//! Devices that inherit devices.
#![cfg(feature = "text")]

mod files;

use files::{Files, device, shipped};
use model::device::{FileContent, KernelSource};
use model::text::{Loaded, Report, load_device};

#[test]
fn a_device_is_its_layers_and_its_services() {
    let text = r#"
version = 1
inherit = ["base"]
[packages]
install = ["iputils-ping"]
[services]
enable = ["web"]
[[file]]
path = "/etc/motd"
content = "hello\n"
"#;
    let loaded = device(text).expect("it is right");
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert_eq!(loaded.plan.device, format!("tv {}", env!("CARGO_PKG_VERSION")));
    let names: Vec<&str> = loaded.plan.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["debug-agent", "network", "web"]);
    assert_eq!(loaded.plan.enabled, [0, 1, 2]);
    assert_eq!(loaded.device.files[0].content, FileContent::Text("hello\n".into()));
    let cloud = KernelSource::Package("linux-image-cloud-amd64".into());
    assert_eq!(loaded.device.kernel.source, cloud);
    let read = ["devices/tv.toml", "devices/base.toml"];
    assert_eq!(loaded.files[..2], read.map(str::to_owned));
}

#[test]
fn devices_that_inherit_each_other_are_named_in_full() {
    let files = Files::default()
        .with("a.toml", "version = 1\ninherit = [\"b\"]\n")
        .with("b.toml", "version = 1\ninherit = [\"./c.toml\"]\n")
        .with("c.toml", "version = 1\ninherit = [\"a\", \"bse\"]\n")
        .with("base.toml", "version = 1\n");
    let report = load_device(&files, "a.toml").expect_err("it is a cycle");
    insta::assert_snapshot!(report, @r#"
    error: devices inherit each other: a → b → c → a
     --> c.toml:2:12
      |
    2 | inherit = ["a", "bse"]
      |            ^^^
      |
    help: take one of these out of its `inherit`

    error: no device is called `bse`
     --> c.toml:2:17
      |
    2 | inherit = ["a", "bse"]
      |                 ^^^^^
      |
    help: there is no bse.toml in .
    "#);
}

fn siblings(own: &str) -> Result<Loaded, Report> {
    let files = shipped()
        .with("devices/one.toml", "version = 1\ninherit = [\"base\"]\ntimezone = \"UTC\"\n[kernel]\npackage = \"linux-image-amd64\"\n")
        .with("devices/two.toml", "version = 1\ninherit = [\"base\"]\ntimezone = \"Europe/Rome\"\n[kernel]\npath = \"/vmlinuz\"\n[services]\ndisable = [\"network\"]\n")
        .with("/vmlinuz", "")
        .with("devices/tv.toml", &format!("version = 1\ninherit = [\"one\", \"two\"]\n{own}"));
    load_device(&files, "devices/tv.toml")
}

#[test]
fn siblings_that_disagree_are_a_conflict() {
    insta::assert_snapshot!(siblings("").expect_err("they disagree"), @r#"
    error: two inherited layers set `timezone` differently
     --> devices/two.toml:3:12
      |
    3 | timezone = "Europe/Rome"
      |            ^^^^^^^^^^^^^ one value here
      |
     ::: devices/one.toml:3:12
      |
    3 | timezone = "UTC"
      |            ----- another here
      |
    help: set `timezone` in the device itself, or in one layer only

    error: two inherited layers set `kernel.package` differently
     --> devices/two.toml:5:8
      |
    5 | path = "/vmlinuz"
      |        ^^^^^^^^^^ one value here
      |
     ::: devices/one.toml:5:11
      |
    5 | package = "linux-image-amd64"
      |           ------------------- another here
      |
    help: set `kernel.package` in the device itself, or in one layer only
    "#);
}

#[test]
fn the_nearer_layer_settles_what_siblings_disagree_about() {
    let loaded =
        siblings("timezone = \"Europe/Oslo\"\n[kernel]\npackage = \"linux-image-rt-amd64\"\n")
            .expect("it is settled");
    assert_eq!(loaded.device.timezone, "Europe/Oslo");
    let kernel = KernelSource::Package("linux-image-rt-amd64".into());
    assert_eq!(loaded.device.kernel.source, kernel);
    let services: Vec<&str> = loaded.device.services.iter().map(|n| n.as_str()).collect();
    assert_eq!(services, ["debug-agent"], "`two` takes the network of `base` away");
}

#[test]
fn an_error_in_an_inherited_value_points_at_its_own_file() {
    let files = shipped()
        .with("devices/base.toml", "version = 1\n\nhostname = \"_\"\n")
        .with("devices/tv.toml", "version = 1\ninherit = [\"base\"]\n");
    let report = load_device(&files, "devices/tv.toml").expect_err("a bad host name");
    let found = report.findings();
    assert_eq!(
        (found[0].file.as_str(), found[0].line, found[0].column),
        ("devices/base.toml", 3, 12)
    );
}

#[test]
fn a_release_with_debug_parts_is_warned_about() {
    let loaded = device("version = 1\ninherit = [\"base\"]\nrelease = true\n").expect("it builds");
    assert_eq!(loaded.warnings.counts(), (0, 2));
    insta::assert_snapshot!(loaded.warnings, @r#"
    warning: `[debug] agent` in a release: anyone at the host's end of it is root
     --> devices/base.toml:5:9
      |
    5 | agent = true
      |         ^^^^
      |
     ::: devices/tv.toml:3:11
      |
    3 | release = true
      |           ---- a release
      |
    help: set it to false in the release's TOML

    warning: nothing restricts `network`: it has no profile
     --> services/network.toml:1:1
      |
    1 | exec = ["/usr/sbin/dhcpcd"]
      | ^
      |
    help: [sandbox] with inherit = ["service"]; for development only, `exception` says why not
    "#);
}

#[test]
fn taking_away_what_nobody_starts_is_a_warning() {
    let text =
        "version = 1\ninherit = [\"base\"]\n[services]\ndisable = [\"netwrok\", \"debug-agent\"]\n";
    let loaded = device(text).expect("it builds");
    insta::assert_snapshot!(loaded.warnings, @r#"
    warning: no inherited device starts `netwrok`
     --> devices/tv.toml:4:12
      |
    4 | disable = ["netwrok", "debug-agent"]
      |            ^^^^^^^^^
      |
    help: did you mean `network`?

    warning: no inherited device starts `debug-agent`
     --> devices/tv.toml:4:23
      |
    4 | disable = ["netwrok", "debug-agent"]
      |                       ^^^^^^^^^^^^^
      |
    help: write [debug] agent = false instead
    "#);
}

#[test]
fn a_layer_that_two_siblings_share_lies_below_both() {
    let files = Files::default()
        .with("base.toml", "version = 1\nhostname = \"base\"\n")
        .with("one.toml", "version = 1\ninherit = [\"base\"]\nhostname = \"one\"\n")
        .with("two.toml", "version = 1\ninherit = [\"base\"]\n")
        .with("tv.toml", "version = 1\ninherit = [\"one\", \"two\", \"base\"]\n");
    let loaded = load_device(&files, "tv.toml").expect("there is no conflict");
    assert_eq!(loaded.device.hostname, "one");
    assert_eq!(loaded.files, ["tv.toml", "one.toml", "base.toml", "two.toml"]);
}

#[test]
fn a_source_is_beside_the_file_that_names_it() {
    let files = Files::default()
        .with("layers/base.toml", "version = 1\n[[file]]\npath = \"/a\"\nsource = \"a.txt\"\n")
        .with("layers/a.txt", "")
        .with("tv.toml", "version = 1\ninherit = [\"layers/base.toml\"]\n");
    let loaded = load_device(&files, "tv.toml").expect("it is there");
    assert_eq!(loaded.device.files[0].content, FileContent::Source("layers/a.txt".into()));
}

#[test]
fn parameters_are_merged_one_by_one_however_they_are_written() {
    let files = shipped()
        .with(
            "devices/far.toml",
            "version = 1\n[parameters]\nvolume = \"1\"\npersist.a.b = \"far\"\n",
        )
        .with(
            "devices/near.toml",
            "version = 1\ninherit = [\"far\"]\n[parameters]\n\"persist.a.b\" = \"near\"\n\
             [parameters.const]\nserial = \"it's\\n\\\\0815\"\n",
        );
    let device = load_device(&files, "devices/near.toml").expect("it is right").device;
    let file = model::parameter::file(&device.parameters);
    assert_eq!(file, "const.serial=it's\\n\\\\0815\npersist.a.b=near\nvolume=1\n");
    let files = files
        .with("devices/other.toml", "version = 1\n[parameters]\nvolume = \"2\"\n")
        .with("devices/both.toml", "version = 1\ninherit = [\"far\", \"other\"]\n");
    let report = load_device(&files, "devices/both.toml").expect_err("it is either");
    assert!(report.to_string().contains("set `parameters.volume` differently"), "{report}");
}

#[test]
fn parameters_that_no_device_would_take_are_refused_where_they_are_written() {
    let text = format!(
        "version = 1\n[parameters]\nVolume = \"1\"\nservice.web = \"ready\"\nconst.device = \"x\"\n\
         long = \"{}\"\nnumber = 5\na.b = \"1\"\n\"a.b\" = \"2\"\n",
        "x".repeat(97)
    );
    let report = device(&text).expect_err("it is all wrong").to_string();
    let told = report.lines().filter(|l| l.starts_with("error") || l.starts_with(" -->"));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
    error: `Volume` is not the name of a parameter
     --> devices/tv.toml:3:1
    error: `service.web` would be the state of a service
     --> devices/tv.toml:4:9
    error: `const.device` is set by the system itself
     --> devices/tv.toml:5:7
    error: this value has 97 bytes
     --> devices/tv.toml:6:8
    error: text in quotes is needed here, not a number
     --> devices/tv.toml:7:10
    error: the parameter `a.b` has two values
     --> devices/tv.toml:9:1
    ");
}
