//! Stories of what is announced, and what holds for any flood of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 7000))
}

fn member(instance: &str, tag: u8, host: u8) -> Announced {
    Announced {
        instance: instance.into(),
        what: Announcement::Member([tag; TAG]),
        addresses: vec![at(host)],
    }
}

fn heard(table: &mut Table, one: Announced, expected: bool, now: Duration) -> News {
    table.heard(&one, |_| expected, now)
}

fn many(count: u32) -> impl Iterator<Item = Announced> {
    (0..count).map(|number| {
        let [a, b, c, d] = number.to_be_bytes();
        let mut tag = [0; TAG];
        tag[..4].copy_from_slice(&[a, b, c, d]);
        Announced {
            instance: format!("x{number}"),
            what: Announcement::Member(tag),
            addresses: vec![SocketAddr::from(([10, b, c, d], 1))],
        }
    })
}

fn read(properties: &[(&str, &str)]) -> Option<Announcement> {
    let properties: BTreeMap<_, _> = properties.iter().copied().collect();
    Announcement::read(|key| properties.get(key).map(|text| text.as_bytes()))
}

#[test]
fn a_member_is_announced_by_its_tag_and_by_nothing_else() {
    let announcement = Announcement::Member([0xab; TAG]);
    assert_eq!(announcement.properties(), [("t", "ab".repeat(16))]);
    assert_eq!(read(&[("t", &"ab".repeat(16))]), Some(announcement));
}

#[test]
fn a_device_that_pairs_is_announced_with_name_form_and_id() {
    let id = DeviceId([7; 32]);
    let pairing = Announcement::Pairing { name: "Ida's tv".into(), form: "tv".into(), id };
    let properties = pairing.properties();
    let texts: Vec<_> = properties.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(read(&texts), Some(pairing));
}

#[test]
fn what_breaks_a_rule_is_not_read() {
    let id = DeviceId([7; 32]).to_string();
    let long = "n".repeat(MAX_NAME + 1);
    for (name, form, id) in [
        ("", "tv", id.as_str()),
        (long.as_str(), "tv", &id),
        ("\u{1b}[2J", "tv", &id),
        ("tv", "TV", &id),
        ("tv", "a-form-of-17-byte", &id),
        ("tv", "tv", "07"),
    ] {
        assert_eq!(read(&[("n", name), ("f", form), ("i", id)]), None, "{name} {form} {id}");
    }
    assert_eq!(read(&[("t", "ab")]), None);
    assert_eq!(read(&[("t", &format!("+{}", "a".repeat(31)))]), None);
    assert_eq!(read(&[]), None);
}

#[test]
fn the_same_said_again_is_no_news_and_another_address_is() {
    let mut table = Table::new();
    assert_eq!(heard(&mut table, member("a", 1, 1), true, Duration::ZERO), News::Told);
    assert_eq!(heard(&mut table, member("a", 1, 1), true, Duration::ZERO), News::Known);
    assert_eq!(heard(&mut table, member("a", 1, 2), true, Duration::ZERO), News::Told);
    assert_eq!(table.gone("a"), Some(member("a", 1, 2)));
    assert_eq!(table.gone("a"), None);
}

#[test]
fn a_flood_of_strangers_leaves_room_for_ours() {
    let mut table = Table::new();
    let told = many(10_000)
        .filter(|one| heard(&mut table, one.clone(), false, Duration::ZERO) == News::Told);
    assert_eq!(told.count(), MAX_STRANGERS);
    let soon = Duration::from_secs(1);
    assert_eq!(heard(&mut table, member("tv", 0xee, 200), true, soon), News::Told);
}

#[test]
fn a_tag_said_again_under_many_names_fills_no_table() {
    let mut table = Table::new();
    let told = (0..100).filter(|number| {
        let one = member(&format!("copy{number}"), 1, *number);
        heard(&mut table, one, true, Duration::ZERO) == News::Told
    });
    assert_eq!(told.count(), MAX_ALIKE);
}

#[test]
fn one_address_of_many_strangers_is_heard_four_times_and_of_ours_always() {
    let mut table = Table::new();
    let mut told = |expected| {
        let known = |tag: &u8| {
            let one = member(&format!("{expected}{tag}"), *tag, 1);
            heard(&mut table, one, expected, Duration::ZERO) == News::Told
        };
        (0..100).filter(known).count()
    };
    assert_eq!((told(false), told(true)), (MAX_ALIKE, 100));
}

#[test]
fn who_changes_its_address_all_the_time_is_heard_at_a_rate() {
    let mut table = Table::new();
    let mut told = 0;
    for second in 0..100_u64 {
        for host in 0..100 {
            let now = Duration::from_secs(second);
            told += u64::from(heard(&mut table, member("a", 1, host), false, now) == News::Told);
        }
    }
    let at_once = u64::try_from(MAX_STRANGERS).unwrap();
    assert!(told <= at_once + 100 * NEWS_PER_SECOND, "{told}");
    assert!(told >= 99 * NEWS_PER_SECOND, "{told}");
}

#[test]
fn the_gate_is_asked_about_news_only_and_not_by_every_datagram_of_a_flood() {
    let mut table = Table::new();
    let mut asked = 0;
    for one in many(10_000).chain(many(10_000)) {
        table.heard(
            &one,
            |_| {
                asked += 1;
                false
            },
            Duration::ZERO,
        );
    }
    assert_eq!(asked, MAX_EXPECTED + MAX_STRANGERS);
}

#[test]
fn who_becomes_expected_is_a_stranger_no_more() {
    let mut table = Table::new();
    heard(&mut table, member("a", 1, 1), false, Duration::ZERO);
    assert_eq!(heard(&mut table, member("a", 1, 2), true, Duration::ZERO), News::Told);
    assert_eq!(table.forget_strangers(), []);
    assert!(table.gone("a").is_some());
}

proptest! {
    #[test]
    fn any_bytes_are_read_as_a_sound_announcement_or_not_at_all(
        tag in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        name in proptest::collection::vec(any::<u8>(), 0..80),
        form in proptest::collection::vec(any::<u8>(), 0..20),
        id in "[0-9a-f]{60,66}",
    ) {
        let read = Announcement::read(|key| match key {
            "t" => tag.as_deref(),
            "n" => Some(&name),
            "f" => Some(&form),
            "i" => Some(id.as_bytes()),
            _ => None,
        });
        if let Some(announcement) = read {
            prop_assert!(announcement.is_sound());
        }
    }

    #[test]
    fn no_flood_of_any_kind_fills_more_than_the_places(
        floods in proptest::collection::vec((any::<u16>(), any::<u8>(), any::<u8>(), any::<bool>(), 0..5000_u64), 0..3000),
    ) {
        let mut table = Table::new();
        for (instance, tag, host, expected, ms) in floods {
            heard(&mut table, member(&instance.to_string(), tag, host), expected, Duration::from_millis(ms));
            prop_assert!(table.strangers.kept.len() <= MAX_STRANGERS);
            prop_assert!(table.expected.kept.len() <= MAX_EXPECTED);
        }
    }
}
