//! `$skiptoken`: where the next page begins. Opaque to clients; what is in it are values, which are bound
//! like any others, so a token that somebody made up finds other rows and nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Fault;
use crate::{json, strict_json};

/// Longest token, in bytes.
const BYTES: usize = 8 * 1024;

/// How many rows are left where a number was asked for, and the place of the last row.
pub(super) fn write(left: Option<usize>, place: &[Value]) -> String {
    URL_SAFE_NO_PAD.encode(json::text(&json!([left, place])))
}

pub(super) fn read(token: &str) -> Result<(Option<usize>, Vec<Value>), Fault> {
    let bad = || Fault::query("$skiptoken should be one that an earlier answer gave");
    let bytes =
        (token.len() <= BYTES).then(|| URL_SAFE_NO_PAD.decode(token).ok()).flatten().ok_or_else(bad)?;
    let value = strict_json::parse(&bytes).map_err(|_| bad())?;
    let place = value.get(1).and_then(Value::as_array).ok_or_else(bad)?;
    if place.iter().any(|part| part.is_array() || part.is_object()) {
        return Err(bad());
    }
    Ok((value.get(0).and_then(Value::as_u64).map(|left| left as usize), place.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let place = vec![json!("a"), json!(1), Value::Null];
        assert_eq!(read(&write(Some(7), &place)).unwrap(), (Some(7), place.clone()));
        assert_eq!(read(&write(None, &place)).unwrap(), (None, place));
        let nested = URL_SAFE_NO_PAD.encode("[null,[[1]]]");
        for bad in ["", "x", "!!", "bnVsbA", nested.as_str(), &"A".repeat(BYTES + 1)] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
