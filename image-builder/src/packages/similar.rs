//! "Did you mean": names that differ from a wrong one by a typing mistake.

/// Most names offered.
pub(super) const MAX_OFFERED: usize = 3;

/// Up to three of `names` within a third of `wrong`'s letters of it, nearest first.
pub fn similar<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let most = (wrong.len() / 3).clamp(1, 3);
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| name.len().abs_diff(wrong.len()) <= most)
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    let nearest = near.first().map_or(0, |(distance, _)| *distance);
    near.retain(|(distance, _)| *distance == nearest);
    near.into_iter().take(MAX_OFFERED).map(|(_, name)| name).collect()
}

/// Letters to insert, remove, replace or swap with the next to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, similar};

    #[test]
    fn the_distance_counts_typing_mistakes() {
        for (a, b, is) in [
            ("", "", 0),
            ("nginx", "nginx", 0),
            ("ngnix", "nginx", 1),
            ("bash", "dash", 1),
            ("a", "abc", 2),
        ] {
            assert_eq!(distance(a, b), is, "{a} {b}");
        }
    }

    #[test]
    fn only_the_nearest_are_offered() {
        let names = ["virtio_net", "virtio_blk", "virtio_rng", "evdev"];
        assert_eq!(similar("virtio_nte", names.into_iter()), ["virtio_net"]);
        assert!(similar("zzz", names.into_iter()).is_empty());
    }
}
