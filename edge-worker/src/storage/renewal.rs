//! An object's file, written anew: the platform scrubs no page that a deleted row was on, so whatever is to be gone to the
//! last byte goes with the file.
//!
//! The platform commits the deletion with what is written after it. The local runtime has its files on a disk, where the
//! old one is gone before the new one is written: there, and only there, KV holds the contents meanwhile, and the next
//! start wakes the object, which takes them back.

use js_sys::JsString;
use msci_core::ids::CustomerId;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::{Env, Storage};

use super::kv::Kv;
use crate::error::{Error, Result};
use crate::names;

// The contents stay JavaScript's: the memory that they would take here is never given back.
#[wasm_bindgen(module = "msci:transaction")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn contents(storage: &JsValue, most: u32, length: u32) -> std::result::Result<Option<JsString>, JsValue>;
    #[wasm_bindgen(catch)]
    fn fill(storage: &JsValue, text: &JsString) -> std::result::Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    fn renew(storage: &JsValue, text: &JsString) -> std::result::Result<js_sys::Promise, JsValue>;
}

/// Rows of a table that are written anew at most: in one turn, and in memory.
const ROWS: u32 = 2000;
/// UTF-16 units of text that all of them have at most: even three bytes each have room in a value of KV.
const TEXT: u32 = 8 * 1024 * 1024;
/// How often the contents may change while they are put aside, before it is left to the next time.
const TRIES: u8 = 4;

/// Where contents are held while their file is written anew; `None` where that is not needed.
fn aside(env: &Env, name: CustomerId) -> Result<Option<(Kv, String)>> {
    if names::var(env, names::VAR_STORAGE) != "local" {
        return Ok(None);
    }
    Ok(Some((Kv::of(env, names::SNAPSHOTS)?, format!("renewal:{name}"))))
}

/// Writes the file anew, with all that is there, so that nothing else is in it. Says whether it was done: not where
/// there is too much.
pub(crate) async fn renewed(env: &Env, storage: &Storage, name: CustomerId) -> Result<bool> {
    let aside = aside(env, name)?;
    let storage = storage.as_raw();
    let mut held = None;
    for _ in 0..TRIES {
        let Some(text) = contents(storage.as_ref(), ROWS, TEXT)? else { return Ok(false) };
        match &aside {
            // Requests go on meanwhile: what they wrote is to be there as well.
            Some((kv, key)) if held.as_ref() != Some(&text) => {
                kv.put(key, &String::from(&text)).await?;
                held = Some(text);
            }
            _ => {
                JsFuture::from(renew(storage.as_ref(), &text)?).await?;
                if let Some((kv, key)) = &aside {
                    kv.delete(key).await?;
                }
                return Ok(true);
            }
        }
    }
    Err(Error::late("an object that is too busy to be written anew"))
}

/// Takes back the contents of a file that was not yet written anew when the runtime was killed. Says whether there were
/// any: then the object is there. `is_there` is asked once more, when all has been waited for.
pub(crate) async fn taken_back(
    env: &Env,
    storage: &Storage,
    name: CustomerId,
    is_there: impl Fn() -> Result<bool>,
) -> Result<bool> {
    let Some((kv, key)) = aside(env, name)? else { return Ok(false) };
    let Some(text) = kv.get(&key).await? else { return is_there() };
    if !is_there()? {
        fill(storage.as_raw().as_ref(), &text.into())?;
    }
    Ok(true)
}
