//! All services of a device, linked: every name resolves, no cycle, edges as indices.
//!
//! ```text
//! services (sorted by name)   before[i] = services that must be settled before i starts
//! ```
//!
//! The image builder links once and writes the plan as [`Plan::encode`]; the device only reads it.

mod lenient;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sandbox::{Compiled, Feature, Profile};
use crate::service::Service;
use crate::shared::{self, Pool};
use crate::{Name, gather};

/// Where the plan lies on a device.
pub const PLAN_PATH: &str = "/usr/lib/ensemble/plan";

/// Where the texts of the services that ship lie on a device: `NAME.toml`, and `NAME.d/*.toml` over it.
pub const SERVICES_PATH: &str = "/usr/lib/ensemble/services";

/// First bytes of an encoded plan; the digit is the version of the format.
const MAGIC: &[u8] = b"ENSPLAN5";

/// Most services in one plan; the engine's tables are sized by it.
pub const MAX_SERVICES: usize = 4096;

/// All services of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The services, sorted by name. An index into this list is a service's id.
    #[serde(deserialize_with = "shared::services")]
    pub services: Vec<Service>,
    /// The ids that start at boot; all they pull in starts as well.
    pub enabled: Vec<u32>,
    /// Services that are only made on demand, by name: `getty@`. Instances of them are copies with
    /// `%i` replaced.
    pub templates: Vec<Service>,
    /// Profiles of these services, made ready for the architecture of the device, sorted by profile.
    pub compiled: Vec<(Profile, Compiled)>,
    /// What the kernel under this device may lack; see [`Plan::tolerate`].
    pub optional: Vec<Feature>,
    /// Version of the device, shown by `ensctl status`.
    pub device: String,
}

/// Why services can't be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// `of` names a service that is not there.
    Unknown {
        /// The service that asks; `None` when it is the device's `enable` list.
        of: Option<Name>,
        /// The missing one.
        name: Name,
    },
    /// Each waits for the next, and the last for the first.
    Cycle(Vec<Name>),
    /// Two services have this name.
    Twice(Name),
    /// More than [`MAX_SERVICES`].
    TooMany(usize),
    /// `of` requires what is not there once it has ended.
    Ended {
        /// The service that asks.
        of: Name,
        /// A oneshot that does not remain.
        needs: Name,
    },
    /// One service, the first of both ways, needs two that stop each other, the last of the ways.
    Conflict {
        /// The way to one of them.
        one: Vec<Name>,
        /// The way to the other.
        other: Vec<Name>,
    },
    /// Two services that start at boot, the first of the ways, need two that stop each other.
    Boot {
        /// The way to one of them.
        one: Vec<Name>,
        /// The way to the other.
        other: Vec<Name>,
    },
}

impl Plan {
    /// Links `services`; `enabled` start at boot.
    ///
    /// # Errors
    /// Every unknown name, every duplicate, and one full path per cycle.
    pub fn link(
        device: impl Into<String>,
        mut services: Vec<Service>,
        enabled: &[Name],
    ) -> Result<Self, Vec<LinkError>> {
        services.sort_by(|a, b| a.name.cmp(&b.name));
        Pool::default().join_all(&mut services);
        let mut errors = Vec::new();
        let (templates, services): (Vec<_>, Vec<_>) =
            services.into_iter().partition(|s| s.name.is_template());
        if services.len() > MAX_SERVICES {
            errors.push(LinkError::TooMany(services.len()));
        }
        for pair in services.windows(2) {
            if let [a, b] = pair
                && a.name == b.name
            {
                errors.push(LinkError::Twice(a.name.clone()));
            }
        }
        let plan = Self { services, templates, device: device.into(), ..Self::default() };
        let ids = plan.ids();
        for service in &plan.services {
            let unknown = named(service).filter(|n| !ids.contains_key(n));
            let of = || Some(service.name.clone());
            errors.extend(unknown.map(|n| LinkError::Unknown { of: of(), name: n.clone() }));
        }
        errors.extend(plan.untemplated());
        let mut on = Vec::new();
        for name in enabled {
            match ids.get(name) {
                Some(id) => on.push(*id),
                None => errors.push(LinkError::Unknown { of: None, name: name.clone() }),
            }
        }
        errors.extend(plan.cycles().into_iter().map(LinkError::Cycle));
        errors.extend(plan.contradictions());
        errors.extend(plan.at_boot(&on));
        on.sort_unstable();
        on.dedup();
        if errors.is_empty() { Ok(Self { enabled: on, ..plan }) } else { Err(errors) }
    }

    /// The kernel under this device may lack `missing`: every profile does without, where it has to.
    pub fn tolerate(&mut self, missing: &[Feature]) {
        self.optional.extend(missing);
        self.optional.sort_unstable();
        self.optional.dedup();
        let optional = &self.optional;
        for service in self.services.iter_mut().chain(&mut self.templates) {
            service.sandbox = service.sandbox.clone().into_inner().tolerating(optional).into();
        }
        for (profile, _) in &mut self.compiled {
            *profile = std::mem::take(profile).tolerating(optional);
        }
        Pool::default().join_all(&mut self.services);
        for (_, compiled) in &mut self.compiled {
            compiled.requires.retain(|feature| !feature.may_lack(optional));
            compiled.optional.extend(optional);
            compiled.optional.sort_unstable();
            compiled.optional.dedup();
        }
        self.compiled.sort_by(|a, b| a.0.cmp(&b.0));
    }

    /// Ids by name.
    #[must_use]
    pub fn ids(&self) -> BTreeMap<&Name, u32> {
        gather((0_u32..).zip(&self.services).map(|(id, s)| (&s.name, id)))
    }

    /// For each service, the ids that must be settled before it starts: those it requires, binds,
    /// wants or comes after, and those which say that they come before it.
    #[must_use]
    pub fn before(&self) -> Vec<Vec<u32>> {
        let ids = self.ids();
        let of = |s: &Service| -> Vec<u32> {
            let named = s.requires.iter().chain(&s.binds).chain(&s.wants).chain(&s.after);
            named.filter_map(|n| ids.get(n).copied()).collect()
        };
        let mut all: Vec<Vec<u32>> = self.services.iter().map(of).collect();
        for (id, service) in (0_u32..).zip(&self.services) {
            for later in service.before.iter().filter_map(|n| ids.get(n)) {
                let later = usize::try_from(*later).ok().and_then(|l| all.get_mut(l));
                later.into_iter().for_each(|list| list.push(id));
            }
        }
        for list in &mut all {
            list.sort_unstable();
            list.dedup();
        }
        all
    }

    /// Services whose connections have no template.
    fn untemplated(&self) -> Vec<LinkError> {
        let known: BTreeSet<&str> = gather(self.templates.iter().map(|t| t.name.as_str()));
        let accepting = self.services.iter().filter(|s| s.sockets.iter().any(|s| s.accept));
        let names = accepting.map(|s| (s, format!("{}@", s.name)));
        let missing = names.filter(|(_, template)| !known.contains(template.as_str()));
        let unknown = missing.filter_map(|(s, template)| {
            let name = Name::try_from(template).ok()?;
            Some(LinkError::Unknown { of: Some(s.name.clone()), name })
        });
        unknown.collect()
    }

    /// One path through each knot of services that wait for each other.
    fn cycles(&self) -> Vec<Vec<Name>> {
        let before = self.before();
        let mut state = vec![Mark::New; before.len()];
        let mut found = Vec::new();
        for root in 0..before.len() {
            self.search(root, &before, &mut state, &mut found);
        }
        found
    }

    /// Depth first, without recursion: a chain may be thousands long.
    fn search(
        &self,
        root: usize,
        before: &[Vec<u32>],
        state: &mut [Mark],
        found: &mut Vec<Vec<Name>>,
    ) {
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        if state.get(root) != Some(&Mark::New) {
            return;
        }
        set(state, root, Mark::OnPath);
        while let Some((at, next)) = path.last_mut() {
            let Some(&to) = before.get(*at).and_then(|b| b.get(*next)) else {
                set(state, *at, Mark::Done);
                path.pop();
                continue;
            };
            *next += 1;
            let Ok(to) = usize::try_from(to) else { continue };
            match state.get(to) {
                Some(Mark::New) => {
                    set(state, to, Mark::OnPath);
                    path.push((to, 0));
                }
                Some(Mark::OnPath) => {
                    let knot = path.iter().skip_while(|(id, _)| *id != to);
                    found.push(
                        knot.filter_map(|(id, _)| self.services.get(*id))
                            .map(|s| s.name.clone())
                            .collect(),
                    );
                }
                Some(Mark::Done) | None => {}
            }
        }
    }

    /// As bytes, for [`PLAN_PATH`]. The same plan always gives the same bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        bytes
    }

    /// Reads what [`Plan::encode`] wrote.
    ///
    /// # Errors
    /// [`BadPlan`] when the bytes are cut off or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadPlan> {
        let body = bytes.strip_prefix(MAGIC).ok_or(BadPlan)?;
        postcard::from_bytes(body).map_err(|_| BadPlan)
    }
}

/// The bytes are not a [`Plan`] of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPlan;

impl fmt::Display for BadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a service plan of this version; build the image again")
    }
}

impl std::error::Error for BadPlan {}

/// Every other service that one names.
fn named(s: &Service) -> impl Iterator<Item = &Name> {
    let hard = s.requires.iter().chain(&s.binds);
    let order = s.wants.iter().chain(&s.after).chain(&s.before);
    let events = s.on_failure.iter().chain(&s.on_success);
    hard.chain(order).chain(&s.conflicts).chain(&s.part_of).chain(events)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnPath,
    Done,
}

fn set(state: &mut [Mark], at: usize, mark: Mark) {
    if let Some(slot) = state.get_mut(at) {
        *slot = mark;
    }
}

/// Names on a way, in order.
fn way(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(" → ")
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { of: Some(of), name } => {
                write!(f, "`{of}` names `{name}`, and no service is called that")
            }
            Self::Unknown { of: None, name } => write!(f, "no service is called `{name}`"),
            Self::Twice(name) => write!(f, "two services are called `{name}`"),
            Self::TooMany(n) => write!(f, "{n} services; at most {MAX_SERVICES}"),
            Self::Cycle(names) => {
                let mut path: Vec<&str> = names.iter().map(Name::as_str).collect();
                path.extend(names.first().map(Name::as_str));
                write!(f, "services wait for each other: {}", path.join(" → "))
            }
            Self::Ended { of, needs } => {
                write!(f, "`{of}` requires `{needs}`, which is off again when it has ended")
            }
            Self::Conflict { one, other } => match (one.as_slice(), other.as_slice()) {
                ([of], [_]) => write!(f, "`{of}` stops itself"),
                ([of], longer) | (longer, [of]) => {
                    write!(f, "`{of}` needs what stops it: {}", way(longer))
                }
                ([of, ..], _) | (_, [of, ..]) => {
                    write!(f, "`{of}` needs two that stop each other: ")?;
                    write!(f, "{}, and {}", way(one), way(other))
                }
                ([], []) => f.write_str("services stop each other"),
            },
            Self::Boot { one, other } => {
                f.write_str("services that start at boot stop each other: ")?;
                write!(f, "{}, and {}", way(one), way(other))
            }
        }
    }
}
