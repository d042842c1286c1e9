//! What the console's pages load: one script and one style sheet, under names that are hashes, and the list
//! of those names for the Worker that writes the pages. And the script of pages that elements are picked on, which
//! the edge Worker serves.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use crate::bytes::hashed_name;
use crate::place::{Place, empty_folder, files_below, read, read_text, write};
use crate::stamp::{Inputs, step};

/// Sources below `www/console`, each a file of its own.
const FILES: [(&str, &str); 2] = [("console", "js"), ("console", "css")];

/// The plugin of the example, as people copy it.
const PLUGIN: &str = "examples/wordpress/msci.php";

pub(crate) fn build(place: &Place) -> Result<()> {
    let mut inputs = Inputs::new(place)?;
    inputs.files(&files_below(&place.root.join("www/console"))?)?;
    inputs.files(&files_below(&place.root.join("www/pick"))?)?;
    inputs.files(&[place.root.join("package-lock.json"), place.root.join(PLUGIN)])?;
    step(place, "www", inputs, &[names(place)], || bundle(place))
}

/// `{ "js": "<name>", "css": "<name>" }`
fn names(place: &Place) -> PathBuf {
    place.dist.join("www/www.json")
}

/// The texts of the console as its scripts see them: `texts.group.key` becomes what it says, `texts.group` all of
/// them by key. So a script has those that it uses, and no more.
fn texts(place: &Place) -> Result<Vec<String>> {
    let read: Value = serde_json::from_str(&read_text(&place.root.join("www/console/texts.json"))?)?;
    let mut defined = Vec::new();
    for half in ["pages", "scripts"] {
        for (group, texts) in read.get(half).and_then(Value::as_object).context("texts.json lacks a half")? {
            defined.push(format!("--define:texts.{group}={texts}"));
            for (key, text) in texts.as_object().context("texts.json has a group of no texts")? {
                defined.push(format!("--define:texts.{group}.{key}={text}"));
            }
        }
    }
    Ok(defined)
}

fn bundle(place: &Place) -> Result<()> {
    let texts = texts(place)?;
    let folder = place.dist.join("www/assets");
    empty_folder(&folder)?;
    let mut list = Map::new();
    for (stem, ending) in FILES {
        let out = place.stage.join(format!("www/{stem}.{ending}"));
        let (from, to) = (format!("www/console/{stem}.{ending}"), format!("--outfile={}", out.display()));
        let plain = [
            &from,
            "--bundle",
            "--minify",
            "--charset=utf8",
            "--format=iife",
            "--target=es2022",
            "--legal-comments=none",
            &to,
        ];
        place.esbuild(plain.into_iter().chain(texts.iter().map(String::as_str)))?;
        let bytes = read(&out)?;
        let name = hashed_name(stem, ending, &bytes);
        write(&folder.join(&name), bytes)?;
        list.insert(ending.to_owned(), name.into());
    }
    place.esbuild([
        "www/pick/pick.js",
        "--bundle",
        "--minify",
        "--charset=utf8",
        "--format=iife",
        "--target=es2022",
        &format!("--outfile={}", place.dist.join("www/pick.js").display()),
    ])?;
    // What its pages show as it is.
    let tokens = place.dist.join("www/tokens");
    empty_folder(&tokens)?;
    for path in files_below(&place.root.join("www/console/tokens"))? {
        write(&tokens.join(path.file_name().unwrap_or_default()), read(&path)?)?;
    }
    write(&tokens.join("msci.php"), read(&place.root.join(PLUGIN))?)?;
    write(&names(place), Value::Object(list).to_string())
}
