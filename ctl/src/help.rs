//! The help, written from the table.

use std::fmt::Write;

use crate::table::{Command, Flag, Value, commands};

/// Lines of text after the options are cut here at the latest.
const WIDTH: usize = 100;

const HEAD: &str = "\
Controls this device: its services, its log, its power.

Usage: ensctl COMMAND [OPTION...]
";

const EXITS: &str = "
Exit status:
  0  all is well
  1  what was asked about is not: failed, degraded, not ready
  2  the command line is wrong, or no service has that name
  3  the daemon cannot be reached
  4  refused: not permitted, or the device is going down
";

/// Those of `service status`, as systemctl and the LSB have them.
const STATUS_EXITS: &str = "
Exit status:
  0  all of them are ready, done, or armed
  2  the command line is wrong
  3  one of them is not
  4  no service has that name, or the daemon cannot be reached
";

/// The help of everything, of a group, or of one command.
#[must_use]
pub fn help(group: Option<&str>, command: Option<&Command>) -> String {
    match command {
        Some(command) => of_command(command),
        None => of_all(group),
    }
}

fn of_all(group: Option<&str>) -> String {
    let mut out = HEAD.to_owned();
    out.push_str("\nCommands:\n");
    let shown =
        |command: &&Command| group.is_none_or(|group| command.words.first() == Some(&group));
    let lines: Vec<(String, &str)> = commands()
        .filter(shown)
        .map(|command| (command.name() + &command.operand.usage(), command.about))
        .collect();
    columns(&mut out, &lines);
    out.push_str("\nEach has more to say: ensctl COMMAND --help. All know --json.\n");
    out.push_str("Colours are left out when NO_COLOR is set or the output is not a terminal.\n");
    out.push_str(EXITS);
    out
}

fn of_command(command: &Command) -> String {
    let name = command.name();
    let operand = command.operand.usage();
    let mut out = format!("{}.\n\nUsage: ensctl {name}{operand} [OPTION...]\n", command.about);
    out.push_str("\nOptions:\n");
    let lines: Vec<(String, &str)> =
        command.options().map(|flag| (spelling(flag), flag.about)).collect();
    columns(&mut out, &lines);
    if !command.notes.is_empty() {
        let _ = writeln!(out, "\n{}", command.notes);
    }
    let status = command.words == ["service", "status"];
    out.push_str(if status { STATUS_EXITS } else { EXITS });
    out
}

fn spelling(flag: &Flag) -> String {
    let short = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    let value = match &flag.value {
        None => "",
        Some(Value::Text(what) | Value::OneOf(what, _)) => &format!(" {what}"),
        Some(Value::Service) => " NAME",
    };
    format!("{short}--{}{value}", flag.long)
}

/// Two columns, the second one wrapped.
fn columns(out: &mut String, lines: &[(String, &str)]) {
    let left = lines.iter().map(|(left, _)| left.len()).max().unwrap_or_default();
    for (name, about) in lines {
        let _ = write!(out, "  {name:left$}  ");
        let mut at = left + 4;
        for (i, word) in about.split(' ').enumerate() {
            if i > 0 && at + word.len() >= WIDTH {
                let _ = write!(out, "\n{:1$}", "", left + 4);
                at = left + 4;
            } else if i > 0 {
                out.push(' ');
            }
            out.push_str(word);
            at += word.len() + 1;
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_says_it_all() {
        // Groups with a test of their own are left out: their lines, and what those are wrapped to.
        let all = help(None, None);
        let mut skipped = false;
        let lines = all.lines().filter(|line| {
            let begins = line.starts_with("  ") && !line.starts_with("   ");
            let wrapped = line.starts_with("   ");
            skipped = if begins {
                ["  service ", "  app ", "  ability ", "  lock ", "  store ", "  device "]
                    .iter()
                    .any(|group| line.starts_with(group))
            } else {
                wrapped && skipped
            };
            !skipped
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
        Controls this device: its services, its log, its power.

        Usage: ensctl COMMAND [OPTION...]

        Commands:
          status                                        Is the device well? What has failed, and why
          sandbox explain NAME                          What a service may do, with the file and line of
                                                        each rule
          sandbox score NAME|FILE.toml                  Try the attack set inside the sandbox of a service,
                                                        and tell what got through
          sandbox learn PROGRAM [ARGUMENT...]           Run a program, and print the smallest profile with
                                                        which it does the same
          sandbox try PROFILE -- PROGRAM [ARGUMENT...]  Run a program in a profile, and end as it does
          sandbox why NAME                              What a service was killed for, and which line to
                                                        change
          permission list [NAME]                        What services ask for, and what was decided
          permission show PERMISSION                    What a permission gives, with the file and line of
                                                        each rule, and to whom
          permission grant SERVICE PERMISSION           Let a service have what it asks for
          permission revoke SERVICE PERMISSION          Take a permission from a service, at once
          permission reset NAME                         Forget what was decided about a service
          permission pending                            What apps have asked the owner and wait for
          permission allow ID PERMISSION                Let an app have what it asks for
          permission deny ID PERMISSION                 Refuse an app what it asks for, or take it away, at
                                                        once
          permission log [ID]                           What apps used of what they have, how often and
                                                        when, and what was decided
          run PROGRAM [ARGUMENT...]                     Run a program on another device, `--on DEVICE`, and
                                                        end as it does
          file push FILE DEVICE:PATH                    Send a file to another device
          file pull DEVICE:PATH [FILE]                  Fetch a file from another device
          forward [ADDRESS:]PORT DEVICE:PORT            Let a port here be one of another device, until
                                                        Ctrl-C
          security                                      What protects the device, layer by layer
          reload                                        Read the definitions of services again
          param get NAME                                Print the value of a parameter
          param set NAME VALUE                          Give a parameter a value
          param list [PREFIX]                           All parameters, or those whose names begin with
                                                        PREFIX
          param wait NAME VALUE                         Wait until a parameter has a value
          param watch [PREFIX]                          Print parameters, then each change of them
          log                                           The log of the device
          boot [FILE]                                   What the boot spent its time on
          poweroff                                      Stop everything and switch off
          reboot                                        Stop everything and boot again
          halt                                          Stop everything and leave the power on
          completion bash|zsh|fish                      Print a completion script for a shell
          version                                       Print the version of ensctl

        Each has more to say: ensctl COMMAND --help. All know --json.
        Colours are left out when NO_COLOR is set or the output is not a terminal.

        Exit status:
          0  all is well
          1  what was asked about is not: failed, degraded, not ready
          2  the command line is wrong, or no service has that name
          3  the daemon cannot be reached
          4  refused: not permitted, or the device is going down
        ");
    }

    #[test]
    fn apps_and_abilities_are_groups() {
        let all = ["app", "store", "ability"].map(|group| help(Some(group), None));
        let commands = |text: &str| {
            let lines = text.lines().skip_while(|line| *line != "Commands:").skip(1);
            lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(all.map(|text| commands(&text)).join("\n"), @r"
        app list              All installed apps
        app info ID           One app in full
        app install BUNDLE    Install an app, or update to it: from the file of its bundle, or by its
                              name from a store
        app remove ID         Remove an app and its data
        app rollback ID       Go back to the version of an app before the last update, with its data of
                              then
        app permissions [ID]  What apps ask for, why, and what was decided
        app keys              Keys whose apps may be installed, and where they come from
        app trust KEY         Trust a key: apps that it signed may be installed
        app search [TEXT...]  What stores offer, with all of these words; exit status 1 when nothing
        app upgrade [ID...]   Install newer versions of apps from stores: of all, or of these
        store list             Stores that the device knows
        store add URL|DIR      Get to know a store: a URL, or a directory
        store remove STORE     Forget a store; what came from it stays
        store refresh [STORE]  Ask a store, or all, what is new
        ability list                               What runs of apps, and where it is
        ability start ID[/ABILITY]                 Start an app, or one ability of it, and bring it to
                                                   the front
        ability want                               Which abilities can do something; with --start, let
                                                   one do it
        ability stop UNIT|MISSION                  End what runs of an app
        ability wait UNIT STATE                    Wait until an instance is in a state
        ability missions                           What was opened and can be gone back to, the last used
                                                   first
        ability show MISSION                       Bring a mission to the front, with its saved state if
                                                   it does not run
        ability hide MISSION                       Send a mission to the background
        ability forget MISSION                     End a mission and forget it, with its saved state
        ability dump                               All that ability-manager knows, for people who look
                                                   for a mistake
        ability choices                            What apps want that several can do, and which could
        ability choose CHOICE CANDIDATE|none       Let one of several do what an app wants
        ability default                            What does what by default; with a want, what does that
                                                   from now on
        ability form [add ID/ABILITY|remove CARD]  Cards that apps fill, on the screen of who adds them:
                                                   what they say
        ability tasks                              What apps go on with, or may go on with, while they
                                                   are not on the screen, and why
        ability work [run ID/ABILITY]              What apps do when there is time: when it runs next,
                                                   what it waits for, how it went
        ");
    }

    #[test]
    fn a_group_shows_its_commands() {
        insta::assert_snapshot!(help(Some("service"), None), @r#"
        Controls this device: its services, its log, its power.

        Usage: ensctl COMMAND [OPTION...]

        Commands:
          service list                       All services and how they are
          service status NAME...             One service in full
          service start NAME...              Start services and what they need
          service stop NAME...               Stop services and those which require them
          service restart NAME...            Stop and start services, and bring back those which require
                                             them
          service reload NAME...             Let services read their configuration anew
          service reset NAME...              Forget that services have failed
          service freeze NAME...             Let all processes of services stand still
          service thaw NAME...               Let frozen services go on
          service enable NAME...             Start services at each boot
          service disable NAME...            Do not start services at boot
          service show NAME                  The TOML of a service, file by file
          service diff [NAME]                What differs from the definitions of the image
          service tree [NAME]                What a service needs, as a tree
          service why NAME                   Why a service is where it is: what holds it up, and what
                                             pulled it in
          service wait NAME                  Wait until a service is in a state
          service run PROGRAM [ARGUMENT...]  Run a program as a service of its own, with limits
          service logs NAME                  The log of one service

        Each has more to say: ensctl COMMAND --help. All know --json.
        Colours are left out when NO_COLOR is set or the output is not a terminal.

        Exit status:
          0  all is well
          1  what was asked about is not: failed, degraded, not ready
          2  the command line is wrong, or no service has that name
          3  the daemon cannot be reached
          4  refused: not permitted, or the device is going down
        "#);
    }

    #[test]
    fn a_command_shows_its_options() {
        let log = commands().find(|command| command.words == ["log"]);
        insta::assert_snapshot!(help(None, log), @r#"
        The log of the device.

        Usage: ensctl log [OPTION...]

        Options:
          -u, --unit NAME      Only records of this service
          -f, --follow         Go on with new records as they come (starts with the last 10)
          -n, --lines N        Only the last N records
          -p, --priority PRIO  Only this urgent or more: emerg, alert, crit, err, warning, notice, info,
                               debug or 0-7
          -b, --boot           Only since the device booted
              --since TIME     Only later: `10 min ago`, `12:30`, `yesterday`, `2026-01-31`, `2026-01-31
                               12:30:00`
          -g, --grep TEXT      Only records whose message contains TEXT
          -o, --output FORM    short (for people), json (an object a line), export (for
                               systemd-journal-remote)
              --json           Print JSON; times are nanoseconds since PID 1 began
          -h, --help           Print this

        `--json` is `-o json`. Times are in the time zone of the device.

        Exit status:
          0  all is well
          1  what was asked about is not: failed, degraded, not ready
          2  the command line is wrong, or no service has that name
          3  the daemon cannot be reached
          4  refused: not permitted, or the device is going down
        "#);
    }

    #[test]
    fn the_status_of_a_service_has_exit_codes_of_its_own() {
        let status = commands().find(|command| command.words == ["service", "status"]);
        insta::assert_snapshot!(help(None, status), @r#"
        One service in full.

        Usage: ensctl service status NAME... [OPTION...]

        Options:
              --json  Print JSON; times are nanoseconds since PID 1 began
          -h, --help  Print this

        Exit status:
          0  all of them are ready, done, or armed
          2  the command line is wrong
          3  one of them is not
          4  no service has that name, or the daemon cannot be reached
        "#);
    }
}
