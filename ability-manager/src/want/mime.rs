//! Types of content: which fits which, and what the suffix of a name tells.

/// Matched by a skill for every type alone: what nobody knows more about.
pub const WILDCARD_ONLY: &str = "reserved/wildcard";

/// Every type.
pub(super) const ANY: &str = "*/*";

/// Whether a type that is wanted fits the type of a skill. Either may stand for several: `image/*`, `*/*`.
pub(super) fn fits(wanted: &str, skill: Option<&str>) -> bool {
    let Some(skill) = skill.filter(|skill| !skill.is_empty()) else { return wanted.is_empty() };
    if wanted.is_empty() {
        return false;
    }
    if wanted == WILDCARD_ONLY {
        return skill == ANY || skill == "general.object";
    }
    if wanted == ANY || skill == ANY {
        return true;
    }
    match (wanted.strip_suffix('*'), skill.strip_suffix('*')) {
        (Some(start), _) => skill.starts_with(start),
        (None, Some(start)) => wanted.starts_with(start),
        (None, None) => wanted == skill,
    }
}

/// Suffixes and their types, sorted: those of IANA that programs of a desktop know.
const SUFFIXES: &[(&str, &str)] = &[
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("bz2", "application/x-bzip2"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("heic", "image/heic"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mid", "audio/midi"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/opus"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("wav", "audio/x-wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("woff2", "font/woff2"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "text/xml"),
    ("xz", "application/x-xz"),
    ("yaml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

/// Longest suffix that tells something.
const LONGEST: usize = 5;

/// The type that the suffix of an address tells.
#[must_use]
pub fn of_suffix(uri: &str) -> Option<&'static str> {
    let (_, suffix) = uri.rsplit('/').next()?.rsplit_once('.')?;
    if suffix.len() > LONGEST {
        return None;
    }
    let suffix = suffix.to_ascii_lowercase();
    let found = SUFFIXES.binary_search_by_key(&suffix.as_str(), |(name, _)| name).ok()?;
    SUFFIXES.get(found).map(|(_, mime)| *mime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_sorted_and_none_is_longer_than_said() {
        assert!(SUFFIXES.is_sorted_by_key(|(suffix, _)| suffix));
        assert_eq!(SUFFIXES.iter().map(|(suffix, _)| suffix.len()).max(), Some(LONGEST));
    }

    #[test]
    fn the_suffix_of_the_last_part_tells_the_type() {
        assert_eq!(of_suffix("file:///a.d/b.PNG"), Some("image/png"));
        for none in ["", "png", "https://example.org/", "a.png/b", "a.nothing", "a."] {
            assert_eq!(of_suffix(none), None, "{none}");
        }
    }

    #[test]
    fn types_fit_by_star_on_either_side() {
        let yes = [
            ("image/png", "image/png"),
            ("image/png", "image/*"),
            ("image/*", "image/png"),
            ("*/*", "image/png"),
            ("image/png", "*/*"),
            (WILDCARD_ONLY, "*/*"),
        ];
        let no = [("image/png", "image/gif"), ("text/*", "image/png"), (WILDCARD_ONLY, "image/*")];
        assert!(yes.iter().all(|(wanted, skill)| fits(wanted, Some(skill))));
        assert!(!no.iter().any(|(wanted, skill)| fits(wanted, Some(skill))));
        assert!(fits("", None) && !fits("image/png", None) && !fits("", Some("image/png")));
    }
}
