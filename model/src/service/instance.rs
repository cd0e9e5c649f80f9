//! Templates: one file, many services. `getty@` is the template, `getty@tty1` an instance of it.

use crate::name::BadName;
use crate::service::{CredentialSource, Probe, Reload, Service};

/// What stands for the instance in the texts of a template.
pub const PLACEHOLDER: &str = "%i";

impl Service {
    /// The instance called `instance` of this template: in each text, `%i` becomes the instance and
    /// `%%` a percent sign.
    ///
    /// # Errors
    /// [`BadName`]: this is no template, or `instance` can't be a part of a name.
    pub fn instance(&self, instance: &str) -> Result<Self, BadName> {
        let name = self.name.with_instance(instance)?;
        let mut made = Self { name, ..self.clone() };
        made.each_text(&mut |text| {
            if text.contains('%') {
                *text = fill(text, instance);
            }
        });
        Ok(made)
    }

    /// Every path in its sandbox, which may hold it too.
    fn each_tree(&mut self, each: &mut dyn FnMut(&mut String)) {
        let sandbox = &mut *self.sandbox;
        let files = &mut sandbox.files;
        let lists = [&mut files.read, &mut files.write, &mut files.execute, &mut files.devices];
        let forbid = [&mut sandbox.forbid.files, &mut sandbox.forbid.write];
        for list in lists.into_iter().flatten().chain(forbid) {
            list.iter_mut().for_each(&mut *each);
            list.sort();
        }
    }

    /// Every text that may hold [`PLACEHOLDER`].
    fn each_text(&mut self, each: &mut dyn FnMut(&mut String)) {
        each(&mut self.about);
        self.each_tree(each);
        self.exec.iter_mut().for_each(&mut *each);
        self.environment.values_mut().for_each(&mut *each);
        let single = [&mut self.user, &mut self.directory, &mut self.pid_file];
        single.into_iter().flatten().for_each(&mut *each);
        for socket in &mut self.sockets {
            if let super::Address::Path(path) = &mut socket.address {
                each(path);
            }
            socket.user.iter_mut().for_each(&mut *each);
        }
        for watch in &mut self.activation.paths {
            each(&mut watch.path);
        }
        for device in &mut self.activation.devices {
            each(&mut device.name);
        }
        for signal in &mut self.activation.signals {
            signal.arg0.iter_mut().for_each(&mut *each);
        }
        let commands = &mut *self.commands;
        let lists = [
            &mut commands.before_start,
            &mut commands.after_start,
            &mut commands.stop,
            &mut commands.after_stop,
        ];
        lists.into_iter().flatten().flatten().for_each(&mut *each);
        if let Some(Reload::Command(command)) = &mut commands.reload {
            command.iter_mut().for_each(&mut *each);
        }
        match self.health.as_mut().map(|h| &mut h.probe) {
            Some(Probe::Exec(command)) => command.iter_mut().for_each(&mut *each),
            Some(Probe::Http { path, .. }) => each(path),
            Some(Probe::Tcp(_)) | None => {}
        }
        for credential in &mut self.credentials {
            match &mut credential.source {
                CredentialSource::Path(text) | CredentialSource::Text(text) => each(text),
            }
        }
    }
}

fn fill(text: &str, instance: &str) -> String {
    let mut filled = String::with_capacity(text.len() + instance.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        filled.push_str(before);
        rest = match after.as_bytes().first() {
            Some(b'i') => {
                filled.push_str(instance);
                after.get(1..).unwrap_or_default()
            }
            Some(b'%') => {
                filled.push('%');
                after.get(1..).unwrap_or_default()
            }
            _ => {
                filled.push('%');
                after
            }
        };
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;

    #[test]
    fn an_instance_is_the_template_with_its_name_filled_in() {
        let exec = vec!["/sbin/getty".into(), "%i".into(), "100%% of %i, 5%".into()];
        let template = Service::new(Name::try_from("getty@").unwrap(), exec);
        let made = template.instance("tty1").unwrap();
        assert_eq!(made.name.as_str(), "getty@tty1");
        assert_eq!(made.exec, ["/sbin/getty", "tty1", "100% of tty1, 5%"]);
        assert_eq!(template.instance("../x"), Err(BadName));
        assert_eq!(made.instance("x"), Err(BadName));
    }
}
