//! Makes Rust of `www/console/texts.json`: a module for each group of texts that the script says. A text is a constant;
//! one with places in it is a struct with a field for each: a text or place that is missing or misspelt does not compile,
//! one that nobody uses is dead code. On pages of the console it becomes markup, and what stands in a place is escaped by
//! maud unless it is markup already; elsewhere it becomes text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::{env, error::Error, fs, path::Path};

use serde_json::{Map, Value};

const TEXTS: &str = "../www/console/texts.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let (part, kind) = match (has("CONSOLE"), has("EDGE")) {
        (true, _) => ("pages", Kind::Markup),
        (_, true) => ("site", Kind::Text),
        // The other script says nothing, and is not built anew for a text.
        _ => return Ok(()),
    };
    println!("cargo::rerun-if-changed={TEXTS}");
    let read: Value = serde_json::from_str(&fs::read_to_string(TEXTS)?)?;
    let groups = read.get(part).and_then(Value::as_object).ok_or_else(|| format!("there is no {part}"))?;
    let mut made = String::new();
    for (group, texts) in groups {
        let texts = texts.as_object().ok_or_else(|| format!("{group} is no group"))?;
        writeln!(made, "/// Texts of `{group}`.\npub(super) mod {} {{", words(group).join("_"))?;
        for (key, text) in texts {
            made += &item(key, text, kind).ok_or_else(|| format!("{group}.{key} is no text"))?;
        }
        made += "}\n";
    }
    fs::write(Path::new(&env::var_os("OUT_DIR").ok_or("cargo names no folder")?).join("texts.rs"), made)?;
    Ok(())
}

/// What a text with places becomes.
#[derive(Clone, Copy)]
enum Kind {
    Markup,
    Text,
}

fn item(key: &str, text: &Value, kind: Kind) -> Option<String> {
    match text {
        Value::String(text) if places(text).is_empty() => {
            let name = words(key).join("_").to_uppercase();
            Some(format!("/// A text.\npub(in super::super) const {name}: &str = {text:?};\n"))
        }
        Value::String(text) => Some(filled(key, &places(text), &splices(text, kind), kind)),
        Value::Object(forms) => plural(key, forms, kind),
        _ => None,
    }
}

/// A text that hangs on a number.
fn plural(key: &str, forms: &Map<String, Value>, kind: Kind) -> Option<String> {
    let form = |name| forms.get(name).and_then(Value::as_str);
    let (one, other) = (form("one")?, form("other")?);
    let places: BTreeSet<_> = places(one).into_iter().chain(places(other)).collect();
    let (one, other) = (splices(one, kind), splices(other, kind));
    let body = format!("if self.count == 1 {{ {one} }} else {{ {other} }}");
    places.contains("count").then(|| filled(key, &places, &body, kind))
}

/// A struct with a field for each place.
fn filled(key: &str, places: &BTreeSet<&str>, body: &str, kind: Kind) -> String {
    let name: String = words(key).iter().map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let visible = "pub(in super::super)";
    let taken = match kind {
        Kind::Markup => "maud::Render",
        Kind::Text => "std::fmt::Display",
    };
    let fields: String = places
        .iter()
        .map(|place| match *place {
            "count" => format!("{visible} count: u64, "),
            place => format!("{visible} {place}: &'a dyn {taken}, "),
        })
        .collect();
    let only_count = places.iter().all(|place| *place == "count");
    let (given, any) = if only_count { ("", "") } else { ("<'a>", "<'_>") };
    let how = match kind {
        Kind::Markup => format!("fn render_to(&self, to: &mut String) {{ {body} }}"),
        Kind::Text => {
            format!("fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{ {body} Ok(()) }}")
        }
    };
    format!(
        "/// A text with places.\n{visible} struct {name}{given} {{ {fields}}}\n\
         impl {taken} for {name}{any} {{ {how} }}\n"
    )
}

/// Text and places, one after the other.
fn splices(text: &str, kind: Kind) -> String {
    let said = |text: &str| match kind {
        _ if text.is_empty() => String::new(),
        Kind::Markup => format!("*to += {:?}; ", escaped(text)),
        Kind::Text => format!("to.write_str({text:?})?; "),
    };
    let put = |place: &str| match (kind, place) {
        (Kind::Markup, "count") => "maud::Render::render_to(&self.count, to); ".to_owned(),
        (Kind::Markup, place) => format!("self.{place}.render_to(to); "),
        (Kind::Text, place) => format!("self.{place}.fmt(to)?; "),
    };
    parts(text).map(|(text, place)| said(text) + &place.map(put).unwrap_or_default()).collect()
}

/// As maud escapes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn places(text: &str) -> BTreeSet<&str> {
    parts(text).filter_map(|(_, place)| place).collect()
}

/// Each place with the text before it, and what is behind the last. Other braces are text.
fn parts(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let all = rest?;
        let place = all.match_indices('{').find_map(|(at, _)| {
            let (name, _) = all[at + 1..].split_once('}')?;
            (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some((at, name))
        });
        rest = place.map(|(at, name)| &all[at + name.len() + 2..]);
        Some(place.map_or((all, None), |(at, name)| (&all[..at], Some(name))))
    })
}

/// The words of a name in camel case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words
}
