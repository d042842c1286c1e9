//! Values of changes: text with slots, `Welcome back, {{ FirstName }}!` or
//! `{{ FirstName | default("friend") }}`. A slot without a value and without a default makes the whole
//! value absent, and the element is left alone.

pub mod markup;

/// Where a value ends up, which says how it is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Text or an ordinary attribute value: the rewriter escapes the whole value itself.
    Text,
    /// HTML: each slot is escaped by where it stands in it ([`markup`]), the author's own markup stands.
    Html,
    /// An address in an attribute: each slot is percent-encoded; only a web address may come out.
    Url,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    sink: Sink,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Slot { field: String, default: Option<String>, sink: Sink },
}

/// Why a template has no value for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfilled {
    /// A field is missing, and there is no default for it.
    MissingField(String),
    /// What comes out would not be an address of the web.
    NoAddress,
}

impl Template {
    /// Parses a template for this sink.
    ///
    /// # Errors
    /// In plain words, for the author.
    pub fn parse(text: &str, sink: Sink) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut reader = markup::Reader::default();
        while let Some((before, after)) = rest.split_once("{{") {
            let (slot, after) = after.split_once("}}").ok_or("a slot {{ … }} is not closed")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let sink = match sink {
                Sink::Html => {
                    reader.read(before);
                    reader.slot()?
                }
                other => other,
            };
            parts.push(slot_of(slot.trim(), sink)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { sink, parts })
    }

    /// Whether it is the same for everybody.
    pub fn is_plain(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// Its value for somebody with these fields.
    ///
    /// # Errors
    /// Where there is none.
    pub fn render(&self, field: &dyn Fn(&str) -> Option<String>) -> Result<String, Unfilled> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Slot { field: name, default, sink } => {
                    let value = field(name).filter(|value| !value.is_empty()).or_else(|| default.clone());
                    let value = value.ok_or_else(|| Unfilled::MissingField(name.clone()))?;
                    match sink {
                        Sink::Text => out.push_str(&value),
                        Sink::Html => escape_html(&value, &mut out),
                        Sink::Url => percent_encode(&value, &mut out),
                    }
                }
            }
        }
        if self.sink == Sink::Url && !is_web_address(&out) {
            return Err(Unfilled::NoAddress);
        }
        Ok(out)
    }
}

fn slot_of(slot: &str, sink: Sink) -> Result<Part, String> {
    let (field, filter) = match slot.split_once('|') {
        Some((field, filter)) => (field.trim(), Some(filter.trim())),
        None => (slot, None),
    };
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.');
    if field.is_empty() || !field.chars().all(name) {
        return Err(format!("{field:?} is no field"));
    }
    let default = match filter {
        None => None,
        Some(filter) => {
            let quoted =
                filter.strip_prefix("default(").and_then(|rest| rest.strip_suffix(')')).map(str::trim);
            let text = quoted.and_then(|quoted| {
                let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                quoted.strip_prefix(quote)?.strip_suffix(quote)
            });
            Some(
                text.ok_or_else(|| format!("only default(\"…\") can follow the bar, not {filter:?}"))?
                    .to_owned(),
            )
        }
    };
    Ok(Part::Slot { field: field.to_owned(), default, sink })
}

fn escape_html(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            '=' => out.push_str("&#61;"),
            c => out.push(c),
        }
    }
}

pub(crate) fn percent_encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 0xf] {
                out.push(char::from_digit(u32::from(half), 16).unwrap_or_default().to_ascii_uppercase());
            }
        }
    }
}

/// A path, a query, a fragment, or http(s): never `javascript:` or another scheme.
fn is_web_address(address: &str) -> bool {
    // Browsers drop these before they look for a scheme.
    let seen: String = address.chars().filter(|c| !c.is_control()).collect();
    let seen = seen.trim_start().to_ascii_lowercase();
    match seen.find([':', '/', '?', '#']) {
        Some(at) if seen.get(at..).is_some_and(|rest| rest.starts_with(':')) => {
            seen.starts_with("https://") || seen.starts_with("http://")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, sink: Sink) -> Option<String> {
        let field = |name: &str| match name {
            "FirstName" => Some("Abbie".to_owned()),
            "Evil" => Some("<script>alert(1)</script>".to_owned()),
            "Js" => Some("javascript:alert(1)".to_owned()),
            _ => None,
        };
        Template::parse(template, sink).unwrap().render(&field).ok()
    }

    #[test]
    fn slots_are_filled_or_leave_the_element_alone() {
        assert_eq!(render("Welcome back, {{ FirstName }}!", Sink::Text).unwrap(), "Welcome back, Abbie!");
        assert_eq!(render("Hi {{Nobody | default(\"friend\")}}", Sink::Text).unwrap(), "Hi friend");
        assert_eq!(render("Hi {{ Nobody }}", Sink::Text), None);
        assert_eq!(render("plain", Sink::Html).unwrap(), "plain");
    }

    #[test]
    fn a_value_never_becomes_markup_or_script() {
        assert_eq!(
            render("<b>{{ Evil }}</b>", Sink::Html).unwrap(),
            "<b>&lt;script&gt;alert(1)&lt;/script&gt;</b>"
        );
        assert_eq!(render("{{ Js }}", Sink::Url).unwrap(), "javascript%3Aalert%281%29");
        assert_eq!(
            render("/q?n={{ Evil }}", Sink::Url).unwrap(),
            "/q?n=%3Cscript%3Ealert%281%29%3C%2Fscript%3E"
        );
        for address in ["javascript:alert(1)", " java\nscript:alert(1)", "DATA:text/html,x", "vbscript:x"] {
            assert!(!is_web_address(address), "{address}");
        }
        for address in ["/a:b", "https://x/", "?q=a:b", "#a:b", "a/b", ""] {
            assert!(is_web_address(address), "{address}");
        }
    }

    #[test]
    fn faults_are_told_to_the_author() {
        for bad in ["{{ FirstName", "{{ }}", "{{ a b }}", "{{ a | upper }}", "{{ a | default(x) }}"] {
            assert!(Template::parse(bad, Sink::Text).is_err(), "{bad}");
        }
    }
}
