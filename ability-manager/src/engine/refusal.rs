//! Why a request can't be done, as a value and as a sentence.

use std::fmt;

use super::words::Exit;

/// Why a request can't be done. The text is one sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The ability is of another bundle, and not for others.
    NotExported,
    /// The caller lacks the permission that the ability asks for.
    NotPermitted,
    /// The caller is not on the screen, and its process not new.
    FromBackground,
    /// The calling instance is not known here.
    UnknownCaller,
    /// Its app calls too often.
    TooManyCalls,
    /// Too many pages are started by all together.
    TooManyStarts,
    /// Too many instances run.
    TooManyInstances,
    /// Too many missions have a process.
    TooManyMissions,
    /// It has too much to do already.
    Busy,
    /// It is not there.
    NoInstance,
    /// It is not there.
    NoMission,
    /// Only services are connected to.
    NotAService,
    /// Cards are made by who shows them.
    IsForm,
    /// The ability is not told of its life, and would not hear of it.
    NotTold,
    /// The caller was not connected.
    NotConnected,
    /// The service did not take the connection.
    Declined,
    /// The service did not take the connection in time.
    NotTaken,
    /// Only what people look at begins anew.
    NotShown,
    /// Its app began anew a moment ago.
    TooSoon,
    /// Meanwhile something else was asked for.
    Replaced,
    /// It could not be started; why.
    LaunchFailed(String),
    /// It did not do in time what it was told.
    TimedOut,
    /// It is being ended; why.
    Ending(Exit),
    /// It ended before; how.
    Ended(Exit),
    /// It was killed, and is still there.
    Stuck,
}

/// What kind of refusal it is, for errors of a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such thing.
    NotFound,
    /// It may not be, or not now.
    Refused,
    /// It was tried, and did not work.
    Failed,
    /// It makes no sense.
    Invalid,
}

impl Refusal {
    /// What kind of refusal it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoInstance | Self::NoMission | Self::NotConnected => Kind::NotFound,
            Self::NotAService | Self::IsForm | Self::NotTold => Kind::Invalid,
            Self::LaunchFailed(_)
            | Self::TimedOut
            | Self::NotTaken
            | Self::Ended(_)
            | Self::Stuck => Kind::Failed,
            Self::NotExported
            | Self::NotPermitted
            | Self::FromBackground
            | Self::UnknownCaller
            | Self::TooManyCalls
            | Self::TooManyStarts
            | Self::TooManyInstances
            | Self::TooManyMissions
            | Self::Busy
            | Self::Replaced
            | Self::NotShown
            | Self::TooSoon
            | Self::Declined
            | Self::Ending(_) => Kind::Refused,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NotExported => {
                "the ability is not for other bundles: its manifest lacks `exported = true`"
            }
            Self::NotPermitted => "the caller lacks the permission that the ability asks for",
            Self::FromBackground => {
                "only an app on the screen starts another: ask again from there, or with the permission \
                 `start-from-background`"
            }
            Self::UnknownCaller => "the caller has ended",
            Self::TooManyCalls => "the app calls too often: at most 10 times a second",
            Self::TooManyStarts => {
                "too many pages are being started: at most 20 a second, ask again later"
            }
            Self::TooManyInstances => "too many abilities run: stop one first",
            Self::TooManyMissions => "too many missions are open: stop or forget one first",
            Self::Busy => "it has too much to do already: ask again later",
            Self::NoInstance => "no such instance runs",
            Self::NoMission => "there is no such mission",
            Self::NotAService => "only an ability of kind `service` can be connected to",
            Self::IsForm => {
                "a form is a card on a screen: who has the screen adds it (`ensctl ability form add`)"
            }
            Self::NotTold => {
                "the ability would not hear of it: its manifest lacks `lifecycle = \"bus\"`"
            }
            Self::NotConnected => "the caller has no such connection",
            Self::Declined => "the service did not take the connection",
            Self::NotTaken => {
                "the service did not take the connection within 10 s: its log may say more"
            }
            Self::NotShown => {
                "only a page on the screen begins anew: others are started when they are needed"
            }
            Self::TooSoon => "its app began anew less than a minute ago: ask again later, or end",
            Self::Replaced => "meanwhile something else was asked for",
            Self::LaunchFailed(why) => return write!(f, "it could not be started: {why}"),
            Self::TimedOut => {
                "it did not do in time what it was told, and was killed: its log may say more"
            }
            Self::Ending(why) => return write!(f, "it is being ended: {why}"),
            Self::Ended(exit) => return write!(f, "it has ended: {exit}"),
            Self::Stuck => "it was killed, and the kernel has not ended it: a driver holds it",
        };
        f.write_str(text)
    }
}

impl std::error::Error for Refusal {}
