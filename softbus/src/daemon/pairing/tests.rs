//! Two and three daemons in one process pair over real links, without announcements.

use std::collections::HashMap;
use std::time::Duration;

use api::devices::Error;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::DeviceId;
use crate::daemon::desk::Told;
use crate::daemon::hub::Hub;
use crate::daemon::mail::Mail;
use crate::daemon::{Settings, begin, turn};

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(20);

/// The client that is there.
const CLIENT: u64 = 7;

struct Device {
    mail: Mail,
    id: DeviceId,
    port: u16,
    told: mpsc::Receiver<Told>,
    directory: TempDir,
}

async fn started(directory: TempDir) -> Device {
    let (mail, questions) = Mail::new();
    let (control, services) = (directory.path().join("bus"), directory.path().join("none"));
    let state = directory.path().to_owned();
    let settings = Settings { control, state, services, multicast: None };
    let mut hub = begin(&settings, mail.clone()).await.unwrap();
    let (id, port) = (hub.own, hub.engine.port());
    let (client, told) = mpsc::channel(64);
    hub.clients.insert(CLIENT, client);
    tokio::spawn(async move {
        hub.begin();
        turn(&mut hub, questions).await;
    });
    Device { mail, id, port, told, directory }
}

async fn new() -> Device {
    started(tempfile::tempdir().unwrap()).await
}

impl Device {
    async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&mut Hub) -> T + Send + 'static) -> T {
        self.mail.call(|hub, reply| drop(reply.send(ask(hub)))).await.unwrap()
    }

    async fn accepts(&self) -> Result<u32, Error> {
        self.ask(|hub| hub.accept(CLIENT, HashMap::new())).await
    }

    async fn pairs(&self, other: &Self) -> u32 {
        let target = format!("{}@127.0.0.1:{}", other.id, other.port);
        self.ask(move |hub| hub.pair(CLIENT, &target, HashMap::new())).await.unwrap()
    }

    /// The next of this stage: what is said with it.
    async fn stage(&mut self, stage: &str) -> HashMap<&'static str, String> {
        let told = async {
            loop {
                match self.told.recv().await {
                    Some(Told::Pairing { stage: now, detail, .. }) if now == stage => {
                        return detail.into_iter().collect();
                    }
                    Some(Told::Pairing { stage: "failed", detail, .. }) => {
                        unreachable!("instead of {stage}: {detail:?}")
                    }
                    Some(_) => {}
                    None => unreachable!("no {stage}"),
                }
            }
        };
        timeout(SOON, told).await.unwrap_or_else(|_| unreachable!("no {stage} came"))
    }

    async fn online(&self, other: DeviceId) {
        let wait = async {
            while !self.ask(move |hub| hub.session.present(&other)).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, wait).await.expect("it comes online");
    }
}

/// The code that the sink shows after its owner said yes.
async fn shown(sink: &mut Device, attempt: u32) -> String {
    let asked = sink.stage("asked").await;
    assert_eq!(asked["id"].len(), 64);
    sink.ask(move |hub| hub.confirm(attempt, true)).await.unwrap();
    sink.stage("show-code").await["code"].clone()
}

#[tokio::test]
async fn two_devices_pair_by_a_code_and_are_online() {
    let (mut phone, mut tv) = (new().await, new().await);
    let window = tv.accepts().await.unwrap();
    assert_eq!(tv.stage("waiting").await["seconds"], "120");
    assert!(matches!(tv.accepts().await, Err(Error::Busy(_))), "one at a time");
    let attempt = phone.pairs(&tv).await;
    let code = shown(&mut tv, window).await;
    assert_eq!(phone.stage("ask-code").await["tries"], "3");
    let wrong = if code == "111111" { "222222" } else { "111111" };
    phone.ask(move |hub| hub.answer(attempt, wrong)).await.unwrap();
    assert_eq!(phone.stage("wrong-code").await["tries"], "2");
    phone.stage("ask-code").await;
    phone.ask(move |hub| hub.answer(attempt, &code)).await.unwrap();
    let (one, other) = (phone.stage("done").await, tv.stage("done").await);
    assert_eq!((one["id"].parse(), other["id"].parse()), (Ok(tv.id), Ok(phone.id)));
    phone.online(tv.id).await;
    tv.online(phone.id).await;
    assert!(tv.directory.path().join("group").exists());
    assert!(tv.ask(|hub| hub.pairing.attempt.is_none()).await, "and the window is closed");
    let mut watch = new().await;
    watch.pairs(&tv).await;
    assert_eq!(watch.stage("failed").await["step"], "reach");
}

#[tokio::test]
async fn three_wrong_codes_freeze_the_device_and_a_restart_does_not_help() {
    let (mut phone, mut tv) = (new().await, new().await);
    let window = tv.accepts().await.unwrap();
    let attempt = phone.pairs(&tv).await;
    let code = shown(&mut tv, window).await;
    let wrong = if code == "111111" { "222222" } else { "111111" };
    for _ in 0..3 {
        phone.stage("ask-code").await;
        phone.ask(move |hub| hub.answer(attempt, wrong)).await.unwrap();
    }
    assert_eq!(phone.stage("failed").await["step"], "code");
    assert_eq!(tv.stage("failed").await["step"], "code");
    let frozen = |accepted: Result<u32, Error>| match accepted {
        Err(Error::Refused(why)) => assert!(why.contains("no code is taken for"), "{why}"),
        other => unreachable!("{other:?}"),
    };
    frozen(tv.accepts().await);
    let again = started(tv.directory).await;
    frozen(again.accepts().await);
    std::fs::write(again.directory.path().join("ladder"), "x").unwrap();
    frozen(again.accepts().await);
    assert!(!again.directory.path().join("group").exists());
}

#[tokio::test]
async fn the_window_closes_with_the_client_and_the_other_is_told() {
    let (mut phone, mut tv) = (new().await, new().await);
    let window = tv.accepts().await.unwrap();
    phone.pairs(&tv).await;
    shown(&mut tv, window).await;
    phone.stage("ask-code").await;
    tv.ask(|hub| hub.client_left(CLIENT)).await;
    let failed = phone.stage("failed").await;
    assert_eq!(failed["reason"], "the other device says: it was given up");
    phone.pairs(&tv).await;
    assert_eq!(phone.stage("failed").await["step"], "reach");
}

#[tokio::test]
async fn whoever_comes_second_is_told_that_it_is_busy() {
    let (phone, mut watch, mut tv) = (new().await, new().await, new().await);
    let window = tv.accepts().await.unwrap();
    phone.pairs(&tv).await;
    tv.stage("asked").await;
    watch.pairs(&tv).await;
    let failed = watch.stage("failed").await;
    assert_eq!(failed["reason"], "the other device says: it is pairing with another device");
    assert!(
        tv.ask(move |hub| hub.confirm(window, true)).await.is_ok(),
        "nothing became of the first"
    );
}

#[tokio::test]
async fn who_hangs_up_before_anybody_saw_it_does_not_close_the_window() {
    let (phone, watch, mut tv) = (new().await, new().await, new().await);
    tv.accepts().await.unwrap();
    let (peer, address) = (tv.id, ([127, 0, 0, 1], tv.port).into());
    // A link on which nothing is said.
    let engine = watch.ask(|hub| hub.engine.clone()).await;
    let dial = crate::engine::Dial {
        peer,
        addresses: &[address],
        relay: None,
        protocol: crate::engine::Protocol::Pairing,
        within: SOON,
    };
    let link = engine.dial(&dial).await.unwrap();
    link.close("bye");
    let free = async {
        while tv.ask(|hub| hub.pairing.attempt.as_ref().is_none_or(|one| one.run.is_some())).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, free).await.expect("its place is free again");
    phone.pairs(&tv).await;
    tv.stage("asked").await;
}

#[tokio::test]
async fn what_makes_no_sense_is_said_so() {
    let mut phone = new().await;
    let options = |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
    for (name, value) in [("level", "king"), ("seconds", "0"), ("seconds", "121"), ("seconds", "x")]
    {
        let options = options(name, value);
        let accepted = phone.ask(move |hub| hub.accept(CLIENT, options)).await;
        assert!(matches!(accepted, Err(Error::Invalid(_))), "{name}={value}");
    }
    assert!(matches!(phone.ask(|hub| hub.confirm(9, true)).await, Err(Error::NotFound(_))));
    let attempt = phone.ask(|hub| hub.pair(CLIENT, "nobody", HashMap::new())).await.unwrap();
    let early = phone.ask(move |hub| hub.answer(attempt, "123456")).await;
    assert!(matches!(early, Err(Error::Invalid(_))));
    assert_eq!(phone.stage("failed").await["step"], "find");
}
