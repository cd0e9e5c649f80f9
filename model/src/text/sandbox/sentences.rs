//! What a program may do, in sentences, each with the rules that say so.
//!
//! ```text
//! Profile + places ──sentences──► topic, sentence, values with file and line
//! ```
//!
//! Pure. Invariant: every topic has at least one sentence, also where no rule restricts anything; every
//! value of a list is named with its sentence, whether or not its place is known.

use super::Rule;
use crate::sandbox::{
    Access, Calls, ETC_OF_DEVICE, Family, Feature, Files, Limits, Namespace, Network, OF_ROOT,
    Proc, Profile, Tmp, View, calls,
};
use crate::text::units;
use crate::word::Word;

/// What a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Files and devices.
    Files,
    /// Network.
    Network,
    /// System calls.
    Calls,
    /// Users, capabilities, keys.
    Privileges,
    /// Memory.
    Memory,
    /// Namespaces.
    Namespaces,
    /// How much it may use.
    Limits,
    /// What the kernel must be able to do.
    Kernel,
}

impl Topic {
    /// The heading of its sentences.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Network => "network",
            Self::Calls => "system calls",
            Self::Privileges => "privileges",
            Self::Memory => "memory",
            Self::Namespaces => "namespaces",
            Self::Limits => "limits",
            Self::Kernel => "kernel",
        }
    }
}

/// One thing it may do, or may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// What it is about.
    pub topic: Topic,
    /// The sentence; one that ends with a colon goes on with the values.
    pub text: String,
    /// Values, and where they were written.
    pub values: Vec<Value>,
}

/// A value of a rule, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The value, empty when the sentence says it; a group of system calls with what it is for.
    pub text: String,
    /// File and line of each place that says it; none when no file is known to.
    pub places: Vec<(String, usize)>,
}

/// All of them, in the order of the topics. `user`: whom it runs as, `None` for root.
#[must_use]
pub fn sentences(profile: &Profile, user: Option<&str>, rules: &[Rule]) -> Vec<Sentence> {
    let mut all = Sentences { rules, topic: Topic::Files, all: Vec::new() };
    all.files(&profile.files, profile);
    all.topic = Topic::Network;
    all.network(&profile.network, profile);
    all.topic = Topic::Calls;
    all.calls(&profile.calls, profile);
    all.topic = Topic::Privileges;
    all.privileges(profile, user);
    all.topic = Topic::Memory;
    match profile.write_execute {
        Some(false) if profile.forbid.write_execute => {
            all.say("Memory that was written is never executed.", "forbid.write-execute");
        }
        Some(false) => all.say("Memory that was written is never executed.", "write-execute"),
        _ => all.say("Memory that was written may be executed.", "write-execute"),
    }
    all.topic = Topic::Namespaces;
    let own: Vec<String> = profile.namespaces.iter().map(|one| one.word().to_owned()).collect();
    match own.as_slice() {
        [] => all.say("It shares message queues, host name and groups with others.", "namespaces"),
        own => all.list("Of its own it has:", "namespaces", own, namespace),
    }
    all.topic = Topic::Limits;
    limits(&profile.limits, &mut all);
    all.topic = Topic::Kernel;
    let names = |list: &[Feature]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    all.some("It does not start where the kernel lacks:", "requires", &names(&profile.requires));
    let may = "It starts also where the kernel lacks these, without what needs them:";
    all.some(may, "optional", &names(&profile.optional));
    all.all
}

/// How much it may use, unless the service's own limits say something else.
fn limits(limits: &Limits, all: &mut Sentences<'_>) {
    let mut one = |text: Option<String>, key| text.iter().for_each(|text| all.say(text, key));
    let size = |bytes: u64| units::size_text(bytes);
    one(limits.memory.map(|n| format!("It has at most {} of memory.", size(n))), "limits.memory");
    one(limits.cpu.map(|n| format!("It has at most {n} % of one CPU.")), "limits.cpu");
    one(limits.pids.map(|n| format!("It has at most {n} processes and threads.")), "limits.pids");
    one(limits.open_files.map(|n| format!("It has at most {n} open files.")), "limits.open-files");
    let core = |n| match n {
        0 => "It leaves no core dumps.".to_owned(),
        n => format!("Its core dumps have at most {}.", size(n)),
    };
    one(limits.core.map(core), "limits.core");
    one(
        limits.signals.map(|n| format!("It has at most {n} waiting signals and timers.")),
        "limits.signals",
    );
    let locked = |n| match n {
        0 => "It locks no memory.".to_owned(),
        n => format!("It locks at most {} of memory.", size(n)),
    };
    one(limits.locked_memory.map(locked), "limits.locked-memory");
    let file = |n| match n {
        0 => "It writes nothing to files.".to_owned(),
        n => format!("No file that it writes grows beyond {}.", size(n)),
    };
    one(limits.file_size.map(file), "limits.file-size");
    one(limits.stack.map(|n| format!("Its stacks have at most {}.", size(n))), "limits.stack");
    let stored = |n| format!("In its own trees of /var it stores at most {}.", size(n));
    one(limits.storage.map(stored), "limits.storage");
    let files = |n| format!("In its own trees of /var it has at most {n} files.");
    one(limits.storage_files.map(files), "limits.storage-files");
    if *limits == Limits::default() {
        all.say("It may use as much as there is.", "limits");
    }
}

/// A namespace with what is in it.
fn namespace(name: &str) -> String {
    let what = match Namespace::from_word(name) {
        Some(Namespace::Ipc) => "message queues, semaphores and shared memory",
        Some(Namespace::Uts) => "host name",
        Some(Namespace::Cgroup) => "root of the control groups",
        None => return name.to_owned(),
    };
    format!("{name} ({what})")
}

/// A group of calls with what it is for; the name of a call alone.
fn called(name: &str) -> String {
    match calls::group(name) {
        Some(group) => format!("{name} ({})", group.about.trim_end_matches('.')),
        None => name.to_owned(),
    }
}

fn as_it_is(name: &str) -> String {
    name.to_owned()
}

struct Sentences<'r> {
    rules: &'r [Rule],
    topic: Topic,
    all: Vec<Sentence>,
}

impl Sentences<'_> {
    fn places(&self, is: impl Fn(&Rule) -> bool) -> Vec<(String, usize)> {
        let rules = self.rules.iter().filter(|rule| is(rule));
        rules.map(|rule| (rule.file.clone(), rule.line)).collect()
    }

    fn add(&mut self, text: &str, values: Vec<Value>) {
        self.all.push(Sentence { topic: self.topic, text: text.to_owned(), values });
    }

    /// A sentence that the rules called `key` say.
    fn say(&mut self, text: &str, key: &str) {
        let places = self.places(|rule| rule.key == key);
        let values =
            if places.is_empty() { vec![] } else { vec![Value { text: String::new(), places }] };
        self.add(text, values);
    }

    /// A sentence that goes on with the values of a list.
    fn list(&mut self, text: &str, key: &str, values: &[String], show: impl Fn(&str) -> String) {
        let place = |value: &String| Value {
            text: show(value),
            places: self.places(|rule| rule.key == key && rule.value == *value),
        };
        let values = values.iter().map(place).collect();
        self.add(text, values);
    }

    /// As [`Sentences::list`]; nothing for an empty list.
    fn some(&mut self, text: &str, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.list(text, key, values, called);
        }
    }

    /// A list that may be missing, or be empty.
    fn maybe<T: ToString>(&mut self, key: &str, list: Option<&[T]>, [all, none, these]: [&str; 3]) {
        match list {
            None => self.say(all, key),
            Some([]) => self.say(none, key),
            Some(list) => {
                let list: Vec<String> = list.iter().map(ToString::to_string).collect();
                self.list(these, key, &list, as_it_is);
            }
        }
    }

    fn files(&mut self, files: &Files, profile: &Profile) {
        let listed = files.view == View::Listed;
        match files.view {
            View::Whole => self.say("It finds all files of the device.", "files.view"),
            View::Listed => self.say("It finds only the files that are named here.", "files.view"),
        }
        if let Some(root) = &files.root {
            let text = format!(
                "What is named of {} it finds as it is in {root}; of /etc the device's are {}.",
                OF_ROOT.join(", "),
                ETC_OF_DEVICE.join(", ")
            );
            self.say(&text, "files.root");
        }
        let lists = [
            (
                "files.read",
                &files.read,
                [
                    "It may read whatever its user may.",
                    "It may read only what it may write or execute.",
                    "It may read:",
                ],
            ),
            (
                "files.write",
                &files.write,
                [
                    "It may write wherever its user may.",
                    "It may write no file of the device.",
                    "It may write, and execute nothing of what is there, in:",
                ],
            ),
            (
                "files.execute",
                &files.execute,
                [
                    "It may execute every program that its user may.",
                    "It may execute nothing.",
                    "It may execute programs, and read, in:",
                ],
            ),
        ];
        for (key, list, texts) in lists {
            // In a listed view a list that is missing names nothing.
            let list = list.as_deref().or(listed.then_some(&[][..]));
            self.maybe(key, list, texts);
        }
        match files.tmp {
            Tmp::Private => {
                self.say("/tmp and /var/tmp are its own, and empty at each start.", "files.tmp");
            }
            Tmp::Shared if !listed => self.say("/tmp and /var/tmp are everybody's.", "files.tmp"),
            Tmp::Shared => {}
        }
        match files.proc {
            Proc::Own => self.say("In /proc it finds only processes of its user.", "files.proc"),
            Proc::Host if !listed => self.say("In /proc it finds all processes.", "files.proc"),
            Proc::Host => {}
        }
        let devices = files.devices.as_deref();
        self.maybe(
            "files.devices",
            devices,
            [
                "It may use devices as its user may.",
                "In /dev it finds null, zero, full, random, urandom, tty and shm only.",
                "In /dev it finds null, zero, full, random, urandom, tty, shm, and:",
            ],
        );
        self.some("Not there, whatever else allows it:", "forbid.files", &profile.forbid.files);
        self.some("Never written, whatever else allows it:", "forbid.write", &profile.forbid.write);
    }

    fn network(&mut self, network: &Network, profile: &Profile) {
        let key = if profile.forbid.network { "forbid.network" } else { "network.access" };
        match network.access {
            Access::Host => self.say("It is in the network of the device.", key),
            Access::None => {
                self.say("It is in an empty network of its own: it reaches nobody.", key);
            }
        }
        let word = |family: &Family| family.word().to_owned();
        let families: Option<Vec<String>> =
            network.families.as_ref().map(|list| list.iter().map(word).collect());
        self.maybe(
            "network.families",
            families.as_deref(),
            [
                "It may have sockets of every family.",
                "It may have no sockets.",
                "It may have sockets of the families:",
            ],
        );
        let inet =
            |list: &Vec<Family>| list.iter().any(|f| matches!(f, Family::Inet | Family::Inet6));
        if network.access == Access::Host && network.families.as_ref().is_none_or(inet) {
            self.ports(network);
        }
        let never: Vec<String> = profile.forbid.families.iter().map(word).collect();
        self.some("Never, whatever else allows it, sockets of:", "forbid.families", &never);
    }

    fn ports(&mut self, network: &Network) {
        self.maybe(
            "network.connect",
            network.connect.as_deref(),
            [
                "It may connect to every TCP port.",
                "It may connect to no TCP port.",
                "It may connect to the TCP ports:",
            ],
        );
        self.maybe(
            "network.listen",
            network.listen.as_deref(),
            [
                "It may listen on every TCP port.",
                "It may listen on no TCP port but those opened for it.",
                "It may listen on the TCP ports:",
            ],
        );
        match (network.connect.is_some() || network.listen.is_some(), network.udp) {
            (false, _) => {}
            (true, true) => self.say("It may use UDP, on every port.", "network.udp"),
            (true, false) => self.say("It may not use UDP.", "network.udp"),
        }
    }

    fn calls(&mut self, calls: &Calls, profile: &Profile) {
        let but =
            !(calls.deny.is_empty() && calls.kill.is_empty() && profile.forbid.calls.is_empty());
        match calls.allow.as_deref() {
            None if but => {
                self.say("It may make every system call but those below.", "calls.allow");
            }
            None => self.say("It may make every system call.", "calls.allow"),
            Some([]) => {
                self.say("It may make only those without which nothing starts.", "calls.allow");
            }
            Some(list) => {
                self.list("It may make these, and no other:", "calls.allow", list, called);
            }
        }
        self.some("Refused (EPERM):", "calls.deny", &calls.deny);
        self.some("Refused, whatever else allows it:", "forbid.calls", &profile.forbid.calls);
        self.some("For these it is killed (SIGSYS):", "calls.kill", &calls.kill);
    }

    fn privileges(&mut self, profile: &Profile, user: Option<&str>) {
        self.add(&format!("It runs as {}.", user.unwrap_or("root")), Vec::new());
        let all = match user {
            None if profile.forbid.capabilities.is_empty() => "It has all capabilities of root.",
            None => "It has all capabilities of root but those below.",
            Some(_) => "It has no capabilities.",
        };
        let capabilities = profile.capabilities.as_deref();
        let texts = [all, "It has no capabilities.", "It has these capabilities:"];
        self.maybe("capabilities", capabilities, texts);
        let never = &profile.forbid.capabilities;
        self.some("Never, whatever else allows it:", "forbid.capabilities", never);
        let forbidden = profile.forbid.new_privileges;
        let key = if forbidden { "forbid.new-privileges" } else { "no-new-privileges" };
        match profile.no_new_privileges {
            true => self.say("Programs with the set-user-id bit give it nothing.", key),
            false => self.say("Programs with the set-user-id bit may give it more.", key),
        }
        match profile.lock_personality {
            true => self.say("It can't change its execution domain.", "lock-personality"),
            false => self.say("It may change its execution domain.", "lock-personality"),
        }
        match profile.keyring {
            true => self.say("It has a keyring of its own.", "keyring"),
            false => self.say("It shares a keyring with others.", "keyring"),
        }
    }
}
