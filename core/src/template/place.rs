//! Where in an author's HTML a slot stands, which says what may stand there: no escaping makes a visitor's value
//! safe in a handler, in a script or in the middle of a tag.

use super::Sink;

/// How the value of a slot that follows `html` is escaped.
///
/// # Errors
/// In plain words, for the author, where no value may stand.
pub(super) fn place(html: &str) -> Result<Sink, String> {
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            // Comments that end in other ways than this are for browsers to puzzle out.
            let (text, after) = comment.split_once("-->").unwrap_or((comment, ""));
            if text.len() == comment.len() || text.starts_with(['>', '-']) || text.contains("--!>") {
                return Err("a slot cannot stand in a comment, or after an odd one".to_owned());
            }
            rest = after;
        } else if after.is_empty()
            || after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c))
        {
            match tag(after)? {
                Tag::Over(after) => rest = after,
                Tag::Value(sink) => return Ok(sink),
            }
        } else {
            rest = after;
        }
    }
    Ok(Sink::Html)
}

enum Tag<'a> {
    /// What comes after it, and after what only it can end.
    Over(&'a str),
    /// The slot is in the value of an attribute.
    Value(Sink),
}

/// Reads a tag from its name on.
fn tag(text: &str) -> Result<Tag<'_>, String> {
    let middle =
        || Err("a slot cannot stand inside of a tag, but in quotes, as an attribute's value".to_owned());
    let (name, mut rest) = split(text, |c| c.is_ascii_whitespace() || "/>".contains(c));
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return content(name, after);
        }
        let (attribute, after) = split(rest, |c| c.is_ascii_whitespace() || "/>=".contains(c));
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            if after.is_empty() {
                return middle();
            }
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let Some(quote) = value.chars().next() else { return middle() };
        if quote == '>' {
            rest = value;
        } else if !matches!(quote, '"' | '\'') {
            let (_, after) = split(value, |c| c.is_ascii_whitespace() || c == '>');
            if after.is_empty() {
                return middle();
            }
            rest = after;
        } else if let Some((_, after)) = value.get(1..).unwrap_or_default().split_once(quote) {
            rest = after;
        } else if runs(attribute) {
            return Err(format!("a slot cannot stand in the attribute {attribute:?}"));
        } else {
            return Ok(Tag::Value(if is_address(attribute) { Sink::Url } else { Sink::Html }));
        }
    }
}

/// What comes after a start tag, without the text of a script or style, where markup does not count.
fn content<'a>(name: &str, after: &'a str) -> Result<Tag<'a>, String> {
    let Some(raw) = ["script", "style"].into_iter().find(|raw| name.eq_ignore_ascii_case(raw)) else {
        return Ok(Tag::Over(after));
    };
    let end = format!("</{raw}");
    match after.to_ascii_lowercase().find(&end) {
        Some(at) => Ok(Tag::Over(after.get(at..).unwrap_or_default())),
        None => Err(format!("a slot cannot stand in a {raw}")),
    }
}

/// Splits at the first such character, which is part of what follows; the first of all is never one.
fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    let at = text.char_indices().skip(1).find(|(_, c)| ends(*c)).map_or(text.len(), |(at, _)| at);
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Attributes whose value is code, or markup again.
pub(crate) fn runs(attribute: &str) -> bool {
    attribute.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("on"))
        || ["style", "srcdoc"].iter().any(|code| attribute.eq_ignore_ascii_case(code))
}

/// Attributes whose value is an address.
pub(crate) fn is_address(attribute: &str) -> bool {
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
        "ping",
    ]
    .iter()
    .any(|address| attribute.eq_ignore_ascii_case(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_escaped_for_where_it_stands() {
        for html in [
            "",
            "a < b",
            "<b>",
            "<b title=\"x\">",
            "a<!-- <script> -->",
            "<a href=>",
            "<img src=x> ",
            "1 <2 ",
            "<textarea>",
            "</b>",
        ] {
            assert_eq!(place(html), Ok(Sink::Html), "{html}");
        }
        for html in [
            "<b title=\"",
            "<b\n title = '",
            "<a href=x title='",
            "<i a b=\"1\" c='",
            "<script>x</script><b title=\"",
        ] {
            assert_eq!(place(html), Ok(Sink::Html), "{html}");
        }
        for html in [
            "<a href=\"",
            "<A HREF='",
            "<img src=\"/i/",
            "<a title='>' href=\"",
            "<svg><a xlink:href=\"",
            "<p>1</p><form action='",
        ] {
            assert_eq!(place(html), Ok(Sink::Url), "{html}");
        }
    }

    #[test]
    fn no_value_may_stand_where_it_could_run() {
        for html in [
            "<",
            "<b",
            "<b ",
            "<b title",
            "<b title=",
            "<a href=",
            "<a href=/x/",
            "<b/",
            "</",
            "<!",
            "<b onclick=\"f('",
            "<b ONCLICK='",
            "<b style=\"",
            "<iframe srcdoc='",
            "<script>var name = '",
            "<SCRIPT src=x>",
            "<style>p { color: ",
            "<!-- ",
            "<!--><script>'-->",
            "<!-- --!><script>'-->",
            "<a href=><script>",
            "<script>'</b>'<b>",
        ] {
            assert!(place(html).is_err(), "{html}");
        }
    }
}
