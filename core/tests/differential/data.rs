//! Rows of customers and their activities, and what a filter can name of them.

use msci_core::expr::resolve::{Entity, QueryField};
use msci_core::expr::{Scalar, Type};
use serde_json::{Map, Value, json};

/// Numbers from a seed (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Few, so that they meet: in two cases, beginning and ending alike, folded alike by those who know more
/// than ASCII, made of what SQL, JSON and patterns are written with.
#[rustfmt::skip] // a list, not a column
pub(crate) const TEXTS: [&str; 34] = [
    "", "a", "A", "ab", "aB", "Abc", "c", "BC", "é", "É", "ß", "ſ", "\u{212a}", "k", "İ", "i", "it's", "''",
    "\"", "\\", "%", "_", "a%", "🙂", "a🙂", "e\u{301}", "a\0b", "\0", "b", "5", "true", "null", "x.y", "日本",
];

#[rustfmt::skip] // a list, not a column
pub(crate) const NUMBERS: &[&str] = &[
    "0", "-0.0", "1", "-1", "2", "3", "4", "0.1", "0.3", "0.30000000000000004", "-2.5", "1e15", "1e-15",
    "12345.678", "1e308", "-1e308", "1.7976931348623157e308", "5e-324", "2.2250738585072014e-308",
    "2.2250738585072011e-308", "9007199254740991", "9007199254740992", "9007199254740993",
    "-9223372036854775808", "1e19", "1e22", "1e23",
    "8.41e21", "9.5e-3", "6.02214076e23", "1.2345678901234567e22", "123456789.12345679",
    "0.1234567890123456", "7.038531e-26", "1.1e-17", "3.14159265358979", "1448997445238699",
    "2.718281828459045e-10", "4.35", "0.000001",
];

/// Whole numbers that doubles cannot tell from their neighbours, and integers can; and what times are in
/// a table, though no number equals a time.
pub(crate) const WIDE: [&str; 9] = [
    "0",
    "1795000000000",
    "1709164800000",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
];

pub(crate) fn numeral(dice: &mut Dice) -> &'static str {
    if dice.one_in(3) { dice.of(&WIDE) } else { dice.of(NUMBERS) }
}

/// Milliseconds: around the epoch, midnights, leap days, the ends of the calendar and beyond, now.
#[rustfmt::skip] // a list, not a column
pub(crate) const TIMES: [i64; 20] = [
    0, 1, -1, 999, -86_400_000, 86_399_999, 951_782_400_000, 951_868_799_999, -2_203_891_200_000,
    1_709_164_800_000, 1_795_000_000_000, 1_794_999_999_999, 1_792_408_000_000, -62_167_219_200_000,
    -62_167_219_200_001, 253_402_300_799_999, 253_402_300_800_000, 1_735_689_600_000, 4_102_444_800_000,
    -1_000,
];

pub(crate) const PROPERTIES: [&str; 5] = ["p", "q", "P", "x.y", "größe"];
pub(crate) const SEGMENTS: [&str; 3] = ["VIP", "It's", "Größte"];

/// A row of either table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: Option<String>,
    pub(crate) spend: Option<f64>,
    pub(crate) vip: Option<bool>,
    pub(crate) seen: Option<i64>,
    pub(crate) body: Value,
    /// Of a customer.
    pub(crate) activities: Vec<Row>,
    number: usize,
}

impl Row {
    fn random(dice: &mut Dice, number: usize, activities: usize) -> Self {
        let some = |dice: &mut Dice| !dice.one_in(4);
        let mut properties = Map::new();
        for name in PROPERTIES {
            if some(dice) {
                properties.insert(name.to_owned(), property(dice));
            }
        }
        let segments: Vec<_> = SEGMENTS.iter().filter(|_| dice.one_in(2)).collect();
        Self {
            name: some(dice).then(|| (dice.of(&TEXTS)).to_owned()),
            spend: some(dice).then(|| number_of(numeral(dice))),
            vip: some(dice).then(|| dice.one_in(2)),
            seen: some(dice).then(|| dice.of(&TIMES)),
            body: json!({ "properties": properties, "segments": segments }),
            activities: (0..activities).map(|number| Self::random(dice, number, 0)).collect(),
            number,
        }
    }

    pub(crate) fn id(&self) -> String {
        format!("c{}", self.number)
    }

    pub(crate) fn value(&self, column: &str) -> Scalar {
        let (kind, name) = column.split_once(':').unwrap_or((column, ""));
        match kind {
            "id" => Scalar::Text(self.id()),
            "name" => self.name.clone().map_or(Scalar::Null, Scalar::Text),
            "spend" => self.spend.map_or(Scalar::Null, Scalar::Number),
            "vip" => self.vip.map_or(Scalar::Null, Scalar::Bool),
            "seen" => self.seen.map_or(Scalar::Null, |ms| Scalar::Time(msci_core::time::Timestamp(ms))),
            "segment" => {
                Scalar::Bool(self.body["segments"].as_array().unwrap().iter().any(|segment| segment == name))
            }
            _ => match &self.body["properties"][name] {
                Value::Bool(truth) => Scalar::Bool(*truth),
                Value::Number(number) => Scalar::Number(number.as_f64().unwrap()),
                Value::String(text) => Scalar::Text(text.clone()),
                _ => Scalar::Null,
            },
        }
    }
}

fn number_of(text: &str) -> f64 {
    msci_core::json::number(text).unwrap()
}

fn property(dice: &mut Dice) -> Value {
    match dice.below(8) {
        0 => Value::Null,
        1 => json!(dice.one_in(2)),
        2 => json!([1]),
        3 => json!({ "a": "b" }),
        4 | 5 => serde_json::from_str(numeral(dice)).unwrap(),
        _ => json!(dice.of(&TEXTS)),
    }
}

pub(crate) fn rows(dice: &mut Dice) -> Vec<Row> {
    (0..8)
        .map(|number| {
            let activities = dice.below(4);
            Row::random(dice, number, activities)
        })
        .collect()
}

/// What filters can name; a column is a word that says how to get at it.
pub(crate) enum Set {
    Customers,
    Activities,
}

impl Entity<String> for Set {
    fn column(&self, path: &[String]) -> Option<(String, Type)> {
        match path {
            [name] => {
                let name = name.to_ascii_lowercase();
                let kind = match name.as_str() {
                    "id" | "name" => Type::Text,
                    "spend" => Type::Number,
                    "vip" => Type::Bool,
                    "seen" => Type::Time,
                    _ => return None,
                };
                Some((name, kind))
            }
            [set, name] if set == "Properties" => Some((format!("property:{name}"), Type::Any)),
            _ => None,
        }
    }
    fn collection(&self, name: &str) -> Option<(String, &dyn Entity<String>)> {
        let own = matches!(self, Self::Customers) && name.eq_ignore_ascii_case("UnifiedActivity");
        own.then_some(("activities".to_owned(), &Self::Activities))
    }
    fn segment(&self, name: &str) -> Option<String> {
        let known = SEGMENTS.iter().find(|segment| segment.eq_ignore_ascii_case(name))?;
        Some(format!("segment:{known}"))
    }
}

pub(crate) fn is_key(field: &QueryField<String>) -> bool {
    matches!(field, QueryField::Column { row: 0, column } if column == "id")
}
