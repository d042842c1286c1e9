//! What becomes of a page, in the words that `js/rewriter.js` carries out.

use msci_core::page::{self, Edit, Exposure};
use worker::Env;

use crate::names;

/// Of changes: they are one visitor's alone.
const PERSONAL: &str = "personal";
/// Nobody's to keep.
pub(super) const PRIVATE: &str = "private, no-store";

/// What becomes of a page, carried out by `js/rewriter.js`.
#[derive(Default)]
pub(crate) struct Changes<'a> {
    exposures: &'a [Exposure],
    /// HTML of ours for the head.
    pub(crate) head: String,
    /// It is one visitor's alone, and says so.
    pub(super) personal: bool,
    /// `Cache-Control`; empty where it stays.
    pub(super) control: String,
    /// `Set-Cookie`.
    pub(super) cookies: Vec<String>,
    /// Another page in its place.
    pub(super) location: Option<&'a str>,
}

impl<'a> Changes<'a> {
    /// The edits of all exposures, and the marker that says which they are, and what a redirect on the way here showed.
    pub(crate) fn of(exposures: &'a [Exposure], carried: Option<&str>) -> Self {
        let mut changes = Self { exposures, ..Self::default() };
        if !exposures.is_empty() || carried.is_some() {
            let marker = attribute(&page::marker(exposures, carried));
            changes.head = ["<meta name=\"msci-x\" content=\"", &marker, "\">"].concat();
            changes.personal = true;
            PRIVATE.clone_into(&mut changes.control);
        }
        changes
    }

    /// A line each: `personal` or nothing, `Cache-Control`, location, head, edits in JSON, and a line for every cookie.
    /// None where there is nothing.
    pub(crate) fn told(&self) -> Option<String> {
        let Self { exposures, head, personal, control, cookies, location } = self;
        let location = location.unwrap_or_default();
        // No header could hold a location of two lines.
        if head.is_empty() && control.is_empty() && cookies.is_empty() || location.contains('\n') {
            return None;
        }
        let edits: Vec<&Edit> = exposures.iter().flat_map(|exposure| &exposure.changes).collect();
        let edits = serde_json::to_string(&edits).ok()?;
        let personal = if *personal { PERSONAL } else { "" };
        let mut told = [personal, control, location, head, &edits].join("\n");
        for cookie in cookies {
            told.push('\n');
            told.push_str(cookie);
        }
        Some(told)
    }
}

/// The tracking script as an element, the same for every visitor, with the nonce that the page's own policies ask for.
pub(super) fn script(env: &Env, policies: &str) -> String {
    let nonce = page::script_nonce(policies);
    let nonce = nonce.map(|nonce| [" nonce=\"", nonce, "\""].concat()).unwrap_or_default();
    let key = attribute(&names::var(env, names::VAR_INGESTION_KEY));
    let prefix = names::PREFIX;
    format!("<script src=\"{prefix}/msci.js\" data-ingestion-key=\"{key}\" async{nonce}></script>")
}

pub(crate) fn attribute(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '<' => safe.push_str("&lt;"),
            '\n' => safe.push_str("&#10;"),
            c => safe.push(c),
        }
    }
    safe
}
