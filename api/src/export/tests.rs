//! What is written is read, in pieces of any size; what is no record is a fault.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type Fields = Vec<(String, Vec<u8>)>;

fn encoded(records: &[Fields]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        for (name, value) in record {
            assert!(put(&mut out, name, value));
        }
        end(&mut out);
    }
    out
}

fn owned(record: &Record<'_>) -> Fields {
    record.fields.iter().map(|(n, v)| ((*n).to_owned(), v.to_vec())).collect()
}

/// All records that arrive when the bytes come in pieces of this size.
fn streamed(bytes: &[u8], piece: usize) -> Result<(Vec<Fields>, usize), Fault> {
    let mut decoder = Decoder::default();
    let mut records = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.push(piece);
        while let Some(record) = decoder.take()? {
            assert!(record.raw.ends_with(b"\n\n") && !record.raw.starts_with(b"\n"));
            records.push(owned(&record));
        }
    }
    Ok((records, decoder.rest()))
}

#[test]
fn text_is_readable_and_everything_else_has_a_length() {
    let mut out = Vec::new();
    put(&mut out, "MESSAGE", "grüße\tan alle".as_bytes());
    put(&mut out, "TWO", b"a\nb");
    put(&mut out, "EMPTY", b"");
    assert!(!put(&mut out, "lower", b"x"));
    assert!(!put(&mut out, "A=B\nC", b"x"));
    end(&mut out);
    let wanted = "MESSAGE=grüße\tan alle\nTWO\n\u{3}\0\0\0\0\0\0\0a\nb\nEMPTY=\n\n";
    assert_eq!(String::from_utf8(out).unwrap(), wanted);
}

#[test]
fn a_record_answers_by_name() {
    let bytes = b"\n\n__CURSOR=c\nPRIORITY=3\nMESSAGE=hello\n_PID=42\n\nNEXT=1\n";
    let (record, used) = decode(bytes).unwrap().unwrap();
    assert_eq!(record.cursor(), Some("c"));
    assert_eq!(record.text("MESSAGE"), Some("hello"));
    assert_eq!((record.number("_PID"), record.priority()), (Some(42), 3));
    assert_eq!(record.get("NEXT"), None);
    assert_eq!(record.raw, &bytes[2..used]);
    assert_eq!(decode(&bytes[used..]), Ok(None), "the next one is not whole");
}

#[test]
fn what_is_no_record_is_refused_by_its_reason() {
    let fault = |bytes: &[u8]| decode(bytes).unwrap_err();
    assert_eq!(fault(b"lower=1\n\n"), Fault::Name);
    assert_eq!(fault(b"=1\n\n"), Fault::Name);
    assert_eq!(fault(b"\0\0\0\n"), Fault::Name);
    assert_eq!(fault(b"A\n\x01\0\0\0\0\0\0\0xy\n"), Fault::Frame);
    assert_eq!(fault(b"A\n\xff\xff\xff\xff\xff\xff\xff\xff"), Fault::Long);
    assert_eq!(fault(&[b"A=".as_slice(), &vec![b'x'; MAX_RECORD]].concat()), Fault::Long);
    assert_eq!(fault("A=1\n".repeat(MAX_FIELDS + 1).as_bytes()), Fault::ManyFields);
}

#[test]
fn reading_goes_on_behind_damage() {
    let bytes = b"__CURSOR=1\n\n__CURSOR=2\nbad\0=\n\n__CURSOR=3\nA=1\n\n";
    for piece in [1, 3, 99] {
        let (mut decoder, mut seen, mut lost) = (Decoder::default(), Vec::new(), false);
        for piece in bytes.chunks(piece) {
            decoder.push(piece);
            loop {
                lost = lost && !decoder.skip_to(b"__CURSOR=");
                match decoder.take() {
                    _ if lost => break,
                    Ok(Some(record)) => seen.push(record.cursor().unwrap().to_owned()),
                    Ok(None) => break,
                    Err(_) => lost = true,
                }
            }
        }
        assert_eq!(seen, ["1", "3"], "in pieces of {piece}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "[A-Z_][A-Z0-9_]{0,63}"
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof!["[ -~]{0,30}".prop_map(String::into_bytes), vec(any::<u8>(), 0..60)]
}

fn records() -> impl Strategy<Value = Vec<Fields>> {
    vec(vec((name(), value()), 1..6), 0..6)
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_pieces_of_any_size(records in records(), piece in 1_usize..99) {
        let bytes = encoded(&records);
        prop_assert_eq!(streamed(&bytes, piece), Ok((records, 0)));
    }

    #[test]
    fn a_cut_loses_at_most_the_last_record(records in records(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&records);
        let cut = cut.index(bytes.len() + 1);
        let whole = (0..=records.len()).rfind(|n| encoded(&records[..*n]).len() <= cut).unwrap();
        let (got, rest) = streamed(&bytes[..cut], 7).unwrap();
        prop_assert_eq!(rest, cut - encoded(&records[..whole]).len());
        prop_assert_eq!(got, &records[..whole]);
    }

    #[test]
    fn any_bytes_are_records_or_a_fault(bytes in vec(any::<u8>(), 0..300), piece in 1_usize..50) {
        let _ = streamed(&bytes, piece);
    }

    #[test]
    fn damaged_records_are_records_or_a_fault(
        records in records(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = encoded(&records);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = streamed(&bytes, 11);
    }
}

#[test]
fn eight_bytes_at_once_are_judged_as_one_by_one() {
    for byte in 0..=u8::MAX {
        for at in 0..24 {
            for around in [b' ', b'a', b'~'] {
                let mut value = [around; 24];
                value[at] = byte;
                let alone = (b' '..=b'~').contains(&byte) || byte == b'\t';
                assert_eq!(is_text(&value), alone, "{byte} at {at} among {around}");
            }
        }
    }
}
