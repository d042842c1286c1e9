//! JSON of our own making back into shapes: stored rows, and what is said between our own parts.
//!
//! A text becomes a [`Value`], and every shape is read from that by one deserialiser that asks for no
//! more than it needs: an object for a struct, a list for a tuple. With the parser's own deserialiser
//! each shape brings the code of two forms, and of parsing, along: a third of the Worker was that.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value, map};

use crate::strict_json;

/// Reads a shape from text.
///
/// # Errors
/// When the text is no JSON, or not of this shape.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    from_value(&value(text)?)
}

/// Reads a shape from a value.
///
/// # Errors
/// When it is not of this shape; with the words of `serde`.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    T::deserialize(Node(value))
}

/// Reads any value from text that we wrote ourselves: as deep as what it wraps.
///
/// # Errors
/// When the text is no JSON.
pub fn value(text: &str) -> Result<Value, Error> {
    strict_json::parse_to_depth(text.as_bytes(), DEPTH)
}

/// A value as text. Its own `to_string` would be a second serialiser, and a third for its indented form.
pub fn text(value: &Value) -> String {
    // Plain data into memory: serialising cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// A decimal number in any of the forms that people write: `+007`, `.5`, `1e3`. Finite. By the parser of
/// JSON, since the library's own comes with a table of 10 KB.
pub fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let plain = whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit());
    if !plain || mantissa.len() <= mantissa.matches('.').count() {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    value(&format!("{sign}{whole}.{part}0e{exponent}")).ok()?.as_f64()
}

/// Deeper than the border takes, since messages wrap what came from there; within the parser's own 128.
const DEPTH: usize = 120;

/// A value to read from.
#[derive(Clone, Copy)]
struct Node<'de>(&'de Value);

impl<'de> Node<'de> {
    /// In the words that `serde` has for it. One for all shapes.
    #[cold]
    #[inline(never)]
    fn unlike(self, expected: &dyn Expected) -> Error {
        let found = match self.0 {
            Value::Null => "null".to_owned(),
            Value::Bool(truth) => format!("boolean `{truth}`"),
            Value::Number(number) if number.is_f64() => format!("floating point `{number}`"),
            Value::Number(number) => format!("integer `{number}`"),
            Value::String(text) => format!("string {text:?}"),
            Value::Array(_) => "sequence".to_owned(),
            Value::Object(_) => "map".to_owned(),
        };
        Error::custom(format_args!("invalid type: {found}, expected {expected}"))
    }

    fn list(self, expected: &dyn Expected) -> Result<Items<'de>, Error> {
        match self.0 {
            Value::Array(items) => Ok(Items(items.iter())),
            _ => Err(self.unlike(expected)),
        }
    }

    fn object(self, expected: &dyn Expected) -> Result<Fields<'de>, Error> {
        match self.0 {
            Value::Object(fields) => Ok(Fields::of(fields)),
            _ => Err(self.unlike(expected)),
        }
    }

    fn text(self, expected: &dyn Expected) -> Result<&'de str, Error> {
        self.0.as_str().ok_or_else(|| self.unlike(expected))
    }

    fn unsigned(self, expected: &dyn Expected) -> Result<u64, Error> {
        self.0.as_u64().ok_or_else(|| self.unlike(expected))
    }

    fn signed(self, expected: &dyn Expected) -> Result<i64, Error> {
        self.0.as_i64().ok_or_else(|| self.unlike(expected))
    }

    /// A plain name, or an object with one name and what belongs to it.
    fn variant(self, expected: &dyn Expected) -> Result<Variant<'de>, Error> {
        match self.0 {
            Value::String(name) => Ok(Variant { name, content: None }),
            Value::Object(fields) if fields.len() == 1 => {
                let mut fields = fields.iter();
                let named = fields.next().map(|(name, content)| Variant { name, content: Some(content) });
                named.ok_or_else(|| self.unlike(expected))
            }
            _ => Err(self.unlike(expected)),
        }
    }
}

/// Reads all of a list.
fn read_list<'de, V: Visitor<'de>>(node: Node<'de>, visitor: V) -> Result<V::Value, Error> {
    let mut items = node.list(&visitor)?;
    let read = visitor.visit_seq(&mut items)?;
    if items.0.as_slice().is_empty() { Ok(read) } else { Err(Error::custom("the list is too long")) }
}

/// Numbers and texts of one kind are asked for in one way, whatever their width.
macro_rules! ask {
    ($($name:ident)* : $as:ident, $visit:ident) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let value = self.$as(&visitor)?;
            visitor.$visit(value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (_, _, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(self.unlike(&visitor)),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(_) => read_list(self, visitor),
            Value::Object(fields) => visitor.visit_map(Fields::of(fields)),
        }
    }

    ask! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64: unsigned, visit_u64 }
    ask! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64: signed, visit_i64 }
    ask! { deserialize_str deserialize_string deserialize_char deserialize_identifier: text, visit_str }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Bool(truth) => visitor.visit_bool(*truth),
            _ => Err(self.unlike(&visitor)),
        }
    }
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.as_f64() {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.unlike(&visitor)),
        }
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_unit() } else { Err(self.unlike(&visitor)) }
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        read_list(self, visitor)
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        read_list(self, visitor)
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let fields = self.object(&visitor)?;
        visitor.visit_map(fields)
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let variant = self.variant(&visitor)?;
        visitor.visit_enum(variant)
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit_struct tuple_struct }
}

/// The rest of a list.
struct Items<'de>(std::slice::Iter<'de, Value>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.0.next() {
            Some(value) => seed.deserialize(Node(value)).map(Some),
            None => Ok(None),
        }
    }
}

/// The rest of an object, and the value that belongs to the name that was read last.
struct Fields<'de> {
    rest: map::Iter<'de>,
    value: &'de Value,
}

impl<'de> Fields<'de> {
    fn of(fields: &'de Map<String, Value>) -> Self {
        Self { rest: fields.iter(), value: &Value::Null }
    }

    #[inline(never)]
    fn name(&mut self) -> Option<&'de str> {
        let (name, value) = self.rest.next()?;
        self.value = value;
        Some(name)
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        match self.name() {
            Some(name) => seed.deserialize(name_of(name)).map(Some),
            None => Ok(None),
        }
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Node(self.value))
    }
}

fn name_of(name: &str) -> StrDeserializer<'_, Error> {
    name.into_deserializer()
}

/// One case of several.
struct Variant<'de> {
    name: &'de str,
    content: Option<&'de Value>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Error> {
        Ok((seed.deserialize(name_of(self.name))?, self))
    }
}

impl<'de> Variant<'de> {
    fn content(&self) -> Node<'de> {
        Node(self.content.unwrap_or(&Value::Null))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content() {
            Node(Value::Null) => Ok(()),
            content => Err(content.unlike(&"nothing but the name")),
        }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.content())
    }
    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        read_list(self.content(), visitor)
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.content().deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::collections::Map as SmallMap;
    use crate::ids::CustomerId;

    /// One of everything that rows and calls are made of.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Plain,
        Text(String),
        Pair(u8, Option<i64>),
        Object {
            number: f64,
            #[serde(default)]
            truth: bool,
            any: Value,
            named: SmallMap<String, Vec<u64>>,
            whose: Option<CustomerId>,
        },
        Nested(Box<Shape>),
        Outcome(Outcome),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case", tag = "status", content = "reason")]
    enum Outcome {
        Good,
        Bad(String),
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        let object = (-1e9..1e9, any::<bool>(), "[a-z]{0,3}", any::<Vec<u64>>(), any::<Option<u128>>());
        let leaf = prop_oneof![
            Just(Shape::Plain),
            any::<String>().prop_map(Shape::Text),
            any::<(u8, Option<i64>)>().prop_map(|(a, b)| Shape::Pair(a, b)),
            object.prop_map(|(number, truth, name, list, bits)| Shape::Object {
                number,
                truth,
                any: json!([null, number, { "a": name }]),
                named: [(name, list)].into_iter().collect(),
                whose: bits.map(CustomerId::Known),
            }),
            Just(Shape::Outcome(Outcome::Good)),
            any::<String>().prop_map(|reason| Shape::Outcome(Outcome::Bad(reason))),
        ];
        leaf.prop_recursive(4, 8, 1, |inner| inner.prop_map(|shape| Shape::Nested(Box::new(shape))))
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_as_the_library_reads_it(shape in shapes()) {
            let text = serde_json::to_string(&shape).unwrap();
            prop_assert_eq!(from_str::<Shape>(&text).unwrap(), serde_json::from_str::<Shape>(&text).unwrap());
        }

        #[test]
        fn a_number_is_the_one_that_the_library_reads(number in -1e15..1e15_f64, places in 0_usize..6) {
            let text = format!("{number:.places$}");
            let (ours, theirs) = (super::number(&text).unwrap(), text.parse::<f64>().unwrap());
            prop_assert!((ours - theirs).abs() <= theirs.abs() * f64::EPSILON, "{} {}", ours, theirs);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_as_the_library_refuses_it() {
        for text in [
            r#""nobody""#,
            r#"{"text":5}"#,
            r#"{"text":null}"#,
            r#"{"plain":1}"#,
            r#"{"text":"a","plain":null}"#,
            r#"{"pair":[1]}"#,
            r#"{"pair":[1,2,3]}"#,
            r#"{"pair":[256,2]}"#,
            r#"{"pair":[1.5,2]}"#,
            r#"{"pair":[-1,2]}"#,
            r#"{"pair":[1,9223372036854775808]}"#,
            r#"{"object":{"number":1,"any":1}}"#,
            r#"{"object":{"number":"1","any":1,"named":{}}}"#,
            r#"{"object":{"number":1,"any":1,"named":{},"whose":"nobody"}}"#,
            r#"{"outcome":{"status":"odd"}}"#,
            "[]",
            "7",
            "{",
        ] {
            assert!(serde_json::from_str::<Shape>(text).is_err(), "the library takes {text}");
            assert!(from_str::<Shape>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_says_what_was_found_and_what_was_expected() {
        let fault = |value: Value| from_value::<Vec<u64>>(&json!([value])).unwrap_err().to_string();
        assert_eq!(fault(json!("x")), r#"invalid type: string "x", expected u64"#);
        assert_eq!(fault(json!(1.5)), "invalid type: floating point `1.5`, expected u64");
        assert_eq!(fault(json!(null)), "invalid type: null, expected u64");
        assert_eq!(fault(json!({})), "invalid type: map, expected u64");
    }

    #[test]
    fn numbers_are_taken_as_people_write_them() {
        for (text, number) in [
            ("007", 7.0),
            ("+1", 1.0),
            ("-0.50", -0.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1.5E-2", 0.015),
            ("000", 0.0),
        ] {
            assert_eq!(super::number(text), Some(number), "{text}");
            assert_eq!(text.parse(), Ok(number), "{text}");
        }
        for text in [
            "", ".", "-", "+-1", "--1", "e5", "1e", "1e+", "1.2.3", "1_0", "0x1", "inf", "NaN", "1e999",
            " 1", "1,5",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
