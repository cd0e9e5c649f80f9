//! Stories about what makes files of packages a root.

use model::device::{
    Compression, Debug, FormFactor, Kernel, KernelSource, Packages, Storage, Target, User,
};
use model::{Device, Name};

use super::finish;
use crate::tree::{Kind, Node, Tree};

fn device() -> Device {
    Device {
        name: Name::try_from("phone").unwrap(),
        version: "1.2".into(),
        release: false,
        target: Target::QemuX86_64,
        form_factor: FormFactor::Phone,
        hostname: "phone".into(),
        locale: "C.UTF-8".into(),
        timezone: "UTC".into(),
        kernel: Kernel {
            source: KernelSource::Package("linux-image-amd64".into()),
            modules: vec![],
            cmdline: vec![],
        },
        packages: Packages { suite: "trixie".into(), mirror: None, install: vec![] },
        services: vec![],
        parameters: std::collections::BTreeMap::default(),
        files: vec![],
        users: vec![],
        storage: Storage {
            boot: 1 << 26,
            root: None,
            state: 1 << 26,
            compression: Compression::None,
        },
        screen: None,
        input: vec![],
        debug: Debug::default(),
        optional: vec![],
    }
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new();
    for (path, text) in files {
        tree.insert(path, Node::file(0o644, *text)).unwrap();
    }
    tree
}

fn finished(files: &[(&str, &str)], device: &Device) -> Result<Tree, String> {
    let mut tree = tree(files);
    finish(&mut tree, device).map_err(|e| format!("{e:#}"))?;
    Ok(tree)
}

fn text(tree: &Tree, path: &str) -> String {
    match &tree.get(path).unwrap_or_else(|| panic!("no {path}")).kind {
        Kind::File(content) => String::from_utf8(content.read().unwrap().to_vec()).unwrap(),
        Kind::Symlink(target) => format!("-> {target}"),
        _ => panic!("{path}"),
    }
}

#[test]
fn users_of_packages_scripts_and_the_device_are_there() {
    let mut device = device();
    device.users.push(User {
        name: "ada".into(),
        uid: 1000,
        gid: 1000,
        home: "/var/home/ada".into(),
        shell: "/bin/sh".into(),
        groups: vec!["video".into()],
    });
    let tree = finished(
        &[
            ("usr/sbin/dhcpcd", ""),
            (
                "usr/lib/sysusers.d/dbus.conf",
                "# x\nu messagebus - \"System Message Bus\" /nonexistent\n",
            ),
            (
                "usr/lib/sysusers.d/a.conf",
                "g render 105\nm messagebus render\nu! fixed 777 - / /bin/sh",
            ),
        ],
        &device,
    )
    .unwrap();
    let passwd = text(&tree, "etc/passwd");
    assert!(passwd.starts_with("root:x:0:0:root:/root:/bin/sh\ndaemon:"), "{passwd}");
    assert!(passwd.contains("\nada:x:1000:1000::/var/home/ada:/bin/sh\n"), "{passwd}");
    assert!(passwd.contains("\nfixed:x:777:777::/:/bin/sh\n"), "{passwd}");
    assert!(passwd.contains(":System Message Bus:/nonexistent:/usr/sbin/nologin\n"), "{passwd}");
    assert!(passwd.contains("\ndhcpcd:x:"), "{passwd}");
    let group = text(&tree, "etc/group");
    assert!(
        group.contains("\nvideo:x:44:ada\n") && group.contains("\nrender:x:105:messagebus\n"),
        "{group}"
    );
    assert_eq!(tree.get("etc/shadow").map(|n| (n.mode, n.gid)), Some((0o640, 42)));
}

#[test]
fn a_user_keeps_its_number_when_other_packages_come() {
    let number = |files: &[(&str, &str)]| {
        let passwd = text(&finished(files, &device()).unwrap(), "etc/passwd");
        passwd.lines().find(|l| l.starts_with("dhcpcd:")).unwrap().to_owned()
    };
    let dbus = ("usr/lib/sysusers.d/dbus.conf", "u messagebus - - -\ng abc -\nu aaa - - -");
    assert_eq!(number(&[("usr/sbin/dhcpcd", "")]), number(&[("usr/sbin/dhcpcd", ""), dbus]));
}

#[test]
fn two_users_with_one_number_are_an_error() {
    let mut device = device();
    let user = |name: &str| User {
        name: name.into(),
        uid: 1000,
        gid: if name == "ada" { 1000 } else { 1001 },
        home: "/".into(),
        shell: "/bin/sh".into(),
        groups: vec![],
    };
    device.users = vec![user("ada"), user("bob")];
    assert_eq!(
        finished(&[], &device).unwrap_err(),
        "adding the user `bob` of the device: `ada` has the number 1000 already"
    );
}

#[test]
fn declared_directories_become_state_with_their_owners() {
    let tree = finished(
        &[(
            "usr/lib/tmpfiles.d/x.conf",
            "d /var/lib/x 0700 www-data adm -\nd /run/x 0755 - -\nL /var/y - - - - z\n",
        )],
        &device(),
    )
    .unwrap();
    let node = tree.get("var/lib/x").unwrap();
    assert_eq!((node.mode, node.uid, node.gid), (0o700, 33, 4));
    assert!(tree.get("run/x").is_none() && tree.get("var/y").is_none());
    let error =
        finished(&[("usr/lib/tmpfiles.d/x.conf", "d /var/x - ghost -")], &device()).unwrap_err();
    assert_eq!(
        error,
        "reading `usr/lib/tmpfiles.d/x.conf`: `d /var/x - ghost -`: there is no user `ghost`"
    );
}

#[test]
fn busybox_fills_in_only_what_no_package_brings() {
    let tree = finished(
        &[("usr/bin/busybox", ""), ("usr/bin/ping", "real"), ("usr/bin/mawk", "")],
        &device(),
    )
    .unwrap();
    assert_eq!(text(&tree, "usr/bin/ping"), "real");
    assert_eq!(text(&tree, "usr/bin/sh"), "-> busybox");
    assert_eq!(text(&tree, "usr/bin/awk"), "-> mawk");
    assert_eq!(text(&tree, "usr/sbin/nologin"), "-> ../bin/busybox");
    assert!(tree.get("usr/bin/init").is_none() && tree.get("usr/sbin/reboot").is_none());
    assert!(finished(&[], &device()).unwrap().get("usr/bin/sh").is_none());
}

#[test]
fn certificates_are_bundled_and_names_and_time_are_those_of_the_device() {
    let mut device = device();
    device.timezone = "Europe/Berlin".into();
    let tree = finished(
        &[
            ("usr/share/ca-certificates/mozilla/b.crt", "B"),
            ("usr/share/ca-certificates/mozilla/a.crt", "A\n"),
            ("usr/share/zoneinfo/Europe/Berlin", "TZif"),
        ],
        &device,
    )
    .unwrap();
    assert_eq!(text(&tree, "etc/ssl/certs/ca-certificates.crt"), "A\nB\n");
    assert_eq!(text(&tree, "etc/localtime"), "-> ../usr/share/zoneinfo/Europe/Berlin");
    assert_eq!(text(&tree, "etc/hostname"), "phone\n");
    assert!(text(&tree, "usr/lib/os-release").starts_with("ID=ensemble\n"));
    assert!(tree.is_directory("proc") && tree.get("tmp").unwrap().mode == 0o1777);
    let error = finished(&[], &device).unwrap_err();
    assert!(
        error.ends_with("`Europe/Berlin` is not in the image: add `tzdata` to [packages] install"),
        "{error}"
    );
}

#[test]
fn libraries_the_loader_would_not_find_are_an_error() {
    let usual = "# Multiarch support\n/usr/local/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu\n";
    let usual = ("etc/ld.so.conf.d/x86_64-linux-gnu.conf", usual);
    finished(&[usual, ("usr/lib/x86_64-linux-gnu/libc.so.6", "")], &device()).unwrap();
    let other = ("etc/ld.so.conf.d/fakeroot.conf", "/usr/lib/x86_64-linux-gnu/libfakeroot\n");
    let library = ("usr/lib/x86_64-linux-gnu/libfakeroot/x.so", "");
    let error = finished(&[other, library], &device()).unwrap_err();
    assert!(error.contains("`etc/ld.so.conf.d/fakeroot.conf`"), "{error}");
}

#[test]
fn programs_that_ask_pam_find_the_files_that_a_script_would_write() {
    let runtime = ("usr/share/pam/common-auth", "$auth_primary\n");
    let own = ("etc/pam.d/common-account", "account required pam_permit.so\n");
    let made = finished(&[runtime, own], &device()).unwrap();
    assert!(text(&made, "etc/pam.d/common-auth").contains("pam_unix.so"));
    assert_eq!(text(&made, "etc/pam.d/common-account"), own.1);
    assert!(finished(&[], &device()).unwrap().get("etc/pam.d/common-auth").is_none());
}
