//! Which `authId`s name somebody. A page that is not signed in tends to send the word for nothing; if
//! that merged, all strangers would become one customer.

/// Longest `authId`, in bytes.
const AUTH_ID_BYTES: usize = 256;
const NOBODY: [&str; 12] = [
    "",
    "null",
    "undefined",
    "none",
    "nan",
    "true",
    "false",
    "0",
    "-1",
    "anonymous",
    "guest",
    "[object object]",
];

/// The text fields of `setUser` besides `authId`.
pub(crate) const FIELDS: [&str; 5] = ["authType", "localId", "name", "email", "token"];
/// Longest of them, in bytes.
pub(crate) const FIELD_BYTES: usize = 8 * 1024;

/// Whether an `authId`, already trimmed, can name somebody. Quotes and escapes do not make nobody
/// somebody: `"null"` is still null.
pub(crate) fn is_somebody(auth_id: &str) -> bool {
    let mut bare = auth_id.as_bytes();
    let dressed = |b: &u8| matches!(b, b' ' | b'"' | b'\'' | b'`' | b'\\');
    while let [first, rest @ ..] = bare
        && dressed(first)
    {
        bare = rest;
    }
    while let [rest @ .., last] = bare
        && dressed(last)
    {
        bare = rest;
    }
    auth_id.len() <= AUTH_ID_BYTES && !NOBODY.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_word_for_nobody_is_somebody() {
        for id in ["Loyalty1", "O'Neil", "😀", "00", "nobody", "\\\"x\\\""] {
            assert!(is_somebody(id), "{id}");
        }
    }

    #[test]
    fn words_for_nobody_are_refused_in_any_case_and_quoted() {
        for nobody in NOBODY {
            let upper = nobody.to_uppercase();
            for text in [nobody, &upper, &format!("\\\"{nobody}\\\""), &format!("' {nobody} '")] {
                assert!(!is_somebody(text), "{text}");
            }
        }
    }

    #[test]
    fn an_auth_id_has_at_most_256_bytes() {
        assert!(is_somebody(&"a".repeat(256)));
        assert!(!is_somebody(&"a".repeat(257)));
        assert!(!is_somebody(&"é".repeat(129)));
    }
}
