//! The four ways to speak with the one there, as two streams each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use iroh::endpoint::{Connection, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, SecretKey};
use softbus::DeviceId;
use softbus::engine::{Announcement, Dial, Engine, Event, Gate, Link as Ours, Options, Protocol};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::quic;

/// Two ends of a stream.
pub(crate) type Streams = (Box<dyn AsyncWrite + Send + Unpin>, Box<dyn AsyncRead + Send + Unpin>);

/// What is spoken on the bare ones.
pub(crate) const ALPN: &[u8] = b"bench";

/// How the two ends speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Quic,
    Iroh,
    Softbus,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Tcp, Self::Quic, Self::Iroh, Self::Softbus];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
            Self::Iroh => "iroh",
            Self::Softbus => "softbus",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).context("no such kind")
    }
}

/// Where the one there is.
pub(crate) struct Target {
    address: SocketAddr,
    id: DeviceId,
}

impl Target {
    /// From the line of the one there: port and id.
    pub(crate) fn read(host: &str, line: &str) -> Result<Self> {
        let (port, id) = line.split_once(' ').context("two words")?;
        Ok(Self { address: SocketAddr::new(host.parse()?, port.parse()?), id: id.parse()? })
    }
}

/// One end.
pub(crate) enum End {
    Tcp(TcpListener),
    Quic(noq::Endpoint),
    Iroh(Endpoint),
    Softbus(Engine, mpsc::Receiver<Event>),
}

/// A link, whatever it is called there.
pub(crate) enum Link {
    /// One connection for each stream: where to, or the one that came.
    Tcp(SocketAddr, tokio::sync::Mutex<Option<TcpStream>>),
    Quic(noq::Connection),
    Iroh(Connection),
    Softbus(Ours),
}

/// Admits everybody.
struct Open;

impl Gate for Open {
    fn admit(&self, _: &DeviceId, _: Protocol) -> Result<(), &'static str> {
        Ok(())
    }
}

pub(crate) async fn engine(
    key: [u8; 32],
    multicast: Option<u16>,
) -> Result<(Engine, mpsc::Receiver<Event>)> {
    let options =
        Options { port: 0, only: None, relays: Vec::new(), gate: Arc::new(Open), multicast };
    Ok(Engine::start(&key, options).await?)
}

/// A key that nobody else has.
fn key() -> Result<[u8; 32]> {
    let mut key = [0; 32];
    sys::random::fill(&mut key)?;
    Ok(key)
}

impl End {
    pub(crate) async fn new(kind: Kind) -> Result<Self> {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Ok(match kind {
            Kind::Tcp => Self::Tcp(TcpListener::bind(any).await?),
            Kind::Quic => Self::Quic(quic::endpoint(any)?),
            Kind::Iroh => {
                let builder =
                    Endpoint::builder(presets::Minimal).secret_key(SecretKey::from_bytes(&key()?));
                Self::Iroh(builder.alpns(vec![ALPN.to_vec()]).bind().await?)
            }
            Kind::Softbus => {
                let (engine, events) = engine(key()?, Some(softbus::engine::PORT)).await?;
                engine.announce(vec![Announcement::Member(super::TAG)]).await;
                Self::Softbus(engine, events)
            }
        })
    }

    /// The line that tells the other end where this one is.
    pub(crate) fn ready(&self) -> Result<String> {
        let nobody = DeviceId([0; 32]);
        let (port, id) = match self {
            Self::Tcp(listener) => (listener.local_addr()?.port(), nobody),
            Self::Quic(endpoint) => (endpoint.local_addr()?.port(), nobody),
            Self::Iroh(endpoint) => {
                let port = endpoint.bound_sockets().first().context("a socket")?.port();
                (port, DeviceId(*endpoint.id().as_bytes()))
            }
            Self::Softbus(engine, _) => (engine.port(), engine.id()),
        };
        Ok(format!("{port} {id}"))
    }

    pub(crate) async fn dial(&self, target: &Target) -> Result<Link> {
        Ok(match self {
            Self::Tcp(_) => Link::Tcp(target.address, tokio::sync::Mutex::new(None)),
            Self::Quic(endpoint) => Link::Quic(endpoint.connect(target.address, "bench")?.await?),
            Self::Iroh(endpoint) => {
                let id = EndpointId::from_bytes(target.id.as_bytes())?;
                let address = EndpointAddr::new(id).with_ip_addr(target.address);
                Link::Iroh(endpoint.connect(address, ALPN).await?)
            }
            Self::Softbus(engine, _) => {
                let (peer, addresses) = (target.id, [target.address]);
                let (protocol, within) = (Protocol::Session, Duration::from_secs(10));
                Link::Softbus(
                    engine
                        .dial(&Dial { peer, addresses: &addresses, relay: None, protocol, within })
                        .await?,
                )
            }
        })
    }

    pub(crate) async fn accept(&mut self) -> Result<Link> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Link::Tcp(address, tokio::sync::Mutex::new(Some(stream)))
            }
            Self::Quic(endpoint) => Link::Quic(endpoint.accept().await.context("closed")?.await?),
            Self::Iroh(endpoint) => Link::Iroh(endpoint.accept().await.context("closed")?.await?),
            Self::Softbus(_, events) => loop {
                if let Event::Incoming { link, .. } = events.recv().await.context("ended")? {
                    break Link::Softbus(link);
                }
            },
        })
    }
}

fn tcp(stream: TcpStream) -> Result<Streams> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    Ok((Box::new(writer), Box::new(reader)))
}

impl Link {
    pub(crate) async fn open(&self) -> Result<Streams> {
        Ok(match self {
            Self::Tcp(address, _) => tcp(TcpStream::connect(address).await?)?,
            Self::Quic(link) => {
                let (writer, reader) = link.open_bi().await?;
                (Box::new(writer), Box::new(reader))
            }
            Self::Iroh(link) => {
                let (writer, reader) = link.open_bi().await?;
                (Box::new(writer), Box::new(reader))
            }
            Self::Softbus(link) => {
                let (writer, reader) = link.open().await?;
                (Box::new(writer), Box::new(reader))
            }
        })
    }

    pub(crate) async fn accept(&self) -> Result<Streams> {
        Ok(match self {
            Self::Tcp(_, stream) => match stream.lock().await.take() {
                Some(stream) => tcp(stream)?,
                None => bail!("one stream each"),
            },
            Self::Quic(link) => {
                let (writer, reader) = link.accept_bi().await?;
                (Box::new(writer), Box::new(reader))
            }
            Self::Iroh(link) => {
                let (writer, reader) = link.accept_bi().await?;
                (Box::new(writer), Box::new(reader))
            }
            Self::Softbus(link) => {
                let (writer, reader) = link.accept().await?;
                (Box::new(writer), Box::new(reader))
            }
        })
    }
}
