//! `ensctl boot`: what the boot spent its time on.

use std::collections::BTreeMap;

use api::services::{Bar, State, System};
use serde::Serialize;

use super::{columns, count, plain, services};
use crate::paint::{Colour, Paint, harmless};
use crate::time::span;

/// A boot, as servicemgr tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Name and version of the device.
    pub device: String,
    /// When every enabled service was settled; 0 when that is not yet so.
    pub settled: u64,
    /// Time since PID 1 began.
    pub uptime: u64,
    /// The services, in order of start.
    pub bars: Vec<Bar>,
}

/// A boot, as programs read it.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    settled: u64,
    critical_chain: Vec<&'a str>,
    services: Vec<&'a Bar>,
}

impl Boot {
    /// From the two answers.
    #[must_use]
    pub fn new(system: System, bars: Vec<Bar>) -> Self {
        Self { device: system.device, settled: system.settled, uptime: system.uptime, bars }
    }

    /// Where the chart and the chain end: when the boot was over, or now.
    #[must_use]
    pub fn end(&self) -> u64 {
        if self.settled == 0 { self.uptime } else { self.settled }
    }

    /// Those that the boot is about: what was asked for later is not.
    #[must_use]
    pub fn of_boot(&self) -> Vec<&Bar> {
        self.bars.iter().filter(|bar| bar.asked <= self.end()).collect()
    }

    /// The service that was ready last, what it waited for last, and so on, first one first.
    #[must_use]
    pub fn chain(&self) -> Vec<&Bar> {
        let by_name: BTreeMap<&str, &Bar> =
            self.bars.iter().map(|bar| (bar.name.as_str(), bar)).collect();
        let in_boot = |bar: &&Bar| bar.ready > 0 && bar.ready <= self.end();
        let mut at = self.bars.iter().filter(in_boot).max_by_key(|bar| bar.ready);
        let mut chain: Vec<&Bar> = Vec::new();
        // As long as there are services at most, whatever the other side says.
        while let Some(bar) = at.filter(|_| chain.len() < self.bars.len()) {
            chain.push(bar);
            at = by_name.get(bar.waited_on.as_str()).copied();
        }
        chain.reverse();
        chain
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Json<'_> {
        let critical_chain = self.chain().into_iter().map(|bar| bar.name.as_str()).collect();
        Json { settled: self.settled, critical_chain, services: self.of_boot() }
    }

    /// For people: the chain, then all services.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let bars = self.of_boot();
        let services = count(u64::try_from(bars.len()).unwrap_or(u64::MAX), "service");
        let mut out = match self.settled {
            0 => format!("The boot is not over after {}: {services} so far.\n", span(self.uptime)),
            at => format!("The boot took {}: {services}.\n", span(at)),
        };
        let chain = self.chain();
        if !chain.is_empty() {
            out.push('\n');
            paint.put(&mut out, Colour::Bold, "Longest chain, each waiting for the one above\n");
            let rows: Vec<_> = chain.into_iter().map(link).collect();
            out.push_str(&columns(paint, &["READY AT", "TOOK", "NAME"], &rows));
        }
        if !bars.is_empty() {
            out.push('\n');
            paint.put(&mut out, Colour::Bold, "All, in order of start\n");
            let rows: Vec<_> = bars.into_iter().map(row).collect();
            let heading = ["NAME", "ASKED", "STARTED", "READY", "TOOK", "WAITED ON"];
            out.push_str(&columns(paint, &heading, &rows));
        }
        out
    }
}

/// How long its own start took, if it was ready.
#[must_use]
pub fn took(bar: &Bar) -> Option<u64> {
    (bar.started > 0 && bar.ready > 0).then(|| bar.ready.saturating_sub(bar.started))
}

fn link(bar: &Bar) -> Vec<super::Cell> {
    let took = took(bar).map(span).unwrap_or_default();
    vec![plain(span(bar.ready)), plain(took), (Colour::Bold, harmless(&bar.name).into_owned())]
}

fn row(bar: &Bar) -> Vec<super::Cell> {
    let at = |ns: u64| if ns == 0 { String::new() } else { span(ns) };
    let ready = match bar.state {
        State::Failed => (Colour::Red, "failed".to_owned()),
        _ if bar.ready == 0 => (services::colour(bar.state), bar.state.word().to_owned()),
        _ => plain(span(bar.ready)),
    };
    vec![
        (Colour::Bold, harmless(&bar.name).into_owned()),
        plain(at(bar.asked)),
        plain(at(bar.started)),
        ready,
        plain(took(bar).map(span).unwrap_or_default()),
        plain(harmless(&bar.waited_on)),
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Times in milliseconds.
    fn bar(name: &str, [asked, started, ready]: [u64; 3], waited_on: &str, state: State) -> Bar {
        let ns = |ms: u64| ms * 1_000_000;
        let [asked, started, ready] = [ns(asked), ns(started), ns(ready)];
        Bar { name: name.into(), state, asked, started, ready, waited_on: waited_on.into() }
    }

    pub(crate) fn boot() -> Boot {
        Boot {
            device: "phone 0.1.0".into(),
            settled: 2_310_000_000,
            uptime: 63_000_000_000,
            bars: vec![
                bar("journal", [8, 10, 90], "", State::Ready),
                bar("random", [8, 11, 30], "", State::Done),
                bar("network", [8, 92, 1_990], "journal", State::Ready),
                bar("web", [8, 95, 0], "journal", State::Failed),
                bar("shell", [8, 1_992, 2_310], "network", State::Ready),
                bar("late", [60_000, 60_001, 60_050], "", State::Ready),
            ],
        }
    }

    #[test]
    fn the_longest_chain_comes_first_then_all_services() {
        insta::assert_snapshot!(boot().text(Paint::default()), @r#"
        The boot took 2.310 s: 5 services.

        Longest chain, each waiting for the one above
        READY AT  TOOK     NAME
        0.090 s   0.080 s  journal
        1.990 s   1.898 s  network
        2.310 s   0.318 s  shell

        All, in order of start
        NAME     ASKED    STARTED  READY    TOOK     WAITED ON
        journal  0.008 s  0.010 s  0.090 s  0.080 s
        random   0.008 s  0.011 s  0.030 s  0.019 s
        network  0.008 s  0.092 s  1.990 s  1.898 s  journal
        web      0.008 s  0.095 s  failed            journal
        shell    0.008 s  1.992 s  2.310 s  0.318 s  network
        "#);
    }

    #[test]
    fn a_boot_that_is_not_over_says_so() {
        let bars = vec![bar("slow", [8, 10, 0], "", State::Starting)];
        let boot = Boot { settled: 0, uptime: 500_000_000, bars, ..boot() };
        insta::assert_snapshot!(boot.text(Paint::default()), @r#"
        The boot is not over after 0.500 s: 1 service so far.

        All, in order of start
        NAME  ASKED    STARTED  READY     TOOK  WAITED ON
        slow  0.008 s  0.010 s  starting
        "#);
    }

    #[test]
    fn a_chain_that_bites_its_tail_has_an_end() {
        let bars =
            vec![bar("a", [1, 2, 3], "b", State::Ready), bar("b", [1, 2, 3], "a", State::Ready)];
        assert_eq!(Boot { bars, ..boot() }.chain().len(), 2);
    }
}
