//! What all pages have around them, and what all answers have in common.

use maud::{DOCTYPE, Markup, Render as _, html};
use msci_core::access::{Role, of_page};
use msci_core::json;
use worker::{Response, ResponseBuilder};

use super::ROOT;
use super::parts::text;
use super::texts::{experiences, layout as say};
use crate::error::Result;
use crate::{assets, names};

/// Nothing from elsewhere, and no code or style in a page's own text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; ";
/// Nobody shows a page of the console in a frame; pages of it show the one that is made for that, and no other.
const ALONE: &str = "frame-src 'self'; frame-ancestors 'none'";

/// Every page of the navigation: its address, and how people call it.
const PAGES: [(&str, &str); 14] = [
    ("", say::HOME),
    ("tracking", say::TRACKING),
    ("customers", say::CUSTOMERS),
    ("tables", say::TABLES),
    ("measures", say::MEASURES),
    ("segments", say::SEGMENTS),
    ("experiences", say::EXPERIENCES),
    ("activations", say::ACTIVATIONS),
    ("live", say::LIVE),
    ("jobs", say::JOBS),
    ("privacy", say::PRIVACY),
    ("tokens", say::TOKENS),
    ("audit", say::AUDIT),
    ("sign-out", say::SIGN_OUT),
];

/// Address of a page.
pub(super) fn to(path: &str) -> String {
    format!("{}{ROOT}{path}", names::PREFIX)
}

/// A page with the navigation of whoever has this role; `at` is where in it.
pub(super) fn page(status: u16, role: Role, at: &str, title: &Markup, body: &Markup) -> Result<Response> {
    document(
        status,
        title,
        &html! {
            a.skip href="#main" { (say::SKIP) }
            div.frame {
                nav.side aria-label=(say::CONSOLE) {
                    p.brand { "MSCI" }
                    ul {
                        @for (path, name) in PAGES.iter().filter(|(path, _)| role >= of_page(&[path])) {
                            li { a href=(to(path)) aria-current=[(*path == at).then_some("page")] { (name) } }
                        }
                    }
                }
                main #main tabindex="-1" { h1 { (title) } (body) }
            }
        },
        ALONE,
    )
}

/// A page that pages of the console show in a frame, with one of the site in it: sandboxed, and the only origin that
/// its policy lets in. It hands on what is picked there.
pub(super) fn frame(of: &str) -> Result<Response> {
    let origin = web_sys::Url::new(of)?.origin();
    let body = html! { iframe.picked data-src=(of) sandbox="allow-scripts" title=(experiences::SITE) referrerpolicy="no-referrer" {} };
    let framed = format!("frame-src {origin}; frame-ancestors 'self'");
    document(200, &experiences::PICK.render(), &body, &framed)
}

/// A part of a page that is there already.
pub(super) fn part(body: Markup) -> Result<Response> {
    html(200, ALONE, body)
}

/// A page without one.
pub(super) fn alone(status: u16, title: &Markup, body: &Markup) -> Result<Response> {
    document(
        status,
        title,
        &html! { a.skip href="#main" { (say::SKIP) } main.alone #main tabindex="-1" { h1 { (title) } (body) } },
        ALONE,
    )
}

/// What could not be done, in words.
pub(super) fn fault(status: u16, role: Role, words: &str) -> Result<Response> {
    let title = match status {
        403 => say::NOT_ALLOWED,
        404 => say::NOT_FOUND,
        _ => say::NOT_WORKED,
    };
    let words = html! {
        div.note.bad role="alert" { p { (words) } }
        p { a href=(to("")) { (say::HOME) } }
    };
    page(status, role, "none", &title.render(), &words)
}

fn document(status: u16, title: &Markup, body: &Markup, framing: &str) -> Result<Response> {
    let files = json::value(&assets::text("www.json")?)?;
    let file = |ending: &str| to(&format!("assets/{}", text(&files, ending)));
    html(
        status,
        framing,
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (say::Title { page: title }) }
                    link rel="stylesheet" href=(file("css"));
                    script src=(file("js")) defer {}
                    // Nobody asks for an icon that is not there.
                    link rel="icon" href="data:,";
                }
                body { (body) }
            }
        },
    )
}

/// An answer of ours; who frames whom is said by the end of its policy.
pub(super) fn html(status: u16, framing: &str, body: Markup) -> Result<Response> {
    let builder = ResponseBuilder::new()
        .with_status(status)
        .with_header("Content-Type", "text/html; charset=utf-8")?
        .with_header("Cache-Control", "no-store")?
        .with_header("Content-Security-Policy", &format!("{POLICY}{framing}"))?
        // Not less: a form's own origin would be hidden from us too.
        .with_header("Referrer-Policy", "same-origin")?
        .with_header("Cross-Origin-Opener-Policy", "same-origin")?
        .with_header("X-Content-Type-Options", "nosniff")?;
    Ok(builder.fixed(body.into_string().into_bytes()))
}

/// Sends the browser to a page of the console, and nowhere else.
pub(super) fn see(path: &str) -> Result<Response> {
    let builder = ResponseBuilder::new()
        .with_status(303)
        .with_header("Cache-Control", "no-store")?
        .with_header("Location", &to(path))?;
    Ok(builder.empty())
}
