//! Every documented filter, and what anybody else may send.

// A test as a whole: what clippy allows inside test functions it does not know here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::integer_division_remainder_used
)]

#[path = "../fuzz/src/filter.rs"]
mod filter;

use msci_core::expr::ExprError;
use msci_core::expr::resolve::{activity, customer};
use proptest::prelude::*;

const TABLE: &str = include_str!("fixtures/filters.txt");

/// Where each holds, and its text.
fn table() -> Vec<(&'static str, String)> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(place, text)| (place, text.replace("\\n", "\n")))
        .collect()
}

#[test]
fn every_documented_filter_holds_where_it_is_documented() {
    let code = |result: Result<(), ExprError>| result.map_or_else(|error| error.code, |()| "");
    for (place, text) in table() {
        let definition = code(customer(&text, &filter::Names).map(drop));
        let query = code(filter::query(&text).map(drop));
        let expected = match place {
            "both" => ("", ""),
            "query" => (definition, ""),
            "beyond" => ("unsupported_in_definition", ""),
            "refused" => ("invalid_filter", "invalid_filter"),
            other => panic!("{other} is no place"),
        };
        assert_eq!((definition, query), expected, "{text}");
    }
}

#[test]
fn faults_of_a_question_stand_at_their_place() {
    for (text, at) in [
        ("Tear eq 'Gold'", 0),
        ("Tier eq 'Gold' and Tear eq 'x'", 19),
        ("Tier eq 5", 8),
        ("Tier eq 'Gold", 8),
        ("UnifiedActivity/any(a: b/Title eq 'x')", 23),
        ("UnifiedActivity/$count($filter=Nope eq 1) gt 1", 31),
        ("Nope/any(a: a/Title eq 'x')", 0),
        ("IsMemberOfSegment('Nope')", 18),
        ("Spend eq year(Tier)", 14),
        ("Tier in ('a',Spend)", 13),
        // In the value of an alias: where the alias is used.
        ("Tier eq 'a' or Spend gt @p\n@p=5 5", 24),
        ("Tier eq 'a' or Spend gt @p\n@p='x'", 24),
        ("Tier eq 'a' or Spend gt @p\n@p=@p", 24),
        ("Tier eq 'a' or Spend gt @p\n@p=;", 24),
    ] {
        assert_eq!(filter::query(text).unwrap_err().at, at, "{text}");
    }
}

#[test]
fn what_is_too_long_too_wide_or_too_deep_is_refused_however_it_is_written() {
    let alias = |uses: usize, value: &str| format!("{}\n@p={value}", vec!["Vip eq @p"; uses].join(" or "));
    for (text, fault) in [
        ("(".repeat(10 * 1024), "longer than"),
        ("(".repeat(4000), "deeper than"),
        ("not ".repeat(1000), "deeper than"),
        (format!("{}Vip", "UnifiedActivity/any(a:".repeat(100)), "deeper than"),
        (format!("{}Tier", "tolower(".repeat(300)), "deeper than"),
        (vec!["Vip"; 60].join(" or "), "more than"),
        (format!("Tier in ({})", vec!["'a'"; 120].join(",")), "more than"),
        (format!("now(){} gt 2024-01-01", " sub duration'P1D'".repeat(60)), "more than"),
        (alias(40, "(true)"), "more than"),
        (alias(1, &"(".repeat(10 * 1024)), "longer than"),
        (alias(1, &"(".repeat(4000)), "deeper than"),
    ] {
        for error in [filter::query(&text).unwrap_err(), activity(&text.replace('\n', " ")).unwrap_err()] {
            assert_eq!(error.code, "invalid_filter");
        }
        let error = filter::query(&text).unwrap_err();
        assert!(error.message.contains(fault), "{error}: {text:.60}");
    }
}

/// Words and marks that mutations put in.
const PIECES: [&str; 40] = [
    "(",
    ")",
    ",",
    "/",
    ":",
    "=",
    "'",
    "''",
    " ",
    "\n",
    "@p",
    "@",
    "$count",
    "$filter",
    "any",
    "all",
    "and",
    "or",
    "not",
    "eq",
    "ge",
    "in",
    "add",
    "sub",
    "now()",
    "duration'P1D'",
    "duration'",
    "null",
    "true",
    "-",
    "1",
    "1e309",
    "-0",
    "9999-12-31T23:59:59.999+14:00",
    "UnifiedActivity",
    "Properties/",
    "a/",
    "é",
    "🙂",
    "\0",
];

#[derive(Clone, Debug)]
enum Mutation {
    Insert(prop::sample::Index, usize),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize, usize),
    Splice(prop::sample::Index, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), 0..PIECES.len()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (at(), 1_usize..20).prop_map(|(at, len)| Mutation::Remove(at, len)),
        (at(), 1_usize..20, 1_usize..60).prop_map(|(at, len, times)| Mutation::Repeat(at, len, times)),
        (at(), any::<usize>()).prop_map(|(at, other)| Mutation::Splice(at, other)),
    ]
}

fn mutated(text: &str, mutations: &[Mutation], table: &[(&str, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for mutation in mutations {
        let place = |at: &prop::sample::Index| at.index(chars.len() + 1);
        match mutation {
            Mutation::Insert(at, piece) => {
                let at = place(at);
                chars.splice(at..at, PIECES[*piece].chars());
            }
            Mutation::Remove(at, len) => {
                let at = place(at);
                chars.drain(at..(at + len).min(chars.len()));
            }
            Mutation::Repeat(at, len, times) => {
                let at = place(at);
                let part = chars[at..(at + len).min(chars.len())].repeat(*times);
                chars.splice(at..at, part);
            }
            Mutation::Splice(at, other) => {
                let at = place(at);
                chars.splice(at..at, table[other % table.len()].1.chars());
            }
        }
    }
    chars.into_iter().collect()
}

/// Mutations of a run; the fuzz target goes on from here.
const MUTATED: u32 = if cfg!(debug_assertions) { 4_000 } else { 40_000 };

proptest! {
    #![proptest_config(ProptestConfig { cases: MUTATED, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_hangs_or_grows(seed in any::<prop::sample::Index>(), mutations in prop::collection::vec(mutation(), 0..6)) {
        let table = table();
        filter::everything(&mutated(&seed.get(&table).1, &mutations, &table));
    }
}
