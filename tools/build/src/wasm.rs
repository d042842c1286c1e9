//! From cargo's WebAssembly to what ships: bindings generated, unused exports taken away, code optimised,
//! names stripped.

use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::place::{Place, empty_folder, read, write};
use crate::snip::snip;

/// What the two halves need differently.
pub(crate) enum Target {
    /// ES module that takes the compiled WebAssembly as an argument.
    Browser,
    /// ES module that imports the compiled WebAssembly, and can start over after a panic.
    Worker,
}

/// What browsers of the last years and the Worker runtime all read, by name: "all features" means
/// encodings that neither accepts.
const FEATURES: [&str; 6] = [
    "mutable-globals",
    "sign-ext",
    "nontrapping-float-to-int",
    "bulk-memory",
    "multivalue",
    "reference-types",
];

/// Writes `<name>.js`, `<name>_bg.wasm`, not optimised yet, and their snippets into the emptied folder `out`.
pub(crate) fn bind(wasm: &Path, out: &Path, name: &str, target: &Target) -> Result<()> {
    empty_folder(out)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(wasm).out_name(name).typescript(false).remove_producers_section(true);
    match target {
        // `snip` knows functions by the names that compilers give them.
        Target::Browser => bindgen.web(true)?.demangle(false),
        Target::Worker => bindgen
            .module(true)?
            // Both, or nothing can replace an instance that panicked.
            .reset_state_function(true)
            .force_enable_abort_handler(true),
    };
    bindgen.generate(out).context("wasm-bindgen")
}

/// Takes away the exports that no JavaScript names: classes of the crates that nobody uses keep all their
/// code alive. `script` is the bundle, from which they are gone.
pub(crate) fn forget_exports(file: &Path, script: &str, out: &Path) -> Result<()> {
    let mut module = walrus::Module::from_file(file)?;
    let unused = module.exports.iter().filter(|export| !script.contains(&export.name));
    let unused: Vec<_> = unused.map(walrus::Export::id).collect();
    for export in unused {
        module.exports.delete(export);
    }
    module.emit_wasm_file(out)
}

/// Optimises for size and strips names; `to` may be the same file.
pub(crate) fn optimise(place: &Place, from: &Path, to: &Path, target: &Target) -> Result<()> {
    let mut args: Vec<String> = FEATURES.map(|name| format!("--enable-{name}")).into();
    match target {
        Target::Browser => {
            write(from, snip(&read(from)?)?)?;
            // The first kilobyte is the end of the stack.
            args.push("--low-memory-unused".into());
            // In order of their names, what is alike is side by side, where brotli sees it. Control flow is
            // made anew, and the second round finds what the first made alike.
            args.extend(
                ["--reorder-functions-by-name", "--flatten", "--rereloop", "-Oz", "-Oz"].map(String::from),
            );
        }
        Target::Worker => args.extend([
            // The generator wraps imports that may throw in exception handling.
            "--enable-exception-handling".into(),
            // The second round finds what the first made alike.
            "-Os".into(),
            "-Os".into(),
            // What is alike has like names: side by side gzip sees it, and the Worker is 6 KB smaller.
            "--reorder-functions-by-name".into(),
        ]),
    }
    args.extend(["--strip-debug".into(), "--strip-producers".into()]);
    args.push("--strip-target-features".into());
    args.push("-o".into());
    args.push(to.display().to_string());
    args.push(from.display().to_string());
    place.wasm_opt(&args)
}
