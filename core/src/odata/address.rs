//! An address taken apart: what is asked for, its arguments, its options. Percent-encoding ends here;
//! nothing is looked up yet.

use super::Fault;
use crate::collections::Map;

/// Longest address that is looked at, in bytes as sent.
pub const ADDRESS_BYTES: usize = 16 * 1024;

/// The two roots speak of the same things under different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `/api/data/v9.2/`
    Current,
    /// `/api/v1/instances/{anything}/data/`
    Legacy,
}

impl Dialect {
    /// Rows in a page that asks for no number.
    pub fn page(self) -> usize {
        match self {
            Self::Current => 5000,
            Self::Legacy => 100,
        }
    }
}

/// What an argument of a function or a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// `'it''s'`, without its quotes.
    Text(String),
    /// `10`, a GUID, `true`.
    Bare(String),
    /// `['a','b']`
    List(Vec<String>),
}

impl Argument {
    /// Of text or a bare word, what stands there.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Bare(text) => Some(text),
            Self::List(_) => None,
        }
    }
}

/// The part of the address before `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// The root itself.
    Service,
    /// `$metadata`
    Metadata,
    /// An entity set or a function.
    Named {
        /// As written.
        name: String,
        /// `(…)`: names and values; a key may have no name.
        arguments: Option<Vec<(String, Argument)>>,
        /// `/$count` behind it.
        count: bool,
    },
}

/// The part of the address behind `?`, by name.
pub type Options = Map<String, String>;

/// Options that a set can have. A name that begins with `@` is an alias.
const OPTIONS: [&str; 11] = [
    "$apply",
    "$count",
    "$expand",
    "$filter",
    "$format",
    "$orderby",
    "$search",
    "$select",
    "$skip",
    "$skiptoken",
    "$top",
];

/// The legacy root has members of a segment as an option without a value.
pub const MEMBER: &str = "IsMemberOfSegment";

/// An address, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// Which root.
    pub dialect: Dialect,
    /// What is asked for.
    pub path: Path,
    /// How.
    pub options: Options,
}

/// Takes apart what stands behind the root: `path` and `query`, both still encoded.
///
/// # Errors
/// 400 for what is no address of this API; 404 for a path that leads nowhere.
pub fn parse(dialect: Dialect, path: &str, query: &str) -> Result<Address, Fault> {
    if path.len() + query.len() > ADDRESS_BYTES {
        return Err(Fault::query(format!("an address has at most {ADDRESS_BYTES} bytes")));
    }
    Ok(Address {
        dialect,
        path: parse_path(&decoded(path, false)?)?,
        options: parse_options(dialect, query)?,
    })
}

fn parse_path(path: &str) -> Result<Path, Fault> {
    let path = path.trim_matches('/');
    match path {
        "" => return Ok(Path::Service),
        "$metadata" => return Ok(Path::Metadata),
        _ => {}
    }
    let (path, count) = match path.strip_suffix("/$count") {
        Some(path) => (path.trim_end_matches('/'), true),
        None => (path, false),
    };
    let end = path.find('(').unwrap_or(path.len());
    let (name, rest) = path.split_at_checked(end).unwrap_or((path, ""));
    let arguments = match rest.strip_prefix('(') {
        Some(rest) => Some(Reader { text: rest }.arguments()?),
        None => None,
    };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(Fault::missing(format!("there is nothing at {path:.80}")));
    }
    Ok(Path::Named { name: name.to_owned(), arguments, count })
}

/// Reads one value, as an alias has it.
///
/// # Errors
/// 400 for what is none.
pub fn argument(text: &str) -> Result<Argument, Fault> {
    let mut reader = Reader { text };
    let argument = reader.argument()?;
    if reader.text.trim().is_empty() {
        Ok(argument)
    } else {
        Err(Fault::query(format!("{text:.40?} is no value")))
    }
}

/// Reads what stands in parentheses.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn mark(&mut self, mark: char) -> bool {
        self.text = self.text.trim_start();
        match self.text.strip_prefix(mark) {
            Some(rest) => {
                self.text = rest;
                true
            }
            None => false,
        }
    }

    fn need(&mut self, mark: char) -> Result<(), Fault> {
        if self.mark(mark) {
            return Ok(());
        }
        Err(Fault::query(format!("expected {mark:?} before {:.20?}", self.text)))
    }

    /// Up to and including the closing parenthesis, behind which nothing may stand.
    fn arguments(&mut self) -> Result<Vec<(String, Argument)>, Fault> {
        let mut arguments = Vec::new();
        while !self.mark(')') {
            if !arguments.is_empty() {
                self.need(',')?;
            }
            let (mut name, mut value) = (String::new(), self.argument()?);
            if let Argument::Bare(word) = &value
                && self.mark('=')
            {
                name.clone_from(word);
                value = self.argument()?;
            }
            arguments.push((name, value));
        }
        if !self.text.trim().is_empty() {
            return Err(Fault::missing(format!("there is nothing at {:.40}", self.text)));
        }
        Ok(arguments)
    }

    fn argument(&mut self) -> Result<Argument, Fault> {
        if self.mark('[') {
            let mut items = Vec::new();
            while !self.mark(']') {
                if !items.is_empty() {
                    self.need(',')?;
                }
                match self.argument()? {
                    Argument::Text(item) | Argument::Bare(item) => items.push(item),
                    Argument::List(_) => return Err(Fault::query("a list holds no lists")),
                }
            }
            return Ok(Argument::List(items));
        }
        if self.mark('\'') {
            return self.quoted();
        }
        let end = self.text.find(|c: char| c.is_whitespace() || ",()[]='".contains(c));
        let (word, rest) = self.text.split_at_checked(end.unwrap_or(self.text.len())).unwrap_or_default();
        self.text = rest;
        if word.is_empty() {
            return Err(Fault::query("an argument has no value, or a parenthesis is not closed"));
        }
        // As clients write that learnt it from an earlier version of the protocol.
        if word == "guid" && self.mark('\'') {
            return self.quoted();
        }
        Ok(Argument::Bare(word.to_owned()))
    }

    /// Text behind its opening quote; a quote inside is doubled.
    fn quoted(&mut self) -> Result<Argument, Fault> {
        let mut text = String::new();
        loop {
            let Some((part, rest)) = self.text.split_once('\'') else {
                return Err(Fault::query("text without its closing quote"));
            };
            text.push_str(part);
            self.text = rest;
            match self.text.strip_prefix('\'') {
                Some(rest) => {
                    text.push('\'');
                    self.text = rest;
                }
                None => return Ok(Argument::Text(text)),
            }
        }
    }
}

fn parse_options(dialect: Dialect, query: &str) -> Result<Options, Fault> {
    let mut options = Options::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (mut name, mut value) = (decoded(name, true)?, decoded(value, true)?);
        if dialect == Dialect::Legacy {
            if name == "select" {
                name.insert(0, '$');
            } else if let Some(segment) = name.strip_prefix(MEMBER).filter(|_| value.is_empty()) {
                segment.clone_into(&mut value);
                MEMBER.clone_into(&mut name);
            }
        }
        let known = OPTIONS.contains(&name.as_str())
            || name.starts_with('@')
            || (name == MEMBER && dialect == Dialect::Legacy);
        if !known {
            let message = format!("there is no option {name:.40?}; there are {}", OPTIONS.join(" "));
            return Err(Fault { code: "unknown_option", ..Fault::query(message) });
        }
        if let Some(_twice) = options.insert(name, value) {
            return Err(Fault::query("an option can be given once"));
        }
    }
    Ok(options)
}

/// Percent-decoding; in the query, a plus is a space.
fn decoded(text: &str, query: bool) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' if query => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                value.ok_or_else(|| Fault::query("% is not followed by two hexadecimal digits"))? as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Fault::query("the address is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        parse(Dialect::Current, text, "").unwrap().path
    }

    fn named(name: &str, arguments: Option<Vec<(&str, Argument)>>, count: bool) -> Path {
        let arguments = arguments.map(|list| list.into_iter().map(|(n, a)| (n.to_owned(), a)).collect());
        Path::Named { name: name.to_owned(), arguments, count }
    }

    #[test]
    fn a_path_is_a_set_a_key_or_a_function() {
        let text = |text: &str| Argument::Text(text.to_owned());
        assert_eq!(path(""), Path::Service);
        assert_eq!(path("//$metadata"), Path::Metadata);
        assert_eq!(path("/x/$count"), named("x", None, true));
        assert_eq!(path("x(%27it%27%27s%27)"), named("x", Some(vec![("", text("it's"))]), false));
        let include = Argument::List(vec!["measures".to_owned(), "unifiedactivity".to_owned()]);
        assert_eq!(
            path("f(cookieid='a' , top=10, include=[ 'measures','unifiedactivity' ])"),
            named(
                "f",
                Some(vec![
                    ("cookieid", text("a")),
                    ("top", Argument::Bare("10".to_owned())),
                    ("include", include)
                ]),
                false
            )
        );
        let guid = "3f43317e-d1ef-4cd3-9917-2d3342111d1a";
        assert_eq!(
            path(&format!("x({guid})")),
            named("x", Some(vec![("", Argument::Bare(guid.to_owned()))]), false)
        );
        assert_eq!(path(&format!("x(guid'{guid}')")), named("x", Some(vec![("", text(guid))]), false));
    }

    #[test]
    fn what_is_no_path_says_so() {
        for (bad, status) in [
            ("x(", 400),
            ("x('a)", 400),
            ("x(a='b)", 400),
            ("x([a,[b]])", 400),
            ("x('a')y", 404),
            ("x/y", 404),
            ("x;y", 404),
            ("x(a=)", 400),
            ("x%ff", 400),
            ("x%zz", 400),
            ("x(a b)", 400),
        ] {
            assert_eq!(parse(Dialect::Current, bad, "").unwrap_err().status, status, "{bad}");
        }
        assert_eq!(parse(Dialect::Current, &"x".repeat(ADDRESS_BYTES + 1), "").unwrap_err().status, 400);
    }

    #[test]
    fn options_are_decoded_and_known() {
        let options = |query| parse(Dialect::Current, "x", query).map(|address| address.options);
        let found = options("$filter=a+eq%20'%26'&%24top=1&@p1='x'").unwrap();
        assert_eq!(found.get("$filter").map(String::as_str), Some("a eq '&'"));
        assert_eq!(found.get("$top").map(String::as_str), Some("1"));
        assert_eq!(found.get("@p1").map(String::as_str), Some("'x'"));
        for bad in ["$FILTER=x", "filter=x", "$top=1&$top=2", "select=*", "x", "IsMemberOfSegment('a')"] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_legacy_root_has_two_options_of_its_own() {
        let options = parse(Dialect::Legacy, "x", "select=*&IsMemberOfSegment('S')").unwrap().options;
        assert_eq!(options.get("$select").map(String::as_str), Some("*"));
        assert_eq!(options.get(MEMBER).map(String::as_str), Some("('S')"));
    }
}
