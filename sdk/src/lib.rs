//! MSCI in the browser: identity, consent, sessions, a queue, acknowledged delivery.
//!
//! Design goals, in this order: never harm the page, lose nothing that was accepted, stay small
//! (20 KB brotli with everything). So the module decides and does nothing else: [`step`] takes
//! in what happened and answers what the browser is to do, both as JSON text. `sdk/js/sdk.js` reads the
//! browser and carries the answer out. Nothing in here can be re-entered by the page, everything in here
//! runs in native tests, and the boundary costs one function.
#![warn(missing_docs)]

mod client;
mod consent;
mod effects;
mod engine;
mod facts;
mod json;
mod properties;
mod session;
mod transport;

use std::cell::Cell;
use std::mem::ManuallyDrop;

use wasm_bindgen::prelude::*;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: lol_alloc::LockedAllocator<lol_alloc::FreeListAllocator> =
    lol_alloc::LockedAllocator::new(lol_alloc::FreeListAllocator::new());

/// The instances, and what was answered last.
#[derive(Debug, Default)]
struct Clients {
    all: Vec<client::Client>,
    answer: String,
}

thread_local! {
    // They live as long as the page; saying so spares the code that would destroy them.
    static CLIENTS: Cell<ManuallyDrop<Clients>> = const { Cell::new(ManuallyDrop::new(Clients { all: Vec::new(), answer: String::new() })) };
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

/// Makes an instance, and answers its number. It does nothing before the input `start`.
#[wasm_bindgen]
pub fn create() -> usize {
    with_clients(|clients| {
        clients.all.push(client::Client::default());
        clients.all.len() - 1
    })
}

/// Takes in what happened to an instance: a JSON object, whose member `in` says what it was. Answers a
/// JSON array of what to do, in order, each an array of a verb and its arguments: the place of its text,
/// which ends with a zero byte and stays there until the next call.
#[wasm_bindgen]
pub fn step(instance: usize, input: &str) -> *const u8 {
    with_clients(|clients| {
        clients.answer = clients.all.get_mut(instance).map_or_else(String::new, |client| client.step(input));
        // JSON has none.
        clients.answer += "\0";
        Place(clients.answer.as_ptr())
    })
    .0
}

/// Nowhere, until there is something.
struct Place(*const u8);

impl Default for Place {
    fn default() -> Self {
        Self(std::ptr::null())
    }
}
