//! Permissions for people who ask. Reads, changes nothing.

use api::permissions::{Row, Shown, State};
use api::services::Error;
use model::Name;
use model::permission::Grant;
use model::service::Service;
use model::word::Word;

use super::facts::sentences;
use super::profile_of;
use crate::daemon::Daemon;
use crate::daemon::requests::unknown;
use crate::engine::Id;
use crate::grants::{Answer, Decision};

impl Daemon {
    /// The permissions of a service, or of all.
    pub(super) fn permissions_of(&mut self, name: &str) -> Result<Vec<Row>, Error> {
        let mut rows = self.all_permissions();
        if !name.is_empty() {
            rows.retain(|row| row.service == name);
            if rows.is_empty() && self.find(name).is_none() {
                return Err(unknown(name));
            }
        }
        Ok(rows)
    }

    /// A permission, and who asks for it or was granted it.
    pub(super) fn show_permission(&mut self, name: &str) -> Result<Shown, Error> {
        let none = |why: &str| Error::Refused(format!("no permission `{name}`: {why}"));
        let known = Name::try_from(name).map_err(|e| none(&e.to_string()))?;
        let defined = self.permissions.find(&known).map_err(|why| none(&why))?;
        let permission = &defined.permission;
        let file = defined.rules.first().map(|rule| rule.file.clone());
        let directory = self.permissions.directories.first().map_or("", String::as_str);
        Ok(Shown {
            name: name.to_owned(),
            about: permission.about.plain.clone(),
            level: permission.level.word().to_owned(),
            grant: permission.grant.word().to_owned(),
            file: file.unwrap_or_else(|| format!("{directory}/{name}.toml")),
            gives: sentences(&defined),
            services: self.all_permissions().into_iter().filter(|r| r.permission == name).collect(),
        })
    }

    /// What every service asks for, and what was decided about it or about others, in order.
    fn all_permissions(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        for id in 0..self.plan.services.len() {
            let Some(service) = self.plan.services.get(id) else { continue };
            if service.permissions.is_empty() || self.find(service.name.as_str()) != Some(id) {
                continue;
            }
            let service = self.permissions.as_defined(service).into_owned();
            for permission in &service.permissions {
                rows.push(self.permission_row(id, &service, permission));
            }
        }
        for moment in [false, true] {
            for (service, permission, decision) in self.idle_decisions(moment) {
                let note = match self.find(service.as_str()) {
                    Some(_) => "it has no effect: the service does not ask for it",
                    None => "it has no effect: there is no such service now",
                };
                rows.push(row(&service, &permission, Some(decision), note.to_owned()));
            }
        }
        for row in &mut rows {
            let known = Name::try_from(row.permission.as_str()).ok();
            match known.map(|name| self.permissions.find(&name)) {
                Some(Ok(found)) => row.about.clone_from(&found.permission.about.plain),
                Some(Err(why)) if row.note.is_empty() => {
                    row.note = why.lines().next().unwrap_or_default().to_owned();
                }
                _ => {}
            }
        }
        rows.sort_by(|a, b| (&a.service, &a.permission).cmp(&(&b.service, &b.permission)));
        rows
    }

    fn permission_row(&mut self, id: Id, service: &Service, permission: &Name) -> Row {
        if service.app_id().is_some() {
            let mut row = row(&service.name, permission, None, String::new());
            (row.state, row.by) = (State::Granted, "ability-manager".to_owned());
            return row;
        }
        let moment = self.is_of_the_moment(id);
        let decision = self.permissions.store(moment).get().get(&service.name, permission);
        let found = self.permissions.find(permission);
        if found.as_ref().is_ok_and(|found| found.permission.grant == Grant::System) {
            let mut row = row(&service.name, permission, None, String::new());
            (row.state, row.by) = (State::Granted, "definition".to_owned());
            return row;
        }
        let granted = decision.is_some_and(|made| made.answer == Answer::Granted);
        let held = self.permissions.held(&service.name).contains(permission);
        let has = self.parts.get(id).is_some_and(|part| part.permissions.contains(permission));
        let alive = self.parts.get(id).is_some_and(|part| part.pid.is_some());
        let kernel = found.as_ref().is_ok_and(|found| {
            service.widened(&[&found.permission]).is_ok_and(|wider| &wider != profile_of(service))
        });
        let note = match (granted, held) {
            (true, false) => match (&found, self.why_not(service, permission)) {
                (Ok(_), Some(why)) => format!("it does not count: {why}"),
                _ => String::new(),
            },
            (true, true) if alive && kernel && !has => {
                "it counts at its next start: it runs since before".to_owned()
            }
            (false, _) if alive && kernel && has => "its processes still have it".to_owned(),
            _ => String::new(),
        };
        row(&service.name, permission, decision, note)
    }

    /// Why a permission does not count that was granted.
    fn why_not(&mut self, service: &Service, permission: &Name) -> Option<String> {
        let widened = self.permissions.widened(service, std::slice::from_ref(permission));
        let wrong = widened.wrong.into_iter().next().map(|(_, why)| why);
        wrong.or_else(|| Some("the sandbox with it could not be made: see the log".to_owned()))
    }

    /// Decisions about what nobody asks for.
    fn idle_decisions(&mut self, moment: bool) -> Vec<(Name, Name, Decision)> {
        let all: Vec<_> = self.permissions.store(moment).get().iter().collect();
        let all: Vec<_> =
            all.into_iter().map(|(s, p, made)| (s.clone(), p.clone(), made)).collect();
        let asks = |service: &Name, permission: &Name| {
            let id = self.find(service.as_str()).filter(|id| self.is_of_the_moment(*id) == moment);
            let service = id.and_then(|id| self.plan.services.get(id));
            service.is_some_and(|service| service.permissions.contains(permission))
        };
        all.into_iter().filter(|(service, permission, _)| !asks(service, permission)).collect()
    }
}

fn row(service: &Name, permission: &Name, decision: Option<Decision>, note: String) -> Row {
    let state = match decision.map(|made| made.answer) {
        None => State::Asked,
        Some(Answer::Granted) => State::Granted,
        Some(Answer::Refused) => State::Refused,
    };
    Row {
        service: service.to_string(),
        permission: permission.to_string(),
        about: String::new(),
        state,
        by: if decision.is_some() { "owner".to_owned() } else { String::new() },
        uid: decision.map_or(0, |made| made.by),
        since: decision.map_or(0, |made| made.at),
        note,
    }
}
