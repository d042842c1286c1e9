//! What an experience that is saved must keep to, besides compiling: bounds, names that can stand in a marker,
//! selectors that the rewriter knows. What is stored already is not looked at again.

use crate::config::{Action, Bundle, Change, Experience};
use crate::definitions::DefinitionError;
use crate::page::{HOLDOUT, Pattern};
use crate::template::{Sink, Template};
use crate::time::Timestamp;

/// Most experiences: all of a page are in its marker.
pub const EXPERIENCES: usize = 200;
/// Most variants of one.
pub const VARIANTS: usize = 20;
/// Most changes of a variant.
pub const CHANGES: usize = 100;
/// Most pages of an experience.
pub const PAGES: usize = 100;
/// Longest value of a change, in bytes.
pub const VALUE_BYTES: usize = 16 * 1024;
/// Longest selector, in bytes.
pub const SELECTOR_BYTES: usize = 512;
/// Longest name of a variant, in bytes.
const NAME_BYTES: usize = 64;

/// Checks what is new or other than before.
///
/// # Errors
/// With what is wrong first.
pub fn check(next: &Bundle, before: &Bundle) -> Result<(), DefinitionError> {
    if next.experiences.len() > EXPERIENCES.max(before.experiences.len()) {
        let what = "experiences".to_owned();
        return Err(DefinitionError::Invalid {
            what,
            message: format!("there can be {EXPERIENCES} of them"),
        });
    }
    let changed = next.experiences.iter().filter(|(name, now)| before.experiences.get(*name) != Some(*now));
    for (name, experience) in changed {
        one(experience).map_err(|message| {
            let what = format!("experience {name}");
            DefinitionError::Invalid { what, message }
        })?;
    }
    Ok(())
}

fn one(experience: &Experience) -> Result<(), String> {
    at_most("pages", experience.pages.len(), PAGES)?;
    at_most("variants", experience.variants.len(), VARIANTS)?;
    if experience.pages.is_empty() {
        return Err("pages are missing; [\"*\"] stands for all".to_owned());
    }
    if let Some(page) = experience.pages.iter().find(|page| page.contains(['?', '#'])) {
        return Err(format!("the page {page:?} should be a path, without ? and #"));
    }
    let instant = |text: &Option<String>| text.as_deref().and_then(Timestamp::from_rfc3339);
    if instant(&experience.from).zip(instant(&experience.until)).is_some_and(|(from, until)| until <= from) {
        return Err("until should come after from".to_owned());
    }
    for (place, variant) in experience.variants.iter().enumerate() {
        let name = variant.name.as_str();
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !plain || !(1..=NAME_BYTES).contains(&name.len()) || name == HOLDOUT {
            return Err(format!(
                "a variant's name has 1 to 64 letters, digits, - or _, and is not {HOLDOUT}"
            ));
        }
        if experience.variants.iter().take(place).any(|other| other.name == name) {
            return Err(format!("two variants are named {name}"));
        }
    }
    let variants = experience.variants.iter().map(|variant| &variant.changes);
    for changes in variants.chain([&experience.changes]) {
        at_most("changes", changes.len(), CHANGES)?;
        for change in changes {
            of_change(change, &experience.pages)?;
        }
    }
    Ok(())
}

fn at_most(what: &str, many: usize, most: usize) -> Result<(), String> {
    if many > most { Err(format!("{many} {what} are more than {most}")) } else { Ok(()) }
}

fn of_change(change: &Change, pages: &[String]) -> Result<(), String> {
    let value = change.value.as_deref().unwrap_or_default();
    if value.len() > VALUE_BYTES {
        return Err(format!("a value has {VALUE_BYTES} bytes at most"));
    }
    if change.action == Action::Redirect {
        return redirect(value, pages);
    }
    if change.selector.len() > SELECTOR_BYTES {
        return Err(format!("a selector has {SELECTOR_BYTES} bytes at most"));
    }
    selector(&change.selector).map_err(|why| format!("the selector {:?} {why}", change.selector))
}

/// A redirect to a page of the same experience would never end.
fn redirect(value: &str, pages: &[String]) -> Result<(), String> {
    let same = Template::parse(value, Sink::Url).is_ok_and(|template| template.is_plain());
    let path = value.split(['?', '#']).next().unwrap_or_default();
    let own = |page: &String| Pattern::parse(page).is_ok_and(|page| page.matches(path));
    if same && path.starts_with('/') && pages.iter().any(own) {
        return Err(format!("the redirect to {path} leads back to a page of its own"));
    }
    Ok(())
}

/// What the runtime's rewriter knows of selectors: types, classes, ids, attributes, `>` and descent, and these.
const PSEUDO: [&str; 5] = ["nth-child(", "first-child", "nth-of-type(", "first-of-type", "not("];

/// Whether the rewriter can take a selector; what it cannot is left alone by it, silently.
fn selector(text: &str) -> Result<(), &'static str> {
    let (mut brackets, mut parentheses, mut quote) = (0_usize, Vec::new(), None);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == '\\' {
            rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
            continue;
        }
        if quote.is_some() {
            quote = quote.filter(|open| *open != c);
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '[' => brackets += 1,
            ']' => brackets = brackets.checked_sub(1).ok_or("has a bracket too many")?,
            _ if brackets > 0 => {}
            ':' => {
                let known = PSEUDO.iter().find(|name| {
                    rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                });
                let known = known
                    .ok_or("asks for what a page that is still arriving cannot tell (after the colon)")?;
                rest = rest.get(known.trim_end_matches('(').len()..).unwrap_or_default();
                let counts = known.starts_with("nth");
                if known.ends_with('(') {
                    rest = rest.get(1..).unwrap_or_default();
                    parentheses.push(counts);
                }
            }
            '(' => return Err("has a parenthesis where none can stand"),
            ')' => drop(parentheses.pop().ok_or("has a parenthesis too many")?),
            '+' | '~' if parentheses.last() != Some(&true) => {
                return Err("asks for siblings (+ or ~), which a page that is still arriving cannot tell");
            }
            '{' | '}' | ';' | '@' | '<' | '!' | '&' | '%' | '/' | '$' | '?' | '=' | '|' => {
                return Err("is not one");
            }
            _ => {}
        }
    }
    if brackets > 0 || !parentheses.is_empty() || quote.is_some() {
        return Err("does not end");
    }
    if text.trim().starts_with(['>', ',']) || text.trim().ends_with(['>', ',']) {
        return Err("is not one");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
