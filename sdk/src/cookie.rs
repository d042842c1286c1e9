//! Cookies: `_msci`, which names the browser, and `_msci_optout`. What is not a GUID v4 counts as
//! absent.

use crate::effects::Effects;
use crate::guid;
use crate::json::{Value, Writer};

const DAY_S: u64 = 86_400;
const YEAR: &str = "31536000";

/// How the cookies are written.
#[derive(Debug, Default)]
pub(crate) struct Cookies {
    /// Seconds.
    max_age: String,
    attributes: String,
}

impl Cookies {
    /// From the site's settings for cookies.
    pub(crate) fn read(settings: Value, secure: bool) -> Self {
        let mut max_age = Writer::default();
        max_age.push_number(settings.get("maxAgeDays").number().unwrap_or(365).wrapping_mul(DAY_S));
        let mut attributes = String::new();
        if let Some(domain) = settings.get("domain").text() {
            attributes.push_str("; Domain=");
            attributes.push_str(domain);
        }
        if secure {
            attributes.push_str("; Secure");
        }
        Self { max_age: max_age.0, attributes }
    }

    /// Sets the id, and its time to live anew.
    pub(crate) fn set_id(&self, id: &str, out: &mut Effects) {
        self.write("_msci=", id, &self.max_age, out);
    }

    pub(crate) fn remove_id(&self, out: &mut Effects) {
        self.write("_msci=", "", "0", out);
    }

    pub(crate) fn set_opted_out(&self, opted_out: bool, out: &mut Effects) {
        self.write("_msci_optout=", "1", if opted_out { YEAR } else { "0" }, out);
    }

    fn write(&self, name: &str, value: &str, max_age: &str, out: &mut Effects) {
        out.cookie(&[name, value, "; Path=/; SameSite=Lax; Max-Age=", max_age, &self.attributes]);
    }
}

/// The visitor's id in `document.cookie`: the first valid one, since a leftover of another `Domain`
/// must not make a new visitor on every page.
pub(crate) fn find_id(cookies: &str) -> Option<String> {
    find(cookies, "_msci", guid::parse)
}

/// Whether the visitor opted out.
pub(crate) fn opted_out(cookies: &str) -> bool {
    find(cookies, "_msci_optout", |value| (value == "1").then(String::new)).is_some()
}

fn find(cookies: &str, name: &str, read: fn(&str) -> Option<String>) -> Option<String> {
    let mut rest = cookies;
    while !rest.is_empty() {
        let mut value = cut(&mut rest, b';');
        if cut(&mut value, b'=').trim_ascii() == name
            && let Some(found) = read(value.trim_ascii())
        {
            return Some(found);
        }
    }
    None
}

/// What stands before the next separator; `text` goes on after it.
fn cut<'a>(text: &mut &'a str, separator: u8) -> &'a str {
    let end = text.bytes().position(|b| b == separator).unwrap_or(text.len());
    let part = text.get(..end).unwrap_or_default();
    *text = text.get(end + 1..).unwrap_or_default();
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "3f43317e-d1ef-4cd3-9917-2d3342111d1a";

    #[test]
    fn the_id_is_found_among_others() {
        for cookies in [
            "_msci=3f43317e-d1ef-4cd3-9917-2d3342111d1a",
            "a=b; _msci=3f43317e-d1ef-4cd3-9917-2d3342111d1a; c",
            "_msci_v=1; x_msci=2;_msci = 3F43317E-D1EF-4CD3-9917-2D3342111D1A ",
            "_msci=junk; _msci=3f43317e-d1ef-4cd3-9917-2d3342111d1a",
        ] {
            assert_eq!(find_id(cookies).as_deref(), Some(GOOD), "{cookies}");
        }
    }

    #[test]
    fn an_invalid_id_counts_as_absent() {
        let doubled = ["_msci=", GOOD, GOOD].concat();
        for cookies in ["", "_msci", "_msci=", "_msci=null", "x_msci=3f43317e", &doubled] {
            assert_eq!(find_id(cookies), None, "{cookies}");
        }
    }

    #[test]
    fn only_an_explicit_one_is_an_opt_out() {
        assert!(opted_out("a=1; _msci_optout=1"));
        assert!(!opted_out("_msci_optout=0; _msci=1"));
    }

    #[test]
    fn cookies_are_written_with_their_attributes() {
        let mut out = Effects::new();
        Cookies::read(Value("{}"), true).set_id("x", &mut out);
        let settings = Value(r#"{"domain":"shop.example","maxAgeDays":30}"#);
        Cookies::read(settings, false).set_id("x", &mut out);
        Cookies::read(Value("null"), false).remove_id(&mut out);
        assert_eq!(
            out.finish(),
            concat!(
                r#"[["cookie","_msci=x; Path=/; SameSite=Lax; Max-Age=31536000; Secure"],"#,
                r#"["cookie","_msci=x; Path=/; SameSite=Lax; Max-Age=2592000; Domain=shop.example"],"#,
                r#"["cookie","_msci=; Path=/; SameSite=Lax; Max-Age=0"]]"#
            )
        );
    }
}
