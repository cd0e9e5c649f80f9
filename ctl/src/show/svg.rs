//! `ensctl boot --svg`: the boot as a chart, drawn with a few rectangles and words.
//!
//! ```text
//!   title, legend
//!             0 s      0.5 s      1 s            time since PID 1 began
//!   journal   ▓▓▓ 0.080 s
//!   network   ····▓▓▓▓▓▓▓▓▓▓ 1.898 s             thin: waiting; thick: starting
//! ```

use std::fmt::Write;

use api::services::{Bar, State};

use super::boot::{Boot, took};
use crate::paint::harmless;
use crate::time::span;

/// Width of the whole chart.
const WIDTH: u64 = 1200;

/// Height of a line.
const ROW: u64 = 22;

/// Height of what is above the first line.
const TOP: u64 = 84;

/// Room to the right of the last moment, for words beside the last bars.
const RIGHT: u64 = 190;

/// Longest name that makes the left column wider, in letters.
const LONGEST: u64 = 40;

/// About how wide a letter is.
const LETTER: u64 = 7;

/// Most vertical lines.
const MAX_TICKS: u64 = 10;

const STYLE: &str = "\
text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#1f2933}
.title{font-size:16px;font-weight:600}
.quiet{fill:#697586}
.name{text-anchor:end}
.middle{text-anchor:middle}
.tick{stroke:#e3e8ef}
.end{stroke:#1f2933;stroke-dasharray:3 3}
.stripe{fill:#f8fafc}
.wait{fill:#cdd5df}
.start{fill:#3b82c4}
.chain{fill:#e08a1e}
.failed{fill:#c8322b}
";

/// The chart.
#[must_use]
pub fn draw(boot: &Boot) -> String {
    let chart = Chart::new(boot);
    let rows = u64::try_from(chart.bars.len()).unwrap_or_default();
    let bottom = TOP + rows * ROW;
    let height = bottom + 16;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n<style>\n{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    chart.head(&mut out);
    chart.rows(&mut out);
    chart.axis(&mut out, bottom);
    chart.bars(&mut out);
    out.push_str("</svg>\n");
    out
}

struct Chart<'a> {
    boot: &'a Boot,
    /// Those of the boot; what was started later is not on the chart.
    bars: Vec<&'a Bar>,
    chain: Vec<&'a str>,
    /// Where the time begins, from the left.
    left: u64,
    /// The last moment on the chart; never 0.
    last: u64,
}

impl<'a> Chart<'a> {
    fn new(boot: &'a Boot) -> Self {
        let end = boot.end();
        let bars = boot.of_boot();
        let letters = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or_default();
        let letters = u64::try_from(letters).unwrap_or(LONGEST).min(LONGEST);
        let chain = boot.chain().into_iter().map(|bar| bar.name.as_str()).collect();
        Self { boot, bars, chain, left: 24 + letters * LETTER, last: end.max(1) }
    }

    /// Where a moment is, in tenths of a unit from the left.
    fn x(&self, ns: u64) -> u64 {
        let room = u128::from((WIDTH - RIGHT).saturating_sub(self.left) * 10);
        let at = u128::from(ns.min(self.last)) * room / u128::from(self.last);
        self.left * 10 + u64::try_from(at).unwrap_or_default()
    }

    fn head(&self, out: &mut String) {
        let took = match self.boot.settled {
            0 => format!("not over after {}", span(self.boot.uptime)),
            at => span(at),
        };
        let title = format!("Boot of {}: {took}", self.boot.device);
        let _ = writeln!(out, "<text class=\"title\" x=\"16\" y=\"26\">{}</text>", xml(&title));
        let mut x = 16;
        for (class, words) in [
            ("chain", "starting, on the longest chain"),
            ("start", "starting"),
            ("wait", "waiting"),
            ("failed", "failed"),
        ] {
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{x}\" y=\"37\" width=\"12\" height=\"12\" rx=\"2\"/>\
                 <text class=\"quiet\" x=\"{}\" y=\"47\">{words}</text>",
                x + 18
            );
            x += 40 + u64::try_from(words.len()).unwrap_or_default() * LETTER;
        }
    }

    /// Every second line has a ground of its own, so that eyes stay on it.
    fn rows(&self, out: &mut String) {
        for (y, bar) in (0..).map(|row| TOP + row * ROW).zip(&self.bars) {
            if ((y - TOP) / ROW).is_multiple_of(2) {
                let _ = writeln!(
                    out,
                    "<rect class=\"stripe\" x=\"8\" y=\"{y}\" width=\"{}\" height=\"{ROW}\"/>",
                    WIDTH - 16
                );
            }
            let (x, y) = (self.left - 10, y + 15);
            let name = xml(&shortened(&bar.name));
            let _ = writeln!(out, "<text class=\"name\" x=\"{x}\" y=\"{y}\">{name}</text>");
        }
    }

    fn axis(&self, out: &mut String, bottom: u64) {
        let step = step(self.last);
        for at in (0..=self.last / step).map(|n| n * step) {
            let x = tenths(self.x(at));
            let _ = writeln!(
                out,
                "<line class=\"tick\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{bottom}\"/>\
                 <text class=\"quiet middle\" x=\"{x}\" y=\"{}\">{}</text>",
                TOP - 8,
                seconds(at)
            );
        }
        if self.boot.settled > 0 {
            let x = tenths(self.x(self.last));
            let _ = writeln!(
                out,
                "<line class=\"end\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{bottom}\"/>"
            );
        }
    }

    fn bars(&self, out: &mut String) {
        for (y, bar) in (0..).map(|row| TOP + row * ROW).zip(&self.bars) {
            let started = if bar.started == 0 { self.last } else { bar.started };
            let failed = bar.state == State::Failed && bar.ready == 0;
            let ready = if bar.ready == 0 { self.last } else { bar.ready };
            let class = match () {
                () if failed => "failed",
                () if self.chain.contains(&bar.name.as_str()) => "chain",
                () => "start",
            };
            self.rect(out, "wait", (bar.asked, started), (y + 9, 4));
            if bar.started > 0 {
                self.rect(out, class, (started, ready), (y + 5, 12));
            }
            let mut words = took(bar).map_or_else(|| bar.state.word().to_owned(), span);
            if !bar.waited_on.is_empty() {
                let _ = write!(words, ", after {}", shortened(&bar.waited_on));
            }
            let end = if bar.started > 0 { ready } else { started };
            let x = tenths(self.x(end) + 60);
            let _ = writeln!(
                out,
                "<text class=\"quiet\" x=\"{x}\" y=\"{}\">{}</text>",
                y + 15,
                xml(&words)
            );
        }
    }

    /// At least one unit wide, so that a quick start can be seen.
    fn rect(&self, out: &mut String, class: &str, (from, to): (u64, u64), (y, height): (u64, u64)) {
        let (from, to) = (self.x(from), self.x(to.max(from)));
        if class == "wait" && to - from < 10 {
            return;
        }
        let (x, width) = (tenths(from), tenths((to - from).max(10)));
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        );
    }
}

/// 1, 2 or 5 times a power of ten, so that there are at most [`MAX_TICKS`].
fn step(last: u64) -> u64 {
    let mut power = 1_000_000_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if last / step <= MAX_TICKS || step == u64::MAX {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Nanoseconds as `1.5 s`, with as many digits as needed.
fn seconds(ns: u64) -> String {
    let fraction = format!("{:03}", ns / 1_000_000 % 1000);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction} s", ns / 1_000_000_000)
}

fn tenths(n: u64) -> String {
    if n.is_multiple_of(10) { (n / 10).to_string() } else { format!("{}.{}", n / 10, n % 10) }
}

fn shortened(name: &str) -> String {
    let longest = usize::try_from(LONGEST).unwrap_or_default();
    if name.chars().count() <= longest {
        return name.to_owned();
    }
    name.chars().take(longest - 1).chain(['…']).collect()
}

fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::boot::tests::boot;

    #[test]
    fn a_chart_has_a_bar_for_each_service_of_the_boot() {
        let svg = draw(&boot());
        if let Some(path) = std::env::var_os("ENSCTL_TEST_SVG") {
            std::fs::write(path, &svg).unwrap();
        }
        assert_eq!(svg.matches("class=\"name\"").count(), 5);
        assert_eq!(svg.matches("<rect class=\"chain\"").count(), 1 + 3);
        assert_eq!(svg.matches("<rect class=\"failed\"").count(), 1 + 1);
        assert!(svg.contains(">Boot of phone 0.1.0: 2.310 s<"));
        assert!(svg.contains(">1.898 s, after journal<"));
        assert!(!svg.contains(">late<"));
    }

    #[test]
    fn names_from_outside_stay_text() {
        let mut boot = boot();
        boot.device = "</text><script>&\x1b".into();
        assert!(draw(&boot).contains("&lt;/text>&lt;script>&amp;\\x1b"));
    }

    #[test]
    fn an_empty_boot_is_an_empty_chart() {
        let svg = draw(&Boot { bars: vec![], settled: 0, uptime: 0, device: String::new() });
        assert!(svg.ends_with("</svg>\n") && !svg.contains("class=\"name\""));
    }

    #[test]
    fn the_lines_of_time_are_round_numbers() {
        assert_eq!([step(1), step(90_000_000)], [1_000_000, 10_000_000]);
        assert_eq!([step(2_310_000_000), step(63_000_000_000)], [500_000_000, 10_000_000_000]);
        assert!(step(u64::MAX) > 0);
        assert_eq!(
            [seconds(0), seconds(1_500_000_000), seconds(2_000_000)],
            ["0 s", "1.5 s", "0.002 s"]
        );
    }
}
