//! A template (behind the first line, which is a visitor's value): whatever the value, in HTML each slot stays where
//! it stood, and an address stays one of the web.

use msci_core::template::markup::Reader;
use msci_core::template::{Sink, Template};

/// Ends each value, so that its place is found again in what comes out.
const MARK: char = '\u{e000}';
/// The same in an address.
const MARK_IN_ADDRESS: &str = "%EE%80%80";

/// What a browser reads in front of the path.
fn scheme(address: &str) -> String {
    let seen: String = address.trim_start_matches(|c: char| c <= ' ').to_ascii_lowercase();
    seen.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).take_while(|c| *c != '/' && *c != '?').collect()
}

/// A slot never leaves its place.
pub(crate) fn everything(text: &str) {
    if text.contains(MARK) || text.contains(MARK_IN_ADDRESS) {
        return;
    }
    let (value, template) = text.split_once('\n').unwrap_or(("\"><script>alert(1)</script>", text));
    // A field whose name begins so is missing.
    let field = |name: &str| (!name.starts_with(['n', 'N'])).then(|| format!("{value}{MARK}"));
    if let Ok(template) = Template::parse(template, Sink::Url)
        && let Ok(address) = template.render(&field)
    {
        let scheme = scheme(&address);
        for code in ["javascript:", "data:", "vbscript:", "blob:", "file:"] {
            assert!(!scheme.starts_with(code), "{address:?}");
        }
    }
    let Ok(template) = Template::parse(template, Sink::Html) else { return };
    let Ok(shown) = template.render(&field) else { return };
    let shown = shown.replace(MARK_IN_ADDRESS, &MARK.to_string());
    let mut reader = Reader::default();
    let mut pieces: Vec<&str> = shown.split(MARK).collect();
    pieces.pop();
    for piece in pieces {
        reader.read(piece);
        assert!(reader.slot().is_ok(), "behind {piece:?} of {shown:?}");
    }
}
