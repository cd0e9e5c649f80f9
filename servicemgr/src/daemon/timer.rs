//! What is due every so often, whatever else keeps the loop busy in between.

use std::time::Duration;

use crate::engine::Now;

/// One such thing. A wait that began anew with each turn of the loop would never end while
/// something else happens more often.
#[derive(Debug)]
pub(super) struct Every {
    period: Duration,
    next: Now,
}

impl Every {
    /// Due at once, then so often.
    pub(super) fn new(period: Duration) -> Self {
        Self { period, next: Now::ZERO }
    }

    /// How long until it is due.
    pub(super) fn wait(&self, now: Now) -> Duration {
        self.next.saturating_sub(now)
    }

    /// It was done.
    pub(super) fn done(&mut self, now: Now) {
        self.next = now.saturating_add(self.period);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_loop_does_not_put_it_off() {
        let second = Duration::from_secs(1);
        let mut alive = Every::new(10 * second);
        assert_eq!(alive.wait(second), Duration::ZERO);
        alive.done(second);
        let waits: Vec<u64> = (2..13).map(|n| alive.wait(n * second).as_secs()).collect();
        assert_eq!(waits, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]);
    }
}
