//! Lines that were not taken, each kept in a few bytes: how far behind the one before, and which of the words that were
//! said so far. So millions of them can be told at the end of an import, in memory that is bounded all the same.

/// Bytes of lines: two of each where every line is bad, so four million of them.
const BYTES: usize = 8 * 1024 * 1024;
/// Different words, and their bytes. Beyond, lines keep their code.
const KINDS: usize = 500;
const WORDS: usize = 64 * 1024;
/// What is said of a line whose own words found no room.
const OTHER: &str = "the line cannot be taken";

/// What was refused, in the order in which it was.
#[derive(Debug, Default)]
pub struct Refusals {
    most: usize,
    kinds: Vec<(&'static str, String)>,
    words: usize,
    bytes: Vec<u8>,
    last: u64,
    kept: usize,
    unlisted: u64,
}

impl Refusals {
    /// Keeps so many lines at most, and counts the others.
    pub fn of_at_most(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// One more.
    pub fn push(&mut self, line: u64, code: &'static str, message: &str) {
        if self.kept >= self.most || self.bytes.len() >= BYTES {
            self.unlisted += 1;
            return;
        }
        // Sorted out later are those that only the index can refuse: a line may be before the last one.
        let step = line.wrapping_sub(self.last).cast_signed();
        let kind = self.kind(code, message);
        write(&mut self.bytes, (step << 1 ^ step >> 63).cast_unsigned());
        write(&mut self.bytes, kind as u64);
        self.last = line;
        self.kept += 1;
    }

    fn kind(&mut self, code: &'static str, message: &str) -> usize {
        let known = |words: &str, kinds: &[(&'static str, String)]| {
            kinds.iter().position(|kind| kind.0 == code && kind.1 == words)
        };
        if let Some(kind) = known(message, &self.kinds) {
            return kind;
        }
        let room = self.kinds.len() < KINDS && self.words + message.len() <= WORDS;
        let words = if room { message } else { OTHER };
        known(words, &self.kinds).unwrap_or_else(|| {
            self.words += words.len();
            self.kinds.push((code, words.to_owned()));
            self.kinds.len() - 1
        })
    }

    /// How many lines were refused.
    pub fn count(&self) -> u64 {
        self.kept as u64 + self.unlisted
    }

    /// How many of them are not kept.
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// Line, code and message of those that are kept.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &'static str, &str)> {
        let (mut rest, mut line) = (self.bytes.as_slice(), 0_u64);
        std::iter::from_fn(move || {
            let step = read(&mut rest)?;
            line = line.wrapping_add(step >> 1 ^ (step & 1).wrapping_neg());
            let (code, message) = self.kinds.get(usize::try_from(read(&mut rest)?).ok()?)?;
            Some((line, *code, message.as_str()))
        })
    }
}

/// A number, seven bits a byte, the lowest first.
fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODES: [&str; 3] = ["key_missing", "invalid_value", "erased"];

    proptest! {
        #[test]
        fn what_went_in_comes_out_in_its_order(
            lines in prop::collection::vec((any::<u64>(), 0..CODES.len(), 0..40_u8), 0..200),
            most in 0..250_usize,
        ) {
            let mut refusals = Refusals::of_at_most(most);
            let expected: Vec<_> =
                lines.iter().map(|(line, code, words)| (*line, CODES[*code], format!("column {words}"))).collect();
            for (line, code, words) in &expected {
                refusals.push(*line, code, words);
            }
            let kept: Vec<_> = refusals.iter().map(|(line, code, words)| (line, code, words.to_owned())).collect();
            prop_assert_eq!(&kept[..], &expected[..most.min(expected.len())]);
            prop_assert_eq!(refusals.unlisted(), (expected.len() - kept.len()) as u64);
            prop_assert_eq!(refusals.count(), expected.len() as u64);
        }
    }

    #[test]
    fn millions_of_lines_are_kept_in_bounded_memory_and_the_others_counted() {
        let mut refusals = Refusals::of_at_most(usize::MAX);
        (1..=5_000_000).for_each(|line| refusals.push(line, "key_invalid", "the key is empty"));
        assert_eq!((refusals.count(), refusals.iter().count()), (5_000_000, 4_194_304));
        assert_eq!(refusals.unlisted(), 5_000_000 - 4_194_304);
        assert!(refusals.bytes.len() <= BYTES + 20);
    }

    #[test]
    fn words_that_never_repeat_find_an_end_but_every_line_keeps_its_code() {
        let mut refusals = Refusals::of_at_most(usize::MAX);
        for line in 0..100_000 {
            refusals.push(line, "unknown_column", &format!("the table has no column {line}"));
        }
        refusals.push(7, "unknown_column", &"x".repeat(WORDS));
        assert!(refusals.kinds.len() <= KINDS + 1 && refusals.words <= WORDS + 100);
        let last = refusals.iter().last();
        assert_eq!(last, Some((7, "unknown_column", OTHER)));
        assert_eq!(refusals.iter().nth(3), Some((3, "unknown_column", "the table has no column 3")));
    }
}
