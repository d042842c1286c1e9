//! `$search`: words and phrases that all have to be found. And splitting where neither quotes nor
//! parentheses are open.

use super::Fault;

/// Most words and phrases, and the longest.
const TERMS: usize = 10;
const TERM_BYTES: usize = 256;

/// Lower case, since that is how they are looked for.
pub(super) fn terms(text: &str) -> Result<Vec<String>, Fault> {
    let mut terms = Vec::new();
    for (at, part) in text.split('"').enumerate() {
        if at & 1 == 1 {
            terms.push(part.to_ascii_lowercase());
            continue;
        }
        for word in part.split_whitespace() {
            match word {
                "AND" => {}
                "OR" | "NOT" => {
                    return Err(Fault::query("$search finds what has all of its words; no OR, no NOT"));
                }
                word => terms.push(word.to_ascii_lowercase()),
            }
        }
    }
    terms.retain(|term| !term.is_empty());
    if text.matches('"').count() & 1 == 1 {
        return Err(Fault::query("$search: a phrase without its closing quote"));
    }
    if terms.len() > TERMS || terms.iter().any(|term| term.len() > TERM_BYTES) {
        return Err(Fault::query(format!("$search has at most {TERMS} words of {TERM_BYTES} bytes")));
    }
    Ok(terms)
}

/// Parts between marks that stand outside of quotes and parentheses.
pub(super) fn split(text: &str, mark: char) -> Vec<&str> {
    let (mut depth, mut quoted) = (0_usize, false);
    text.split(|c: char| {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == mark && depth == 0 && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_are_all_looked_for() {
        assert_eq!(terms("Ada \"New York\" AND x").unwrap(), ["ada", "new york", "x"]);
        for bad in ["a OR b", "NOT a", "\"a", &"x ".repeat(11), &"x".repeat(257)] {
            assert!(terms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn marks_inside_quotes_and_parentheses_do_not_split() {
        assert_eq!(split("a,b(c,d),'e,(f'", ','), ["a", "b(c,d)", "'e,(f'"]);
    }
}
