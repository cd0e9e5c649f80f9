//! Where parameters come from, who wins, what is refused, and what is read again as it was.

use proptest::prelude::*;

use super::*;

fn list(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_first_source_wins_and_what_was_saved_wins_over_all() {
    let system = list(&[("const.device", "tv"), ("mode", "system")]);
    let device =
        "const.device=other\nmode=device\nscreen.on=yes\npersist.volume=5\npersist.name=den\n";
    let (all, complaints) = Params::load(Sources {
        cmdline: "quiet ensemble.mode=rescue ensemble.hello=\"a b\" root=x ensemble.flag",
        system: &system,
        device,
        saved: "persist.volume=11\n",
    });
    assert_eq!(
        all.text(),
        "const.device=tv\nhello=a b\nmode=rescue\npersist.name=den\npersist.volume=11\nscreen.on=yes\n"
    );
    assert_eq!(complaints, Complaints::default());
}

#[test]
fn what_is_wrong_in_a_source_is_left_out_and_told() {
    let saved = "# saved\npersist.a=1\nnonsense\nmode=x\npersist.B=2\n\npersist.c=\\x\npersist.d=3";
    let device = format!("service.web=ready\nlong={}", "x".repeat(97));
    let (all, complaints) = Params::load(Sources { device: &device, saved, ..Sources::default() });
    assert_eq!(all.text(), "persist.a=1\npersist.d=3\n");
    let told: Vec<String> = complaints.sentences().collect();
    assert_eq!(
        told,
        [
            "line 1 of the device's parameters: service.web is the state of a service, which only the service manager sets: choose a name that does not begin with `service.`",
            "line 2 of the device's parameters: long: the value is too long: at most 96 bytes",
            "line 3 of what was saved: there is no `=` in it",
            "line 4 of what was saved: mode: only `persist.` is saved",
            "line 5 of what was saved: `persist.B` is no name of a parameter: at most 96 of a-z, 0-9, `_` and `-`, in parts with dots between",
            "line 7 of what was saved: there is a `\\` with nothing known after it",
        ]
    );
    let broken = "x\n".repeat(1000);
    let (_, complaints) = Params::load(Sources { saved: &broken, ..Sources::default() });
    assert_eq!(complaints.sentences().count(), MAX_COMPLAINTS + 1);
    assert_eq!(complaints.sentences().last().unwrap(), "and 984 parameters more");
}

#[test]
fn a_constant_is_set_once() {
    let mut all = Params::default();
    assert_eq!(all.set("const.serial", &"7".repeat(MAX_CONST)), Ok(Set::Changed));
    assert_eq!(all.set("const.serial", &"7".repeat(MAX_CONST)), Ok(Set::Same));
    let again = all.set("const.serial", "8").unwrap_err();
    assert_eq!(
        again.to_string(),
        "const.serial has a value, and a constant is set once: restart the device"
    );
    let long = all.set("const.other", &"7".repeat(MAX_CONST + 1)).unwrap_err();
    assert_eq!(long, Refusal::Long("const.other".to_owned(), MAX_CONST));
}

#[test]
fn only_a_new_value_is_told_and_only_persist_is_saved() {
    let mut all = Params::default();
    assert_eq!(all.set("mode", "day"), Ok(Set::Changed));
    assert_eq!(all.set("mode", "day"), Ok(Set::Same));
    assert_eq!(all.set("mode", ""), Ok(Set::Changed));
    assert_eq!(all.set("persist.mode", "a\nb\\"), Ok(Set::Save));
    assert_eq!(all.saved(), "persist.mode=a\\nb\\\\\n");
    assert_eq!(all.set("mode", "a\0b"), Err(Refusal::Nul("mode".to_owned())));
}

#[test]
fn names_have_parts_with_dots_between() {
    for right in ["a", "a.b", "persist.net.wlan0_up", "9-x", &"a".repeat(96)] {
        assert_eq!(check_name(right), Ok(()), "{right}");
    }
    for wrong in ["", ".", "a.", ".a", "a..b", "A", "a b", "a=b", "ä", "a\n", &"a".repeat(97)] {
        assert!(check_name(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn there_is_an_end_to_them() {
    let mut all = Params::default();
    for n in 0..MAX_PARAMS {
        all.set(&format!("n.{n}"), "1").unwrap();
    }
    assert_eq!(all.set("one.more", "1"), Err(Refusal::Many));
    assert_eq!(all.set("n.7", "2"), Ok(Set::Changed));
    assert_eq!(all.with_prefix("n.409").count(), 7);
    assert_eq!(Params::restore(&all.text()), all);
}

#[test]
fn what_is_added_to_the_text_wins_when_it_is_read_again() {
    let mut all = Params::default();
    all.set("const.a", "1").unwrap();
    all.set("mode", "day").unwrap();
    let text = all.text() + &line("mode", "night") + &line("new", "x") + "cut.o";
    assert_eq!(Params::restore(&text).text(), "const.a=1\nmode=night\nnew=x\n");
}

proptest! {
    #[test]
    fn whatever_is_set_is_read_again(
        sets in proptest::collection::vec(("(const|persist|a)\\.[a-c]", "\\PC{0,8}|[\\\\n\\r\\n=#]{0,6}"), 0..20)
    ) {
        let mut all = Params::default();
        let mut appended = String::new();
        for (name, value) in &sets {
            if all.set(name, value).is_ok() {
                prop_assert_eq!(all.get(name), Some(value.as_str()));
                appended += &line(name, value);
            }
        }
        prop_assert_eq!(&Params::restore(&all.text()), &all);
        prop_assert_eq!(&Params::restore(&appended), &all);
        let saved = all.saved();
        let (again, complaints) = Params::load(Sources { saved: &saved, ..Sources::default() });
        prop_assert_eq!(again.saved(), saved);
        prop_assert_eq!(complaints, Complaints::default());
    }

    #[test]
    fn no_source_makes_it_panic_or_gets_past_the_limits(
        cmdline in "(ensemble\\.|[a-z.=\" ]|\\PC){0,60}", saved in "(persist\\.|[a-z.=\\\\\n]|\\PC){0,60}"
    ) {
        let (all, _) = Params::load(Sources { cmdline: &cmdline, saved: &saved, ..Sources::default() });
        for (name, value) in all.with_prefix("") {
            prop_assert!(check_name(name).is_ok() && value.len() <= MAX_CONST);
        }
        let _ = Params::restore(&saved);
    }
}
