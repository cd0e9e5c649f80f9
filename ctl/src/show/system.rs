//! `ensctl status`.

use api::services::{System, SystemState};

use super::count;
use crate::paint::{Colour, Paint, harmless};
use crate::time::span;

/// The device at a glance, and what to do about what is wrong.
#[must_use]
pub fn text(system: &System, paint: Paint) -> String {
    let colour = match system.state {
        SystemState::Ready => Colour::Green,
        SystemState::Starting | SystemState::Stopping => Colour::Yellow,
        SystemState::Degraded => Colour::Red,
    };
    let device = if system.device.is_empty() { "this device" } else { &system.device };
    let mut out = paint.word(Colour::Bold, &harmless(device));
    out.push_str(" is ");
    paint.put(&mut out, colour, system.state.word());
    out.push('\n');

    let mut line = |name: &str, value: &str| {
        paint.put(&mut out, Colour::Dim, &format!("  {name:<9}"));
        out.push_str(value);
        out.push('\n');
    };
    let mut services = format!("{} of {} ready", system.ready, system.total);
    if system.pending > 0 {
        services.push_str(&format!(", {} on the way", system.pending));
    }
    line("services", &services);
    let boot = match system.settled {
        0 => "boot is not over yet".to_owned(),
        at => format!("boot took {}", span(at)),
    };
    line("up", &format!("{}, {boot}", span(system.uptime)));
    if system.generation > 1 {
        let times = count(system.generation - 1, "time");
        line("note", &format!("the service manager was replaced {times} since boot"));
    }
    if !system.last_reboot.is_empty() {
        line("rebooted", &harmless(&system.last_reboot));
    }
    for failed in &system.failed {
        paint.put(&mut out, Colour::Red, "  failed   ");
        paint.put(&mut out, Colour::Bold, &harmless(&failed.name));
        out.push_str(&format!(": {}\n", harmless(&failed.reason)));
    }
    match system.failed.as_slice() {
        [] => {}
        [one] => {
            let name = harmless(&one.name);
            out.push_str(&format!(
                "Read `ensctl log -u {name}`; then `ensctl service start {name}`.\n"
            ));
        }
        _ => out.push_str("Read `ensctl log -u NAME`; then `ensctl service start NAME`.\n"),
    }
    out
}

#[cfg(test)]
mod tests {
    use api::services::Failed;

    use super::*;

    fn system() -> System {
        System {
            state: SystemState::Ready,
            device: "phone 0.1.0".into(),
            total: 14,
            ready: 12,
            pending: 0,
            failed: vec![],
            uptime: 63_500_000_000,
            settled: 2_310_000_000,
            generation: 1,
            last_reboot: String::new(),
        }
    }

    #[test]
    fn a_ready_device_is_told_in_three_lines() {
        insta::assert_snapshot!(text(&system(), Paint::default()), @r#"
        phone 0.1.0 is ready
          services 12 of 14 ready
          up       1 min 3 s, boot took 2.310 s
        "#);
    }

    #[test]
    fn a_degraded_device_says_why_and_what_to_do() {
        let failed = |name: &str, reason: &str| Failed { name: name.into(), reason: reason.into() };
        let mut system = System { state: SystemState::Degraded, generation: 3, ..system() };
        system.failed = vec![failed("web", "its program /usr/bin/webd is missing")];
        insta::assert_snapshot!(text(&system, Paint::default()), @r#"
        phone 0.1.0 is degraded
          services 12 of 14 ready
          up       1 min 3 s, boot took 2.310 s
          note     the service manager was replaced 2 times since boot
          failed   web: its program /usr/bin/webd is missing
        Read `ensctl log -u web`; then `ensctl service start web`.
        "#);
        system.failed.push(failed("time", "exit status 1\x1b[2J"));
        let shown = text(&System { settled: 0, pending: 2, ..system }, Paint::default());
        insta::assert_snapshot!(shown, @r#"
        phone 0.1.0 is degraded
          services 12 of 14 ready, 2 on the way
          up       1 min 3 s, boot is not over yet
          note     the service manager was replaced 2 times since boot
          failed   web: its program /usr/bin/webd is missing
          failed   time: exit status 1\x1b[2J
        Read `ensctl log -u NAME`; then `ensctl service start NAME`.
        "#);
    }
}
