//! From cargo's WebAssembly to what ships: bindings generated, code optimised, names stripped.

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

/// Writes `<name>.js`, `<name>_bg.wasm` and their snippets into the emptied folder `out`.
pub(crate) fn bind(place: &Place, wasm: &Path, out: &Path, name: &str, target: &Target) -> Result<()> {
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
    bindgen.generate(out).context("wasm-bindgen")?;
    optimise(place, &out.join(format!("{name}_bg.wasm")), target)
}

fn optimise(place: &Place, file: &Path, target: &Target) -> Result<()> {
    let raw = file.with_extension("raw.wasm");
    std::fs::rename(file, &raw)?;
    let mut args: Vec<String> = FEATURES.map(|name| format!("--enable-{name}")).into();
    match target {
        Target::Browser => {
            write(&raw, snip(&read(&raw)?)?)?;
            // The first kilobyte is the end of the stack.
            args.extend(["-Oz".into(), "--low-memory-unused".into()]);
        }
        // The generator wraps imports that may throw in exception handling.
        Target::Worker => args.extend(["--enable-exception-handling".into(), "-Os".into()]),
    }
    args.extend(["--strip-debug".into(), "--strip-producers".into()]);
    args.push("--strip-target-features".into());
    args.push("-o".into());
    args.push(file.display().to_string());
    args.push(raw.display().to_string());
    place.wasm_opt(&args)?;
    std::fs::remove_file(raw).context("cannot remove the unoptimised file")
}
