//! What `core` is not allowed to have: the clock and randomness. Read once per request, handed down.

use std::cell::Cell;
use std::pin::pin;
use std::thread::LocalKey;
use std::time::Duration;

use futures_util::future::{Either, select};
use msci_core::identity::Normal;
use msci_core::time::{SECOND_MS, Timestamp};
use wasm_bindgen::prelude::*;
use worker::{Context, Delay};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(buffer: &js_sys::Uint8Array);
}

/// The edge's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp(js_sys::Date::now() as i64)
}

/// Unpredictable bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let buffer = js_sys::Uint8Array::new_with_length(N as u32);
    get_random_values(&buffer);
    let mut bytes = [0; N];
    buffer.copy_to(&mut bytes);
    bytes
}

/// How keys of an identity table are compared here: the runtime knows the tables of Unicode.
pub(crate) fn normal(ignore_case: bool) -> Normal {
    Normal { nfc: |text| js_sys::JsString::from(text).normalize("NFC").into(), ignore_case }
}

/// Unpredictable bits.
pub(crate) fn random_bits() -> u128 {
    u128::from_le_bytes(random_bytes())
}

/// What `future` gives, or nothing when it takes longer. It goes on all the same: nobody knows its outcome.
pub(crate) async fn within<T>(ms: i64, future: impl Future<Output = T>) -> Option<T> {
    let limit = Delay::from(Duration::from_millis(ms.max(0).unsigned_abs()));
    match select(pin!(future), pin!(limit)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

/// How long nobody else takes on what somebody should have done by now: who was ended meanwhile does not.
const PATIENCE_MS: i64 = 5 * SECOND_MS;

/// Does something a while after the answer, for all who come until then. `taken` is until when somebody has taken it on.
pub(crate) fn soon(
    taken: &'static LocalKey<Cell<Timestamp>>,
    context: &Context,
    wait_ms: i64,
    work: impl Future<Output = ()> + 'static,
) {
    let now = now();
    if now < taken.get() {
        return;
    }
    taken.set(now.plus(wait_ms + PATIENCE_MS));
    context.wait_until(async move {
        Delay::from(Duration::from_millis(wait_ms.unsigned_abs())).await;
        taken.set(Timestamp(0));
        work.await;
    });
}
