//! From cargo's WebAssembly to what ships: bindings generated, code optimised, names stripped.

use std::path::Path;

use anyhow::{Context, Result};
use walrus::{FunctionBuilder, FunctionId, Module};
use wasm_bindgen_cli_support::Bindgen;

use crate::place::{Place, empty_folder};

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
        Target::Browser => bindgen.web(true)?,
        Target::Worker => bindgen
            .module(true)?
            // Both, or nothing can replace an instance that panicked.
            .reset_state_function(true)
            .force_enable_abort_handler(true),
    };
    bindgen.generate(out).context("wasm-bindgen")?;
    optimise(place, &out.join(format!("{name}_bg.wasm")), target)
}

/// Parts of the names of functions that only put together what a panic says before the module ends.
const LAST_WORDS: [&str; 4] = ["panic", "assert_failed", "alloc_error", "capacity_overflow"];

/// Ends the module where it would first say why: nobody reads that in a browser, and saying it is a
/// tenth of the code.
fn end_without_words(file: &Path) -> Result<()> {
    let mut module = Module::from_file(file)?;
    let last: Vec<FunctionId> = module
        .funcs
        .iter_local()
        .filter(|(id, _)| {
            let name = module.funcs.get(*id).name.as_deref().unwrap_or_default();
            LAST_WORDS.iter().any(|word| name.contains(word))
        })
        .map(|(id, _)| id)
        .collect();
    for id in last {
        let ty = module.types.get(module.funcs.get(id).ty());
        let (params, results) = (ty.params().to_vec(), ty.results().to_vec());
        let mut end = FunctionBuilder::new(&mut module.types, &params, &results);
        end.func_body().unreachable();
        let args = params.iter().map(|ty| module.locals.add(*ty)).collect();
        module.funcs.get_mut(id).kind = walrus::FunctionKind::Local(end.local_func(args));
    }
    module.emit_wasm_file(file)
}

fn optimise(place: &Place, file: &Path, target: &Target) -> Result<()> {
    let raw = file.with_extension("raw.wasm");
    std::fs::rename(file, &raw)?;
    let mut args: Vec<String> = FEATURES.map(|name| format!("--enable-{name}")).into();
    match target {
        Target::Browser => {
            end_without_words(&raw)?;
            args.push("-Oz".into());
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
