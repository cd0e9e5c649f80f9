//! "Did you mean": the known word nearest to a mistyped one.

/// A question that names the nearest word, when one is near enough to be meant.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let limit = (word.chars().count() / 3).max(1);
    let near = known.into_iter().filter_map(|k| Some((distance(word, k, limit)?, k))).min();
    near.map(|(_, k)| format!("did you mean `{k}`?"))
}

/// Letters to add, drop, change or swap with their neighbour to come from `a` to `b`; `None` when
/// more than `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let letters = |s: &str| s.to_lowercase().chars().collect::<Vec<char>>();
    let (a, b) = (letters(a), letters(b));
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut older = vec![0; b.len() + 1];
    let mut old: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut new = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let mut best = at(&old, j) + usize::from(x != y);
            best = best.min(at(&old, j + 1) + 1).min(at(&new, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&older, j - 1) + 1);
            }
            new.push(best);
        }
        older = std::mem::replace(&mut old, new);
    }
    old.last().copied().filter(|d| *d <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_far_ones_are_not() {
        let known = ["hostname", "locale", "target"];
        assert_eq!(did_you_mean("hostnme", known).as_deref(), Some("did you mean `hostname`?"));
        assert_eq!(did_you_mean("tagret", known).as_deref(), Some("did you mean `target`?"));
        assert_eq!(did_you_mean("colour", known), None);
        assert_eq!(did_you_mean("", known), None);
    }
}
