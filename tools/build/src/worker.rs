//! The edge half, as three scripts: of each one module, the WebAssembly beside it, and every file that it serves
//! itself as a data module, already compressed, so that serving one is handing over bytes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::bytes::{brotli, gzip};
use crate::place::{Place, empty_folder, files_below, read, read_text, write};
use crate::sdk;
use crate::stamp::{Inputs, step};
use crate::wasm::{Target, bind, forget_exports, optimise};

/// One of the scripts.
pub(crate) struct Script {
    /// Name of its entry in `edge-worker/js`, its cargo feature, and its steps.
    name: &'static str,
    /// What cargo makes of it.
    program: &'static str,
    /// Folder below `dist`.
    folder: &'static str,
    /// Files that it serves: names below `dist`, a folder for all that is in it.
    serves: &'static [&'static str],
}

/// In front of every visitor; for people, who ask for the tracking script; and for programs.
pub(crate) const SCRIPTS: [Script; 3] = [
    Script {
        name: "edge",
        program: "msci-edge",
        folder: "worker",
        serves: &["sdk/assets", "sdk/manifest.json", "sdk/msci.js", "www/pick.js"],
    },
    Script {
        name: "console",
        program: "msci-console",
        folder: "console",
        serves: &[
            "sdk/gtm.js",
            "sdk/guard.js",
            "sdk/loader.js",
            "www/assets",
            "www/www.json",
            "www/tokens/msci.php",
            "www/tokens/token.cs",
            "www/tokens/token.mjs",
            "www/tokens/token.py",
        ],
    },
    Script { name: "api", program: "msci-api", folder: "api", serves: &[] },
];

impl Script {
    /// Where it stands when it is built.
    pub(crate) fn out(&self, place: &Place) -> PathBuf {
        place.dist.join(self.folder)
    }

    /// How people call it.
    pub(crate) fn title(&self) -> String {
        format!("{} Worker", self.name)
    }
}

pub(crate) fn build(place: &Place) -> Result<()> {
    SCRIPTS.iter().try_for_each(|script| build_script(place, script))
}

fn build_script(place: &Place, script: &Script) -> Result<()> {
    let Script { name, program, .. } = script;
    let part = ["--bin", program, "--no-default-features", "--features", name];
    let wasm = place.compile("msci-edge-worker", &part, program)?;
    let glue = place.stage.join(name);
    let index = glue.join("index.js");

    let mut inputs = Inputs::new(place)?;
    inputs.file(&wasm)?;
    step(place, &format!("{name}-bindings"), inputs, std::slice::from_ref(&index), || {
        bind(&wasm, &glue, "index", &Target::Worker)?;
        // The runtime takes WebAssembly from a plain import; source phase imports are not in it yet.
        let text = read_text(&index)?.replace("import source ", "import ");
        write(&index, text)
    })?;

    let out = script.out(place);
    let mut inputs = Inputs::new(place)?;
    inputs.files(&files_below(&glue)?)?;
    let js = place.root.join("edge-worker/js");
    inputs.files(&files_below(&js)?)?;
    let served = served(place, script)?;
    for file in &served {
        inputs.file(&file.path)?;
    }
    let bundle = out.join("index.js");
    step(place, &format!("{name}-bundle"), inputs, std::slice::from_ref(&bundle), || {
        empty_folder(&out)?;
        let table = place.stage.join(format!("{name}_assets.mjs"));
        write(&table, table_of_assets(&out, &served)?)?;
        place.esbuild([
            &format!("edge-worker/js/{name}.mjs"),
            "--bundle",
            "--minify",
            "--format=esm",
            "--target=es2022",
            &format!("--alias:msci:glue={}", index.display()),
            &format!("--alias:msci:assets={}", table.display()),
            // Not local modules of the Worker's crate: those could not import each other.
            &format!("--alias:msci:crawlers={}", js.join("crawlers.js").display()),
            &format!("--alias:msci:picker={}", js.join("picker.js").display()),
            &format!("--alias:msci:headers={}", js.join("headers.js").display()),
            &format!("--alias:msci:transaction={}", js.join("transaction.js").display()),
            &format!("--alias:msci:unpack={}", js.join("unpack.js").display()),
            // Of the generated classes only those stay that are used.
            "--define:Symbol.dispose=undefined",
            "--pure:FinalizationRegistry",
            "--external:./index_bg.wasm",
            "--external:./assets/*",
            "--external:cloudflare:*",
            &format!("--outfile={}", bundle.display()),
        ])
    })?;

    let bound = glue.join("index_bg.wasm");
    let used = place.stage.join(format!("{name}_used.wasm"));
    let mut inputs = Inputs::new(place)?;
    inputs.files(&[bound.clone(), bundle.clone()])?;
    step(place, &format!("{name}-exports"), inputs, std::slice::from_ref(&used), || {
        forget_exports(&bound, &read_text(&bundle)?, &used)
    })?;

    let optimised = place.stage.join(format!("{name}_optimised.wasm"));
    let mut inputs = Inputs::new(place)?;
    inputs.file(&used)?;
    step(place, &format!("{name}-optimise"), inputs, std::slice::from_ref(&optimised), || {
        optimise(place, &used, &optimised, &Target::Worker)
    })?;
    std::fs::copy(&optimised, out.join("index_bg.wasm")).context("cannot copy the optimised file")?;
    Ok(())
}

/// A file that a script serves.
struct Served {
    path: PathBuf,
    name: String,
    /// Its name is a hash of its contents; it is also kept compressed, since it is sent as it is.
    immutable: bool,
}

fn served(place: &Place, script: &Script) -> Result<Vec<Served>> {
    if !sdk::manifest(place).exists() {
        eprintln!(
            "build: the SDK is not built, so the {} has none of it (build `sdk` or `all`)",
            script.title()
        );
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for name in script.serves {
        let path = place.dist.join(name);
        if !path.is_dir() {
            files.push(Served::new(path, false)?);
            continue;
        }
        for path in files_below(&path)? {
            // The compressed variants are made again from the file.
            if !path.extension().is_some_and(|end| end == "br" || end == "gz") {
                files.push(Served::new(path, true)?);
            }
        }
    }
    Ok(files)
}

impl Served {
    fn new(path: PathBuf, immutable: bool) -> Result<Self> {
        let name = path.file_name().context("a file without a name")?;
        Ok(Self { name: name.to_string_lossy().into_owned(), path, immutable })
    }

    fn media_type(&self) -> Result<&'static str> {
        Ok(match self.path.extension().and_then(|end| end.to_str()) {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("wasm") => "application/wasm",
            Some("json") => "application/json; charset=utf-8",
            Some("cs" | "mjs" | "php" | "py") => "text/plain; charset=utf-8",
            _ => bail!("{} has no known media type", self.name),
        })
    }
}

/// Writes the data modules into `out/assets` and returns the module that `msci:assets` stands for.
fn table_of_assets(out: &Path, served: &[Served]) -> Result<String> {
    let mut imports = String::new();
    let mut rows = String::new();
    let mut count = 0;
    let mut data = |file: String, bytes: &[u8]| -> Result<String> {
        write(&out.join("assets").join(&file), bytes)?;
        count += 1;
        let variable = format!("data{count}");
        writeln!(imports, "import {variable} from \"./assets/{file}\";")?;
        Ok(variable)
    };
    for file in served {
        let Served { name, immutable, .. } = file;
        let bytes = read(&file.path)?;
        let raw = data(format!("{name}.bin"), &bytes)?;
        write!(rows, "  \"{name}\": {{ type: \"{}\"", file.media_type()?)?;
        write!(rows, ", immutable: {immutable}, raw: {raw}")?;
        if *immutable {
            let br = data(format!("{name}.br.bin"), &brotli(&bytes)?)?;
            let gz = data(format!("{name}.gz.bin"), &gzip(&bytes)?)?;
            write!(rows, ", brotli: {br}, gzip: {gz}")?;
        }
        rows.push_str(" },\n");
    }
    Ok(format!(
        "{imports}const table = {{\n{rows}}};\n\
         export function asset(name) {{ return Object.hasOwn(table, name) ? table[name] : undefined; }}\n"
    ))
}
