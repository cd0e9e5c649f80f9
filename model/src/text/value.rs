//! The texts of our TOML that have a shape of their own: names, paths, places, languages.
//!
//! Each function takes what was written and gives what was meant, or says what is wrong with it and
//! what to write instead.

use std::net::SocketAddr;

use crate::Name;
use crate::capability::CAPABILITIES;
use crate::service::{OWN, OWN_PREFIX};

/// Largest side of a screen in pixels (the kernel's DRM takes no more).
pub(crate) const MAX_SCREEN: u32 = 16384;

/// Longest path of a file in an image, in bytes (the kernel's limit).
pub(crate) const MAX_PATH: usize = 4095;

/// Longest path of a UNIX socket, in bytes (the kernel's limit).
pub(crate) const MAX_SOCKET_PATH: usize = 107;

/// Why a value is refused, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

pub(crate) type Checked<T> = Result<T, Bad>;

/// Refuses a value.
pub(crate) fn bad<T>(message: impl Into<String>, help: impl Into<String>) -> Checked<T> {
    Err(Bad { message: message.into(), help: Some(help.into()) })
}

/// A host name after RFC 1123, as short as the kernel wants it.
pub(crate) fn hostname(text: &str) -> Checked<String> {
    const MAX: usize = 64;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(legal)
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if text.len() <= MAX && text.split('.').all(label) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not a host name"),
        "letters, digits and `-` (not first or last), at most 63 a label and 64 in all",
    )
}

/// `ll_CC.UTF-8` or `C.UTF-8`.
pub(crate) fn locale(text: &str) -> Checked<String> {
    let shaped = |s: &str| {
        let (language, country) = s.split_once('_')?;
        let lower = language.bytes().all(|b| b.is_ascii_lowercase());
        let upper = country.bytes().all(|b| b.is_ascii_uppercase());
        ((2..=3).contains(&language.len()) && lower && country.len() == 2 && upper).then_some(())
    };
    let ok = text == "C.UTF-8" || text.strip_suffix(".UTF-8").and_then(shaped).is_some();
    if ok {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a locale"), "write it like \"en_GB.UTF-8\", or \"C.UTF-8\"")
}

/// `Area/City` or `UTC`.
pub(crate) fn timezone(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-');
    let part = |p: &str| p.starts_with(|c: char| c.is_ascii_alphabetic()) && p.bytes().all(legal);
    let parts: Vec<&str> = text.split('/').collect();
    if text == "UTC" || ((2..=3).contains(&parts.len()) && parts.iter().all(|p| part(p))) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a time zone"), "write it like \"Europe/Berlin\", or \"UTC\"")
}

/// A path in an image: absolute, in its shortest form.
pub(crate) fn image_path(text: &str) -> Checked<String> {
    let wrong = |why: &str| {
        bad(
            format!("`{text}` is not a path in the image: {why}"),
            "an absolute path like \"/etc/motd\"",
        )
    };
    let Some(rest) = text.strip_prefix('/') else { return wrong("it does not begin with `/`") };
    if text.len() > MAX_PATH || rest.split('/').any(|part| part.len() > 255) {
        return wrong("it is too long");
    }
    if text.chars().any(char::is_control) {
        return wrong("it has a control character");
    }
    match rest.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some(".." | ".") => wrong("it has `.` or `..`"),
        Some(_) => wrong("it ends in `/` or has `//`"),
        None => Ok(text.to_owned()),
    }
}

/// A path of a UNIX socket.
pub(crate) fn socket_path(text: &str) -> Checked<String> {
    if text.len() > MAX_SOCKET_PATH {
        return bad(
            format!("the path of the socket has {} bytes", text.len()),
            format!("the kernel takes at most {MAX_SOCKET_PATH}"),
        );
    }
    image_path(text)
}

/// A login name, as Debian's tools take it.
pub(crate) fn user_name(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if text == OWN || text.starts_with(OWN_PREFIX) {
        let help = "`user = \"own\"` of a service gives it a user that is its alone";
        return bad(format!("`{text}` is kept for users of one service"), help);
    }
    if first && text.len() <= 32 && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a user name"), "a-z, 0-9, `_` and `-`, at most 32, a letter first")
}

/// A name of a service.
pub(crate) fn service_name(text: &str) -> Checked<Name> {
    Name::try_from(text)
        .or_else(|why| bad(format!("`{text}` is not the name of a service"), why.to_string()))
}

/// A name of a Debian package.
pub(crate) fn package(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+.-".contains(&b);
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if first && (2..=128).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not the name of a Debian package"),
        "a-z, 0-9, `+`, `.` and `-`; versions are in the lock file",
    )
}

/// A Debian suite.
pub(crate) fn suite(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a Debian suite"), "a code name like \"trixie\"")
}

/// Where packages come from.
pub(crate) fn mirror(text: &str) -> Checked<String> {
    let schemes = ["https://", "http://", "file:/"];
    let known = schemes.iter().any(|s| text.len() > s.len() && text.starts_with(s));
    if known && text.len() <= 1024 && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a mirror"), "a URL: https://, http:// or file:/")
}

/// A name of a kernel module.
pub(crate) fn module(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not the name of a module"), "its name without path and `.ko`")
}

/// One word of the kernel's command line.
pub(crate) fn cmdline_word(text: &str) -> Checked<String> {
    if (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not one word of a command line"),
        "one item a word: [\"quiet\", \"loglevel=3\"]",
    )
}

/// A version of a device.
pub(crate) fn version(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"+.~-_".contains(&b);
    if (1..=crate::device::MAX_VERSION).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a version"), "at most 32 letters, digits and `+.~-_`")
}

/// One line for people.
pub(crate) fn about(text: &str) -> Checked<String> {
    line(text, "`about`")
}

/// Why a service has no profile.
pub(crate) fn exception(text: &str) -> Checked<String> {
    line(text, "a reason")
}

fn line(text: &str, what: &str) -> Checked<String> {
    if text.chars().count() <= 200 && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    bad(format!("{what} is one line of at most 200 characters"), "put more into a comment")
}

/// An argument or a value that goes through `execve`.
pub(crate) fn argument(text: &str) -> Checked<String> {
    if text.contains('\0') {
        return bad("a program can't be given a NUL character", "leave out `\\u0000`");
    }
    Ok(text.to_owned())
}

/// A name of an environment variable that the service manager does not set itself.
pub(crate) fn variable(text: &str) -> Checked<String> {
    const OURS: [&str; 7] = [
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "ENSEMBLE_SERVICE",
    ];
    if OURS.contains(&text) {
        return bad(format!("`{text}` is set by the service manager"), "leave it out");
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if first && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not the name of a variable"),
        "letters, digits and `_`, no digit first",
    )
}

/// An address and a port, both numbers; `help` says how they are written here.
pub(crate) fn ip_port(text: &str, help: &str) -> Checked<SocketAddr> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        Ok(_) => bad(format!("`{text}` has no port"), "a port from 1 to 65535"),
        Err(_) => bad(format!("`{text}` is not an address with a port"), help),
    }
}

/// A name on the bus, after the D-Bus specification.
pub(crate) fn bus_name(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let part = |p: &str| {
        !p.is_empty() && !p.starts_with(|c: char| c.is_ascii_digit()) && p.bytes().all(legal)
    };
    if text.len() <= 255 && text.contains('.') && text.split('.').all(part) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not a name on the bus"),
        "two or more words with `.` between them, like \"org.example.Web\"",
    )
}

/// Longest name and longest value of a parameter, in bytes (a `const.` one may be longer).
const MAX_PARAMETER: (usize, usize) = (96, 4096);

/// A name of a parameter.
pub(crate) fn parameter(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'@' | b':');
    let part = |p: &str| !p.is_empty() && p.bytes().all(legal);
    if text.len() <= MAX_PARAMETER.0 && text.split('.').all(part) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not the name of a parameter"),
        "words with `.` between them, at most 96 characters, like \"persist.wifi.on\"",
    )
}

/// A value of a parameter, or `*` for any.
pub(crate) fn parameter_value(text: &str) -> Checked<String> {
    let legal = !text.chars().any(char::is_control);
    if (1..=MAX_PARAMETER.1).contains(&text.len()) && legal {
        return Ok(text.to_owned());
    }
    bad("this can't be the value of a parameter", "1 to 4096 bytes on one line; \"*\" is any")
}

/// A capability in the kernel's spelling without `CAP_`.
pub(crate) fn capability(text: &str) -> Checked<String> {
    if CAPABILITIES.contains(&text) {
        return Ok(text.to_owned());
    }
    let plain = text.to_ascii_uppercase();
    let plain = plain.strip_prefix("CAP_").unwrap_or(&plain);
    Err(Bad {
        message: format!("no capability is called `{text}`"),
        help: Some(
            super::near::did_you_mean(plain, CAPABILITIES)
                .unwrap_or_else(|| "see capabilities(7); write them without `CAP_`".to_owned()),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_follow_rfc_1123() {
        for right in ["a", "tv", "3com", "living-room.example"] {
            assert!(hostname(right).is_ok(), "{right}");
        }
        for wrong in ["", "-a", "a-", "a_b", "a..b", "ä", &"a".repeat(64)] {
            assert!(hostname(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn places_and_languages_have_a_shape() {
        for right in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3"] {
            assert!(timezone(right).is_ok(), "{right}");
        }
        for wrong in ["", "Berlin", "Europe/", "../etc/passwd", "Europe/../x", "/Europe/Berlin"] {
            assert!(timezone(wrong).is_err(), "{wrong}");
        }
        for right in ["C.UTF-8", "de_DE.UTF-8", "fil_PH.UTF-8"] {
            assert!(locale(right).is_ok(), "{right}");
        }
        for wrong in ["", "de", "de_DE", "DE_de.UTF-8", "de_DE.UTF8", "_DE.UTF-8"] {
            assert!(locale(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn paths_in_an_image_are_absolute_and_plain() {
        assert!(image_path("/etc/motd").is_ok());
        for wrong in ["", "/", "etc", "/etc/", "/etc//x", "/etc/../x", "/./x", "/a\nb"] {
            assert!(image_path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_capability_is_written_as_the_kernel_does_without_its_prefix() {
        let Err(why) = capability("cap_net_admn") else { panic!("it has a typo") };
        assert_eq!(why.help.as_deref(), Some("did you mean `NET_ADMIN`?"));
    }
}
