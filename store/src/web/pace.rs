//! How long a server may let us wait: a connection that is counted.
//!
//! ```text
//! asked ─► first byte ─► bytes… ─┬─ PATIENCE waited, enough came ─► counted anew
//!   └─ no byte for PATIENCE ─► ended (`timeout_per_read`)           └─ too few ─► ended
//! ```
//!
//! It lies below TLS, so a record that comes byte by byte is counted too. Only waiting counts: what we do with the bytes takes
//! the time that it takes. Invariant: a server that says less than it has to is ended within twice the patience.

use std::time::{Duration, Instant};

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Timeout};

/// Counts all connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How long may be waited in one go.
    pub(super) patience: Duration,
    /// Bytes a second that have to come.
    pub(super) slowest: u64,
}

impl<In: Transport> Connector<In> for Pace {
    type Out = Paced<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Paced<In>>, Error> {
        Ok(chained.map(|inner| Paced { inner, pace: *self, count: Count::default() }))
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub(super) struct Paced<T> {
    inner: T,
    pace: Pace,
    count: Count,
}

/// What came, and how long that took, since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    bytes: u64,
    waited: Duration,
}

impl Count {
    /// So many bytes came after that; whether that is enough. What the first ones take is counted by others.
    fn add(&mut self, bytes: usize, waited: Duration, pace: Pace) -> bool {
        if self.bytes > 0 {
            self.waited = self.waited.saturating_add(waited);
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.waited < pace.patience {
            return true;
        }
        let millis = u64::try_from(self.waited.as_millis()).unwrap_or(u64::MAX);
        let enough = self.bytes.saturating_mul(1000) >= pace.slowest.saturating_mul(millis);
        *self = Self { bytes: 1, waited: Duration::ZERO };
        enough
    }
}

impl<T: Transport> Transport for Paced<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.count = Count::default();
        self.inner.transmit_output(amount, timeout)
    }

    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let before = self.inner.buffers().input().len();
        let began = Instant::now();
        let more = self.inner.await_input(timeout)?;
        let came = self.inner.buffers().input().len().saturating_sub(before);
        if !more || self.count.add(came, began.elapsed(), self.pace) {
            return Ok(more);
        }
        Err(Error::Timeout(Timeout::PerRead))
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { patience: Duration::from_secs(20), slowest: 4096 };

    #[test]
    fn who_sends_too_little_in_the_time_is_ended_and_who_thinks_long_is_not() {
        let seconds = Duration::from_secs;
        let mut count = Count::default();
        assert!(count.add(100, seconds(19), PACE), "the first bytes may take their time");
        for _ in 0..19 {
            assert!(count.add(4200, seconds(1), PACE));
        }
        assert!(count.add(4200, seconds(1), PACE), "fast enough");
        for _ in 0..19 {
            assert!(count.add(1000, seconds(1), PACE), "not yet");
        }
        assert!(!count.add(1000, seconds(1), PACE));
        let mut trickle = Count::default();
        let all = (0..3).map(|_| trickle.add(1, seconds(19), PACE)).collect::<Vec<_>>();
        assert_eq!(all, [true, true, false]);
    }
}
