//! Completion scripts, written from the table.
//!
//! Each script keeps the words that are no options and looks up what may follow them. Names of
//! services come from the device at the moment they are needed.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::request::Shell;
use crate::table::{Command, Flag, Operand, Value, commands};

/// Prints the names of all services: the first words of the lines that start with one.
const SERVICES: &str =
    r"ensctl service list 2>/dev/null | sed -n 's/^\([a-z][a-zA-Z0-9@._-]*\) .*/\1/p'";

/// Prints the names of all parameters.
const PARAMS: &str = r"ensctl param list 2>/dev/null | sed 's/=.*//'";

/// Prints the names of services and of the permissions that they ask for.
const PERMISSIONS: &str = r"ensctl permission list 2>/dev/null | sed -n 's/^\([a-z][a-zA-Z0-9@._-]*\) *\([a-z0-9-]*\) .*/\1\n\2/p' | sort -u";

/// Prints the ids of all apps.
const APPS: &str =
    r"ensctl app list 2>/dev/null | sed -n 's/^\([a-z][a-z0-9-]*\.[a-z0-9.-]*\) .*/\1/p'";

/// Prints the names of devices.
const DEVICES: &str = r"ensctl device list 2>/dev/null | sed -n '1d; s/^\([^ ]*\)  .*/\1/p'";

/// What the help calls one.
const DEVICE: &str = "DEVICE";

/// Prints what runs of apps, and the numbers of missions.
const INSTANCES: &str = r"{ ensctl ability list; ensctl ability missions; } 2>/dev/null | sed -n 's/^\(app@[^ ]*\|[0-9][0-9]*\) .*/\1/p'";

/// What the help calls the path of a file.
const FILE: &str = "FILE";

/// The script for a shell.
#[must_use]
pub fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// What may come next, after some words.
struct Place {
    /// The words before, each with a blank after it.
    line: String,
    /// Words and what they are for.
    words: Vec<(String, &'static str)>,
    /// What the device is asked for: `services`, `permissions`, `params`, `apps` or `instances`.
    names: Option<&'static str>,
    files: bool,
}

/// Every place, the longest lines first, so that the first match is the right one.
fn places() -> Vec<Place> {
    let groups: BTreeSet<&str> = commands().filter_map(group).collect();
    let mut places: Vec<Place> = commands().map(after).collect();
    for group in groups {
        let within = commands().filter_map(|command| match command.words {
            [first, second] if *first == group => Some(((*second).to_owned(), command.about)),
            _ => None,
        });
        let words = within.collect();
        places.push(Place { line: format!("{group} "), words, names: None, files: false });
    }
    let mut words: Vec<(String, &'static str)> = Vec::new();
    for command in commands() {
        match (group(command), command.words.first()) {
            (None, Some(word)) => words.push(((*word).to_owned(), command.about)),
            (Some(word), _) if !words.iter().any(|(known, _)| known == word) => {
                words.push((word.to_owned(), group_about(word)));
            }
            _ => {}
        }
    }
    places.push(Place { line: String::new(), words, names: None, files: false });
    places
}

fn after(command: &Command) -> Place {
    let mut words = Vec::new();
    if let Operand::OneOf(_, choices) = command.operand {
        words.extend(choices.iter().map(|word| ((*word).to_owned(), "")));
    }
    words.extend(command.options().map(|flag| (format!("--{}", flag.long), flag.about)));
    Place {
        line: command.name() + " ",
        words,
        names: names(command.operand),
        files: matches!(
            command.operand,
            Operand::File
                | Operand::Program
                | Operand::Tried
                | Operand::Scored
                | Operand::Words("BUNDLE", ..)
        ),
    }
}

fn names(operand: Operand) -> Option<&'static str> {
    match operand {
        Operand::Service | Operand::Services | Operand::MaybeService | Operand::Scored => {
            Some("services")
        }
        Operand::Words(words, ..) if words.split(['[', ' ', '/']).any(|word| word == "ID") => {
            Some("apps")
        }
        Operand::Words(words, ..) if words.contains(DEVICE) => Some("devices"),
        Operand::Words("TARGET" | "ADDRESS", ..) => None,
        Operand::Words(words, ..) if words.contains("UNIT") || words == "MISSION" => {
            Some("instances")
        }
        Operand::Words("BUNDLE" | "KEY" | "[TEXT...]" | "URL|DIR" | "STORE" | "[STORE]", ..) => {
            None
        }
        Operand::Words(words, ..) if words.ends_with("PERMISSION") => Some("permissions"),
        Operand::Words(..) => Some("params"),
        _ => None,
    }
}

fn group(command: &Command) -> Option<&'static str> {
    match command.words {
        [group, _] => Some(group),
        _ => None,
    }
}

fn group_about(group: &str) -> &'static str {
    match group {
        "ability" => "What runs of apps, and what it can do",
        "device" => "Other devices of the owner",
        "file" => "Files to and from other devices",
        "app" => "Install and look after apps",
        "param" => "Read and set parameters",
        "permission" => "What services ask for, and what they get",
        "sandbox" => "What services may do",
        "store" => "Where apps come from",
        _ => "Look after services",
    }
}

/// Options that take a value: a pattern for the words before and the option, and what fits. The same
/// spelling means different things after different commands.
fn valued() -> impl Iterator<Item = (String, &'static Value)> {
    let all = commands().flat_map(|command| command.options().map(move |flag| (command, flag)));
    all.filter_map(|(command, flag)| Some((before(command, flag), flag.value.as_ref()?)))
}

fn before(command: &Command, flag: &Flag) -> String {
    let one = |spelling: String| format!("\"{} \"*\"|{spelling}\"", command.name());
    let long = one(format!("--{}", flag.long));
    match flag.short {
        Some(letter) => format!("{}|{long}", one(format!("-{letter}"))),
        None => long,
    }
}

fn bash() -> String {
    let mut out = format!(
        "# Completion of ensctl for bash: source <(ensctl completion bash)
_ensctl_services() {{ {SERVICES}; }}
_ensctl_params() {{ {PARAMS}; }}
_ensctl_permissions() {{ {PERMISSIONS}; }}
_ensctl_apps() {{ {APPS}; }}
_ensctl_instances() {{ {INSTANCES}; }}
_ensctl_devices() {{ {DEVICES}; }}
_ensctl() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} line= words= word
    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
        [[ $word == -* ]] || line+=\"$word \"
    done
    COMPREPLY=()
    case \"$line|$prev\" in
"
    );
    for (pattern, value) in valued() {
        // With nothing that fits, the shell offers files.
        let words = match value {
            Value::Service => "$(_ensctl_services)".to_owned(),
            Value::OneOf(_, words) => words.join(" "),
            Value::Text(DEVICE) => "$(_ensctl_devices)".to_owned(),
            Value::Text(_) => String::new(),
        };
        let _ = writeln!(
            out,
            "    {pattern}) COMPREPLY=($(compgen -W \"{words}\" -- \"$cur\")); return ;;"
        );
    }
    out.push_str("    esac\n    case $line in\n");
    for place in places() {
        let mut words: Vec<&str> = place.words.iter().map(|(word, _)| word.as_str()).collect();
        let names = place.names.map(|names| format!("$(_ensctl_{names})"));
        words.extend(names.as_deref());
        let _ = writeln!(out, "    \"{}\"*) words=\"{}\" ;;", place.line, words.join(" "));
    }
    out.push_str(
        "    esac
    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))
}
complete -o default -F _ensctl ensctl
",
    );
    out
}

fn zsh() -> String {
    let mut out = format!(
        "#compdef ensctl
# Completion of ensctl for zsh: source <(ensctl completion zsh)
_ensctl_services() {{ {SERVICES}; }}
_ensctl_params() {{ {PARAMS}; }}
_ensctl_permissions() {{ {PERMISSIONS}; }}
_ensctl_apps() {{ {APPS}; }}
_ensctl_instances() {{ {INSTANCES}; }}
_ensctl_devices() {{ {DEVICES}; }}
_ensctl() {{
    local line='' word
    local -a known
    for word in ${{words[2,CURRENT-1]}}; do
        [[ $word == -* ]] || line+=\"$word \"
    done
    case \"$line|${{words[CURRENT-1]}}\" in
"
    );
    for (pattern, value) in valued() {
        let offer = match value {
            Value::Service => "compadd -- ${(f)\"$(_ensctl_services)\"}; ".to_owned(),
            Value::OneOf(_, words) => format!("compadd -- {}; ", words.join(" ")),
            Value::Text(FILE) => "_files; ".to_owned(),
            Value::Text(DEVICE) => "compadd -- ${(f)\"$(_ensctl_devices)\"}; ".to_owned(),
            Value::Text(_) => String::new(),
        };
        let _ = writeln!(out, "    {pattern}) {offer}return ;;");
    }
    out.push_str("    esac\n    case $line in\n");
    for place in places() {
        let _ = writeln!(out, "    \"{}\"*)", place.line);
        out.push_str("        known=(");
        for (word, about) in &place.words {
            let _ = write!(out, " '{word}:{}'", about.replace(':', "\\:").replace('\'', "'\\''"));
        }
        out.push_str(" )\n");
        if let Some(names) = place.names {
            let _ = writeln!(out, "        compadd -- ${{(f)\"$(_ensctl_{names})\"}}");
        }
        if place.files {
            out.push_str("        _files\n");
        }
        out.push_str("        ;;\n");
    }
    out.push_str(
        "    esac
    _describe 'ensctl' known
}
compdef _ensctl ensctl
",
    );
    out
}

fn fish() -> String {
    let mut out = format!(
        "# Completion of ensctl for fish: ensctl completion fish | source
function __ensctl_services; {SERVICES}; end
function __ensctl_params; {PARAMS}; end
function __ensctl_permissions; {PERMISSIONS}; end
function __ensctl_apps; {APPS}; end
function __ensctl_instances; {INSTANCES}; end
function __ensctl_devices; {DEVICES}; end
function __ensctl_at
    set -l line (string match -v -- '-*' (commandline -opc)[2..])
    string match -q -- \"$argv[1]*\" (string join ' ' -- $line '')
end
complete -c ensctl -f
"
    );
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    for command in commands() {
        let at = format!("complete -c ensctl -n '__ensctl_at \"{} \"'", command.name());
        match command.operand {
            Operand::File | Operand::Program | Operand::Words("BUNDLE", ..) => {
                let _ = writeln!(out, "{at} -F");
            }
            Operand::OneOf(_, words) => {
                let _ = writeln!(out, "{at} -a '{}'", words.join(" "));
            }
            operand => {
                if let Some(names) = names(operand) {
                    let _ = writeln!(out, "{at} -a '(__ensctl_{names})'");
                }
            }
        }
        for flag in command.options() {
            let _ = write!(out, "{at} -l {}", flag.long);
            if let Some(letter) = flag.short {
                let _ = write!(out, " -s {letter}");
            }
            let values = match &flag.value {
                None => String::new(),
                Some(Value::Text(FILE)) => " -r -F".to_owned(),
                Some(Value::Text(DEVICE)) => " -x -a '(__ensctl_devices)'".to_owned(),
                Some(Value::Text(_)) => " -x".to_owned(),
                Some(Value::Service) => " -x -a '(__ensctl_services)'".to_owned(),
                Some(Value::OneOf(_, words)) => format!(" -x -a '{}'", words.join(" ")),
            };
            let _ = writeln!(out, "{values} -d '{}'", quoted(flag.about));
        }
    }
    for place in places() {
        if commands().any(|command| command.name() + " " == place.line) {
            continue;
        }
        let exact = if place.line.is_empty() {
            "not __ensctl_at \"?\"".to_owned()
        } else {
            format!("__ensctl_at \"{}\"; and not __ensctl_at \"{}?\"", place.line, place.line)
        };
        for (word, about) in place.words {
            let _ =
                writeln!(out, "complete -c ensctl -n '{exact}' -a {word} -d '{}'", quoted(about));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_knows_every_command_and_option() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for command in commands() {
                assert!(script.contains(&command.name()), "{shell:?} {}", command.name());
                for flag in command.options() {
                    assert!(script.contains(flag.long), "{shell:?} --{}", flag.long);
                }
            }
        }
    }

    #[test]
    fn an_option_is_completed_by_the_command_that_it_stands_after() {
        let script = script(Shell::Bash);
        let run = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let ask = format!(
                "{script}\nCOMP_WORDS=({}); COMP_CWORD={}; _ensctl; echo \"${{COMPREPLY[*]}}\"",
                words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
                words.len() - 1
            );
            let output = std::process::Command::new("bash").args(["-c", &ask]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        assert_eq!(run("ensctl log --output "), "short json export");
        assert_eq!(run("ensctl sandbox learn --output "), "", "the shell offers files");
        assert_eq!(run("ensctl sandbox learn --for "), "service app");
        assert_eq!(run("ensctl log -g "), "");
        assert!(run("ensctl sandbox score web -g fi").contains("files"));
        assert!(run("ensctl service wait --for ").contains("ready"));
        assert!(run("ensctl sandbox ex").contains("explain"));
    }
}
