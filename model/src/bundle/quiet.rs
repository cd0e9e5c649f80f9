//! What abilities do while nobody looks at them: tasks, work, cards.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::word::Word;

/// Most conditions, modes or sizes of one ability: there are no more of them.
pub const MAX_QUIET: usize = 16;

/// Work is not repeated sooner, nor a card made anew (SEMANTICS of deferred work: 20 minutes; of cards: 30).
pub const MIN_EVERY: Duration = Duration::from_secs(20 * 60);

/// Cards are not made anew sooner by themselves.
pub const MIN_REFRESH: Duration = Duration::from_secs(30 * 60);

/// Most columns or rows of a card.
pub const MAX_CARD: u8 = 8;

/// What a continuous task does, so that an ability goes on while it is not in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BackgroundMode {
    /// Files go to or come from elsewhere.
    DataTransfer,
    /// Sound is heard.
    AudioPlayback,
    /// Sound is recorded.
    AudioRecording,
    /// The way is watched.
    Location,
    /// A Bluetooth device is served.
    Bluetooth,
    /// Other devices of the owner take part.
    MultiDevice,
    /// Wireless networks are used.
    Wifi,
    /// Somebody is spoken to.
    Voip,
    /// Something is computed that the owner waits for.
    TaskKeeping,
}

impl Word for BackgroundMode {
    const WHAT: &'static str = "mode of tasks in the background";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("data-transfer", Self::DataTransfer),
        ("audio-playback", Self::AudioPlayback),
        ("audio-recording", Self::AudioRecording),
        ("location", Self::Location),
        ("bluetooth", Self::Bluetooth),
        ("multi-device", Self::MultiDevice),
        ("wifi", Self::Wifi),
        ("voip", Self::Voip),
        ("task-keeping", Self::TaskKeeping),
    ];
}

/// When an ability of kind `work` runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What must be so, all of it.
    pub needs: Vec<Need>,
    /// Again after this; `None`: once after it was installed, and when it is asked for.
    pub every: Option<Duration>,
}

/// A condition of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Need {
    /// A network is there.
    Network,
    /// The device is being charged, or has no battery.
    Charging,
    /// The battery is not low.
    Battery,
    /// There is room for more data.
    Storage,
    /// Nobody uses the device.
    Idle,
}

impl Word for Need {
    const WHAT: &'static str = "condition of work";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("network", Self::Network),
        ("charging", Self::Charging),
        ("battery", Self::Battery),
        ("storage", Self::Storage),
        ("idle", Self::Idle),
    ];
}

/// What cards an ability of kind `form` makes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// In which sizes; the first is what it is offered in.
    pub sizes: Vec<CardSize>,
    /// Made anew after this; `None`: only when the app has news.
    pub refresh: Option<Duration>,
}

/// How many columns and rows of a screen a card takes: `2x4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CardSize {
    /// 1 to [`MAX_CARD`].
    pub columns: u8,
    /// 1 to [`MAX_CARD`].
    pub rows: u8,
}

impl CardSize {
    /// Reads `2x4`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let number = |text: &str| match text.as_bytes() {
            [digit @ b'1'..=b'9'] => Some(digit - b'0').filter(|n| *n <= MAX_CARD),
            _ => None,
        };
        let (columns, rows) = text.split_once('x')?;
        Some(Self { columns: number(columns)?, rows: number(rows)? })
    }
}

impl Default for CardSize {
    fn default() -> Self {
        Self { columns: 2, rows: 2 }
    }
}

impl fmt::Display for CardSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.columns, self.rows)
    }
}
