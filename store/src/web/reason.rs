//! Why a server was not heard, in words for who asked.

use std::io;

use rustls::CertificateError;
use ureq::{Error, Timeout};

use super::{CERTIFICATES, MAX_REDIRECTS, Terms};

/// Why something failed.
pub(super) fn of(error: &Error, terms: &Terms) -> String {
    let patience = terms.patience.as_secs_f32();
    match error {
        Error::Timeout(Timeout::PerRead | Timeout::PerWrite | Timeout::RecvBody) => {
            let slowest = terms.slowest;
            format!("it was given up: for {patience} s less than {slowest} bytes a second came")
        }
        Error::Timeout(Timeout::Resolve) => {
            format!("no name server answered within {patience} s: is there a network?")
        }
        Error::Timeout(Timeout::Connect) => format!("it was not reached within {patience} s"),
        Error::Timeout(_) => format!("it did not answer within {patience} s"),
        Error::HostNotFound => "nobody has that name: is there a network?".to_owned(),
        Error::TooManyRedirects => {
            format!("the server sends us elsewhere more than {MAX_REDIRECTS} times in a row")
        }
        Error::RequireHttpsOnly(to) => {
            format!("the server sends us to {to}, and from https nobody is followed to less")
        }
        Error::Rustls(e) => tls(e),
        Error::Io(e) => of_io(e),
        other => other.to_string(),
    }
}

fn of_io(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(e) => tls(e),
        None => error.to_string(),
    }
}

/// What is wrong with the connection that nobody else may see.
fn tls(error: &rustls::Error) -> String {
    use CertificateError as C;
    let clock = "or the clock of this device is wrong";
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            C::UnknownIssuer => {
                format!(
                    "its certificate is signed by nobody whom this device trusts: {CERTIFICATES} has who that is"
                )
            }
            C::ExpiredContext { not_after, .. } => {
                let at = tuf::Time::new(not_after.as_secs());
                format!("its certificate has expired at {at}, {clock}")
            }
            C::Expired => format!("its certificate has expired, {clock}"),
            C::NotValidYet | C::NotValidYetContext { .. } => {
                format!("its certificate does not count yet, {clock}")
            }
            C::NotValidForName | C::NotValidForNameContext { .. } => {
                "its certificate is for other names".to_owned()
            }
            other => format!("its certificate is wrong: {other}"),
        },
        rustls::Error::InvalidMessage(_) => "what answers there does not speak https".to_owned(),
        other => format!("https: {other}"),
    }
}

/// The reason that an error has within it.
pub(super) fn inside(error: io::Error, terms: &Terms) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    let kind = error.kind();
    io::Error::new(kind, of(&Error::from(error), terms))
}
