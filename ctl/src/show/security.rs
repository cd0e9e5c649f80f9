//! `ensctl security`, as text.

use api::lock::{State, Status};
use api::sandbox::Restricted;

use super::{Cell, columns, count, plain};
use crate::paint::{Colour, Paint, harmless};
use crate::security::{Parameter, Report};

/// All layers.
#[must_use]
pub fn report(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for missing in &report.missing {
        paint.put(&mut out, Colour::Bold, missing.layer);
        out.push_str(&format!("\n  {}\n\n", missing.why));
    }
    data(report.data.as_ref(), paint, &mut out);
    features(&report.features, &report.lacks, paint, &mut out);
    kernel(&report.kernel, paint, &mut out);
    services(&report.services, paint, &mut out);
    out
}

/// How the data of apps are kept.
fn data(status: Option<&Status>, paint: Paint, out: &mut String) {
    let Some(status) = status else { return };
    paint.put(out, Colour::Bold, "data of apps");
    let (colour, text) = match (status.encrypts, status.state) {
        (false, _) => (Colour::Yellow, "not encrypted: their file system can't"),
        (true, State::NoSecret) => {
            (Colour::Yellow, "encrypted, and who has the disk has the keys: `ensctl lock set`")
        }
        (true, State::Unlocked) => {
            (Colour::Plain, "encrypted; who has the disk needs the secret for what is in el2")
        }
        (true, State::Locked) => (Colour::Plain, "encrypted; el2 is locked"),
    };
    out.push_str("\n  ");
    paint.put(out, colour, text);
    out.push_str("\n\n");
}

/// What sandboxes can be made of here.
fn features(can: &[String], lacks: &[String], paint: Paint, out: &mut String) {
    paint.put(out, Colour::Bold, "sandboxes");
    let can = if can.is_empty() { "nothing of what they use".to_owned() } else { can.join(", ") };
    out.push_str(&format!("\n  This kernel has {}.\n", harmless(&can)));
    if !lacks.is_empty() {
        paint.put(out, Colour::Yellow, "  It lacks");
        out.push_str(&format!(" {}: see the services below.\n", harmless(&lacks.join(", "))));
    }
    out.push('\n');
}

fn kernel(all: &[Parameter], paint: Paint, out: &mut String) {
    paint.put(out, Colour::Bold, "kernel parameters");
    let holds = all.iter().filter(|parameter| parameter.holds).count();
    out.push_str(&format!("\n  {holds} of {} are as a device of its own has them.\n", all.len()));
    for parameter in all.iter().filter(|parameter| !parameter.holds) {
        let value = parameter.value.as_deref().map_or_else(
            || "this kernel does not tell it".to_owned(),
            |value| format!("it is {}", harmless(value)),
        );
        paint.put(out, Colour::Yellow, &format!("  {}", parameter.name));
        out.push_str(&format!(": {value}, not {}\n", parameter.wanted));
    }
    if holds < all.len() {
        out.push_str("  In a container the kernel is the host's, which sets them.\n");
    }
    out.push('\n');
}

fn services(all: &[Restricted], paint: Paint, out: &mut String) {
    paint.put(out, Colour::Bold, "services");
    let confined = all.iter().filter(|service| service.confined).count();
    let total = count(u64::try_from(all.len()).unwrap_or(u64::MAX), "service");
    out.push_str(&format!("\n  {confined} of {total} have a sandbox.\n"));
    let rows: Vec<Vec<Cell>> = all.iter().map(row).collect();
    let table = columns(paint, &["SERVICE", "USER", "PROFILES", "CAPABILITIES"], &rows);
    for line in table.lines() {
        out.push_str(&format!("  {line}\n"));
    }
    for service in all {
        notes(service, paint, out);
    }
}

fn row(service: &Restricted) -> Vec<Cell> {
    let profiles = match (service.confined, service.profiles.as_slice()) {
        (false, _) => (Colour::Yellow, "none".to_owned()),
        (true, []) if service.unplaced.is_empty() => plain("its own"),
        (true, []) => plain("?"),
        (true, all) => plain(harmless(&all.join(" "))),
    };
    let capabilities = match service.capabilities.as_slice() {
        _ if service.all_capabilities => (Colour::Yellow, "all".to_owned()),
        [] => plain("none"),
        all => plain(harmless(&all.join(" "))),
    };
    let name = (Colour::Bold, harmless(&service.name).into_owned());
    vec![name, plain(harmless(&service.user)), profiles, capabilities]
}

/// What is not as it should be, or needs a reason.
fn notes(service: &Restricted, paint: Paint, out: &mut String) {
    let mut note = |colour, text: String| {
        paint.put(out, colour, &format!("  {}", harmless(&service.name)));
        out.push_str(&format!(": {text}.\n"));
    };
    if !service.refused.is_empty() {
        note(Colour::Red, format!("it does not start here: {}", harmless(&service.refused)));
    }
    if !service.left_out.is_empty() {
        let lacks = service.left_out.join(", ");
        let lacks = harmless(&lacks);
        note(Colour::Yellow, format!("this kernel lacks {lacks}: rules that need it are left out"));
    }
    if !service.permissions.is_empty() {
        let names = service.permissions.join(", ");
        note(Colour::Plain, format!("permissions: {}", harmless(&names)));
    }
    if !service.unplaced.is_empty() {
        // The reason may be a report of several lines.
        let why = service.unplaced.lines().next().unwrap_or_default();
        note(Colour::Plain, format!("its profiles are not known: {}", harmless(why)));
    }
    match (service.confined, service.exception.is_empty()) {
        (true, _) => {}
        (false, false) => {
            note(Colour::Plain, format!("an exception: {}", harmless(&service.exception)));
        }
        (false, true) => note(
            Colour::Yellow,
            "no profile confines it: add `inherit = [\"service\"]` to its [sandbox]".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::Missing;

    #[test]
    fn each_layer_says_what_is_in_force_and_what_is_missing() {
        let service = |name: &str| Restricted {
            name: name.into(),
            user: "root".into(),
            ..Restricted::default()
        };
        let all = Report {
            missing: vec![Missing { layer: "verified boot", why: "not there yet" }],
            data: Some(Status { state: State::NoSecret, encrypts: true, wait: 0 }),
            features: vec!["seccomp".into(), "landlock-5".into()],
            lacks: vec!["landlock-6".into()],
            kernel: vec![
                Parameter { name: "a/b", wanted: "1", value: Some("1".into()), holds: true },
                Parameter { name: "a/c", wanted: "2", value: Some("0".into()), holds: false },
                Parameter { name: "a/d", wanted: "2", value: None, holds: false },
            ],
            services: vec![
                Restricted {
                    confined: true,
                    profiles: vec!["base".into(), "service".into()],
                    capabilities: vec!["CHOWN".into()],
                    left_out: vec!["landlock-6".into()],
                    permissions: vec!["camera".into(), "sound".into()],
                    ..service("web")
                },
                Restricted {
                    all_capabilities: true,
                    exception: "people work there".into(),
                    ..service("console")
                },
                Restricted {
                    confined: true,
                    refused: "the kernel lacks seccomp".into(),
                    ..service("own")
                },
                service("free"),
            ],
        };
        insta::assert_snapshot!(report(&all, Paint::default()), @r#"
        verified boot
          not there yet

        data of apps
          encrypted, and who has the disk has the keys: `ensctl lock set`

        sandboxes
          This kernel has seccomp, landlock-5.
          It lacks landlock-6: see the services below.

        kernel parameters
          1 of 3 are as a device of its own has them.
          a/c: it is 0, not 2
          a/d: this kernel does not tell it, not 2
          In a container the kernel is the host's, which sets them.

        services
          2 of 4 services have a sandbox.
          SERVICE  USER  PROFILES      CAPABILITIES
          web      root  base service  CHOWN
          console  root  none          all
          own      root  its own       none
          free     root  none          none
          web: this kernel lacks landlock-6: rules that need it are left out.
          web: permissions: camera, sound.
          console: an exception: people work there.
          own: it does not start here: the kernel lacks seccomp.
          free: no profile confines it: add `inherit = ["service"]` to its [sandbox].
        "#);
    }
}
