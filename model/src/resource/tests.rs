use proptest::prelude::*;

use super::*;

fn read(name: &str) -> Qualifiers {
    Qualifiers::try_from(name).unwrap()
}

/// A German phone, held upright, in the dark.
fn phone() -> Around {
    let carrier = Carrier { country: "262".into(), network: Some("01".into()) };
    Around {
        carrier: Some(carrier),
        locales: vec![Locale::of("de_AT.UTF-8").unwrap(), Locale::of("en-GB").unwrap()],
        orientation: Some(Orientation::Vertical),
        form: Some(FormFactor::Phone),
        colours: Some(Colours::Dark),
        density: Some(270),
    }
}

/// The order in which a device looks in these directories.
fn order(around: &Around, names: &[&str]) -> Vec<String> {
    let all: Vec<Qualifiers> = names.iter().map(|name| read(name)).collect();
    best_first(&all, around).into_iter().map(ToString::to_string).collect()
}

#[test]
fn a_name_says_what_a_directory_is_for() {
    let all = read("mcc460_mnc00-zh_Hant_CN-vertical-phone-dark-mdpi");
    assert_eq!(all.carrier.as_ref().map(|c| c.country.as_str()), Some("460"));
    assert_eq!(all.locale.as_ref().and_then(|l| l.script.as_deref()), Some("Hant"));
    assert_eq!((all.orientation, all.form), (Some(Orientation::Vertical), Some(FormFactor::Phone)));
    assert_eq!((all.colours, all.density), (Some(Colours::Dark), Some(Density::Medium)));
    assert_eq!(read("base"), Qualifiers::default());
    assert_eq!(read("tv").form, Some(FormFactor::Tv));
    assert_eq!(read("es_419").locale, Locale::of("es-419"));
}

#[test]
fn mistakes_in_a_name_are_told() {
    let told = ["", "De", "dark-vertical", "de-fr", "base-de", "2in1", "mcc26", "de-"]
        .map(|name| Qualifiers::try_from(name).map_err(|bad| bad.0).unwrap_err())
        .join("\n");
    insta::assert_snapshot!(told, @r"
    `` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, mcc262_mnc01
    `De` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, mcc262_mnc01
    in `dark-vertical` an orientation comes after a colour mode: the order is carrier, language, orientation, form factor, colour mode, density
    `de-fr` has a language twice
    `base` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, mcc262_mnc01
    `2in1` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, mcc262_mnc01
    `mcc26` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, mcc262_mnc01
    `` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, mcc262_mnc01
    ");
}

#[test]
fn what_fits_not_is_not_looked_at() {
    let names = ["base", "fr", "horizontal", "tv", "light", "mcc310", "mcc262_mnc02", "de_DE"];
    assert_eq!(order(&phone(), &names), ["base"]);
    // A device without a screen has no orientation that could be equal to one.
    assert_eq!(
        order(&Around::default(), &["vertical", "base", "dark", "xldpi"]),
        ["xldpi", "base"]
    );
}

#[test]
fn the_first_qualifier_in_which_two_differ_decides() {
    let names = [
        "base",
        "dark",
        "phone",
        "vertical-phone-dark",
        "vertical",
        "de",
        "de_AT",
        "de-dark",
        "en-vertical-phone-dark-ldpi",
        "mcc262",
        "mcc262_mnc01",
        "en",
    ];
    assert_eq!(
        order(&phone(), &names),
        [
            "mcc262_mnc01",
            "mcc262",
            "de_AT",
            "de-dark",
            "de",
            "en-vertical-phone-dark-ldpi",
            "en",
            "vertical-phone-dark",
            "vertical",
            "phone",
            "dark",
            "base",
        ]
    );
}

#[test]
fn the_nearest_density_is_taken_and_the_denser_of_two_as_near() {
    let names = ["sdpi", "mdpi", "ldpi", "xldpi", "xxldpi", "xxxldpi", "base"];
    let at = |density| {
        let around = Around { density, ..Around::default() };
        order(&around, &names).into_iter().next().unwrap()
    };
    assert_eq!(at(Some(270)), "ldpi");
    assert_eq!(at(Some(280)), "xldpi");
    assert_eq!(at(Some(2000)), "xxxldpi");
    assert_eq!(at(None), "mdpi");
}

#[test]
fn chinese_is_written_as_it_is_where_the_people_are() {
    let of = |locale: &str| {
        let around = Around { locales: vec![Locale::of(locale).unwrap()], ..Around::default() };
        order(&around, &["zh_Hant", "zh_Hans", "zh"]).into_iter().next().unwrap()
    };
    assert_eq!([of("zh_TW"), of("zh_CN"), of("zh")], ["zh_Hant", "zh_Hans", "zh_Hans"]);
    assert_eq!(of("zh_Hant_SG.UTF-8"), "zh_Hant");
    for other in ["C", "C.UTF-8", "POSIX", ""] {
        assert_eq!(Locale::of(other), None, "{other}");
    }
}

#[test]
fn a_screen_stands_as_it_is_longer() {
    let screen =
        |width, height| Screen { width, height, density: 200, shape: crate::device::Shape::Rect };
    let stands = |width, height| Around::of(None, Some(&screen(width, height))).orientation;
    assert_eq!(stands(540, 1170), Some(Orientation::Vertical));
    assert_eq!(stands(1920, 1080), Some(Orientation::Horizontal));
    assert_eq!(stands(466, 466), Some(Orientation::Horizontal));
    assert_eq!(Around::of(None, None).orientation, None);
}

#[test]
fn a_resource_is_called_by_a_path_that_leads_nowhere_else() {
    assert!(is_name("strings.toml") && is_name("media/icon.png"));
    for bad in ["", "/a", "a/", "a//b", "../a", "a/./b", "a\nb", &"a".repeat(256)] {
        assert!(!is_name(bad), "{bad}");
    }
}

#[test]
fn resources_are_known_by_name_and_mistakes_in_their_places_are_told() {
    let all = named(["base/page.html", "de/page.html", "vertical-dark/in/logo.png"]).unwrap();
    let shown: Vec<String> = all
        .iter()
        .map(|(name, of)| {
            let of: Vec<String> = of.iter().map(ToString::to_string).collect();
            format!("{name}: {}", of.join(", "))
        })
        .collect();
    assert_eq!(shown, ["in/logo.png: vertical-dark", "page.html: base, de"]);
    let told = ["page.html", "german/page.html", "de/"].map(|path| named([path]).unwrap_err().0);
    insta::assert_snapshot!(told.join("\n"), @r"
    `page.html` is in no directory of qualifiers: put it into `base`
    `german` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, mcc262_mnc01
    `de/` has a name that is too long, or not one
    ");
}

fn one_of<T: Copy + fmt::Debug + 'static>(
    words: &'static [(&'static str, T)],
) -> impl Strategy<Value = Option<T>> {
    let all: Vec<T> = words.iter().map(|(_, one)| *one).collect();
    prop::option::of(prop::sample::select(all))
}

fn carrier() -> impl Strategy<Value = Option<Carrier>> {
    let network = prop::option::of(prop::sample::select(vec!["01", "02", "001"]));
    let carrier =
        (prop::sample::select(vec!["262", "310"]), network).prop_map(|(country, network)| {
            Carrier { country: country.into(), network: network.map(Into::into) }
        });
    prop::option::of(carrier)
}

fn locale() -> impl Strategy<Value = Locale> {
    prop::sample::select(vec![
        "de",
        "de_AT",
        "de_DE",
        "en",
        "en_GB",
        "zh",
        "zh_Hant",
        "zh_Hant_TW",
        "zh_TW",
        "zh_CN",
        "es_419",
    ])
    .prop_map(|text| Locale::qualifier(text).unwrap())
}

fn qualifiers() -> impl Strategy<Value = Qualifiers> {
    let form = one_of(FormFactor::WORDS);
    (
        carrier(),
        prop::option::of(locale()),
        one_of(Orientation::WORDS),
        form,
        one_of(Colours::WORDS),
        one_of(Density::WORDS),
    )
        .prop_map(|(carrier, locale, orientation, form, colours, density)| Qualifiers {
            carrier,
            locale,
            orientation,
            form,
            colours,
            density,
        })
}

fn around() -> impl Strategy<Value = Around> {
    (
        carrier(),
        prop::collection::vec(locale(), 0..3),
        one_of(Orientation::WORDS),
        one_of(FormFactor::WORDS),
        one_of(Colours::WORDS),
        prop::option::of(1_u32..1000),
    )
        .prop_map(|(carrier, locales, orientation, form, colours, density)| Around {
            carrier,
            locales,
            orientation,
            form,
            colours,
            density,
        })
}

proptest! {
    #[test]
    fn a_name_and_its_qualifiers_are_the_same_in_both_directions(one in qualifiers()) {
        prop_assert_eq!(Qualifiers::try_from(one.to_string().as_str()), Ok(one));
    }

    #[test]
    fn names_from_anybody_are_read_or_refused(name in "[a-zA-Z0-9_-]{0,40}|\\PC{0,20}") {
        if let Ok(one) = Qualifiers::try_from(name.as_str()) {
            prop_assert_eq!(one.to_string(), name);
        }
    }

    #[test]
    fn what_comes_first_does_not_depend_on_where_it_lay_or_on_what_else_is_there(
        all in prop::collection::btree_set(qualifiers(), 0..12),
        around in around(),
    ) {
        let (there, back): (Vec<_>, Vec<_>) = (all.iter().collect(), all.iter().rev().collect());
        let order = best_first(there, &around);
        prop_assert_eq!(&order, &best_first(back, &around));
        for (at, one) in order.iter().enumerate() {
            for other in order.iter().skip(at + 1) {
                prop_assert_eq!(best_first([*other, *one], &around), vec![*one, *other]);
            }
        }
    }

    #[test]
    fn base_always_fits_and_comes_last_and_whatever_fits_is_so_of_the_device(
        all in prop::collection::vec(qualifiers(), 0..8),
        around in around(),
    ) {
        let base = Qualifiers::default();
        let order = best_first(all.iter().chain([&base]), &around);
        prop_assert_eq!(*order.last().unwrap(), &base);
        for one in order {
            prop_assert!(one.form.is_none() || one.form == around.form);
            prop_assert!(one.colours.is_none() || one.colours == around.colours);
            prop_assert!(one.orientation.is_none() || one.orientation == around.orientation);
            let spoken = |of: &Locale| around.locales.iter().any(|theirs| theirs.language == of.language);
            prop_assert!(one.locale.as_ref().is_none_or(spoken));
        }
    }
}
