//! What a request and the site's answer to it say of themselves, in their headers.

use wasm_bindgen::prelude::*;
use web_sys::Response;

#[wasm_bindgen(module = "msci:headers")]
extern "C" {
    fn told(of: &JsValue, names: &str) -> String;
}

/// Headers of an answer by their names; empty where there is none.
pub(crate) fn headers<const N: usize>(of: &JsValue, names: &str) -> [String; N] {
    let told = told(of, names);
    let mut lines = told.split('\n').map(str::to_owned);
    std::array::from_fn(|_| lines.next().unwrap_or_default())
}

/// What a request is for, as far as it says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A document: a browser goes there, or a script asks for HTML by name.
    Page,
    /// Whatever there is, as tools, crawlers and old browsers ask: perhaps a page.
    Anything,
    /// No page: an image, data, what a script does not name, a part of something.
    Other,
}

impl Wish {
    pub(crate) fn of(accept: &str, destination: &str, range: &str) -> Self {
        // Less code than a search that is fast in long texts.
        let html = accept.as_bytes().windows(9).any(|part| part == b"text/html");
        let document = matches!(destination, "document" | "iframe" | "frame" | "embed" | "object");
        if !range.is_empty() {
            Self::Other
        } else if html || document {
            Self::Page
        } else if destination.is_empty() && matches!(accept, "" | "*/*") {
            Self::Anything
        } else {
            Self::Other
        }
    }
}

/// What there is to be done with an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// HTML that can be rewritten.
    Page,
    /// HTML in a charset that reuses bytes of ASCII for other characters: the rewriter reads bytes as ASCII.
    Foreign,
    /// No whole page.
    Other,
}

impl Kind {
    pub(crate) fn of(status: u16, content_type: &str) -> Self {
        let content_type = content_type.to_ascii_lowercase();
        if status != 200 || !content_type.trim_start().starts_with("text/html") {
            return Self::Other;
        }
        let charset = content_type.split("charset=").nth(1).map(|c| c.trim_matches(['"', '\'', ' ', ';']));
        let known = charset.is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii", "iso-8859-", "windows-125"]
                .iter()
                .any(|known| charset.starts_with(known))
        });
        if known { Self::Page } else { Self::Foreign }
    }
}

/// Who may keep an answer.
pub(crate) struct Caching {
    control: String,
    /// Other headers let shared caches keep it.
    shared: bool,
}

impl Caching {
    pub(crate) fn of(response: &Response) -> Self {
        // Those behind the first speak past it, to one kind of shared cache each (`OF_COPIES` in `js/rewriter.js`).
        let [control, others @ ..]: [_; 5] = headers(
            response,
            "cache-control expires surrogate-control cdn-cache-control cloudflare-cdn-cache-control",
        );
        Self { control, shared: others.iter().any(|other| !other.is_empty()) }
    }

    fn says(&self, words: &[&str]) -> bool {
        let control = self.control.to_ascii_lowercase();
        words.iter().any(|word| control.contains(word))
    }

    /// Whether only this browser keeps it.
    pub(crate) fn is_private(&self) -> bool {
        !(self.shared
            || self.says(&["public", "s-maxage", "stale-while-revalidate"])
            || self.says(&["max-age"]) && !self.says(&["private"]))
    }

    /// `Cache-Control` that says so, where it does not yet.
    pub(crate) fn made_private(self) -> Option<String> {
        if self.says(&["private", "no-store"]) {
            return None;
        }
        let control = self.control;
        Some(if control.is_empty() { "private".to_owned() } else { format!("{control}, private") })
    }
}
