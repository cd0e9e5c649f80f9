//! Names with `*` (any text) and `?` (any one character). Nothing else is special.

/// Whether `text` is meant by `pattern`. Never takes longer than the product of their lengths.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let mut pattern_left = pattern.chars();
    let mut text_left = text.chars();
    // Where to go on when a star has to take one character more.
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (here, there) = (pattern_left.clone().next(), text_left.clone().next());
        match (here, there) {
            (None, None) => return true,
            (Some('*'), _) => {
                pattern_left.next();
                star = Some((pattern_left.clone(), text_left.clone()));
            }
            (Some(p), Some(t)) if p == '?' || p == t => {
                pattern_left.next();
                text_left.next();
            }
            _ => {
                let Some((after, rest)) = &mut star else { return false };
                if rest.next().is_none() {
                    return false;
                }
                (pattern_left, text_left) = (after.clone(), rest.clone());
            }
        }
    }
}

/// Whether it stands for more than itself.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_others() {
        let yes =
            [("a", "a"), ("*", ""), ("tty*", "ttyUSB0"), ("?d*1", "sda1"), ("*a*b", "xaybab")];
        assert!(yes.iter().all(|(pattern, text)| fits(pattern, text)));
        let no = [("a", ""), ("", "a"), ("tty?", "tty"), ("*.job", "x.jobs"), ("a*b", "ac")];
        assert!(no.iter().all(|(pattern, text)| !fits(pattern, text)));
        assert!(!fits(&"*a".repeat(50), &"a".repeat(2000).replace("aa", "ab")));
    }
}
