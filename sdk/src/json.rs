//! JSON, written and read, without a tree, without floats, and without unescaping: what goes in and out
//! of this crate is text, of most of it only a member or two matters, and what is passed on is passed on
//! as it came. So a `&str` or `String` that came out of JSON is, everywhere in this crate, the inside of
//! a JSON string as it stands, escapes included; a [`Writer`] puts it back between quotes.
//!
//! A [`Value`] trusts its text to be what `JSON.stringify` writes (valid, no blanks). Of any other text
//! it reads nonsense, but never panics and never loops.

/// One JSON value: its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a>(pub(crate) &'a str);

impl<'a> Value<'a> {
    pub(crate) const NULL: Self = Value("null");

    /// A member of an object; `null` when there is none.
    pub(crate) fn get(self, key: &str) -> Self {
        let mut parts = self.parts();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            if name.text() == Some(key) {
                return value;
            }
        }
        Self::NULL
    }

    /// The items of an array, or the keys and values of an object in turn.
    pub(crate) fn parts(self) -> Parts<'a> {
        let inside = if self.is_scalar() { None } else { self.0.get(1..self.0.len().wrapping_sub(1)) };
        Parts(inside.unwrap_or_default())
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// A number, boolean or string, or `null`.
    pub(crate) fn is_scalar(self) -> bool {
        !matches!(self.0.as_bytes().first(), Some(b'{' | b'['))
    }

    /// The inside of a string.
    pub(crate) fn text(self) -> Option<&'a str> {
        let from = self.0.strip_prefix('"')?;
        from.strip_suffix('"')
    }

    /// A whole number from 0 on.
    pub(crate) fn number(self) -> Option<u64> {
        if self.0.is_empty() {
            return None;
        }
        let mut n: u64 = 0;
        for b in self.0.bytes() {
            let digit = b.wrapping_sub(b'0');
            if digit > 9 || n >> 53 > 0 {
                return None;
            }
            n = n * 10 + u64::from(digit);
        }
        Some(n)
    }

    pub(crate) fn flag(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

/// Iterates over what is between two brackets.
#[derive(Debug)]
pub(crate) struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
        let end = self.0.bytes().position(|b| {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.wrapping_sub(1),
                b',' | b':' => return depth == 0,
                _ => {}
            }
            false
        });
        let end = end.unwrap_or(self.0.len());
        let part = self.0.get(..end)?;
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some(Value(part))
    }
}

/// JSON being written, into one buffer: what is nested is opened and closed in place.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) String);

impl Writer {
    /// Appends text as it is.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.0.push_str(text);
        self
    }

    /// Begins an item, with a comma unless it is the first.
    pub(crate) fn item(&mut self) -> &mut Self {
        if !matches!(self.0.as_bytes().last(), Some(b'{' | b'[') | None) {
            self.push(",");
        }
        self
    }

    /// A string item, of several parts.
    pub(crate) fn quoted(&mut self, parts: &[&str]) {
        self.item().push("\"");
        for part in parts {
            self.push(part);
        }
        self.push("\"");
    }

    /// A member whose value is JSON, or the beginning of it.
    pub(crate) fn raw(&mut self, key: &str, json: &str) {
        self.quoted(&[key]);
        self.push(":").push(json);
    }

    /// A string member.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.raw(key, "\"");
        self.push(text).push("\"");
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.raw(key, "");
        self.push_number(value);
    }

    /// Appends a number. The standard library's way brings its formatting along, which is as large as
    /// the rest of this module.
    pub(crate) fn push_number(&mut self, n: u64) {
        let (rest, digit) = (n.checked_div(10).unwrap_or_default(), n.checked_rem(10).unwrap_or_default());
        if rest > 0 {
            self.push_number(rest);
        }
        let digit = digit as usize;
        self.push("0123456789".get(digit..=digit).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_whatever_stands_before_them() {
        let value = Value(r#"{"a":"x,\"}]:","b":{"c":[1,{"d":2}],"b":9},"n":12,"t":true,"e":[]}"#);
        assert_eq!(value.get("a").text(), Some(r#"x,\"}]:"#));
        assert_eq!(value.get("b").get("c").0, r#"[1,{"d":2}]"#);
        assert_eq!(value.get("b").get("b").number(), Some(9));
        assert_eq!(value.get("n").number(), Some(12));
        assert_eq!(value.get("t").flag(), Some(true));
        assert_eq!(value.get("e").parts().count(), 0);
        assert!(value.get("x").is_null() && value.get("n").get("x").is_null());
        let items: Vec<_> = value.get("b").get("c").parts().collect();
        assert_eq!(items, [Value("1"), Value(r#"{"d":2}"#)]);
    }

    #[test]
    fn what_is_read_is_written_as_it_stands() {
        let value = Value(r#"{"a":"\"\\\ud83d\u00e9é"}"#);
        let mut json = Writer::default();
        json.text("t", value.get("a").text().unwrap());
        assert_eq!(json.0, r#""t":"\"\\\ud83d\u00e9é""#);
    }

    #[test]
    fn what_is_nested_is_separated_too() {
        let mut json = Writer::default();
        json.push("[").item().push("{").number("a", 1);
        json.raw("b", "[");
        json.quoted(&["x", "y"]);
        json.quoted(&[]);
        json.push("]}").item().push("2]");
        assert_eq!(json.0, r#"[{"a":1,"b":["xy",""]},2]"#);
    }

    #[test]
    fn only_whole_numbers_are_numbers() {
        assert_eq!(Value("0").number(), Some(0));
        assert_eq!(Value("9007199254740991").number(), Some(9_007_199_254_740_991));
        for other in ["", "-1", "1.5", "1e9", "\"1\"", "99999999999999999999", "null"] {
            assert_eq!(Value(other).number(), None, "{other}");
        }
        for n in [0, 9, 10, 1_790_000_000_000, u64::MAX] {
            let mut json = Writer::default();
            json.push_number(n);
            assert_eq!(json.0, n.to_string());
        }
    }

    #[test]
    fn nonsense_is_read_as_nonsense() {
        for text in ["", "\"", "{", "}", "[", "{]", "{:::,,", "\"{", "{\"a\"}", "[[[[", "<html>", "é"] {
            let value = Value(text);
            let _ = (value.get("a").text(), value.parts().count(), value.number());
        }
    }
}
