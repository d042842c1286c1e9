use proptest::prelude::*;
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

use super::*;

fn table() -> Table {
    let columns = json!({ "Tier": "string", "Spend": "number", "Vip": "boolean" });
    serde_json::from_value(json!({ "primaryKey": "Id", "columns": columns })).unwrap()
}

/// Verdicts on an import that comes in these pieces.
fn verdicts<'p>(format: Format, pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<Vec<Verdict>, Refused> {
    let (table, names) = (table(), NameKey::new([7; 32]));
    let normal = Normal { nfc: |text| text.nfc().collect(), ignore_case: false };
    let mut import = Import::new(format, "People", &table, &names, normal);
    let mut out = Vec::new();
    for piece in pieces {
        import.feed(piece, &mut out)?;
    }
    import.finish(&mut out)?;
    Ok(out)
}

fn whole(format: Format, bytes: &[u8]) -> Result<Vec<Verdict>, Refused> {
    verdicts(format, [bytes])
}

/// Key of a row, or line and code of a fault.
fn short(verdicts: &[Verdict]) -> Vec<(u64, &str)> {
    verdicts
        .iter()
        .map(|verdict| match verdict {
            Ok(row) => (0, row.key.as_str()),
            Err(rejected) => (rejected.line, rejected.code),
        })
        .collect()
}

#[test]
fn every_fault_of_a_line_is_its_own() {
    let csv = b"\xef\xbb\xbfId,Tier,Spend,Vip\r\n\
        A,Gold,1.5,true\r\n\
        ,Gold,1,true\r\n\
        B,\"two\r\nlines, \"\"quoted\"\"\",,\r\n\
        C,x,much,true\r\n\
        \r\n\
        A,Gold,2,true\r\n\
        D,short\r\n\
        E,\xff,1,1\r\n\
        null,x,1,1\r\n\
        F,x,1,1,1\r\n\
        G,,,0";
    let taken = whole(Format::Csv, csv).unwrap();
    let expected = [
        (0, "A"),
        (3, "key_invalid"),
        (0, "B"),
        (6, "invalid_value"),
        (8, "duplicate_key"),
        (9, "wrong_column_count"),
        (10, "invalid_utf8"),
        (11, "key_invalid"),
        (12, "wrong_column_count"),
        (0, "G"),
    ];
    assert_eq!(short(&taken), expected);
    let body = |at: usize| taken[at].as_ref().unwrap().body.as_str();
    assert_eq!(body(2), r#"{"Id":"B","Spend":null,"Tier":"two\r\nlines, \"quoted\"","Vip":null}"#);
    assert_eq!(body(9), r#"{"Id":"G","Spend":null,"Tier":null,"Vip":false}"#);

    let lines = b"\xef\xbb\xbf{\"Id\":\"A\",\"Tier\":\"Gold\"}\r\n\n  \n{\"Id\":7}\n{\"Id\":\"B\",\"Spend\":\"5\"}\n\
        {\"Id\":\"C\",\"Nope\":1}\nnonsense\n[1]\n{\"Id\":\"\xff\"}\n{\"Id\":\"A\"}\n{\"Tier\":\"x\"}\n{\"Id\":\"D\",\"Id\":\"E\"}";
    let expected = [
        (0, "A"),
        (0, "7"),
        (5, "invalid_value"),
        (6, "unknown_column"),
        (7, "invalid_line"),
        (8, "invalid_line"),
        (9, "invalid_utf8"),
        (10, "duplicate_key"),
        (11, "key_missing"),
        (12, "invalid_line"),
    ];
    assert_eq!(short(&whole(Format::JsonLines, lines).unwrap()), expected);
}

#[test]
fn a_line_that_is_too_long_is_passed_over_and_not_held() {
    let long = "x".repeat(10 * LINE_BYTES);
    let fields = ",".repeat(10 * COLUMNS);
    let csv = format!("Id,Tier\nA,{long}\nB,1\n{fields}\nC,\"{long}\"\nD,2\n");
    let expected = [(2, "too_large"), (0, "B"), (4, "too_large"), (5, "too_large"), (0, "D")];
    let taken = verdicts(Format::Csv, csv.as_bytes().chunks(1000)).unwrap();
    assert_eq!(short(&taken), expected);
    let lines = format!("{{\"Id\":\"A\",\"Tier\":\"{long}\"}}\n{{\"Id\":\"B\"}}\n{long}");
    let taken = verdicts(Format::JsonLines, lines.as_bytes().chunks(1000)).unwrap();
    assert_eq!(short(&taken), [(1, "too_large"), (0, "B"), (3, "too_large")]);

    let (table, names) = (table(), NameKey::new([7; 32]));
    let normal = Normal { nfc: str::to_owned, ignore_case: false };
    let mut import = Import::new(Format::Csv, "People", &table, &names, normal);
    let mut out = Vec::new();
    import.feed(b"Id,Tier\nA,\"", &mut out).unwrap();
    for _ in 0..1000 {
        import.feed(&[b'x'; 4096], &mut out).unwrap();
    }
    let held = match &import.lines {
        Lines::Csv(csv) => (csv.fields.len(), csv.ends.len()),
        Lines::Json(_) => (usize::MAX, usize::MAX),
    };
    assert!(held.0 <= LINE_BYTES && held.1 <= COLUMNS && out.is_empty());
}

#[test]
fn a_quote_that_is_never_closed_takes_no_row_in() {
    let csv = b"Id,Tier\nA,Gold\nB,\"Gold\nC,Silver\nD,Silver\n";
    assert_eq!(short(&whole(Format::Csv, csv).unwrap()), [(0, "A"), (3, "unclosed_quote")]);
    // An inch is no quote.
    let inch = b"Id,Tier\nA,5\" disk\nB,5\" disk";
    assert_eq!(short(&whole(Format::Csv, inch).unwrap()), [(0, "A"), (0, "B")]);
}

#[test]
fn a_header_that_does_not_fit_refuses_the_whole() {
    for (csv, code) in [
        (&b"Id,Nope\nA,1\n"[..], "unknown_column"),
        (b"Id,Tier,Tier\nA,1,2\n", "duplicate_column"),
        (b"\xff\xfeI\0d\0\n\0", "invalid_csv"),
        (b"\xef\xbb,Id\nA,1", "invalid_csv"),
    ] {
        assert_eq!(whole(Format::Csv, csv).unwrap_err().code, code);
    }
    for nothing in [&b""[..], b"\xef\xbb\xbf", b"\r\n\r\n", b"Id,Tier", b"Id,Tier\r\n"] {
        assert_eq!(whole(Format::Csv, nothing), Ok(vec![]));
        assert_eq!(whole(Format::JsonLines, nothing).map(|lines| lines.len() < 2), Ok(true));
    }
}

#[test]
fn where_the_pieces_are_cut_changes_nothing() {
    let csv = "\u{feff}Id,Tier,Vip\r\nA,\"a \"\"b\"\"\r\n,c\",1\r\nB,é,0\n\n\rC,x\r\nA,,\nD,\"unclosed\n"
        .as_bytes();
    let lines = "\u{feff}{\"Id\":\"A\",\"Tier\":\"é\"}\r\n\n{\"Id\":\"A\"}\nx\n{\"Id\":\"B\"}".as_bytes();
    let marks = "\u{feff}\u{feff}Id\nA\nB\nC\nD".as_bytes();
    assert_eq!(verdicts(Format::Csv, marks.chunks(1)), whole(Format::Csv, marks));
    for (format, bytes) in [(Format::Csv, csv), (Format::JsonLines, lines)] {
        let expected = whole(format, bytes);
        assert!(expected.as_ref().unwrap().len() > 3);
        for at in 0..=bytes.len() {
            let (one, two) = bytes.split_at(at);
            assert_eq!(verdicts(format, [one, two]), expected, "cut at {at}");
        }
        assert_eq!(verdicts(format, bytes.chunks(1)), expected, "byte by byte");
    }
}

/// Bytes that look like CSV, and break it wherever they can.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => "[A-C]{1,2}".prop_map(String::into_bytes),
        4 => Just(b",".to_vec()),
        3 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        3 => Just(b"\"".to_vec()),
        1 => Just(b"\xef\xbb\xbf".to_vec()),
        1 => Just(b"{\"Id\":\"A\",\"Tier\":null}".to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => Just("é".as_bytes().to_vec()),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_have_the_same_verdicts_however_they_are_cut(
        bytes in broken(),
        header in prop_oneof![Just("Id,Tier\n"), Just("\u{feff}Tier,Id\r\n"), Just("")],
        sizes in prop::collection::vec(1_usize..9, 1..40),
    ) {
        let bytes = [header.as_bytes(), &bytes].concat();
        for format in [Format::Csv, Format::JsonLines] {
            let expected = whole(format, &bytes);
            let mut rest = bytes.as_slice();
            let pieces: Vec<&[u8]> = sizes.iter().cycle().map_while(|size| {
                let (piece, left) = rest.split_at((*size).min(rest.len()));
                rest = left;
                (!piece.is_empty()).then_some(piece)
            }).collect();
            prop_assert_eq!(verdicts(format, pieces), expected.clone());
            prop_assert_eq!(verdicts(format, bytes.chunks(1)), expected.clone());
            // Lines go up, and no key is taken twice.
            let taken = expected.unwrap_or_default();
            let faults: Vec<u64> = taken.iter().filter_map(|verdict| Some(verdict.as_ref().err()?.line)).collect();
            prop_assert!(faults.is_sorted());
            let mut keys: Vec<&str> = taken.iter().flatten().map(|row| row.key.as_str()).collect();
            keys.sort_unstable();
            let count = keys.len();
            keys.dedup();
            prop_assert_eq!(keys.len(), count);
        }
    }

    #[test]
    fn well_formed_csv_is_read_as_it_was_written(
        rows in prop::collection::vec(("[a-c]{1,2}", "[a-c\",\r\n é]{0,8}"), 0..20),
        end in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let mut csv = format!("Id,Tier{end}");
        let mut line = 2;
        let mut expected = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for (key, tier) in &rows {
            let key = format!("k{key}");
            csv += &[&key, ",\"", &tier.replace('"', "\"\""), "\"", end].concat();
            let value = if tier.is_empty() { Value::Null } else { tier.as_str().into() };
            let new = seen.insert(key.clone());
            expected.push(if new { Ok(json!({ "Id": key, "Spend": null, "Tier": value, "Vip": null })) } else { Err(line) });
            line += 1 + tier.matches('\n').count() as u64;
        }
        let taken = whole(Format::Csv, csv.as_bytes()).unwrap().into_iter().map(|verdict| match verdict {
            Ok(row) => Ok(serde_json::from_str(&row.body).unwrap()),
            Err(rejected) => Err(rejected.line),
        });
        prop_assert_eq!(taken.collect::<Vec<Result<Value, u64>>>(), expected);
    }
}
