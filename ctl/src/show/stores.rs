//! `ensctl store`, and what stores offer, as text.

use std::fmt::Write;

use api::stores::{Offer, Store};
use jiff::tz::TimeZone;

use super::{Cell, bytes, columns, count, plain};
use crate::paint::{Colour, Paint, harmless};
use crate::time::stamp;

/// Microseconds of a second.
const MICROS: u64 = 1_000_000;

/// All stores.
#[must_use]
pub fn list(rows: &[Store], zone: &TimeZone, paint: Paint) -> String {
    if rows.is_empty() {
        return "No store is known: `ensctl store add URL|DIR` adds one.\n".to_owned();
    }
    let time = |seconds: u64| {
        if seconds == 0 { String::new() } else { stamp(seconds.saturating_mul(MICROS), zone) }
    };
    let line = |row: &Store| -> Vec<Cell> {
        vec![
            (Colour::Bold, harmless(&row.name).into_owned()),
            plain(harmless(&row.place)),
            plain(row.bundles.to_string()),
            plain(time(row.asked)),
            plain(time(row.until)),
            (Colour::Yellow, harmless(&row.trouble).into_owned()),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["STORE", "PLACE", "BUNDLES", "ASKED", "COUNTS UNTIL", "TROUBLE"], &lines)
}

/// A store that is known now.
#[must_use]
pub fn added(row: &Store) -> String {
    let (name, place) = (harmless(&row.name), harmless(&row.place));
    let bundles = count(row.bundles, "bundle");
    format!(
        "The store {name} at {place} is known: {bundles}. `ensctl app search` shows what it offers.\n"
    )
}

/// What is offered.
#[must_use]
pub fn offers(all: &[Offer], paint: Paint) -> String {
    if all.is_empty() {
        return "No store offers that; `ensctl store refresh` asks them what is new.\n".to_owned();
    }
    let line = |offer: &Offer| -> Vec<Cell> {
        let about = if offer.unfit.is_empty() {
            plain(harmless(&offer.about))
        } else {
            (Colour::Yellow, format!("not for this device: {}", harmless(&offer.unfit)))
        };
        vec![
            (Colour::Bold, harmless(&offer.id).into_owned()),
            plain(harmless(&offer.version)),
            plain(harmless(&offer.name)),
            plain(harmless(&offer.store)),
            plain(bytes(offer.size)),
            about,
        ]
    };
    let lines: Vec<_> = all.iter().map(line).collect();
    columns(paint, &["ID", "VERSION", "NAME", "STORE", "SIZE", "ABOUT"], &lines)
}

/// What an upgrade would do.
#[must_use]
pub fn plan(all: &[(String, Offer)]) -> String {
    if all.is_empty() {
        return "Nothing newer is offered.".to_owned();
    }
    let mut out = String::new();
    for (before, offer) in all {
        let Offer { id, version, store, size, .. } = offer;
        let size = bytes(*size);
        let _ = writeln!(out, "{id} {before} becomes {version}, from {store}, {size}");
    }
    out.trim_end().to_owned()
}

/// What is fetched now.
#[must_use]
pub fn fetching(offer: &Offer) -> String {
    let Offer { id, version, store, size, .. } = offer;
    format!("Fetching {id} {version} from {store}, {}", bytes(*size))
}

/// How far that is: one line, with bytes a second if they are known.
#[must_use]
pub fn fetched(done: u64, of: u64, rate: Option<u64>) -> String {
    let percent = done.saturating_mul(100).checked_div(of).unwrap_or(100).min(100);
    let mut line = format!("  {percent:3} %  {} of {}", bytes(done), bytes(of));
    let Some(rate) = rate else { return line };
    let _ = write!(line, "  {}/s", bytes(rate));
    if let Some(left) = of.saturating_sub(done).checked_div(rate) {
        let _ = match left {
            0..100 => write!(line, "  {left} s left"),
            100..6000 => write!(line, "  {} min left", left / 60),
            _ => write!(line, "  {} h left", left / 3600),
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        Offer {
            store: "shop".into(),
            id: "org.example.notes".into(),
            version: "1.2.0".into(),
            name: "Notes".into(),
            about: "Keeps \u{1b}[1mnotes".into(),
            kind: "app".into(),
            size: 20_480,
            keys: vec![],
            unfit: String::new(),
        }
    }

    #[test]
    fn offers_are_a_table() {
        let unfit = Offer { id: "org.b".into(), unfit: "it is for tv".into(), ..offer() };
        insta::assert_snapshot!(offers(&[offer(), unfit], Paint::default()), @r"
        ID                 VERSION  NAME   STORE  SIZE      ABOUT
        org.example.notes  1.2.0    Notes  shop   20.0 KiB  Keeps \x1b[1mnotes
        org.b              1.2.0    Notes  shop   20.0 KiB  not for this device: it is for tv
        ");
        assert_eq!(
            plan(&[("1.0.0".into(), offer())]),
            "org.example.notes 1.0.0 becomes 1.2.0, from shop, 20.0 KiB"
        );
    }

    #[test]
    fn how_far_a_file_is_fits_a_line() {
        let (mib, file) = (1 << 20, 40 << 20);
        let line = |done, rate| fetched(done, file, rate);
        assert_eq!(line(0, None), "    0 %  0 B of 40.0 MiB");
        assert_eq!(line(9 * mib, Some(mib)), "   22 %  9.0 MiB of 40.0 MiB  1.0 MiB/s  31 s left");
        assert_eq!(line(mib, Some(0)), "    2 %  1.0 MiB of 40.0 MiB  0 B/s");
        assert_eq!(
            line(mib, Some(100 << 10)),
            "    2 %  1.0 MiB of 40.0 MiB  100.0 KiB/s  6 min left"
        );
        assert_eq!(line(mib, Some(1000)), "    2 %  1.0 MiB of 40.0 MiB  1000 B/s  11 h left");
        assert_eq!(line(file, Some(mib)), "  100 %  40.0 MiB of 40.0 MiB  1.0 MiB/s  0 s left");
        assert_eq!(fetched(0, 0, None), "  100 %  0 B of 0 B");
    }

    #[test]
    fn stores_are_a_table_with_what_is_wrong() {
        let store = Store {
            name: "shop".into(),
            place: "https://example.org/shop".into(),
            root: "ab".into(),
            bundles: 2,
            asked: 1_769_862_000,
            until: 1_769_862_000,
            trouble: "timestamp.json has expired".into(),
        };
        insta::assert_snapshot!(list(&[store], &TimeZone::UTC, Paint::default()), @r"
        STORE  PLACE                     BUNDLES  ASKED            COUNTS UNTIL     TROUBLE
        shop   https://example.org/shop  2        Jan 31 12:20:00  Jan 31 12:20:00  timestamp.json has expired
        ");
    }
}
