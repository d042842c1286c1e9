//! The browser half. `msci.js` names the hashed files, so these can be cached for ever and it cannot.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::bytes::{brotli, gzip, hashed_name, integrity};
use crate::place::{Place, empty_folder, files_below, read, read_text, write};
use crate::stamp::{Inputs, step};
use crate::wasm::{Target, bind, forget_exports, optimise};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The loader is pasted into every page of a site.
const LOADER_LIMIT: usize = 700;

pub(crate) fn build(place: &Place) -> Result<()> {
    let wasm = place.compile("msci-sdk", &[], "msci_sdk")?;
    let sdk = place.dist.join("sdk");
    let optimised = sdk.join("pkg/msci_sdk_bg.wasm");

    let caller = place.root.join("sdk/js/module.js");

    let mut inputs = Inputs::new(place)?;
    inputs.files(&[wasm.clone(), caller.clone()])?;
    let outputs = [optimised.clone()];
    step(place, "sdk-bindings", inputs, &outputs, || {
        bind(&wasm, &sdk.join("pkg"), "msci_sdk", &Target::Browser)?;
        forget_exports(&optimised, &read_text(&caller)?, &optimised)?;
        optimise(place, &optimised, &optimised, &Target::Browser)
    })?;

    let mut inputs = Inputs::new(place)?;
    inputs.files(&files_below(&sdk.join("pkg"))?)?;
    inputs.files(&files_below(&place.root.join("sdk/js"))?)?;
    let outputs = ["msci.js", "loader.js", "gtm.js", "guard.js", "manifest.json"].map(|name| sdk.join(name));
    step(place, "sdk-assets", inputs, &outputs, || assets(place, &sdk, &optimised))
}

/// `{ "version", "files": { "<name>": { "integrity", "bytes", "brotli", "gzip" } } }`
pub(crate) fn manifest(place: &Place) -> PathBuf {
    place.dist.join("sdk/manifest.json")
}

fn assets(place: &Place, sdk: &Path, optimised: &Path) -> Result<()> {
    let folder = sdk.join("assets");
    empty_folder(&folder)?;

    let wasm = read(optimised)?;
    let wasm_name = hashed_name("sdk", "wasm", &wasm);
    let mut tokens =
        vec![("__MSCI_VERSION__", VERSION.to_owned()), ("__MSCI_WASM_FILE__", wasm_name.clone())];

    // Browsers that are too old for the WebAssembly half still have its stand-in.
    let modules = ["--format=esm", "--target=es2020", "--external:./__MSCI_FALLBACK_FILE__"];
    let fallback = replace(bundle(place, "fallback.js", &modules)?, &tokens);
    let fallback_name = hashed_name("fallback", "js", fallback.as_bytes());
    tokens.push(("__MSCI_FALLBACK_FILE__", fallback_name.clone()));
    let module = replace(bundle(place, "sdk.js", &modules)?, &tokens);
    let module_name = hashed_name("sdk", "js", module.as_bytes());
    tokens.push(("__MSCI_SDK_FILE__", module_name.clone()));
    let apply = replace(bundle(place, "apply.js", &modules)?, &tokens);
    let apply_name = hashed_name("apply", "js", apply.as_bytes());
    tokens.push(("__MSCI_APPLY_FILE__", apply_name.clone()));

    let consent = bundle(place, "consent.js", &modules)?;
    let consent_name = hashed_name("consent", "js", consent.as_bytes());
    tokens.push(("__MSCI_CONSENT_FILE__", consent_name.clone()));

    // Classic scripts that still run, and still deliver, where WebAssembly does not.
    let classic = ["--format=iife", "--target=es2017"];
    let script = replace(bundle(place, "msci.js", &classic)?, &tokens);
    ensure!(
        script.contains("\"__MSCI_SETTINGS__\""),
        "sdk/js/msci.js has no place for the settings, the string __MSCI_SETTINGS__"
    );
    let loader = expression(place, "loader.js", "es2017")?;
    ensure!(
        loader.len() <= LOADER_LIMIT,
        "the loader has {} bytes, the limit is {LOADER_LIMIT}",
        loader.len()
    );

    let mut files = Map::new();
    let assets = [
        (module_name, module.into_bytes()),
        (fallback_name, fallback.into_bytes()),
        (apply_name, apply.into_bytes()),
        (consent_name, consent.into_bytes()),
        (wasm_name, wasm),
    ];
    for (name, bytes) in assets {
        let (brotli, gzip) = (brotli(&bytes)?, gzip(&bytes)?);
        let entry = json!({
            "integrity": integrity(&bytes),
            "bytes": bytes.len(), "brotli": brotli.len(), "gzip": gzip.len(),
        });
        write(&folder.join(&name), bytes)?;
        write(&folder.join(format!("{name}.br")), brotli)?;
        write(&folder.join(format!("{name}.gz")), gzip)?;
        files.insert(name, entry);
    }
    write(&sdk.join("msci.js"), script)?;
    write(&sdk.join("loader.js"), loader)?;
    // Tag managers read what their compilers read; the guard is for the head of a page, like the loader.
    write(&sdk.join("gtm.js"), expression(place, "gtm.js", "es5")?)?;
    write(&sdk.join("guard.js"), expression(place, "guard.js", "es2017")?)?;
    let manifest_text = json!({ "version": VERSION, "files": Value::Object(files) });
    write(&manifest(place), serde_json::to_string(&manifest_text)?)
}

fn bundle(place: &Place, file: &str, args: &[&str]) -> Result<String> {
    let out = place.stage.join("sdk").join(file);
    let mut all = vec![
        format!("sdk/js/{file}"),
        "--bundle".into(),
        "--minify".into(),
        "--charset=utf8".into(),
        format!("--outfile={}", out.display()),
    ];
    all.extend(args.iter().map(|&arg| arg.to_owned()));
    place.esbuild(&all)?;
    // Once more: the bundler does not look beyond an expression, and this is 200 bytes (brotli) of the SDK.
    let out = out.display().to_string();
    let mut all = vec![out.as_str(), "--compress", "passes=3", "--mangle", "--output", out.as_str()];
    all.extend(if args.contains(&"--format=esm") {
        ["--module", "--ecma", "2020"]
    } else {
        ["--toplevel", "--ecma", "2017"]
    });
    place.terser(all)?;
    read_text(Path::new(&out))
}

/// What is pasted into pages is one expression, a function that is called there. As a statement of its own the
/// minifier would drop it as dead code, hence the `export default` around the work.
fn expression(place: &Place, file: &str, target: &str) -> Result<String> {
    let source = place.root.join("sdk/js").join(file);
    let module = place.stage.join(format!("sdk/{file}.in.mjs"));
    let out = place.stage.join("sdk").join(file);
    write(&module, format!("export default {}", read_text(&source)?))?;
    place.esbuild([
        &module.display().to_string(),
        "--minify",
        "--charset=utf8",
        &format!("--target={target}"),
        &format!("--outfile={}", out.display()),
    ])?;
    let text = read_text(&out)?;
    let expression = text.strip_prefix("export default");
    let expression = expression.with_context(|| format!("sdk/js/{file} is not one expression"))?;
    Ok(expression.trim().trim_end_matches(';').to_owned())
}

fn replace(text: String, tokens: &[(&str, String)]) -> String {
    tokens.iter().fold(text, |text, (token, value)| text.replace(token, value))
}
