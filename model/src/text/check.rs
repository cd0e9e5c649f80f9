//! What every check shares: the list of problems, and the ways from a raw value to a checked one.

use super::decode::{At, Choice};
use super::report::{Place, Problem};
use super::value::{Bad, Checked};

/// Collects what is wrong while values are checked.
#[derive(Debug, Default)]
pub(crate) struct Check {
    pub(crate) problems: Vec<Problem>,
}

impl Check {
    pub(crate) fn add(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn refuse(&mut self, place: &Place, bad: Bad) {
        self.add(Problem::new(place.clone(), bad.message).maybe_help(bad.help));
    }

    /// The checked value; `None` when absent or refused.
    pub(crate) fn one<T>(
        &mut self,
        at: Option<&At<String>>,
        parse: impl Fn(&str) -> Checked<T>,
    ) -> Option<T> {
        let at = at?;
        parse(at).map_err(|bad| self.refuse(&at.place, bad)).ok()
    }

    /// The same for a number.
    pub(crate) fn number<T>(
        &mut self,
        at: Option<&At<i64>>,
        parse: impl Fn(i64) -> Checked<T>,
    ) -> Option<T> {
        let at = at?;
        parse(at.value).map_err(|bad| self.refuse(&at.place, bad)).ok()
    }

    /// A number within limits, named `what` in the message.
    pub(crate) fn range<T: TryFrom<i64> + TryInto<i64> + Copy>(
        &mut self,
        at: Option<&At<i64>>,
        what: &str,
        least: T,
        most: T,
    ) -> Option<T> {
        let number = |n: T| n.try_into().unwrap_or(i64::MAX);
        let (least, most) = (number(least), number(most));
        self.number(at, |n| match T::try_from(n).ok().filter(|_| (least..=most).contains(&n)) {
            Some(value) => Ok(value),
            None => Err(Bad {
                message: format!("{what} can't be {n}"),
                help: Some(format!("{least} to {most}")),
            }),
        })
    }

    /// Every checked value of a list, with its place; each value once.
    pub(crate) fn list<T>(
        &mut self,
        list: Option<&Vec<At<String>>>,
        parse: impl Fn(&str) -> Checked<T>,
    ) -> Vec<At<T>> {
        let mut seen = std::collections::BTreeSet::new();
        let mut checked = Vec::new();
        for at in list.into_iter().flatten().filter(|at| seen.insert(at.value.clone())) {
            let value = self.one(Some(at), &parse);
            checked.extend(value.map(|value| At { value, place: at.place.clone() }));
        }
        checked
    }

    /// `version = 1` of a file.
    pub(crate) fn format(&mut self, at: Option<&At<i64>>) {
        if let Some(at) = at.filter(|at| at.value != 1) {
            let problem =
                Problem::new(at.place.clone(), format!("version {} is unknown", at.value));
            self.add(problem.help("this `ens` reads version = 1; a newer `ens` may read yours"));
        }
    }

    /// Notes that two items of a list share what must be their own.
    pub(crate) fn unique<'a, K: Ord>(
        &mut self,
        items: impl Iterator<Item = (K, &'a Place)>,
        message: impl Fn(&K) -> String,
    ) {
        let mut first = std::collections::BTreeMap::new();
        for (key, place) in items {
            match first.get(&key) {
                None => {
                    first.insert(key, place);
                }
                Some(one) => {
                    let problem = Problem::new(place.clone(), message(&key)).label("again here");
                    self.add(problem.also(Place::clone(one), "first here"));
                }
            }
        }
    }
}

/// The values without their places.
pub(crate) fn values<T>(list: Vec<At<T>>) -> Vec<T> {
    list.into_iter().map(|at| at.value).collect()
}

/// The word's value, or `default`.
pub(crate) fn choice<T: Copy>(at: Option<&At<Choice<T>>>, default: T) -> T {
    at.map_or(default, |at| at.value.0)
}
