//! An author of filters: well-typed, and as odd as the language allows.

use msci_core::expr::parse::parse;
use msci_core::limits::{FILTER_BYTES, FILTER_DEPTH, FILTER_NODES};
use msci_core::time::Timestamp;

use crate::data::{Dice, PROPERTIES, SEGMENTS, TEXTS, TIMES, numeral};

const DURATIONS: [&str; 6] = ["P1D", "P30D", "PT1H", "-P1D", "PT1S", "P36500D"];

/// Whether the parser refuses it for its size alone.
fn beyond_bounds(filter: &str) -> bool {
    let bounds = [
        format!("longer than {FILTER_BYTES} bytes"),
        format!("more than {FILTER_NODES} parts"),
        format!("deeper than {FILTER_DEPTH}"),
    ];
    parse(filter, &[]).is_err_and(|error| bounds.iter().any(|bound| error.message.contains(bound.as_str())))
}

pub(crate) struct Author {
    dice: Dice,
    /// What names can begin with: nothing for the row that is meant without a name, or a variable.
    rows: Vec<String>,
    /// Whether the row of the same place has activities.
    collections: Vec<bool>,
    variables: usize,
}

impl Author {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { dice, rows: vec![String::new()], collections: vec![true], variables: 0 }
    }

    /// One within the bounds.
    pub(crate) fn filter(mut self) -> String {
        let tall = self.dice.one_in(16);
        let mut depth = if tall { 4 + self.dice.below(14) } else { 1 + self.dice.below(5) };
        loop {
            let filter = if tall { self.tall(depth) } else { self.truth(depth) };
            if !beyond_bounds(&filter) {
                return filter;
            }
            depth = depth.saturating_sub(1);
        }
    }

    /// Nested as deep as can be, and narrow.
    fn tall(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.truth(1);
        }
        let inner = depth - 1;
        match self.dice.below(7) {
            0 => format!("not ({})", self.tall(inner)),
            1 => format!("({}) {} true", self.tall(inner), self.dice.of(&["eq", "ne"])),
            2 => format!("({}) {} {}", self.tall(inner), self.dice.of(&["eq", "ne"]), self.property()),
            3 => format!("({}) in (null,{})", self.tall(inner), self.dice.of(&["true", "false"])),
            4 => format!("({}) and not {}", self.tall(inner), self.field("Vip")),
            5 => format!("{} or ({})", self.field("Vip"), self.tall(inner)),
            _ => match self.collection() {
                None => self.tall(inner),
                Some(collection) => self.inside(&collection, |author| author.tall(inner)),
            },
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.simple();
        }
        let inner = depth - 1;
        match self.dice.below(12) {
            0 | 1 => self.joined(inner, "and"),
            2 | 3 => self.joined(inner, "or"),
            4 => format!("not ({})", self.truth(inner)),
            5 => format!("not {}", self.parenthesised(inner)),
            6 => {
                let operator = self.dice.of(&["eq", "ne"]);
                format!("{} {operator} {}", self.parenthesised(inner), self.parenthesised(inner))
            }
            7 | 8 => self.lambda(inner),
            9 => self.count(inner),
            _ => self.simple(),
        }
    }

    fn parenthesised(&mut self, depth: usize) -> String {
        format!("({})", self.truth(depth))
    }

    fn joined(&mut self, depth: usize, word: &str) -> String {
        let parts: Vec<_> = (0..2 + self.dice.below(3)).map(|_| self.parenthesised(depth)).collect();
        parts.join(&format!(" {word} "))
    }

    /// A collection that can be reached from here.
    fn collection(&mut self) -> Option<String> {
        let reach: Vec<usize> = (0..self.rows.len()).filter(|row| self.collections[*row]).collect();
        if reach.is_empty() {
            return None;
        }
        let row = self.dice.of(&reach);
        let name = self.dice.of(&["UnifiedActivity", "unifiedactivity", "msdynci_unifiedactivity"]);
        Some(format!("{}{name}", self.rows[row]))
    }

    fn lambda(&mut self, depth: usize) -> String {
        let Some(collection) = self.collection() else { return self.simple() };
        if self.dice.one_in(8) {
            return format!("{collection}/any()");
        }
        self.inside(&collection, |author| author.truth(depth))
    }

    fn inside(&mut self, collection: &str, condition: impl FnOnce(&mut Self) -> String) -> String {
        self.variables += 1;
        let variable = format!("v{}", self.variables);
        self.rows.push(format!("{variable}/"));
        self.collections.push(false);
        let condition = condition(self);
        self.rows.pop();
        self.collections.pop();
        let word = self.dice.of(&["any", "all"]);
        format!("{collection}/{word}({variable}: {condition})")
    }

    fn count(&mut self, depth: usize) -> String {
        let Some(count) = self.counted(depth) else { return self.simple() };
        let operator = self.comparison();
        match self.dice.below(3) {
            0 => format!("{} {operator} {count}", self.dice.below(4)),
            1 => format!("{count} {operator} {}", self.number(0)),
            _ => format!("{count} {operator} {}", self.dice.below(4)),
        }
    }

    fn counted(&mut self, depth: usize) -> Option<String> {
        let collection = self.collection()?;
        if self.dice.one_in(4) {
            return Some(format!("{collection}/$count"));
        }
        // In here, names without a variable are the activity's, and those of the row outside are gone.
        let (rows, collections) = (self.rows.clone(), self.collections.clone());
        if let Some(plain) = self.rows.iter().position(String::is_empty) {
            self.rows.remove(plain);
            self.collections.remove(plain);
        }
        self.rows.push(String::new());
        self.collections.push(false);
        let condition = self.truth(depth);
        (self.rows, self.collections) = (rows, collections);
        Some(format!("{collection}/$count($filter={condition})"))
    }

    fn comparison(&mut self) -> &'static str {
        self.dice.of(&["eq", "ne", "gt", "ge", "lt", "le"])
    }

    fn simple(&mut self) -> String {
        let operator = self.comparison();
        match self.dice.below(14) {
            0 => format!("{} {operator} {}", self.text(2), self.text(2)),
            1 => format!("{} {operator} {}", self.number(2), self.number(2)),
            2 => format!("{} {operator} {}", self.time(2), self.time(2)),
            3 | 4 => {
                let value = self.any_value();
                if self.dice.one_in(2) {
                    format!("{} {operator} {value}", self.property())
                } else {
                    format!("{value} {operator} {}", self.property())
                }
            }
            5 => format!("{} {operator} {}", self.property(), self.property()),
            6 => self.one_of(),
            7 => format!("{} {} null", self.any_field(), self.dice.of(&["eq", "ne"])),
            8 => {
                format!("IsMemberOfSegment('{}')", self.dice.of(&SEGMENTS).replace('\'', "''").to_lowercase())
            }
            9 => self.field("Vip"),
            10 => self.property(),
            11 => format!(
                "{} {} {}",
                self.field("Vip"),
                self.dice.of(&["eq", "ne"]),
                self.dice.of(&["true", "false", "null"])
            ),
            _ => {
                let function = self.dice.of(&["contains", "startswith", "endswith"]);
                format!("{function}({},{})", self.any_text(), self.any_text())
            }
        }
    }

    fn one_of(&mut self) -> String {
        let left = match self.dice.below(6) {
            0 => (self.text(1), 0),
            1 => (self.number(1), 1),
            2 => (self.time(1), 2),
            3 => (self.field("Id"), 3),
            4 => (self.field("Vip"), 4),
            _ => (self.property(), 5),
        };
        let items: Vec<_> = (0..self.dice.below(4))
            .map(|_| match (self.dice.below(8), left.1) {
                (0, _) => "null".to_owned(),
                (_, 0) => self.literal_text(),
                (_, 1) => numeral(&mut self.dice).to_owned(),
                (_, 2) => self.literal_time(),
                (_, 3) => self.id(),
                (_, 4) => (self.dice.of(&["true", "false"])).to_owned(),
                _ => self.any_literal(),
            })
            .collect();
        format!("{} in ({})", left.0, items.join(","))
    }

    fn field(&mut self, name: &str) -> String {
        let row = self.rows[self.dice.below(self.rows.len())].clone();
        match self.dice.below(4) {
            0 => format!("{row}{}", name.to_lowercase()),
            1 => format!("{row}msdynci_{}", name.to_lowercase()),
            _ => format!("{row}{name}"),
        }
    }

    fn property(&mut self) -> String {
        let name = self.dice.of(&PROPERTIES);
        self.field("").replace("msdynci_", "") + "Properties/" + name
    }

    fn any_field(&mut self) -> String {
        let name = self.dice.of(&["Id", "Name", "Spend", "Vip", "Seen", ""]);
        if name.is_empty() { self.property() } else { self.field(name) }
    }

    fn any_text(&mut self) -> String {
        if self.dice.one_in(4) { self.property() } else { self.text(2) }
    }

    fn any_value(&mut self) -> String {
        match self.dice.below(5) {
            0 => self.text(1),
            1 => self.number(1),
            2 => self.time(1),
            3 => "null".to_owned(),
            _ => self.any_literal(),
        }
    }

    fn any_literal(&mut self) -> String {
        match self.dice.below(4) {
            0 => self.literal_time(),
            1 | 2 => numeral(&mut self.dice).to_owned(),
            _ => self.literal_text(),
        }
    }

    fn id(&mut self) -> String {
        format!("'{}{}'", self.dice.of(&["c", "C"]), self.dice.below(9))
    }

    fn literal_text(&mut self) -> String {
        format!("'{}'", self.dice.of(&TEXTS).replace('\'', "''"))
    }

    fn literal_time(&mut self) -> String {
        if self.dice.one_in(4) {
            return (self.dice.of(&["2000-02-29", "1970-01-01", "2024-02-29T00:00:00Z"])).to_owned();
        }
        loop {
            let time = Timestamp(self.dice.of(&TIMES)).to_rfc3339();
            if Timestamp::from_rfc3339(&time).is_some() {
                return time;
            }
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.dice.below(8) {
            0 if depth > 0 => format!("tolower({})", self.text(depth - 1)),
            1 if depth > 0 => format!("toupper({})", self.text(depth - 1)),
            2 => self.field("Id"),
            3 => self.id(),
            4 | 5 => self.literal_text(),
            _ => self.field("Name"),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        match self.dice.below(12) {
            0 | 1 if depth > 0 => format!("length({})", self.any_text()),
            2..=4 if depth > 0 => {
                let function = self.dice.of(&["year", "month", "day", "hour"]);
                format!("{function}({})", self.time(depth - 1))
            }
            5 if depth > 0 => self.counted(0).unwrap_or_else(|| "1".to_owned()),
            6 => self.dice.below(32).to_string(),
            7 => (self.dice.of(&["1970", "2000", "2024", "9999", "0", "12", "23"])).to_owned(),
            8 => numeral(&mut self.dice).to_owned(),
            _ => self.field("Spend"),
        }
    }

    fn time(&mut self, depth: usize) -> String {
        match self.dice.below(8) {
            0 | 1 if depth > 0 => {
                let duration = self.dice.of(&DURATIONS);
                format!("{} {} duration'{duration}'", self.time(depth - 1), self.dice.of(&["add", "sub"]))
            }
            2 if depth > 0 => format!("date({})", self.time(depth - 1)),
            3 => "now()".to_owned(),
            4 => self.literal_time(),
            _ => self.field("Seen"),
        }
    }
}
