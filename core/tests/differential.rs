//! D7: a filter evaluated in memory holds exactly for the rows that `SQLite` finds by it. Any filter
//! that can be written, over any data: text of all scripts, quotes, nulls, numbers at their ends.
//!
//! `cargo test -p msci-core --release --test differential`; `MSCI_SEED` replays one case, `MSCI_CASES`
//! makes it a campaign.

// A test as a whole: what clippy allows inside test functions it does not know here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::integer_division_remainder_used,
    clippy::print_stdout
)]

#[path = "differential/data.rs"]
mod data;
#[path = "differential/filters.rs"]
mod filters;
#[path = "differential/memory.rs"]
mod memory;
#[path = "differential/tables.rs"]
mod tables;

use data::{Dice, Row, Set, rows};
use filters::Author;
use msci_core::expr::ExprError;
use msci_core::expr::resolve::query;
use msci_core::expr::sql;
use msci_core::time::Timestamp;
use tables::Tables;

/// Cases of a run that sets no number; without optimisation each takes ten times as long.
const CASES: u64 = if cfg!(debug_assertions) { 4_000 } else { 100_000 };
/// Filters that the same rows are asked.
const FILTERS: u64 = 50;
const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Rows of a seed, in memory and in tables.
struct Pair {
    rows: Vec<Row>,
    tables: Tables,
}

impl Pair {
    fn new(rows: Vec<Row>) -> Self {
        Self { tables: Tables::of(&rows), rows }
    }

    /// Which rows a filter finds: the same in memory and in the tables. None where SQL cannot nest so deep.
    fn ask(&self, filter: &str) -> Result<Option<Vec<usize>>, String> {
        let expr = query(filter, &[], &Set::Customers).map_err(|error: ExprError| error.to_string())?;
        let memory: Vec<usize> =
            (0..self.rows.len()).filter(|row| memory::holds(&expr, &self.rows[*row], NOW)).collect();
        let Some(found) = self.tables.find(&expr, NOW)? else { return Ok(None) };
        if memory != found {
            let differs = (0..self.rows.len()).find(|row| memory.contains(row) != found.contains(row));
            let row = &self.rows[differs.unwrap_or_default()];
            let sql = Tables::sql(&expr, NOW).map_err(|error| error.to_string())?;
            return Err(format!(
                "in memory {memory:?}, by SQL {found:?}\nfilter: {filter}\nrow: {row:#?}\nSQL: {sql}"
            ));
        }
        if let Some(only) = expr.only(&|field| data::is_key(field)) {
            for row in &memory {
                let id = self.rows[*row].id();
                assert!(
                    only.iter().any(|only| only.eq_ignore_ascii_case(&id)),
                    "{id} is none of {only:?}: {filter}"
                );
            }
        }
        Ok(Some(memory))
    }
}

#[test]
fn d7_memory_and_sql_find_the_same_rows_by_any_filter() {
    let seeds = match setting("MSCI_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("MSCI_CASES").unwrap_or(CASES),
    };
    let (mut cases, mut found, mut asked, mut too_deep) = (0_u64, 0_usize, 0_usize, 0_u64);
    let mut pair: Option<(u64, Pair)> = None;
    for seed in seeds {
        let group = seed / FILTERS;
        if pair.as_ref().is_none_or(|(of, _)| *of != group) {
            pair = Some((group, Pair::new(rows(&mut Dice::new(group)))));
        }
        let Some((_, pair)) = &pair else { continue };
        let filter = Author::new(Dice::new(!seed)).filter();
        let matches = pair.ask(&filter).unwrap_or_else(|difference| {
            panic!("seed {seed}: {difference}\nfilter: {filter}\nMSCI_SEED={seed} replays it")
        });
        cases += 1;
        let Some(matches) = matches else {
            too_deep += 1;
            continue;
        };
        found += matches.len();
        asked += pair.rows.len();
    }
    println!(
        "{cases} filters, {asked} rows asked, {found} found, {too_deep} too deep for SQL, 0 differences"
    );
    assert!(
        cases < 100 || (found * 10 > asked && found * 10 < asked * 9),
        "filters that find all or nothing"
    );
}

#[test]
fn keys_and_times_are_looked_up_in_their_index() {
    let pair = Pair::new(rows(&mut Dice::new(0)));
    for (filter, index) in [
        ("Id eq 'C1'", "USING PRIMARY KEY (id=?)"),
        ("contains(Name,'a') and ('c1' eq Id and Vip)", "USING PRIMARY KEY (id=?)"),
        ("Id in ('C1','c2') and Spend gt 1", "USING PRIMARY KEY (id=?)"),
        ("Id eq 'c1' or Id eq 'c2'", "USING PRIMARY KEY (id=?)"),
        ("Seen gt now() sub duration'P1D' and Seen lt 2030-01-01", "INDEX customer_seen (seen>? AND seen<?)"),
        ("UnifiedActivity/any(a: a/Spend gt Spend)", "USING INDEX activity_customer (customer=?)"),
    ] {
        let plan = pair.tables.plan(&query(filter, &[], &Set::Customers).unwrap(), NOW);
        assert!(plan.contains(index), "{filter}: {plan}");
    }
}

#[test]
fn a_member_that_a_filter_can_name_is_found_by_its_path_and_no_name_finds_another() {
    for name in ["", "a", "a b", "x.y", "$", "[0]", "größe", "🙂", "it's", "#", "@p"] {
        assert_eq!(tables::member(&sql::path(&["in", name]), name), Ok(Some("found".to_owned())), "{name:?}");
    }
    // No filter can be written with these; some versions of SQLite find them.
    for name in ["a\"b", "\"", "\".\"more", "c\\d", "\\", "e\u{1}\n"] {
        let found = tables::member(&sql::path(&["in", name]), name).unwrap();
        assert!(found.is_none_or(|found| found == "found"), "{name:?}");
    }
}

#[test]
fn d7_cases_that_once_differed() {
    let pairs: Vec<Pair> = (0..20).map(|seed| Pair::new(rows(&mut Dice::new(seed)))).collect();
    for filter in CASES_THAT_DIFFERED {
        for pair in &pairs {
            pair.ask(filter).unwrap_or_else(|difference| panic!("{difference}"));
        }
    }
}

const CASES_THAT_DIFFERED: [&str; 4] = [
    // A part of an empty text was null.
    "not endswith(Name,Id)",
    // A value was bound and then left out of the text.
    "Properties/p gt Seen",
    "null lt length('x')",
    // Subqueries count on top of what is around them: once refused by the database, now by us.
    "UnifiedActivity/any(a: UnifiedActivity/any(b: not UnifiedActivity/any(c: UnifiedActivity/all(d: \
     (((((d/Vip eq true) eq true) in (null,true)) eq true) in (null,false)) eq c/Properties/q))))",
];
