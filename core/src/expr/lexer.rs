//! Text to tokens. A token knows where it starts, so that a fault can be shown at its place.

use super::ExprError;
use crate::time::{DAY_MS, SECOND_MS, Timestamp};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, keyword or operator word, as written; `$` may lead (`$count`, `$filter`).
    Word(String),
    Text(String),
    Number(f64),
    Time(Timestamp),
    /// A duration in milliseconds.
    Duration(i64),
    /// One of `( ) , / : =`.
    Mark(char),
    End,
}

/// Splits a whole filter.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ExprError> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        if first.is_whitespace() {
            rest = rest.trim_start();
            continue;
        }
        let (token, len) = match first {
            '(' | ')' | ',' | '/' | ':' | '=' => (Token::Mark(first), 1),
            '\'' => quoted(rest, at)?,
            _ if let Some(id) = guid(rest) => (Token::Text(id.to_owned()), id.len()),
            '-' | '0'..='9' => number_or_time(rest, at)?,
            first if is_word(first) => word(rest, at)?,
            other => return Err(ExprError::invalid(at, format!("unexpected character {other:?}"))),
        };
        out.push((at, token));
        rest = rest.get(len..).unwrap_or_default();
    }
    out.push((text.len(), Token::End));
    Ok(out)
}

/// `'it''s'`: a quote inside is doubled.
fn quoted(rest: &str, at: usize) -> Result<(Token, usize), ExprError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        if c != '\'' {
            text.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            text.push('\'');
        } else {
            return Ok((Token::Text(text), i + 1));
        }
    }
    Err(ExprError::invalid(at, "text without its closing quote"))
}

/// An `Edm.Guid` stands without quotes, and may begin with a letter. It is compared as text.
fn guid(rest: &str) -> Option<&str> {
    let (id, after) = rest.split_at_checked(36)?;
    let plain = id.bytes().enumerate().all(|(i, byte)| match i {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (plain && !after.starts_with(is_word)).then_some(id)
}

/// Letters of all scripts can be in the name of an imported column; ours knows only the ASCII ones.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '@' | '.') || !(c.is_ascii() || c.is_whitespace())
}

fn number_or_time(rest: &str, at: usize) -> Result<(Token, usize), ExprError> {
    let len = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | ':')))
        .unwrap_or(rest.len());
    let literal = rest.get(..len).unwrap_or_default();
    if let Some(time) = Timestamp::from_rfc3339(literal) {
        return Ok((Token::Time(time), len));
    }
    match crate::json::number(literal) {
        Some(number) => Ok((Token::Number(number), len)),
        None => Err(ExprError::invalid(at, format!("{literal:?} is neither a number nor a time"))),
    }
}

fn word(rest: &str, at: usize) -> Result<(Token, usize), ExprError> {
    let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
    // As clients write an id that learnt it from an earlier version of the protocol.
    if name == "guid" && after.starts_with('\'') {
        let (text, quoted_len) = quoted(after, at + len)?;
        return Ok((text, len + quoted_len));
    }
    if name == "duration" && after.starts_with('\'') {
        let (Token::Text(text), quoted_len) = quoted(after, at + len)? else {
            return Err(ExprError::invalid(at, "duration without a value"));
        };
        let ms = duration(&text).ok_or_else(|| {
            ExprError::invalid(at, format!("{text:?} is no duration; write it like P30D or PT12H"))
        })?;
        return Ok((Token::Duration(ms), len + quoted_len));
    }
    Ok((Token::Word(name.to_owned()), len))
}

/// Milliseconds of an `Edm.Duration`: `P30D`, `PT1H30M`, `-P1D`. Years and months have no fixed
/// length and are refused, as `OData` does.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (sign, body) = match text.strip_prefix('-') {
        Some(body) => (-1, body),
        None => (1, text),
    };
    let body = body.strip_prefix('P')?;
    let (days, clock) = match body.split_once('T') {
        Some((days, clock)) if !clock.is_empty() => (days, clock),
        Some(_) => return None,
        None => (body, ""),
    };
    if days.is_empty() && clock.is_empty() {
        return None;
    }
    let total = units(days, &[('D', DAY_MS)])?
        .checked_add(units(clock, &[('H', 3600 * SECOND_MS), ('M', 60 * SECOND_MS), ('S', SECOND_MS)])?)?;
    Some(sign * total)
}

fn units(mut text: &str, allowed: &[(char, i64)]) -> Option<i64> {
    let mut total = 0_i64;
    for (unit, ms) in allowed {
        if let Some((digits, rest)) = text.split_once(*unit) {
            if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(*ms)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_iso_8601() {
        assert_eq!(duration("P30D"), Some(30 * DAY_MS));
        assert_eq!(duration("PT1H30M"), Some(90 * 60 * SECOND_MS));
        assert_eq!(duration("-P1DT1S"), Some(-DAY_MS - SECOND_MS));
        for bad in ["", "P", "PT", "P1M", "P1Y", "30D", "P1.5D", "PT5", "P9999999D"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn quotes_inside_text_are_doubled() {
        let found = tokens("'it''s'").unwrap();
        assert_eq!(found[0], (0, Token::Text("it's".into())));
        assert_eq!(tokens("a eq 'x").unwrap_err().at, 5);
    }

    #[test]
    fn dates_and_numbers_are_told_apart() {
        assert!(matches!(tokens("2024-01-01T00:00:00Z").unwrap()[0].1, Token::Time(_)));
        assert_eq!(tokens("-12.5").unwrap()[0].1, Token::Number(-12.5));
        assert!(tokens("12x").is_err());
        assert!(tokens("1e999").is_err());
    }
}
