//! What belongs to experiences alone: a page to pick elements on, what an experience led to, and who would see it.
//! The page's script fills in what it is given a place for (`www/console`).

use maud::{Markup, html};
use serde_json::json;

use super::Answer;
use super::ask::Visit;
use super::parts::text;
use super::texts::experiences as say;
use crate::error::Result;

/// `GET pick?uri=…`: a page of the site, in a frame.
pub(super) async fn pick(visit: &Visit<'_>) -> Result<Answer> {
    let asked = json!({ "uri": visit.asked("uri"), "pick": true });
    let answer = visit.call("POST", "preview", Some(&asked)).await?;
    Ok(Answer::Frame(text(&answer, "url").to_owned()))
}

/// Below the form of an experience.
pub(super) fn below(name: &str) -> Markup {
    html! {
        section.card { h2 { (say::PREVIEW) } div data-preview {} }
        section.card { h2 { (say::RESULTS) } div data-results=(name) {} }
    }
}
