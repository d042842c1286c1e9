//! MSCI in the browser: cookie, capture, batches, acknowledged delivery, `setUser`.
//!
//! Design goals, in this order: never harm the page, lose nothing that was accepted, stay small
//! (20 KB brotli with everything). So the module decides and does nothing else: [`step`] takes
//! in what happened and answers what the browser is to do, both as JSON text. `sdk/js/sdk.js` reads the
//! browser and carries the answer out. Nothing in here can be re-entered by the page, everything in here
//! runs in native tests, and the boundary costs one function.
#![warn(missing_docs)]

mod capture;
mod client;
mod config;
mod consent;
mod cookie;
mod effects;
mod engine;
mod facts;
mod guid;
mod json;
mod properties;
mod session;
mod transport;
mod user;

use std::cell::Cell;
use std::mem::ManuallyDrop;

use wasm_bindgen::prelude::*;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: lol_alloc::LockedAllocator<lol_alloc::FreeListAllocator> =
    lol_alloc::LockedAllocator::new(lol_alloc::FreeListAllocator::new());

type Clients = Vec<client::Client>;

thread_local! {
    // They live as long as the page; saying so spares the code that would destroy them.
    static CLIENTS: Cell<ManuallyDrop<Clients>> = const { Cell::new(ManuallyDrop::new(Vec::new())) };
}

fn with_clients<R: Default>(act: impl FnOnce(&mut Clients) -> R) -> R {
    let with = |cell: &Cell<ManuallyDrop<Clients>>| {
        // Taken out rather than borrowed: nothing in here calls out, so nobody finds them missing.
        let mut clients = cell.take();
        let result = act(&mut clients);
        cell.set(clients);
        result
    };
    CLIENTS.try_with(with).unwrap_or_default()
}

/// Makes an instance with the site's public settings, a JSON object; answers its number. It does
/// nothing before the call of `initialize`.
#[wasm_bindgen]
pub fn create(settings: &str) -> usize {
    with_clients(|clients| {
        clients.push(client::Client::new(settings));
        clients.len() - 1
    })
}

/// Takes in what happened to an instance: a JSON object, whose member `in` says what it was. Answers a
/// JSON array of what to do, in order, each an array of a verb and its arguments.
#[wasm_bindgen]
pub fn step(instance: usize, input: &str) -> String {
    with_clients(|clients| clients.get_mut(instance).map_or_else(|| "[]".into(), |client| client.step(input)))
}
