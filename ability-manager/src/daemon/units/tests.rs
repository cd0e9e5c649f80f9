//! Units by name, and a servicemgr that is replaced while it is asked.

use super::*;

#[test]
fn a_unit_is_found_by_its_number_and_the_other_way_round() {
    let id: BundleId = "org.example.notes".to_owned().try_into().unwrap();
    assert_eq!(unit(&id, InstanceId(7)), "app@org.example.notes_7");
    assert_eq!(instance("app@org.example.notes_7"), Some(InstanceId(7)));
    for other in ["journal", "app@", "app@org.example.notes", "app@a.b_x", "web@a.b_7"] {
        assert_eq!(instance(other), None, "{other}");
    }
}

/// A servicemgr that is replaced while it starts the first that it is asked for.
struct Replaced {
    asked: u32,
}

#[zbus::interface(name = "org.ensemble.Services1")]
impl Replaced {
    fn launch(
        &mut self,
        _unit: String,
        _definition: String,
        _uid: u32,
        _granted: Vec<String>,
        _own: Vec<String>,
    ) -> Result<(), Error> {
        self.asked += 1;
        if self.asked == 1 { Err(Error::GoingDown("replaced".to_owned())) } else { Ok(()) }
    }

    fn status(&self, name: String) -> Result<(), Error> {
        Err(Error::NoSuchService(name))
    }
}

fn shared(
    heard: mpsc::Sender<Heard>,
    now: watch::Sender<Option<ServicesProxy<'static>>>,
) -> Shared {
    let (socket, prepares, mounts) = Default::default();
    let (calls, stops) = (Semaphore::new(1), Semaphore::new(1));
    Shared { socket, heard, now, calls, stops, prepares, mounts }
}

#[test]
fn who_is_started_once_more_has_not_ended_with_the_first_attempt() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heard = tokio::task::LocalSet::new().block_on(&runtime, async {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let served = Builder::unix_stream(theirs)
            .server(zbus::Guid::generate())
            .p2p()
            .serve_at("/org/ensemble/Services", Replaced { asked: 0 });
        let client = Builder::unix_stream(ours).p2p();
        let (served, client) = tokio::join!(served.build(), client.build());
        let (_served, client) = (served.unwrap(), client.unwrap());
        let (heard, mut hears) = mpsc::channel(8);
        let proxy = ServicesProxy::new(&client).await.unwrap();
        let shared = Rc::new(shared(heard, watch::channel(Some(proxy)).0));
        let unit = "app@org.example.notes_7".to_owned();
        let worker = Worker { shared, instance: InstanceId(7), unit };
        worker.start("", 10_000, &[]).await.unwrap();
        drop(worker);
        let mut all = Vec::new();
        while let Some(heard) = hears.recv().await {
            all.push(format!("{heard:?}"));
        }
        all
    });
    assert_eq!(heard, ["Again(InstanceId(7))"]);
}

/// A servicemgr that says what it was asked for, in order.
struct Asked(mpsc::UnboundedSender<String>);

#[zbus::interface(name = "org.ensemble.Services1")]
impl Asked {
    async fn prepare(&self, definition: String, _uid: u32, _granted: Vec<String>) {
        tokio::task::yield_now().await;
        let _gone = self.0.send(definition);
    }

    fn let_go(&self, tree: String) {
        let _gone = self.0.send(tree);
    }
}

#[test]
fn what_is_to_be_let_go_of_is_asked_after_all_that_was_to_be_made_ready() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = tokio::task::LocalSet::new().block_on(&runtime, async {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let (asked, mut asks) = mpsc::unbounded_channel();
        let served = Builder::unix_stream(theirs)
            .server(zbus::Guid::generate())
            .p2p()
            .serve_at("/org/ensemble/Services", Asked(asked));
        let client = Builder::unix_stream(ours).p2p();
        let (served, client) = tokio::join!(served.build(), client.build());
        let (_served, client) = (served.unwrap(), client.unwrap());
        let (heard, mut hears) = mpsc::channel(8);
        let proxy = ServicesProxy::new(&client).await.unwrap();
        let shared = Rc::new(shared(heard, watch::channel(Some(proxy)).0));
        let units = Units { shared, queues: BTreeMap::new() };
        for text in ["one", "two", "three"] {
            units.prepare(text.to_owned(), 10_000, Vec::new());
        }
        units.let_go(PathBuf::from("/tree"));
        let heard = hears.recv().await;
        assert!(matches!(heard, Some(Heard::LetGo(tree)) if tree == Path::new("/tree")));
        [(); 4].map(|()| asks.try_recv().unwrap())
    });
    assert_eq!(asked, ["one", "two", "three", "/tree"]);
}

#[test]
fn an_end_is_told_in_our_words() {
    assert_eq!(exit("status", 0), Exit::Normal);
    assert_eq!(exit("status", 3), Exit::Failed(3));
    assert_eq!(exit("signal", 11), Exit::Signal(11));
    assert_eq!(exit("memory", 9), Exit::LowMemory);
    assert_eq!(exit("?", 0), Exit::Unknown);
}
