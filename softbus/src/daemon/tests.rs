//! Two and three daemons in one process, over real links and without announcements.

use std::path::Path;
use std::time::Duration;

use api::devices::Device;
use tempfile::TempDir;

use super::files::Group;
use super::*;
use crate::DeviceId;
use crate::session;
use crate::trust::{Card, Change, Form, Level, Log, Name, Secret};

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(20);

struct Device1 {
    mail: Mail,
    directory: TempDir,
    id: DeviceId,
}

fn card(name: &str) -> Card {
    Card::joins(Name::new(name).unwrap(), Form::new("tv").unwrap())
}

/// Directories of devices of one group; the first one founded it.
fn group(names: &[&str]) -> Vec<TempDir> {
    let all: Vec<TempDir> = names.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    let key =
        |directory: &TempDir| SecretKey::from_bytes(&Files::at(directory.path()).key().unwrap());
    let first = key(&all[0]);
    let mut log =
        Log::found(&first, Card { level: Level::Owner, ..card(names[0]) }, [1; 16]).unwrap();
    for (directory, name) in all.iter().zip(names).skip(1) {
        let entries =
            log.author(&first, &Change::Add { device: key(directory).id(), card: card(name) });
        log.merge(entries.unwrap()).unwrap();
    }
    let secret = Secret::new(log.members(), [2; 32]);
    for directory in &all {
        let group = Group { log: log.clone(), secret: secret.clone() };
        Files::at(directory.path()).keep_group(Some(&group)).unwrap();
    }
    all
}

async fn started(directory: TempDir) -> Device1 {
    let (mail, questions) = Mail::new();
    let (control, services) = (directory.path().join("bus"), directory.path().join("none"));
    let state = directory.path().to_owned();
    let mut hub =
        begin(&Settings { control, state, services, multicast: None }, mail.clone()).await.unwrap();
    let id = hub.own;
    tokio::spawn(async move {
        hub.begin();
        turn(&mut hub, questions).await;
    });
    Device1 { mail, directory, id }
}

impl Device1 {
    async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&mut Hub) -> T + Send + 'static) -> T {
        self.mail.call(|hub, reply| drop(reply.send(ask(hub)))).await.unwrap()
    }

    async fn list(&self) -> Vec<Device> {
        self.ask(|hub| hub.list()).await
    }

    /// This device is where `other` looks.
    async fn found_by(&self, other: &Self) {
        let port = self.ask(|hub| hub.engine.port()).await;
        let (peer, addresses) = (self.id, vec![([127, 0, 0, 1], port).into()]);
        other.ask(move |hub| hub.step(session::Event::Known(peer, addresses))).await;
    }

    async fn until(&self, what: &str, is: impl Fn(&[Device]) -> bool) {
        let wait = async {
            while !is(&self.list().await) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(SOON, wait).await.is_err() {
            unreachable!("{what}: {:?}", self.list().await);
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn state<'a>(list: &'a [Device], name: &str) -> &'a str {
    list.iter().find(|device| device.name == name).map_or("none", |device| device.state.as_str())
}

#[tokio::test]
async fn devices_of_a_group_meet_agree_and_part() {
    let mut all = group(&["tv", "phone"]);
    let phone = started(all.pop().unwrap()).await;
    let tv = started(all.pop().unwrap()).await;
    assert_eq!(state(&tv.list().await, "phone"), "offline");
    phone.found_by(&tv).await;
    tv.until("both are here", |list| state(list, "phone") == "online").await;
    phone.until("both are here", |list| state(list, "tv") == "online").await;
    let row = tv.list().await.pop().unwrap();
    assert!(row.way.starts_with("direct 127.0.0.1:") && row.trouble.is_empty(), "{row:?}");

    let (id, name) = (phone.id, Name::new("handset").unwrap());
    tv.ask(move |hub| hub.change(&Change::Name { device: id, name })).await.unwrap();
    phone.until("the new name", |list| list[0].name == "handset").await;
    let device = tv.id;
    let lowered =
        phone.ask(move |hub| hub.change(&Change::Level { device, level: Level::Guest })).await;
    assert!(lowered.is_err(), "a member changes nothing");

    let checks = tv.ask(move |hub| hub.examine("handset")).await;
    let link = checks.iter().find(|check| check.what == "link").unwrap();
    assert_eq!(link.verdict, "ok", "{checks:?}");
    let checks = tv.ask(|hub| hub.examine("watch")).await;
    assert!(checks.iter().any(|check| check.what == "window" && check.verdict == "failed"));
    let info = tv.ask(|hub| hub.info("handset")).await.unwrap();
    assert!(info.contains_key("memory"), "its profile came: {info:?}");
    assert_eq!(tv.ask(|hub| hub.pick(&["memory=1M".to_owned()])).await.unwrap().len(), 2);

    tv.ask(move |hub| hub.change(&Change::Remove(id))).await.unwrap();
    assert_eq!(tv.list().await.len(), 1);
    phone
        .until("it knows that it was removed", |list| list.len() == 1 && list[0].level.is_empty())
        .await;
    assert!(!phone.path().join("group").exists(), "and has forgotten the group");
    phone.found_by(&tv).await;
    assert!(tv.ask(|hub| hub.links.is_empty()).await);
}

#[tokio::test]
async fn what_one_says_reaches_those_that_only_the_other_meets() {
    let mut all = group(&["tv", "phone", "watch"]);
    let watch = started(all.pop().unwrap()).await;
    let phone = started(all.pop().unwrap()).await;
    let tv = started(all.pop().unwrap()).await;
    phone.found_by(&tv).await;
    watch.found_by(&phone).await;
    phone.until("it has both", |list| list.iter().all(|device| device.state != "offline")).await;
    let name = Name::new("telly").unwrap();
    let own = tv.id;
    tv.ask(move |hub| hub.change(&Change::Name { device: own, name })).await.unwrap();
    watch.until("it has heard", |list| state(list, "telly") != "none").await;
    watch.ask(Hub::leave).await.unwrap();
    tv.until("it has left", |list| list.len() == 2).await;
    assert!(!watch.path().join("group").exists());
    assert!(watch.ask(Hub::leave).await.is_err(), "once is enough");
}

#[tokio::test]
async fn a_device_that_is_killed_is_back_with_all_it_knew() {
    let mut all = group(&["tv", "phone"]);
    let phone = started(all.pop().unwrap()).await;
    let tv = started(all.pop().unwrap()).await;
    phone.found_by(&tv).await;
    tv.until("both are here", |list| state(list, "phone") == "online").await;
    // The new one has the same key, and takes the place of the old one at once.
    let again = started(phone.directory).await;
    assert_eq!(again.id, phone.id);
    tv.found_by(&again).await;
    again.until("both are here again", |list| state(list, "tv") == "online").await;
    let run = again.ask(|hub| hub.run).await;
    let same = move |hub: &mut Hub| {
        let hello =
            hub.session.link(&phone.id).and_then(|link| hub.links.get(&link)?.hello.clone());
        hello.is_some_and(|hello| hello.run == run)
    };
    let wait = async {
        while !tv.ask(same).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("the link is that of the new one");
}

#[tokio::test]
async fn a_damaged_group_is_told_and_kept_until_the_owner_leaves_it() {
    let directory = group(&["tv"]).pop().unwrap();
    let path = directory.path().join("group");
    std::fs::write(&path, "nonsense").unwrap();
    let tv = started(directory).await;
    assert!(tv.list().await[0].trouble.contains("device leave"));
    assert!(path.exists());
    tv.ask(Hub::leave).await.unwrap();
    assert!(!path.exists() && tv.list().await[0].trouble.is_empty());
}
