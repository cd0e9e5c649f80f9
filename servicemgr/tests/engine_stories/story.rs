//! A story: services as text, events as words, actions as words.

use std::time::Duration;

use model::Plan;
use model::service::{Critical, Health, Kind, Probe, Reload, RestartWhen, Service, Start};
use servicemgr::engine::{Action, Answer, Ask, End, Engine, Event, Id, Life, State};

use crate::plans::{self, name, service};

/// One service a line, `+` is enabled: `[+]name [kind] [relation a,b] [command N] [key value]`.
fn read_all(text: &str) -> Plan {
    let mut enabled = Vec::new();
    let mut services = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let s = read(line.trim_start_matches('+'));
        if line.starts_with('+') {
            enabled.push(s.name.clone());
        }
        services.push(s);
    }
    plans::plan(services, &enabled)
}

/// A service as one line of text.
pub(crate) fn read(line: &str) -> Service {
    let mut words = line.split_whitespace();
    let mut s = service(words.next().expect("a name"));
    while let Some(word) = words.next() {
        match word {
            "notify" => s.kind = Kind::Notify,
            "notify-reload" => s.kind = Kind::NotifyReload,
            "oneshot" => s.kind = Kind::Oneshot,
            "passing" => (s.kind, s.remain) = (Kind::Oneshot, false),
            "target" => s.kind = Kind::Target,
            "idle" => s.kind = Kind::Idle,
            "forking" => s.kind = Kind::Forking,
            "dbus" => s.kind = Kind::Dbus,
            "demand" => s.start = Start::Demand,
            "probed" => s.health = Some(probe()),
            key => set(&mut s, key, words.next().expect("a value")),
        }
    }
    s
}

fn set(s: &mut Service, key: &str, value: &str) {
    let names = || value.split(',').map(name).collect::<Vec<_>>();
    let number = || value.parse::<u32>().expect("a number");
    let times = || vec![vec!["/bin/true".to_owned()]; usize::try_from(number()).expect("small")];
    match key {
        "requires" => s.requires = names(),
        "wants" => s.wants = names(),
        "after" => s.after = names(),
        "before" => s.before = names(),
        "binds" => s.binds = names(),
        "conflicts" => s.conflicts = names(),
        "part-of" => s.part_of = names(),
        "on-failure" => s.on_failure = names(),
        "on-success" => s.on_success = names(),
        "before-start" => s.commands.before_start = times(),
        "after-start" => s.commands.after_start = times(),
        "to-stop" => s.commands.stop = times(),
        "after-stop" => s.commands.after_stop = times(),
        "reload" if value == "signal" => s.commands.reload = Some(Reload::Signal(1)),
        "reload" => s.commands.reload = Some(Reload::Command(vec!["/bin/true".into()])),
        "watchdog" => s.watchdog = Some(Duration::from_millis(number().into())),
        "critical" => s.critical = Some(Critical { limit: number(), ..Critical::default() }),
        "jitter" => s.restart.jitter = number(),
        "restart" => {
            s.restart.when = match value {
                "never" => RestartWhen::Never,
                "always" => RestartWhen::Always,
                other => unreachable!("restart {other:?}"),
            }
        }
        other => unreachable!("what is `{other}`?"),
    }
}

fn probe() -> Box<Health> {
    let second = Duration::from_secs(1);
    let probe = Probe::Exec(vec!["/bin/true".into()]);
    Box::new(Health { probe, interval: second, timeout: second, retries: 3, readiness: true })
}

pub(crate) struct Story {
    pub(crate) plan: Plan,
    pub(crate) engine: Engine,
    pub(crate) now: Duration,
    jobs: u64,
}

impl Story {
    pub(crate) fn new(text: &str) -> Self {
        let plan = read_all(text);
        Self { engine: Engine::new(&plan), plan, now: Duration::ZERO, jobs: 0 }
    }

    /// After a script of which nothing needs to be seen.
    pub(crate) fn at(text: &str, script: &str) -> Self {
        let mut story = Self::new(text);
        story.play(script);
        story
    }

    pub(crate) fn id(&self, of: &str) -> Id {
        self.plan.services.iter().position(|s| s.name == name(of)).expect("in the plan")
    }

    pub(crate) fn life(&self, of: &str) -> &Life {
        self.engine.life(self.id(of)).expect("in the plan")
    }

    pub(crate) fn state(&self, of: &str) -> State {
        self.life(of).state
    }

    pub(crate) fn reason(&self, of: &str) -> String {
        self.life(of).reason.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    pub(crate) fn names(&self, ids: &[Id]) -> String {
        let names = ids.iter().filter_map(|id| self.plan.services.get(*id));
        names.map(|s| s.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// What a request would do: `stop … start …`, or the sentence that refuses it.
    pub(crate) fn dry(&self, ask: Ask, of: &str) -> String {
        let ids: Vec<Id> = of.split(',').map(|of| self.id(of)).collect();
        match self.engine.plan(&ids, ask) {
            Ok(plan) => {
                format!("stop [{}] start [{}]", self.names(&plan.stop), self.names(&plan.start))
            }
            Err(why) => why,
        }
    }

    /// Goes on in a new engine, as after servicemgr died.
    pub(crate) fn adopt(&mut self) {
        let lives = (0..self.plan.services.len())
            .filter_map(|id| Some((id, self.engine.life(id)?.clone())))
            .collect();
        let (booted, down) = (self.engine.booted(), self.engine.going_down());
        self.engine = Engine::new(&self.plan);
        self.engine.restore(lives, booted, down);
    }

    /// Plays `script` and shows the actions. Words: `boot`, `down`, `+MS`, and `what:who`.
    pub(crate) fn play(&mut self, script: &str) -> String {
        let mut shown = Vec::new();
        for word in script.split_whitespace() {
            let event = self.event(word);
            for action in self.engine.step(self.now, &event) {
                shown.extend(self.show(&action));
            }
        }
        shown.join(", ")
    }

    fn event(&mut self, word: &str) -> Event {
        if let Some(ms) = word.strip_prefix('+') {
            self.now += Duration::from_millis(ms.parse().expect("+MS"));
            return Event::Tick;
        }
        let Some((what, who)) = word.split_once(':') else {
            return if word == "boot" { Event::Boot } else { Event::Down };
        };
        let (who, amount) = who.split_once('=').unwrap_or((who, "0"));
        let time = Duration::from_millis(amount.parse().expect("who=MS"));
        if let (Some(ask), Some(_)) = (ask(what), who.find(',')) {
            let all = who.split(',').map(|who| (self.id(who), self.job())).collect();
            return Event::AskAll(ask, all);
        }
        let id = self.id(who);
        if let Some(ask) = ask(what) {
            return Event::Ask(id, ask, self.job());
        }
        match what {
            "up" => Event::Spawned(id),
            "nope" => Event::SpawnFailed(id, "exec /x: No such file".into()),
            "unheld" => Event::Unheld(id, "sandbox: this kernel has no landlock-6".into()),
            "skip" => Event::Skipped(id, "/x is not there".into()),
            "lost" => Event::Lost(id),
            "ready" => Event::Ready(id),
            "reloading" => Event::Reloading(id),
            "stopping" => Event::Stopping(id),
            "alive" => Event::Alive(id),
            "watch" => Event::Watch(id, time),
            "extend" => Event::Extend(id, time),
            "unwell" => Event::Unwell(id, "the probe failed".into()),
            "trigger" => Event::Trigger(id),
            "quiet" => Event::Quiet(id),
            "unbound" => Event::Unbound(id, "its device is gone".into()),
            "cmd" => Event::CommandEnded { id, end: Ok(()) },
            "badcmd" => Event::CommandEnded { id, end: Err("exit status 1".into()) },
            "lostcmd" => Event::CommandLost(id),
            "ok" => Event::Exited { id, end: End::Status(0), left: false },
            "fail" => Event::Exited { id, end: End::Status(3), left: false },
            "kill" => Event::Exited { id, end: End::Signal(11), left: false },
            "rest" => Event::Exited { id, end: End::Status(3), left: true },
            "okrest" => Event::Exited { id, end: End::Status(0), left: true },
            "empty" => Event::Empty(id),
            other => unreachable!("what is `{other}`?"),
        }
    }

    fn job(&mut self) -> u64 {
        self.jobs += 1;
        self.jobs
    }

    fn show(&self, action: &Action) -> Option<String> {
        let who = |id: &Id| self.plan.services.get(*id).expect("in the plan").name.clone();
        Some(match action {
            Action::Open(_) | Action::Gone(_) => return None,
            Action::Spawn(id) => format!("spawn {}", who(id)),
            Action::Run(id, phase, n) => format!("run {} {} {}", who(id), phase.when(), n + 1),
            Action::EndCommand(id) => format!("end command of {}", who(id)),
            Action::Reload(id) => format!("signal {} to reload", who(id)),
            Action::Arm(id) => format!("arm {}", who(id)),
            Action::Hush(id) => format!("hush {}", who(id)),
            Action::Disarm(id) => format!("disarm {}", who(id)),
            Action::Abandon(id) => format!("abandon command of {}", who(id)),
            Action::Listen(id) => format!("listen {}", who(id)),
            Action::Abort(id) => format!("abort {}", who(id)),
            Action::Freeze(id, true) => format!("freeze {}", who(id)),
            Action::Freeze(id, false) => format!("thaw {}", who(id)),
            Action::Critical(id) => format!("critical {}", who(id)),
            Action::Terminate(id) => format!("term {}", who(id)),
            Action::Kill(id) => format!("kill {}", who(id)),
            Action::Answer(job, Answer::Done) => format!("{job} done"),
            Action::Answer(job, Answer::Failed(why)) => format!("{job} failed: {why}"),
            Action::Answer(job, Answer::Refused(why)) => format!("{job} refused: {why}"),
            Action::Answer(job, other) => format!("{job} {other:?}"),
            Action::Settled => "settled".into(),
            Action::AllDown => "all down".into(),
        })
    }
}

fn ask(word: &str) -> Option<Ask> {
    Some(match word {
        "start" => Ask::Start,
        "stop" => Ask::Stop,
        "restart" => Ask::Restart,
        "reload" => Ask::Reload,
        "reset" => Ask::Reset,
        "arm" => Ask::Arm,
        "disarm" => Ask::Disarm,
        "freeze" => Ask::Freeze,
        "thaw" => Ask::Thaw,
        _ => return None,
    })
}
