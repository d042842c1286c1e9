//! Bytes from outside: for every parser the texts of its fuzz target, and what chance makes of them. The targets
//! (`core/fuzz`) go on from here with libFuzzer; each property stands there, once.
//!
//! `cargo test -p msci-core --release --test outside`; `MSCI_MUTATIONS` makes it a campaign.

// A test as a whole: what clippy allows inside test functions it does not know here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::integer_division_remainder_used
)]

#[path = "../fuzz/src/access.rs"]
mod access;
#[path = "../fuzz/src/address.rs"]
mod address;
#[path = "../fuzz/src/batch.rs"]
mod batch;
#[path = "../fuzz/src/cookie.rs"]
mod cookie;
#[path = "../fuzz/src/exposures.rs"]
mod exposures;
#[path = "../fuzz/src/import.rs"]
mod import;
#[path = "../fuzz/src/key.rs"]
mod key;
#[path = "../fuzz/src/pattern.rs"]
mod pattern;
#[path = "../fuzz/src/tcf.rs"]
mod tcf;
#[path = "../fuzz/src/template.rs"]
mod template;
#[path = "../fuzz/src/token.rs"]
mod token;

use msci_core::import::Format;

/// Mutations of each target in a run that sets no number.
const MUTATIONS: usize = if cfg!(debug_assertions) { 3_000 } else { 50_000 };

/// One text a line: `\n`, `\r`, `\t`, `\\` and `\xff` are what they are elsewhere.
fn seeds(table: &str) -> Vec<Vec<u8>> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(unescaped).collect()
}

fn unescaped(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match (byte, byte == b'\\') {
            (_, true) => match bytes.next().expect("something is escaped") {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let digits = String::from_utf8(bytes.by_ref().take(2).collect()).unwrap();
                    u8::from_str_radix(&digits, 16).unwrap()
                }
                other => other,
            },
            (byte, false) => byte,
        });
    }
    out
}

/// Xorshift, by Marsaglia: the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n.max(1)
    }
}

/// What parsers look at.
const BYTES: &[u8] = b"\"'<>&/\\=;:,.!?-_%*(){}[]$@+#0 19\n\r\t\0\x7f\xc3\xa9\xff\xefeEnxuX";

fn mutated(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(24)).min(bytes.len());
        match dice.below(6) {
            0 => bytes.insert(at, BYTES[dice.below(BYTES.len())]),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].repeat(1 + dice.below(9));
                bytes.splice(at..at, part);
            }
            3 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(40)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            4 if at < bytes.len() => bytes[at] = BYTES[dice.below(BYTES.len())],
            _ => bytes.truncate(bytes.len() - dice.below(bytes.len().min(8))),
        }
    }
    bytes
}

fn run(table: &str, target: impl Fn(&[u8])) {
    let seeds = seeds(table);
    for seed in &seeds {
        target(seed);
    }
    let mutations = std::env::var("MSCI_MUTATIONS").ok().and_then(|text| text.parse().ok());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..mutations.unwrap_or(MUTATIONS) {
        target(&mutated(&seeds, &mut dice));
    }
}

fn run_text(table: &str, target: impl Fn(&str)) {
    run(table, |bytes| target(&String::from_utf8_lossy(bytes)));
}

#[test]
fn g4_of_any_body_the_verdicts_sum_up_or_it_is_refused_with_a_code() {
    run(include_str!("../fuzz/seeds/batch.txt"), batch::everything);
}

#[test]
fn any_csv_gives_the_same_rows_wherever_it_is_cut() {
    run(include_str!("../fuzz/seeds/csv.txt"), |bytes| import::everything(Format::Csv, bytes));
}

#[test]
fn any_json_lines_give_the_same_rows_wherever_they_are_cut() {
    run(include_str!("../fuzz/seeds/jsonl.txt"), |bytes| import::everything(Format::JsonLines, bytes));
}

#[test]
fn e10_of_any_cookie_header_only_what_we_wrote_counts() {
    run_text(include_str!("../fuzz/seeds/cookie.txt"), cookie::everything);
}

#[test]
fn g1_a_token_proves_no_more_than_it_says_whatever_it_says() {
    run_text(include_str!("../fuzz/seeds/token.txt"), token::everything);
}

#[test]
fn nothing_that_is_asked_for_is_half_a_key() {
    run_text(include_str!("../fuzz/seeds/key.txt"), key::everything);
}

#[test]
fn an_assertion_vouches_for_whom_it_says_and_nobody_else() {
    run_text(include_str!("../fuzz/seeds/access.txt"), access::everything);
}

#[test]
fn a_slot_stays_in_its_place_whatever_the_value() {
    run_text(include_str!("../fuzz/seeds/template.txt"), template::everything);
}

#[test]
fn a_pattern_fits_what_trying_everything_fits() {
    run_text(include_str!("../fuzz/seeds/pattern.txt"), pattern::everything);
}

#[test]
fn g5_nothing_of_any_address_becomes_sql() {
    run_text(include_str!("../fuzz/seeds/address.txt"), address::everything);
}

#[test]
fn any_marker_is_read_where_it_was_written() {
    run_text(include_str!("../fuzz/seeds/exposures.txt"), exposures::everything);
}

#[test]
fn of_any_consent_string_purposes_are_where_the_format_has_them() {
    run_text(include_str!("../fuzz/seeds/tcf.txt"), tcf::everything);
}
