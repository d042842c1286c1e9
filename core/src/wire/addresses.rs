//! Addresses without what the site does not want to know (setting `capture.queryParameters`): people's names, tokens and
//! search words stand in queries, and in fragments too. The SDK leaves the same out before it sends; who sends without it
//! is held to it at the edge.

use serde_json::Value;

use super::collect::Batch;

/// Fields that hold an address, or something that may be one.
const FIELDS: [&str; 4] = ["uri", "referrer", "previous", "target"];

impl Batch {
    /// Takes the query parameters away that are not among the named ones. `"all"` leaves them.
    pub fn keep_parameters(&mut self, named: &Value) {
        let Some(named) = named.as_array() else { return };
        let named: Vec<&str> = named.iter().filter_map(Value::as_str).collect();
        for incoming in self.signals.iter_mut().flatten() {
            for field in FIELDS {
                if let Some(Value::String(address)) = incoming.signal.fields.get_mut(field)
                    && is_one(address)
                {
                    *address = bare(address, &named);
                }
            }
        }
    }
}

/// Whether a text is an address with a query or a fragment, and no sentence that asks something.
fn is_one(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let Some((before, _)) = text.split_once(['?', '#']) else { return false };
    let scheme =
        before.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.chars().all(word));
    scheme || !before.contains(char::is_whitespace) || !text.starts_with(word)
}

fn bare(address: &str, named: &[&str]) -> String {
    let (rest, fragment) = address.split_once('#').unwrap_or((address, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut out = path.to_owned();
    let kept = query.split('&').filter(|pair| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        !pair.is_empty() && named.iter().any(|named| decoded(name) == named.as_bytes())
    });
    for (pair, between) in kept.zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
        out.push(between);
        out.push_str(pair);
    }
    // Of a fragment what names a place stays: no query of its own, and no list of values.
    let place = fragment.split('?').next().unwrap_or_default();
    if !place.is_empty() && !place.contains('=') {
        out.push('#');
        out.push_str(place);
    }
    // No address is empty: this one is relative to who knows what.
    if out.is_empty() { "?".to_owned() } else { out }
}

/// As forms encode it; what is no encoding stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(*byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_named_parameters_stay_and_of_a_fragment_the_place() {
        for (address, expected) in [
            ("/", "/"),
            ("/a?q=1", "/a?q=1"),
            ("/a?token=1&q=2&q=3&x", "/a?q=2&q=3"),
            ("/a?token=1", "/a"),
            ("/a?&&q=1", "/a?q=1"),
            (
                "https://s.example/p?email=a@b&gr%C3%B6%c3%9Fe=2#top",
                "https://s.example/p?gr%C3%B6%c3%9Fe=2#top",
            ),
            ("/a?a+b=1&a%20b=2&a%2520b=3", "/a?a+b=1&a%20b=2"),
            ("/a?q%=1&%71=2&%zz=3", "/a?%71=2"),
            ("/a#token=1", "/a"),
            ("/a#/route?token=1", "/a#/route"),
            ("/a?q=1#b=2?q=3", "/a?q=1"),
            ("mailto:x@y.example?subject=token", "mailto:x@y.example"),
            ("?token=1", "?"),
            ("/by hand?token=7", "/by hand"),
        ] {
            assert!(is_one(address) || address == expected, "{address}");
            assert_eq!(bare(address, &["q", "größe", "a b"]), expected, "{address}");
        }
        assert!(
            !is_one("Sold out?") && !is_one("Buy now #1") && is_one("tel:1 2?x") && is_one("/sold out?x")
        );
    }

    proptest! {
        #[test]
        fn what_is_left_out_once_stays_out(address in "[/a-c?#&=%+:é ]{0,30}") {
            let once = bare(&address, &["a", "b c"]);
            prop_assert_eq!(&bare(&once, &["a", "b c"]), &once);
            prop_assert!(once.len() <= address.len().max(1));
        }
    }
}
