//! Base64 of a few bytes, with `=` at the end. Strict: of several spellings one is right.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes as text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for piece in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, i| word << 8 | u32::from(*piece.get(i).unwrap_or(&0)));
        for i in 0..4 {
            let index = usize::try_from(word >> (18 - 6 * i) & 63).unwrap_or(0);
            let letter = LETTERS.get(index).filter(|_| i <= piece.len());
            text.push(char::from(*letter.unwrap_or(&b'=')));
        }
    }
    text
}

/// The bytes that [`encode`] makes this text of.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for piece in text.as_bytes().chunks(4) {
        let letters = piece.iter().take_while(|letter| **letter != b'=');
        let mut word: u32 = 0;
        for letter in letters.clone() {
            let value = LETTERS.iter().position(|known| known == letter)?;
            word = word << 6 | u32::try_from(value).ok()?;
        }
        let count = letters.count();
        word <<= 6 * (4 - u32::try_from(count).ok()?);
        bytes.extend(word.to_be_bytes().into_iter().skip(1).take(count.saturating_sub(1)));
    }
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_that_of_the_standard_and_only_that() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        for bad in ["Zg", "Zg=", "Zh==", "Zg==Zg==", "Zm9v ", "Zm9", "=", "====", "Z===", "Zm9\n"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn any_text_is_read_or_not(text in ".*") {
            let _any = decode(&text);
        }
    }
}
