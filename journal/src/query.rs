//! Which records somebody asked for.

use api::export::{CURSOR, REALTIME, Record};
use api::journal::Query;

use crate::store::cursor::{self, Cursor};

/// Longest text of a query, in bytes.
pub const MAX_TEXT: usize = 1024;

/// A query, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `NAME.service`.
    unit: Option<String>,
    boot: Option<String>,
    priority: Option<u8>,
    since: Option<u64>,
    grep: Option<String>,
    /// Only records with this number or a later one.
    pub from: u64,
}

impl Filter {
    /// Checks a query to the log named `log`, in this boot.
    ///
    /// # Errors
    /// What makes no sense, as a sentence.
    pub fn new(query: Query, log: &str, this_boot: &str) -> Result<Self, String> {
        let texts = [&query.unit, &query.boot, &query.grep, &query.cursor];
        if texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT) {
            return Err(format!("a text of the query is longer than {MAX_TEXT} bytes: shorten it"));
        }
        if let Some(priority) = query.priority.filter(|p| *p > 7) {
            return Err(format!("there is no priority {priority}: 0 to 7"));
        }
        let boot = match query.boot {
            Some(boot) if boot == "this" => Some(this_boot.to_owned()),
            Some(boot) if boot.len() == 32 && boot.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Some(boot.to_ascii_lowercase())
            }
            Some(boot) => return Err(format!("`{boot}` is no boot: `this` or 32 hex digits")),
            None => None,
        };
        let from = match query.cursor.map(|text| Cursor::parse(&text).ok_or(text)) {
            None => 0,
            Some(Ok(cursor)) if cursor.log == log => cursor.number.saturating_add(1),
            Some(Ok(_)) => return Err("the cursor is of another log: ask without it".into()),
            Some(Err(text)) => return Err(format!("`{text}` is no cursor: take it from a record")),
        };
        // An instance of a template may have a dot in its name, and others' units end otherwise.
        let whole = |u: &str| [".service", ".scope", ".slice"].iter().any(|end| u.ends_with(end));
        let unit = query.unit.map(|u| if whole(&u) { u } else { u + ".service" });
        Ok(Self {
            unit,
            boot,
            priority: query.priority,
            since: query.since,
            grep: query.grep,
            from,
        })
    }

    /// Whether the record was asked for.
    #[must_use]
    pub fn matches(&self, record: &Record<'_>) -> bool {
        self.priority.is_none_or(|most| record.priority() <= most)
            && self.since.is_none_or(|since| record.number(REALTIME).is_some_and(|t| t >= since))
            && self.boot.as_ref().is_none_or(|b| record.get("_BOOT_ID") == Some(b.as_bytes()))
            && self.unit.as_ref().is_none_or(|unit| is_about(record, unit.as_bytes()))
            && self.grep.as_ref().is_none_or(|text| {
                record.get("MESSAGE").is_some_and(|m| contains(m, text.as_bytes()))
            })
            && (self.from == 0 || number(record) >= self.from)
    }
}

/// The number in the record's cursor; 0 if it has none.
#[must_use]
pub fn number(record: &Record<'_>) -> u64 {
    record.text(CURSOR).and_then(cursor::number).unwrap_or(0)
}

/// The unit said it, or root said it about the unit (`UNIT=`), as servicemgr does. What is above the services and
/// has no unit (`servicemgr`, `init`, the kernel) goes by the name it gives itself.
fn is_about(record: &Record<'_>, unit: &[u8]) -> bool {
    let root = || record.get("_UID") == Some(b"0") || record.get("_TRANSPORT") == Some(b"kernel");
    let above = || {
        let name = record.get("SYSLOG_IDENTIFIER").unwrap_or_default();
        record.get("_SYSTEMD_UNIT").is_none() && unit.strip_suffix(b".service") == Some(name)
    };
    record.get("_SYSTEMD_UNIT") == Some(unit)
        || (root() && (record.get("UNIT") == Some(unit) || above()))
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || hay.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::export;

    const LOG: &str = "0123456789abcdef0123456789abcdef";
    const RECORD: &[u8] = b"__CURSOR=s=0123456789abcdef0123456789abcdef;i=a\n\
        __REALTIME_TIMESTAMP=1000\n_BOOT_ID=ffffffffffffffffffffffffffffffff\n_UID=0\n\
        _SYSTEMD_UNIT=web.service\nUNIT=db.service\nPRIORITY=4\nMESSAGE=the disk is full\n\n";

    fn matches(query: Query) -> bool {
        let filter = Filter::new(query, LOG, &"f".repeat(32)).unwrap();
        filter.matches(&export::decode(RECORD).unwrap().unwrap().0)
    }

    fn text(text: &str) -> Option<String> {
        Some(text.into())
    }

    #[test]
    fn everything_matches_nothing_asked() {
        assert!(matches(Query::default()));
    }

    #[test]
    fn each_part_of_a_query_restricts() {
        for (unit, yes) in
            [("web", true), ("web.service", true), ("db", true), ("we", false), ("w.eb", false)]
        {
            assert_eq!(matches(Query { unit: text(unit), ..Query::default() }), yes, "{unit}");
        }
        for (boot, yes) in [("this", true), (&*"F".repeat(32), true), (&*"0".repeat(32), false)] {
            assert_eq!(matches(Query { boot: text(boot), ..Query::default() }), yes, "{boot}");
        }
        for (priority, yes) in [(3, false), (4, true), (7, true)] {
            assert_eq!(matches(Query { priority: Some(priority), ..Query::default() }), yes);
        }
        for (since, yes) in [(1000, true), (1001, false)] {
            assert_eq!(matches(Query { since: Some(since), ..Query::default() }), yes);
        }
        for (grep, yes) in [("disk is", true), ("", true), ("Disk", false)] {
            assert_eq!(matches(Query { grep: text(grep), ..Query::default() }), yes, "{grep}");
        }
        for (number, yes) in [(9, true), (10, false)] {
            let cursor = Cursor { log: LOG.into(), number }.to_string();
            assert_eq!(matches(Query { cursor: Some(cursor), ..Query::default() }), yes);
        }
    }

    #[test]
    fn what_is_above_the_services_is_found_by_the_name_it_gives_itself() {
        let of = |record: &[u8]| {
            let query = Query { unit: text("servicemgr"), ..Query::default() };
            let filter = Filter::new(query, LOG, LOG).unwrap();
            filter.matches(&export::decode(record).unwrap().unwrap().0)
        };
        assert!(of(b"_UID=0\nSYSLOG_IDENTIFIER=servicemgr\nMESSAGE=x\n\n"));
        assert!(!of(b"_UID=0\nSYSLOG_IDENTIFIER=init\nMESSAGE=x\n\n"));
        // Not what somebody else calls himself.
        assert!(!of(b"_UID=1\nSYSLOG_IDENTIFIER=servicemgr\nMESSAGE=x\n\n"));
        assert!(!of(
            b"_UID=0\n_SYSTEMD_UNIT=web.service\nSYSLOG_IDENTIFIER=servicemgr\nMESSAGE=x\n\n"
        ));
    }

    #[test]
    fn a_query_without_sense_is_told_so() {
        let refused = |query| Filter::new(query, LOG, LOG).unwrap_err();
        assert_eq!(
            refused(Query { priority: Some(8), ..Query::default() }),
            "there is no priority 8: 0 to 7"
        );
        assert_eq!(
            refused(Query { boot: text("last"), ..Query::default() }),
            "`last` is no boot: `this` or 32 hex digits"
        );
        assert_eq!(
            refused(Query { cursor: text("x"), ..Query::default() }),
            "`x` is no cursor: take it from a record"
        );
        let other = Cursor { log: "f".repeat(32), number: 1 }.to_string();
        assert_eq!(
            refused(Query { cursor: Some(other), ..Query::default() }),
            "the cursor is of another log: ask without it"
        );
        assert!(
            refused(Query { grep: Some("x".repeat(2000)), ..Query::default() }).contains("1024")
        );
    }
}
