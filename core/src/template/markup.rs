//! Slots in HTML: where one stands says how it is escaped, and where no escaping makes it safe it is refused
//! when it is saved. The author's markup is read as a browser reads it, up to each slot; of what stands inside a
//! tag, only what is known to be harmless can have one.

use super::Sink;

/// How far markup was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    place: Place,
    /// The tag that is being read, or was last, in lower case.
    tag: String,
    /// The attribute that is being read, or was last, in lower case.
    attribute: String,
    /// What the present attribute's value begins with.
    value: String,
    /// A tag that closes.
    closes: bool,
    /// In a drawing or a formula, where other elements hold markup.
    foreign: bool,
    /// Browsers read what follows in a way that this does not.
    lost: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Text between tags.
    #[default]
    Content,
    /// Behind `<`.
    Open,
    /// In the name of a tag.
    Tag,
    /// In a tag, before an attribute.
    Inside,
    /// In the name of an attribute.
    Name,
    /// Behind the name of an attribute.
    Named,
    /// Behind `=`.
    Equals,
    /// In a value in these quotes.
    Quoted(char),
    /// In a value without quotes.
    Bare,
    /// In a comment.
    Comment,
    /// In a declaration, or what else a browser takes for a comment that ends with the first `>`.
    Declaration,
    /// In an element whose content is not markup.
    Raw,
}

/// Elements whose content a browser does not read as markup.
const RAW: [&str; 10] =
    ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext"];

impl Reader {
    /// Reads on.
    pub fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let step = match self.place {
                Place::Content if rest.starts_with("<!--") => {
                    self.place = Place::Comment;
                    // A comment that is empty may have lost its dashes.
                    let empty = [">", "->"]
                        .iter()
                        .find(|end| rest.get(4..).is_some_and(|rest| rest.starts_with(**end)));
                    empty.map_or(4, |end| self.go(Place::Content, 4 + end.len()))
                }
                Place::Comment if rest.starts_with("-->") => self.go(Place::Content, 3),
                Place::Comment if rest.starts_with("--!>") => self.go(Place::Content, 4),
                Place::Raw => self.read_raw(rest),
                _ => {
                    self.place = self.after(c);
                    c.len_utf8()
                }
            };
            rest = rest.get(step..).unwrap_or_default();
        }
    }

    fn go(&mut self, to: Place, bytes: usize) -> usize {
        self.place = to;
        bytes
    }

    /// Content that is not markup goes up to the tag that closes it.
    fn read_raw(&mut self, rest: &str) -> usize {
        // A script that is in a comment does not end with the first tag that closes it.
        self.lost |= rest.starts_with("<!--");
        let closing = format!("</{}", self.tag);
        let found = rest.get(..closing.len()).is_some_and(|start| start.eq_ignore_ascii_case(&closing));
        let next = rest.get(closing.len()..).and_then(|rest| rest.chars().next());
        if found && next.is_some_and(|next| next.is_ascii_whitespace() || matches!(next, '/' | '>')) {
            self.closes = true;
            return self.go(Place::Inside, closing.len());
        }
        rest.chars().next().map_or(1, char::len_utf8)
    }

    /// Where a character leads.
    fn after(&mut self, c: char) -> Place {
        let lower = c.to_ascii_lowercase();
        match (self.place, c) {
            (Place::Content | Place::Open, '<') => Place::Open,
            // `</` and no name: what follows is no tag.
            (Place::Tag, _) if self.tag.is_empty() && !c.is_ascii_alphabetic() => {
                if c == '>' {
                    Place::Content
                } else {
                    Place::Declaration
                }
            }
            (Place::Open, _) if c.is_ascii_alphabetic() || c == '/' => {
                self.tag.clear();
                self.closes = c == '/';
                self.tag.extend((c != '/').then_some(lower));
                Place::Tag
            }
            (Place::Open, '!' | '?') => {
                // In a drawing it may be a `CDATA` section.
                self.lost |= self.foreign;
                Place::Declaration
            }
            (Place::Content | Place::Open, _) | (Place::Declaration, '>') => Place::Content,
            (Place::Tag | Place::Inside | Place::Name | Place::Named | Place::Equals | Place::Bare, '>') => {
                self.opened()
            }
            (Place::Tag | Place::Inside | Place::Name | Place::Named, '/') => Place::Inside,
            (Place::Tag | Place::Inside | Place::Bare, _) if c.is_ascii_whitespace() => Place::Inside,
            (Place::Tag, _) => {
                self.tag.push(lower);
                Place::Tag
            }
            (Place::Name | Place::Named, '=') => {
                self.value.clear();
                Place::Equals
            }
            (Place::Name | Place::Named, _) if c.is_ascii_whitespace() => Place::Named,
            (Place::Inside | Place::Named, _) => {
                self.attribute = lower.to_string();
                Place::Name
            }
            (Place::Name, _) => {
                self.attribute.push(lower);
                Place::Name
            }
            (Place::Equals, _) if c.is_ascii_whitespace() => Place::Equals,
            (Place::Equals, '"' | '\'') => Place::Quoted(c),
            (Place::Equals | Place::Bare, _) => Place::Bare,
            (Place::Quoted(quote), _) if c == quote => Place::Inside,
            (Place::Quoted(quote), _) => {
                self.value.push(c);
                Place::Quoted(quote)
            }
            (Place::Comment | Place::Declaration | Place::Raw, _) => self.place,
        }
    }

    /// A tag has ended.
    fn opened(&mut self) -> Place {
        let raw = !self.closes && RAW.contains(&self.tag.as_str());
        self.lost |= raw && self.foreign;
        self.foreign |= matches!(self.tag.as_str(), "svg" | "math");
        if raw { Place::Raw } else { Place::Content }
    }

    /// How a slot here is escaped.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn slot(&mut self) -> Result<Sink, String> {
        match self.place {
            _ if self.lost => {
                Err("no slot can stand behind a comment in a script, or a style or declaration in a drawing"
                    .to_owned())
            }
            Place::Content => Ok(Sink::Html),
            Place::Quoted(_) => {
                let (tag, name) = (self.tag.as_str(), self.attribute.as_str());
                let sink = if is_address(name) { Sink::Url } else { Sink::Html };
                let safe = sink == Sink::Html || is_open_address(&self.value);
                // What stands behind it is still in the value.
                self.value.push('x');
                if takes_slots(tag, name) && safe {
                    return Ok(sink);
                }
                Err(format!("no slot can stand in the attribute {name} of {tag}, after what is there"))
            }
            Place::Raw => Err(format!("no slot can stand in the content of {}", self.tag)),
            Place::Comment | Place::Declaration => Err("no slot can stand in a comment".to_owned()),
            _ => Err("inside a tag a slot can only stand in the quotes of an attribute's value".to_owned()),
        }
    }
}

/// Whether an address that begins so is one of the web, whatever comes behind. A browser reads `&colon;` too.
fn is_open_address(begins: &str) -> bool {
    let scheme = begins.split(['/', '?']).next().unwrap_or_default();
    !scheme.contains('&') && super::is_web_address(begins)
}

/// Attributes that hold an address.
pub(crate) fn is_address(name: &str) -> bool {
    [
        "href",
        "src",
        "action",
        "formaction",
        "poster",
        "data",
        "cite",
        "background",
        "xlink:href",
        "srcset",
        "imagesrcset",
        "longdesc",
        "manifest",
        "ping",
    ]
    .iter()
    .any(|address| name.eq_ignore_ascii_case(address))
}

/// Attributes that are code: no escaping makes a visitor's value safe in an event handler, a style, a whole page.
pub(crate) fn is_code(name: &str) -> bool {
    name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("on"))
        || ["style", "srcdoc", "http-equiv"].iter().any(|code| name.eq_ignore_ascii_case(code))
}

/// Whether a visitor's value can do no harm in an attribute.
fn takes_slots(tag: &str, name: &str) -> bool {
    match name {
        "href" => matches!(tag, "a" | "area"),
        "src" => matches!(tag, "img" | "audio" | "video" | "source" | "track"),
        "poster" => tag == "video",
        "alt" | "title" | "class" | "id" | "lang" | "dir" | "value" | "placeholder" | "label" | "width"
        | "height" | "datetime" | "for" | "min" | "max" => {
            !matches!(tag, "script" | "style" | "meta" | "base" | "link" | "object" | "embed" | "param")
        }
        _ => name.starts_with("aria-") || name.starts_with("data-"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Template;
    use super::*;

    #[test]
    fn a_slot_is_escaped_by_where_it_stands() {
        let shown = |template: &str, value: &str| {
            let template = Template::parse(template, Sink::Html).unwrap();
            template.render(&|_| Some(value.to_owned())).unwrap()
        };
        let evil = "\"><img src=x onerror=alert(1)>'";
        let escaped = "&quot;&gt;&lt;img src&#61;x onerror&#61;alert(1)&gt;&#39;";
        assert_eq!(shown("<p>{{ X }}</p>", evil), format!("<p>{escaped}</p>"));
        assert_eq!(shown("<p title=\"{{ X }}\">", evil), format!("<p title=\"{escaped}\">"));
        assert_eq!(shown("<p class='a {{ X }}'>b</p>", evil), format!("<p class='a {escaped}'>b</p>"));
        assert_eq!(
            shown("<a href=\"{{ X }}\">", "javascript:alert(1)"),
            "<a href=\"javascript%3Aalert%281%29\">"
        );
        assert_eq!(shown("<a href='/hi?n={{ X }}&m=1'>", "a&b"), "<a href='/hi?n=a%26b&m=1'>");
        assert_eq!(shown("<!-- a > b --><i>{{ X }}</i>", "<"), "<!-- a > b --><i>&lt;</i>");
        assert_eq!(shown("<script>1 < 2</script>{{ X }}", "<"), "<script>1 < 2</script>&lt;");
        assert_eq!(shown("<p title = \"a: {{ X }}\" lang=en>", "&"), "<p title = \"a: &amp;\" lang=en>");
        assert_eq!(shown("1 < 2 {{ X }} <br/>{{ X }}", "&"), "1 < 2 &amp; <br/>&amp;");
        assert_eq!(
            shown("<b data-a=\">\" aria-label=\"{{ X }}\">", "\""),
            "<b data-a=\">\" aria-label=\"&quot;\">"
        );
    }

    #[test]
    fn where_no_escaping_makes_a_slot_safe_it_is_refused() {
        for bad in [
            "<{{ X }}>",
            "<p {{ X }}>",
            "<p {{ X }}=\"1\">",
            "<p title={{ X }}>",
            "<p title=a{{ X }}>",
            "<p title= {{ X }}>",
            "<p title=\"a\"{{ X }}>",
            "<p onclick=\"{{ X }}\">",
            "<p ONCLICK='f({{ X }})'>",
            "<p style=\"color: {{ X }}\">",
            "<iframe srcdoc=\"{{ X }}\">",
            "<iframe src=\"{{ X }}\">",
            "<img srcset=\"{{ X }} 2x\">",
            "<script>let a = \"{{ X }}\"</script>",
            "<SCRIPT>{{ X }}",
            "<script></scripty>{{ X }}",
            "<script src=\"{{ X }}\"></script>",
            "<style>{{ X }}</style>",
            "<textarea>{{ X }}</textarea>",
            "<title>{{ X }}</title>",
            "<!-- {{ X }} -->",
            "<!-- > {{ X }} -->",
            "<a href=\"javascript:f('{{ X }}')\">",
            "<a href=\" JavaScript:{{ X }}\">",
            "<a href=\"java\nscript:{{ X }}\">",
            "<meta content=\"0;url={{ X }}\">",
            "<base href=\"{{ X }}\">",
            "<link href=\"{{ X }}\">",
            "<object data=\"{{ X }}\">",
            "<form action=\"{{ X }}\">",
            "<set attributeName=href to=\"{{ X }}\">",
            "<use xlink:href=\"{{ X }}\">",
            "<p title=\"{{ X }}\" onclick=\"{{ X }}\">",
            "<p data-x onclick=\"{{ X }}\">",
            "<p title/onclick=\"{{ X }}\">",
            "<<p onclick=\"{{ X }}\">",
            "<a href=\"{{ X }}:{{ X }}\">",
            "<a href=\"javascript&colon;{{ X }}\">",
            "<a href=\"javascript&#58;{{ X }}\">",
            "<!--><script>-->{{ X }}",
            "<!-- --!><script>-->{{ X }}",
            "<script><!--<script></script>{{ X }}",
            "<svg><style><a onclick='</style>{{ X }}'>",
            "<!-{{ X }}",
            "<!{{ X }}>",
            "<?a {{ X }}>",
            "</{{ X }}>",
            "</ title='><script>{{ X }}</script>'>",
            "<svg><![CDATA[><p title=']]><script>{{ X }}</script>'>",
        ] {
            assert!(Template::parse(bad, Sink::Html).is_err(), "{bad}");
        }
    }

    #[test]
    fn attributes_of_addresses_and_of_code_are_known_in_any_case() {
        assert!(is_address("SRC") && is_address("imagesrcset") && !is_address("title"));
        assert!(is_code("OnClick") && is_code("STYLE") && is_code("http-equiv") && !is_code("o"));
    }
}
