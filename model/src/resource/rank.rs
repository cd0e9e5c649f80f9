//! Which directory of resources a device takes first.

use std::cmp::Reverse;

use super::{Around, Carrier, Qualifiers, USUAL_DENSITY};

/// How well a directory fits a device: what is greater fits better. Parts are in the order in which they count.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// 1 for the country, 2 for the network too.
    carrier: u8,
    /// The first of the people's languages that it is for.
    locale: Option<Reverse<usize>>,
    script: bool,
    region: bool,
    orientation: bool,
    form: bool,
    colours: bool,
    /// How far it is from the screen's; of two as far, the denser one, which is made smaller.
    density: Option<(Reverse<u32>, u32)>,
}

/// Directories that fit a device, the best first. None equals another one in this.
#[must_use]
pub fn best_first<'a>(
    all: impl IntoIterator<Item = &'a Qualifiers>,
    around: &Around,
) -> Vec<&'a Qualifiers> {
    let ranked = all.into_iter().filter_map(|one| Some((rank(one, around)?, one)));
    let mut ranked: Vec<(Rank, &Qualifiers)> = ranked.collect();
    ranked.sort_by(|(a, _), (b, _)| b.cmp(a));
    ranked.into_iter().map(|(_, one)| one).collect()
}

/// How well a directory fits; none if it does not.
fn rank(one: &Qualifiers, around: &Around) -> Option<Rank> {
    let mut rank = Rank {
        carrier: 0,
        locale: None,
        script: false,
        region: false,
        orientation: is(one.orientation.as_ref(), around.orientation.as_ref())?,
        form: is(one.form.as_ref(), around.form.as_ref())?,
        colours: is(one.colours.as_ref(), around.colours.as_ref())?,
        density: one.density.map(|density| {
            let dots = density.dots();
            (Reverse(dots.abs_diff(around.density.unwrap_or(USUAL_DENSITY))), dots)
        }),
    };
    if let Some(carrier) = &one.carrier {
        rank.carrier = of_carrier(carrier, around.carrier.as_ref()?)?;
    }
    if let Some(locale) = &one.locale {
        let at = around.locales.iter().position(|people| locale.fits(people))?;
        rank.locale = Some(Reverse(at));
        (rank.script, rank.region) = (locale.script.is_some(), locale.region.is_some());
    }
    Some(rank)
}

/// Whether it says something; none if the device is not so.
fn is<T: PartialEq>(said: Option<&T>, device: Option<&T>) -> Option<bool> {
    match said {
        None => Some(false),
        Some(_) => (said == device).then_some(true),
    }
}

fn of_carrier(said: &Carrier, device: &Carrier) -> Option<u8> {
    let country = said.country == device.country;
    match &said.network {
        None => country.then_some(1),
        Some(_) => (country && said.network == device.network).then_some(2),
    }
}
