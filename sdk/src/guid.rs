//! Ids are GUID v4, lower case. New ones are made outside, of true randomness.

const SHAPE: &str = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";

/// `text` as a GUID v4 in lower case, if it is one.
pub(crate) fn parse(text: &str) -> Option<String> {
    let mut shape = SHAPE.bytes().zip(text.bytes());
    let shaped = text.len() == SHAPE.len()
        && shape.all(|(shape, b)| match shape {
            b'x' => b.is_ascii_hexdigit(),
            b'y' => matches!(b, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => b == shape,
        });
    shaped.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guid_v4_is_an_id() {
        let good = "3f43317e-d1ef-4cd3-9917-2d3342111d1a";
        assert_eq!(parse(&good.to_uppercase()).as_deref(), Some(good));
        for bad in [
            "",
            "null",
            "3f43317e-d1ef-1cd3-9917-2d3342111d1a",
            "3f43317e-d1ef-4cd3-c917-2d3342111d1a",
            "3f43317e-d1ef-4cd3-9917-2d3342111d1",
            "3f43317e-d1ef-4cd3-9917-2d3342111d1a3f43317e-d1ef-4cd3-9917-2d3342111d1a",
            "3f43317ed1ef4cd399172d3342111d1a",
            "3f43317e-d1ef-4cd3-9917-2d3342111dé",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse(&"a".repeat(10_000)), None);
    }
}
