//! Permissions as text: what they mean, who gets them, where their rules come from, and what is wrong
//! with them.
#![cfg(feature = "text")]

mod files;

use files::{Files, brief, profiles};
use model::Name;
use model::permission::{Grant, Level};
use model::sandbox::{Access, Family};
use model::text::permission::{Defined, load, refusal, widened};
use model::text::{check_file, load_device, sandbox, service};

const WEB: &str = "about = \"reach web sites\"\ngrant = \"system\"\n\
                   [network]\naccess = \"host\"\nfamilies = [\"inet\"]\nconnect = [443]\nlisten = []\n";
const CAMERA: &str = "about = \"take pictures\"\nlevel = \"system-basic\"\n\
                      [files]\nread = [\"/etc/camera\"]\ndevices = [\n  \"video*\",\n]\n\
                      [bus]\ntalk = [\"org.example.Lens\"]\n";

/// Permissions by name, without their version, beside profiles.
fn with(all: &[(&str, &str)], more: &[(&str, &str)]) -> Files {
    let add = |files: Files, (name, text): &(&str, &str)| {
        files.with(&format!("permissions/{name}.toml"), &format!("version = 1\n{text}"))
    };
    more.iter().fold(profiles(all), add)
}

fn shipped() -> Files {
    with(&[("box", BOX)], &[("web", WEB), ("camera", CAMERA)])
}

const BOX: &str = "[files]\nview = \"listed\"\nexecute = [\"/usr\"]\ndevices = []\n\
                   [network]\naccess = \"none\"\nfamilies = [\"unix\"]\n";

fn permission(name: &str) -> Defined {
    let found = load(&shipped(), &["permissions".to_owned()], name);
    found.map_err(|report| report.to_string()).expect("it is right")
}

/// The service of this text.
fn asking(text: &str) -> Result<service::Defined, String> {
    let name = Name::try_from("app").expect("a name");
    let text = format!("exec = [\"/usr/bin/app\"]\n[sandbox]\n{text}");
    let given = [("app.toml", text.as_str())];
    let defined = service::define(&shipped(), &["sandbox".to_owned()], &name, &given);
    defined.map_err(|report| report.to_string())
}

fn told(rules: &[sandbox::Rule]) -> String {
    let line = |r: &sandbox::Rule| format!("{} {} {}:{}", r.key, r.value, r.file, r.line);
    rules.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_permission_says_who_decides_and_what_it_adds() {
    let camera = permission("camera").permission;
    assert_eq!((camera.level, camera.grant), (Level::SystemBasic, Grant::User));
    assert_eq!(camera.about.plain, "take pictures");
    assert_eq!(camera.bus.talk, ["org.example.Lens"]);
    assert_eq!(camera.adds.network.access, Access::None, "it says nothing of the network");
    let web = permission("web").permission;
    assert_eq!((web.level, web.grant), (Level::Normal, Grant::System));
    assert_eq!(web.adds.network.access, Access::Host);
}

#[test]
fn who_asks_has_at_once_what_nobody_is_asked_about_and_the_rest_when_the_owner_says_so() {
    let own = "inherit = [\"box\"]\npermissions = [\"web\", \"camera\"]\n";
    let app = asking(own).expect("it is right");
    let names: Vec<_> = app.service.permissions.iter().map(Name::as_str).collect();
    assert_eq!(names, ["camera", "web"]);
    let network = &app.service.sandbox.network;
    assert_eq!((network.access, network.connect.as_deref()), (Access::Host, Some(&[443][..])));
    assert_eq!(network.families, Some(vec![Family::Unix, Family::Inet]));
    assert_eq!(app.service.sandbox.files.devices, Some(vec![]), "the owner was not asked");
    insta::assert_snapshot!(told(&app.rules), @r"
    files.view listed sandbox/box.toml:3
    files.execute /usr sandbox/box.toml:4
    network.families unix sandbox/box.toml:8
    files.devices  sandbox/box.toml:5
    network.access host permissions/web.toml:5
    network.families inet permissions/web.toml:6
    network.connect 443 permissions/web.toml:7
    network.listen  permissions/web.toml:8
    ");
    let camera = permission("camera");
    let (wider, rules) = widened(&app.service, &app.rules, &[&camera]).expect("it fits");
    assert_eq!(wider.files.devices, Some(vec!["video*".to_owned()]));
    let new: Vec<_> = rules.into_iter().filter(|rule| !app.rules.contains(rule)).collect();
    insta::assert_snapshot!(told(&new), @r"
    files.read /etc/camera permissions/camera.toml:5
    files.devices video* permissions/camera.toml:7
    ");
}

#[test]
fn rules_of_a_permission_that_change_nothing_are_not_told() {
    let app = asking("permissions = [\"web\"]\nkeyring = \"own\"\n").expect("it is right");
    assert_eq!(told(&app.rules), "keyring own app.toml:4");
}

#[test]
fn permissions_are_joined_from_profiles_and_drop_ins_as_other_lists() {
    let files = shipped().with("sandbox/p.toml", "version = 1\npermissions = [\"web\"]\n");
    let name = Name::try_from("app").expect("a name");
    let own = "exec = [\"/usr/bin/app\"]\n[sandbox]\ninherit = [\"p\"]\npermissions = [\"web\"]\n";
    let ask = |drop_in: &str| {
        let given = [("app.toml", own), ("app.d/a.toml", drop_in)];
        let defined = service::define(&files, &["sandbox".to_owned()], &name, &given);
        let service = defined.unwrap_or_else(|report| panic!("{report}")).service;
        service.permissions.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(ask("[sandbox]\npermissions = [\"camera\"]\n"), ["camera", "web"]);
    assert_eq!(ask("[sandbox]\npermissions = []\n"), ["web"], "what is inherited stays");
}

#[test]
fn a_profile_asks_by_itself_too_and_is_checked_with_what_it_asks_for() {
    let text = format!("version = 1\npermissions = [\"web\", \"kamera\"]\n{BOX}");
    let files = shipped().with("sandbox/p.toml", &text);
    let said = brief(&check_file(&files, "sandbox/p.toml").1);
    assert_eq!(said, "2:23 no permission is called `kamera` (did you mean `camera`?)");
    let files = shipped().with("sandbox/p.toml", &text.replace("kamera", "camera"));
    let tried = sandbox::load(&files, &["sandbox".to_owned()], "p").expect("it is right");
    assert_eq!(tried.profile.network.access, Access::Host);
    assert_eq!(tried.profile.files.devices, Some(vec![]), "the owner was not asked");
}

#[test]
fn a_device_has_the_texts_of_all_permissions_and_its_plan_what_nobody_is_asked_about() {
    let text = "exec = [\"/bin/x\"]\n[sandbox]\ninherit = [\"box\"]\npermissions = [\"web\"]\n";
    let files = shipped()
        .with("services/app.toml", text)
        .with("devices/tv.toml", "version = 1\n[services]\nenable = [\"app\"]\n");
    let loaded = load_device(&files, "devices/tv.toml").unwrap_or_else(|r| panic!("{r}"));
    let names: Vec<_> = loaded.permissions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["camera.toml", "web.toml"]);
    let app = loaded.plan.services.iter().find(|s| s.name.as_str() == "app").expect("it is there");
    assert_eq!(app.sandbox.network.access, Access::Host);
}

#[test]
fn what_is_forbidden_or_not_there_is_told_where_it_is_asked_for() {
    let text = "exec = [\"/usr/bin/app\"]\n[sandbox]\npermissions = [\"camera\", \"wep\"]\n\
                [sandbox.forbid]\nfiles = [\"/home\", \"/dev\"]\n";
    let files = shipped().with("services/app.toml", text);
    let report = check_file(&files, "services/app.toml").1;
    insta::assert_snapshot!(report, @r#"
    error: the permission `camera` needs the device `video*`, and `forbid.files` is against it with `/dev`
     --> services/app.toml:3:16
      |
    3 | permissions = ["camera", "wep"]
      |                ^^^^^^^^ asked for here
    4 | [sandbox.forbid]
    5 | files = ["/home", "/dev"]
      |                   ------ against it here
      |
    help: what a program's own rules are against no permission gives it: change one of both

    error: no permission is called `wep`
     --> services/app.toml:3:26
      |
    3 | permissions = ["camera", "wep"]
      |                          ^^^^^
      |
    help: did you mean `web`?
    "#);
    let why =
        asking("permissions = []\n[sandbox.forbid]\nfiles = [\"/etc\"]\n").expect("it is right");
    let camera = permission("camera");
    let forbidden = widened(&why.service, &why.rules, &[&camera]).expect_err("it is forbidden");
    insta::assert_snapshot!(refusal(&forbidden, &why.rules), @r"the permission `camera` needs to read `/etc/camera`, and `forbid.files` is against it with `/etc` (app.toml:5)");
}

/// What is said of one permission, in brief.
fn wrong(text: &str) -> String {
    brief(&check_file(&with(&[], &[("x", text)]), "permissions/x.toml").1)
}

#[test]
fn a_permission_that_would_restrict_is_told_why_it_may_not() {
    let text = "about = \"x\"\nforbid.network = true\nkeyring = \"own\"\nwrite-execute = false\nrequires = [\"seccomp\"]\n\
                inherit = [\"y\"]\n[files]\nview = \"listed\"\ntmp = \"private\"\n[network]\naccess = \"none\"\n[calls]\ndeny = [\"mount\"]\n";
    insta::assert_snapshot!(wrong(text), @r"
    3:1 no `forbid` here (it would restrict, and a permission only adds: a profile in sandbox/ is for that)
    4:1 no `keyring` here (it would restrict, and a permission only adds: a profile in sandbox/ is for that)
    5:17 a permission only adds, and `false` would restrict (leave it out)
    6:1 no `requires` here (the rules that a permission widens say what the kernel must be able to do)
    7:1 no `inherit` here (a program asks for as many permissions as it needs: each stands by itself)
    9:1 no `view` here (the profile decides what is there; trees that are listed here are there in either view)
    10:1 no `tmp` here (it would restrict, and a permission only adds: a profile in sandbox/ is for that)
    12:10 a permission only adds, and an empty network restricts (leave it out)
    14:1 no `deny` here (it would restrict, and a permission only adds: a profile in sandbox/ is for that)
    ");
}

#[test]
fn other_mistakes_in_a_permission_are_told() {
    let text = "about = \"Take pictures.\"\nlevel = \"root\"\ngrant = \"me\"\n[files]\nread = [\"/\", \"/dev/video0\", \"/tmp/x\"]\n\
                write = [\"/usr/x\"]\nexecute = [\"/usr\"]\ndevices = [\"*\", \"a*b\", \"input/*\", \"/dev/fb0\"]\n\
                [network]\nconnect = [443]\n[bus]\ntalk = [\"bluez\"]\n";
    insta::assert_snapshot!(wrong(text), @r#"
    2:9 `about` is a phrase that people are asked with: "may it … ?" (like "take pictures and video", without a full stop)
    3:9 `root` is no level (one of: normal, system-basic, system-core)
    4:9 `me` is no grant (one of: system, user)
    6:9 a permission gives a part, not everything (name the trees that it is about)
    6:14 `/dev` can't be given by its path (name what is there in `devices`)
    6:29 `/tmp` can't be given by its path (a program may have its own, where this is not)
    7:10 `/usr/x` would be writable and executable (a program that can be replaced is not the one you meant)
    9:12 `*` can't stand there in `*` (it stands for the end of a name: "video*"; a directory is named without it)
    9:17 `*` can't stand there in `a*b` (it stands for the end of a name: "video*"; a directory is named without it)
    9:24 `*` can't stand there in `input/*` (it stands for the end of a name: "video*"; a directory is named without it)
    9:35 `/dev/fb0` is a path (write "fb0")
    11:12 ports lead nowhere in an empty network, which a profile may give (write access = "host" above)
    13:9 `bluez` is not a name on the bus (two or more words with `.` between them, like "org.example.Web")
    "#);
    insta::assert_snapshot!(wrong("about = \"do nothing\"\n"), @r"1:1 this permission adds nothing (`ens new permission NAME` writes one to start from)");
    let held = "about = \"open apps\"\nabouts = { de = \"Apps öffnen\", pt-BR = \"abrir apps\" }\n\
                checked-by = \"ability-manager\"\n";
    assert_eq!(wrong(held), "");
    insta::assert_snapshot!(wrong("about = \"x\"\nabouts = { De = \"y\", de = \"Nein.\" }\nchecked-by = \"A b\"\n"), @r#"
    3:12 `De` is not a language (a language and perhaps a region: de, pt-BR)
    3:27 `about` is a phrase that people are asked with: "may it … ?" (like "take pictures and video", without a full stop)
    4:14 `A b` can't be the name of a service (the service that asks the device who has it, like "ability-manager")
    "#);
    insta::assert_snapshot!(wrong(""), @r"
    1:1 the key `about` is missing
    1:1 this permission adds nothing (`ens new permission NAME` writes one to start from)
    ");
}
