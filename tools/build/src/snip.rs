//! Takes out of the browser's module what only says why a panic happened: nobody there listens, and it is
//! a tenth of the module. A panic still traps, which is all that the script around it looks at.

use std::collections::HashSet;

use anyhow::{Result, bail};
use walrus::ir::{Call, Visitor, dfs_in_order};
use walrus::{FunctionBuilder, FunctionId, FunctionKind, LocalFunction, Module};

/// Parts of the names, as compilers write them, of what never comes back.
const ENDS: [&str; 4] =
    ["9panicking", "12handle_error", "18handle_alloc_error", "24default_alloc_error_hook"];
/// What writes the messages of panics, and of nothing else in a module that does not format.
const FORMATS: &str = "4core3fmt";

/// Makes a trap of each such function. An error if the module itself formats something.
pub(crate) fn snip(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::from_buffer(wasm)?;
    let named = |parts: &[&str]| -> HashSet<FunctionId> {
        let of = |name: &str| parts.iter().any(|part| name.contains(part));
        module.funcs.iter_local().map(|(id, _)| id).filter(|&id| name(&module, id).is_some_and(of)).collect()
    };
    let formats = named(&[FORMATS]);
    let dead = &named(&ENDS) | &formats;
    for (id, function) in module.funcs.iter_local().filter(|(id, _)| !dead.contains(id)) {
        if calls(function).iter().any(|called| formats.contains(called)) {
            bail!("{} formats, for which the SDK has no room", name(&module, id).unwrap_or("a function"));
        }
    }
    for id in dead {
        let ty = module.funcs.get(id).ty();
        let (params, results) = module.types.params_results(ty);
        let (params, results) = (params.to_vec(), results.to_vec());
        let mut trap = FunctionBuilder::new(&mut module.types, &params, &results);
        trap.func_body().unreachable();
        let args = params.iter().map(|&param| module.locals.add(param)).collect();
        module.funcs.get_mut(id).kind = FunctionKind::Local(trap.local_func(args));
    }
    Ok(module.emit_wasm())
}

fn name(module: &Module, id: FunctionId) -> Option<&str> {
    module.funcs.get(id).name.as_deref()
}

/// Whom a function calls by name.
fn calls(function: &LocalFunction) -> Vec<FunctionId> {
    struct Calls(Vec<FunctionId>);
    impl Visitor<'_> for Calls {
        fn visit_call(&mut self, call: &Call) {
            self.0.push(call.func);
        }
    }
    let mut calls = Calls(Vec::new());
    dfs_in_order(&mut calls, function, function.entry_block());
    calls.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    /// A module whose exported function calls one of this name, which answers 7.
    fn calling(called: &str) -> Vec<u8> {
        let mut module = Module::default();
        let mut seven = FunctionBuilder::new(&mut module.types, &[], &[walrus::ValType::I32]);
        seven.name(called.to_owned()).func_body().i32_const(7);
        let seven = seven.finish(Vec::new(), &mut module.funcs);
        let mut caller = FunctionBuilder::new(&mut module.types, &[], &[walrus::ValType::I32]);
        caller.name("caller".to_owned()).func_body().call(seven);
        let caller = caller.finish(Vec::new(), &mut module.funcs);
        module.exports.add("caller", caller);
        module.emit_wasm()
    }

    fn traps(wasm: &[u8], named: &str) -> bool {
        let module = Module::from_buffer(wasm).unwrap();
        let (_, function) =
            module.funcs.iter_local().find(|(id, _)| name(&module, *id) == Some(named)).unwrap();
        let body = function.block(function.entry_block());
        matches!(body.instrs.first(), Some((walrus::ir::Instr::Unreachable(_), _)))
    }

    #[test]
    fn what_never_comes_back_is_a_trap_and_the_rest_stays() {
        let panics = "_RNvNtCsgXGp5Oqx2Ny_4core9panicking9panic_fmt";
        let snipped = snip(&calling(panics)).unwrap();
        assert!(traps(&snipped, panics) && !traps(&snipped, "caller"));
        assert!(!traps(&snip(&calling("_ZN8msci_sdk4step")).unwrap(), "_ZN8msci_sdk4step"));
    }

    #[test]
    fn a_module_that_formats_is_refused() {
        let error = snip(&calling("_RNvNtCsgXGp5Oqx2Ny_4core3fmt5write")).unwrap_err();
        assert!(error.to_string().starts_with("caller formats"), "{error}");
    }
}
