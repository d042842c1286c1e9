//! Requests per token in 300 s (setting `apiRequestsPer300s`). The one count is in the memory of the
//! configuration's object; isolates take a hundredth of it at a time, so that asking costs one call in a
//! hundred requests. A window may grant more only when that object begins anew.

use std::cell::RefCell;

use msci_core::collections::Map;
use msci_core::time::{SECOND_MS, Timestamp};
use worker::{Env, Response};

use crate::calls;
use crate::configuration::Configuration;
use crate::error::{Error, Result};

/// How many requests are left, as far as this isolate knows.
pub(super) const HEADER: &str = "x-ms-ratelimit-burst-remaining-xrm-requests";

const WINDOW_MS: i64 = 300 * SECOND_MS;

/// What this isolate may still let through.
#[derive(Clone, Copy)]
struct Lease {
    window: i64,
    /// The setting that it was granted under.
    most: u32,
    own: u32,
    elsewhere: u32,
}

thread_local! {
    static LEASES: RefCell<Map<u32, Lease>> = RefCell::default();
}

/// Takes one request. Answers how many are left; or how many seconds there are to wait.
pub(super) async fn take(
    who: &str,
    env: &Env,
    configuration: &Configuration,
    now: Timestamp,
) -> std::result::Result<Option<u32>, i64> {
    let window = now.0.div_euclid(WINDOW_MS);
    let most = configuration.settings().api_requests_per_300s;
    let token = sum(who);
    let held = LEASES.with_borrow(|leases| leases.get(&token).copied());
    let held = held.filter(|lease| lease.window == window && lease.most == most && lease.own > 0);
    let mut lease = match held {
        Some(lease) => lease,
        None => match calls::config_lease(env, token, window, most.div_euclid(100).max(1), most).await {
            Ok((own, elsewhere)) => Lease { window, most, own, elsewhere },
            Err(error) => {
                // Rather too many answers than none.
                worker::console_error!("requests are not counted: {error}");
                return Ok(None);
            }
        },
    };
    if lease.own == 0 {
        return Err(((window + 1) * WINDOW_MS - now.0).div_euclid(SECOND_MS) + 1);
    }
    lease.own -= 1;
    LEASES.with_borrow_mut(|leases| leases.insert(token, lease));
    Ok(Some(lease.own + lease.elsewhere))
}

/// The answer to one request too many.
pub(super) fn refused(wait: i64) -> Result<Response> {
    let message = "too many requests with this token in 300 seconds; please come back later";
    let response = Error::client(429, "too_many_requests", message).into_response()?;
    let headers = response.headers();
    headers.set("Retry-After", &wait.to_string())?;
    headers.set("OData-Version", "4.0")?;
    headers.set(HEADER, "0")?;
    Ok(response)
}

/// Tells who asks apart (FNV-1a).
fn sum(who: &str) -> u32 {
    who.bytes().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
