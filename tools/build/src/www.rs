//! What the console's pages load: one script and one style sheet, under names that are hashes, and the list
//! of those names for the Worker that writes the pages. And the script of pages that elements are picked on, which
//! the edge Worker serves.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Map, Value};

use crate::bytes::hashed_name;
use crate::place::{Place, empty_folder, files_below, read, write};
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

fn bundle(place: &Place) -> Result<()> {
    let folder = place.dist.join("www/assets");
    empty_folder(&folder)?;
    let mut list = Map::new();
    for (stem, ending) in FILES {
        let out = place.stage.join(format!("www/{stem}.{ending}"));
        place.esbuild([
            &format!("www/console/{stem}.{ending}"),
            "--bundle",
            "--minify",
            "--charset=utf8",
            "--format=iife",
            "--target=es2022",
            "--legal-comments=none",
            &format!("--outfile={}", out.display()),
        ])?;
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
