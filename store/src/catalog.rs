//! What stores offer: found by words, the highest version of each, and whether it is for this device. Pure.

use api::stores::Offer;
use model::bundle::{BundleId, Version};
use tuf::{App, Target, Trusted};

/// Most offers of one answer: nobody reads more, and an answer has a length.
pub const MAX_OFFERS: usize = 500;

/// Longest text of an offer that is shown, in characters: a name, a purpose.
const MAX_TEXT: usize = 200;

/// Most keys that signed a bundle.
const MAX_KEYS: usize = 4;

/// What the device is, as far as offers ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its processor, in the kernel's spelling.
    pub architecture: String,
    /// Its form; empty if nobody knows.
    pub form_factor: String,
    /// Its locale.
    pub locale: String,
}

/// A bundle that a store lists.
#[derive(Debug, Clone)]
pub struct Listed<'a> {
    /// What is said of it.
    pub app: App,
    /// Its version.
    pub version: Version,
    /// The name of its file.
    pub name: &'a str,
    /// Its file.
    pub target: &'a Target,
}

/// All bundles that a store lists. What is not said as our stores say it is left out.
pub fn listed(trusted: &Trusted) -> impl Iterator<Item = Listed<'_>> {
    let targets = trusted.targets().map(|targets| &targets.targets);
    targets.into_iter().flatten().filter_map(|(name, target)| {
        let app = App::read(target.custom.as_ref()?)?;
        let version = Version::try_from(app.version.as_str()).ok()?;
        BundleId::try_from(app.bundle.as_str()).ok()?;
        target.sha256()?;
        Some(Listed { app, version, name, target })
    })
}

/// What the store `store` offers this device, with all words of `text`: of each bundle the highest version that is for this
/// device, or the highest of all if none is.
#[must_use]
pub fn offers(store: &str, trusted: &Trusted, device: &Device, text: &str) -> Vec<Offer> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let mut all: Vec<(Version, Offer)> = listed(trusted)
        .map(|listed| (listed.version, offer(store, &listed, device)))
        .filter(|(_, offer)| has(offer, &words))
        .collect();
    // The one that counts of each id comes first.
    all.sort_by(|(a, one), (b, other)| {
        let fit = |offer: &Offer| !offer.unfit.is_empty();
        (&one.id, fit(one)).cmp(&(&other.id, fit(other))).then(b.cmp(a))
    });
    all.dedup_by(|(_, next), (_, before)| next.id == before.id);
    all.into_iter().map(|(_, offer)| offer).collect()
}

/// Sorts what several stores offer, and cuts it.
#[must_use]
pub fn together(mut all: Vec<Offer>) -> Vec<Offer> {
    all.sort_by(|a, b| {
        let unfit = |offer: &Offer| !offer.unfit.is_empty();
        (unfit(a), &a.id, &a.store).cmp(&(unfit(b), &b.id, &b.store))
    });
    all.truncate(MAX_OFFERS);
    all
}

fn has(offer: &Offer, words: &[String]) -> bool {
    let all = format!("{}\n{}\n{}", offer.id, offer.name, offer.about).to_lowercase();
    words.iter().all(|word| all.contains(word))
}

fn offer(store: &str, listed: &Listed<'_>, device: &Device) -> Offer {
    let Listed { app, target, .. } = listed;
    let cut = |text: &str| text.chars().take(MAX_TEXT).collect();
    Offer {
        store: store.to_owned(),
        id: app.bundle.clone(),
        version: app.version.clone(),
        name: cut(App::text(&app.name, &device.locale)),
        about: cut(App::text(&app.about, &device.locale)),
        kind: if app.kind == "runtime" { "runtime" } else { "app" }.to_owned(),
        size: target.length,
        keys: app.keys.iter().take(MAX_KEYS).cloned().collect(),
        unfit: unfit(app, device).unwrap_or_default(),
    }
}

/// Why a bundle is not for this device.
fn unfit(app: &App, device: &Device) -> Option<String> {
    let among = |all: &[String], one: &str| all.is_empty() || all.iter().any(|of| of == one);
    let list = |all: &[String]| {
        all.iter()
            .take(8)
            .map(|word| word.chars().take(32).collect::<String>())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !among(&app.architectures, &device.architecture) {
        return Some(format!("it is for {}", list(&app.architectures)));
    }
    if !device.form_factor.is_empty() && !among(&app.form_factors, &device.form_factor) {
        return Some(format!("it is for {}", list(&app.form_factors)));
    }
    None
}
