//! Rows of an import, CSV or JSON Lines: wherever the pieces are cut, the same rows and the same faults.

use msci_core::config::Table;
use msci_core::identity::{NameKey, Normal};
use msci_core::import::{Format, Import, ROW_BYTES, Refused, Verdict};
use serde_json::{Value, json};

fn verdicts<'p>(format: Format, pieces: impl Iterator<Item = &'p [u8]>) -> Result<Vec<Verdict>, Refused> {
    let columns = json!({ "Tier": "string", "Spend": "number", "Vip": "boolean" });
    let table: Table = serde_json::from_value(json!({ "primaryKey": "Id", "columns": columns })).unwrap();
    let names = NameKey::new([7; 32]);
    let mut import =
        Import::new(format, "People", &table, &names, Normal { nfc: str::to_owned, ignore_case: false });
    let mut out = Vec::new();
    for piece in pieces {
        import.feed(piece, &mut out)?;
    }
    import.finish(&mut out)?;
    Ok(out)
}

/// Whole, byte by byte and cut behind each byte of one kind: all the same.
pub(crate) fn everything(format: Format, bytes: &[u8]) {
    let whole = verdicts(format, std::iter::once(bytes));
    assert_eq!(whole, verdicts(format, bytes.chunks(1)));
    for end in [b'\n', b'"', b',', b'\r'] {
        assert_eq!(whole, verdicts(format, bytes.split_inclusive(|byte| *byte == end)));
    }
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
    let mut keys = Vec::new();
    for verdict in whole.into_iter().flatten() {
        match verdict {
            Ok(row) => {
                assert!(row.body.len() <= ROW_BYTES && row.customer.is_known());
                let body: Value = serde_json::from_str(&row.body).expect("a row is JSON");
                assert_eq!(body["Id"], row.key.as_str());
                assert!(body["Tier"].is_string() || body["Tier"].is_null());
                assert!(body["Spend"].is_number() || body["Spend"].is_null());
                assert!(body["Vip"].is_boolean() || body["Vip"].is_null());
                keys.push(row.customer);
            }
            Err(rejected) => assert!((1..=lines).contains(&rejected.line), "line {}", rejected.line),
        }
    }
    keys.sort_unstable();
    assert!(keys.is_sorted_by(|one, next| one < next), "a key twice");
}
