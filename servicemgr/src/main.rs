//! Thin entry of `servicemgr [PLAN [RUN [GROUPS [DEFINITIONS]]]]`: the arguments are for tests, which
//! have the plan, the directory of sockets, the control groups and the definitions elsewhere.

use std::path::PathBuf;
use std::process::ExitCode;

use servicemgr::daemon::{Settings, run};

#[expect(clippy::print_stderr, reason = "the one place that reports why we could not run")]
fn main() -> ExitCode {
    let mut settings = Settings::default();
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    if let Some(plan) = arguments.next() {
        settings.plan = plan;
    }
    if let Some(run) = arguments.next() {
        settings.control = run.join("services.sock");
        settings.notify = run.join("notify.sock");
        settings.credentials = run.join("credentials");
        settings.state = run.join("state");
        settings.last_reboot = run.join("last-reboot");
        settings.run = run;
    }
    if let Some(groups) = arguments.next() {
        settings.groups = groups;
    }
    if let Some(definitions) = arguments.next() {
        settings.shipped = definitions.join("shipped");
        settings.own = definitions.join("services");
        settings.profiles = ["profiles", "sandbox"].map(|name| definitions.join(name));
        settings.ready = definitions.join("ready");
        settings.compiler = definitions.join("sandbox-compiler");
    }
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("servicemgr: {e}");
            ExitCode::FAILURE
        }
    }
}
