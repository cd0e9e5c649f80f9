//! What is read as systemd reads it, what is refused and with which words.

use proptest::prelude::*;

use super::Calendar;

fn normal(text: &str) -> String {
    text.parse::<Calendar>().map_or_else(|e| panic!("{text}: {e}"), |c| c.to_string())
}

#[test]
fn what_systemd_reads_has_the_same_normal_form() {
    for (text, wanted) in [
        ("Mon..Fri *-*-* 08:00:00", "Mon..Fri *-*-* 08:00:00"),
        ("Mon-Fri", "Mon..Fri *-*-* 00:00:00"),
        ("mon,", "Mon *-*-* 00:00:00"),
        ("Wed", "Wed *-*-* 00:00:00"),
        ("Tuesday 10:00", "Tue *-*-* 10:00:00"),
        ("Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"),
        ("Mon..Sun 10:00", "*-*-* 10:00:00"),
        ("26-12-24", "2026-12-24 00:00:00"),
        ("10-15", "*-10-15 00:00:00"),
        ("12-24..26 18:00", "*-12-24..26 18:00:00"),
        ("2026-1..6-1", "2026-01..06-01 00:00:00"),
        ("2027/2-01-01", "2027/2-01-01 00:00:00"),
        ("*-*-*", "*-*-* 00:00:00"),
        ("*-*~*", "*-*-* 00:00:00"),
        ("*~01", "*-*~01 00:00:00"),
        ("*-*-1,5..10/2", "*-*-01,05..09/2 00:00:00"),
        ("*-02~3..7", "*-02~03..07 00:00:00"),
        ("*-*-01..31/40", "*-*-01 00:00:00"),
        ("*:*", "*-*-* *:*:00"),
        ("*:0/15", "*-*-* *:00/15:00"),
        ("*:0..10/15", "*-*-* *:00:00"),
        ("*:*:0/10", "*-*-* *:*:00/10"),
        ("10:00:*", "*-*-* 10:00:*"),
        ("5..5:00", "*-*-* 05:00:00"),
        ("minutely UTC", "*-*-* *:*:00 UTC"),
        ("hourly", "*-*-* *:00:00"),
        ("daily", "*-*-* 00:00:00"),
        ("Weekly", "Mon *-*-* 00:00:00"),
        ("monthly", "*-*-01 00:00:00"),
        ("semi-annually", "*-01,07-01 00:00:00"),
        ("yearly", "*-01-01 00:00:00"),
        ("08:00 Europe/Berlin", "*-*-* 08:00:00 Europe/Berlin"),
    ] {
        assert_eq!(normal(text), wanted, "{text}");
    }
}

#[test]
fn what_is_the_same_set_has_one_normal_form_and_systemd_has_another() {
    for (text, wanted) in [
        ("quarterly", "*-01/3-01 00:00:00"),
        ("*:0/1", "*-*-* *:*:00"),
        ("*:0,15,30,45", "*-*-* *:00/15:00"),
        ("*-*-1,5..10", "*-*-01,05..10 00:00:00"),
        ("*-*~07/1", "*-*~01..07 00:00:00"),
        ("*-02~07/2", "*-02~01..07/2 00:00:00"),
        ("1..3,2:00", "*-*-* 01..03:00:00"),
    ] {
        assert_eq!(normal(text), wanted, "{text}");
    }
}

#[test]
fn a_mistake_is_told_with_its_word_and_a_way_out() {
    let texts = "|UTC|daily 10:00|daily CET|Mod 10:00|Sat..Mon|Mon,,Tue|10|10:00 10:00|\
                 2026-12-24 10|8-10:00|24:00|00:00:60|00:00:59.5|*/2:00|*:0/0|*:0/60|*:20..10|\
                 *-*-31/5|*~01/3|*-*~31|2500-01-01|*-13-01|@1769862600|1:2:3:4|*--1|+1:00|Mon..|\
                 2026-12-24T08:00:00|0x10:00|*-*|-1";
    let all: Vec<String> = texts
        .split('|')
        .map(|text| match text.parse::<Calendar>() {
            Ok(fine) => format!("{text} IS FINE: {fine}"),
            Err(why) => why.to_string(),
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    there is no time in it: for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
    there is no time in it: for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
    `10:00` follows `daily`, which says it all: leave one of them out; only a time zone may follow: `UTC`, `Europe/Berlin`
    `CET` follows `daily`, which says it all: leave one of them out; only a time zone may follow: `UTC`, `Europe/Berlin`
    `Mod` is no weekday: weekdays are Mon, Tue, Wed, Thu, Fri, Sat, Sun; for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
    `Sat..Mon` goes backwards: a week begins with Monday: write `Sat,Sun,Mon` for `Sat..Mon`
    `Mon,,Tue` lacks a weekday: weekdays are Mon, Tue, Wed, Thu, Fri, Sat, Sun; for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
    `10` is neither a date nor a time: a date is `year-month-day` or `month-day`, `*` for any, and a time has a `:`, like `08:00`
    `10:00` is one word too many: weekdays, date, time and time zone, in this order, each at most once
    `10` is one word too many: weekdays, date, time and time zone, in this order, each at most once
    `8-10` in `8-10:00` is no hour: 0 to 23, or `*` for any
    there is no hour 24 (in `24:00`): 0 to 23, or `*` for any
    there is no second 60 (in `00:00:60`): 0 to 59, or `*` for any
    `59.5` in `00:00:59.5` has a fraction: a service starts at whole seconds: leave the fraction out
    `*/2` in `*/2:00` is no hour: begin with a number: `0/2`
    `/0` in `*:0/0` is no step: after `/` comes how many to go on by, like `0/2`
    `0/60` in `*:0/60` never goes on: the last minute is 59: leave `/60` out
    `20..10` in `*:20..10` goes backwards: the smaller minute comes first; two lists are joined by a comma
    `31/5` in `*-*-31/5` never goes on: the last day is 31: leave `/5` out
    `01/3` in `*~01/3` never goes on: the last day from the end is 1: leave `/3` out
    there is no day from the end 31 (in `*-*~31`): 1 to 28, or `*` for any
    there is no year 2500 (in `2500-01-01`): 1970 to 2199, or `*` for any
    there is no month 13 (in `*-13-01`): 1 to 12, or `*` for any
    `@1769862600` comes only once, long ago or not: for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
    `1:2:3:4` is not a time: a time is `hour:minute` or `hour:minute:second`, `*` for any
    `*--1` is not a date: a date is `year-month-day` or `month-day`, `*` for any, and a time has a `:`, like `08:00`
    `+1` in `+1:00` is no hour: 0 to 23, or `*` for any
    `Mon..` lacks a weekday: weekdays are Mon, Tue, Wed, Thu, Fri, Sat, Sun; for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
    `2026-12-24T08` in `2026-12-24T08:00:00` is no hour: 0 to 23, or `*` for any
    `0x10` in `0x10:00` is no hour: 0 to 23, or `*` for any
    *-* IS FINE: *-*-* 00:00:00
    `-1` is not a date: a date is `year-month-day` or `month-day`, `*` for any, and a time has a `:`, like `08:00`
    "#);
}

fn expression() -> impl Strategy<Value = String> {
    let list = |one: &'static str| format!("(\\*|{one}(,{one}){{0,2}})");
    let two = list("[0-5]?[0-9](\\.\\.[0-5]?[0-9])?(/[1-9])?");
    let days = "((Mon|Tue|Sat)(\\.\\.(Wed|Sun))?(,Sun)? )?";
    let year = list("20[0-9][0-9](/[1-9])?");
    let zone = "( UTC| Europe/Berlin)?";
    let all = format!("{days}{year}-{two}[-~]{two} {two}:{two}(:{two})?{zone}");
    proptest::string::string_regex(&all).unwrap()
}

proptest! {
    #[test]
    fn the_normal_form_reads_back_as_the_same_value(text in expression()) {
        if let Ok(calendar) = text.parse::<Calendar>() {
            prop_assert_eq!(calendar.to_string().parse::<Calendar>(), Ok(calendar.clone()));
            let bytes = postcard::to_stdvec(&calendar).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Calendar>(&bytes), Ok(calendar));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "([MonFri0-9*:/~.,@ -]|\\PC){0,40}") {
        let _ = text.parse::<Calendar>();
    }

    #[test]
    fn no_question_makes_it_panic(text in expression(), a: u8, b: u8, c: u8, year: u16) {
        if let Ok(calendar) = text.parse::<Calendar>() {
            let _ = (calendar.day_from(a, b, c), calendar.year_from(year));
            let _ = (calendar.hour_from(a), calendar.second_from(b), calendar.month_from(c));
        }
    }
}
