//! JSON as the border takes it: bounded depth, no duplicate keys, no `__proto__`, finite numbers, valid
//! Unicode. What passes here is an ordinary [`Value`]; what does not is refused whole.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::limits::JSON_DEPTH;

/// Parses one JSON text.
///
/// # Errors
/// The parser's own words with line and column: the text comes from the caller, so saying where it
/// is wrong tells nobody anything new.
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    read(bytes, Strict { depth: JSON_DEPTH, border: true })
}

/// The same for texts of our own. There is one parser in the Worker.
pub(crate) fn parse_to_depth(bytes: &[u8], depth: usize) -> Result<Value, serde_json::Error> {
    read(bytes, Strict { depth, border: false })
}

fn read(bytes: &[u8], strict: Strict) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = strict.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
    /// What is stored already is read whatever its keys are.
    border: bool,
}

impl Strict {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom(format_args!("nested deeper than {JSON_DEPTH}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number is not finite"))?;
        Ok(Value::Number(number))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }
    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            // Scripts that copy it key by key would give all that they make after it another ancestor.
            if self.border && key == "__proto__" {
                return Err(A::Error::custom("__proto__ is no key"));
            }
            let Entry::Vacant(place) = object.entry(key) else {
                return Err(A::Error::custom("duplicate key"));
            };
            place.insert(map.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_json_passes_unchanged() {
        let text = r#"{"a":[1,-2,0.5,true,null,"é"],"b":{"c":{}}}"#;
        assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_the_border_refuses_is_refused() {
        let deep = "[".repeat(10_000);
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"__proto__":1}"#,
            r#"{"x":[{"\u005f_proto__":{}}]}"#,
            "NaN",
            "1e999",
            r#""\ud800""#,
            "{} {}",
            "{",
            "",
            deep.as_str(),
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:.40}");
        }
        assert!(parse(&[b'"', 0xff, b'"']).is_err(), "invalid UTF-8");
    }

    #[test]
    fn what_is_stored_is_read_whatever_its_keys() {
        assert!(parse_to_depth(br#"{"__proto__":1}"#, 4).is_ok());
    }

    #[test]
    fn the_depth_limit_is_exact() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(nested(JSON_DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(JSON_DEPTH + 1).as_bytes()).is_err());
    }
}
