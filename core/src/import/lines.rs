//! Lines out of pieces. A line that is too long is passed over, and held no longer than it fits.

use csv_core::ReadRecordResult;
use serde_json::Value;

use super::{COLUMNS, LINE_BYTES, Refused, Rejected, Rows, Verdict, strict_json};

/// A reader of CSV. `csv_core` knows where fields and records end; which line that is, and how much of one
/// is kept, is counted here.
pub(super) struct Csv {
    reader: csv_core::Reader,
    /// Bytes of the fields of this record.
    pub(super) fields: Vec<u8>,
    filled: usize,
    /// Where each of them ends.
    pub(super) ends: Vec<usize>,
    ended: usize,
    /// Names of the columns, once the first record has come.
    header: Option<Vec<String>>,
    line: u64,
    /// The line that this record began in; none between two.
    begun: Option<u64>,
    quotes: u64,
    too_long: bool,
}

impl Default for Csv {
    fn default() -> Self {
        let mut reader = csv_core::Reader::new();
        // A reader that has begun takes no byte order mark for its own, which it would only find in one piece.
        reader.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            reader,
            fields: vec![0; 1024],
            filled: 0,
            ends: vec![0; 32],
            ended: 0,
            header: None,
            line: 1,
            begun: None,
            quotes: 0,
            too_long: false,
        }
    }
}

impl Csv {
    pub(super) fn take(
        &mut self,
        mut piece: &[u8],
        rows: &mut Rows<'_>,
        out: &mut Vec<Verdict>,
    ) -> Result<(), Refused> {
        while let [first, rest @ ..] = piece {
            if self.begun.is_none() {
                if matches!(first, b'\r' | b'\n') {
                    self.line += u64::from(*first == b'\n');
                    piece = rest;
                    continue;
                }
                self.begun = Some(self.line);
            }
            let (result, read) = self.read(piece);
            let (passed, rest) = piece.split_at_checked(read).unwrap_or((piece, &[]));
            let count = |of: u8| passed.iter().filter(|byte| **byte == of).count() as u64;
            self.line += count(b'\n');
            self.quotes += count(b'"');
            piece = rest;
            if result == ReadRecordResult::Record {
                self.record(rows, out)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, rows: &mut Rows<'_>, out: &mut Vec<Verdict>) -> Result<(), Refused> {
        let Some(begun) = self.begun else { return Ok(()) };
        let open = self.quotes & 1 == 1 && self.line > begun && self.header.is_some();
        loop {
            match self.read(&[]).0 {
                // All that followed went into one field.
                ReadRecordResult::Record if open => {
                    let message = "a quote opens here that is never closed".to_owned();
                    out.push(Err(Rejected { line: begun, code: "unclosed_quote", message }));
                    return Ok(());
                }
                ReadRecordResult::Record => return self.record(rows, out),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Ok(()),
            }
        }
    }

    /// Reads on, and makes room where there was none.
    fn read(&mut self, piece: &[u8]) -> (ReadRecordResult, usize) {
        let fields = self.fields.get_mut(self.filled..).unwrap_or_default();
        let ends = self.ends.get_mut(self.ended..).unwrap_or_default();
        let (result, read, filled, ended) = self.reader.read_record(piece, fields, ends);
        self.filled += filled;
        self.ended += ended;
        match result {
            ReadRecordResult::OutputFull if self.fields.len() < LINE_BYTES => {
                self.fields.resize(self.fields.len().saturating_mul(2), 0);
            }
            ReadRecordResult::OutputEndsFull if self.ends.len() < COLUMNS => {
                self.ends.resize(self.ends.len().saturating_mul(2), 0);
            }
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                self.too_long = true;
                (self.filled, self.ended) = (0, 0);
            }
            ReadRecordResult::InputEmpty | ReadRecordResult::Record | ReadRecordResult::End => {}
        }
        (result, read)
    }

    /// A record is whole.
    fn record(&mut self, rows: &mut Rows<'_>, out: &mut Vec<Verdict>) -> Result<(), Refused> {
        let line = self.begun.take().unwrap_or(self.line);
        let ends = self.ends.get(..self.ended).unwrap_or_default();
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let fields = begins.zip(ends).map(|(begin, end)| self.fields.get(begin..*end).unwrap_or_default());
        let texts: Option<Vec<&str>> = fields.map(|field| std::str::from_utf8(field).ok()).collect();
        let too_long = std::mem::take(&mut self.too_long);
        (self.filled, self.ended, self.quotes) = (0, 0, 0);
        let Some(header) = &self.header else {
            let names = texts.filter(|_| !too_long);
            let names = names.ok_or_else(|| {
                Refused::new("invalid_csv", "the first line should name the columns, in UTF-8")
            })?;
            for (at, name) in names.iter().enumerate() {
                if !rows.has(name) {
                    return Err(Refused::new("unknown_column", format!("the table has no column {name:?}")));
                }
                if names.iter().take(at).any(|before| before == name) {
                    return Err(Refused::new("duplicate_column", format!("two columns are named {name:?}")));
                }
            }
            self.header = Some(names.into_iter().map(str::to_owned).collect());
            return Ok(());
        };
        let reject = |code, message: &str| Err(Rejected { line, code, message: message.to_owned() });
        out.push(match texts {
            _ if too_long => reject("too_large", "the line is too long"),
            None => reject("invalid_utf8", "the line is not UTF-8"),
            Some(texts) if texts.len() != header.len() => {
                reject("wrong_column_count", "the line has not as many values as the header")
            }
            Some(texts) => {
                let value = |name: &str| {
                    let at = header.iter().position(|column| column == name)?;
                    texts.get(at).map(|text| Value::from(*text))
                };
                rows.verdict(line, &value, true)
            }
        });
        Ok(())
    }
}

/// A reader of JSON Lines.
#[derive(Default)]
pub(super) struct JsonLines {
    held: Vec<u8>,
    too_long: bool,
    ended: u64,
}

impl JsonLines {
    pub(super) fn take(&mut self, piece: &[u8], rows: &mut Rows<'_>, out: &mut Vec<Verdict>) {
        for (at, part) in piece.split(|byte| *byte == b'\n').enumerate() {
            if at > 0 {
                self.end(rows, out);
            }
            self.too_long |= self.held.len().saturating_add(part.len()) > LINE_BYTES;
            if self.too_long {
                self.held.clear();
            } else {
                self.held.extend_from_slice(part);
            }
        }
    }

    /// The line ends here. A blank one is none.
    pub(super) fn end(&mut self, rows: &mut Rows<'_>, out: &mut Vec<Verdict>) {
        self.ended += 1;
        let line = self.ended;
        let reject = |code, message: String| Err(Rejected { line, code, message });
        let text = self.held.trim_ascii();
        let verdict = match strict_json::parse(text) {
            _ if self.too_long => reject("too_large", "the line is too long".to_owned()),
            _ if text.is_empty() => return self.held.clear(),
            Ok(Value::Object(values)) => match values.keys().find(|name| !rows.has(name)) {
                Some(unknown) => reject("unknown_column", format!("the table has no column {unknown:?}")),
                None => rows.verdict(line, &|name| values.get(name).cloned(), false),
            },
            Err(_) if std::str::from_utf8(text).is_err() => {
                reject("invalid_utf8", "the line is not UTF-8".to_owned())
            }
            _ => reject("invalid_line", "the line is not a JSON object".to_owned()),
        };
        self.held.clear();
        self.too_long = false;
        out.push(verdict);
    }
}
