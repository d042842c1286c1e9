//! Counts who sends, in the memory of this isolate (`msci_core::flood` decides).

use std::cell::RefCell;

use msci_core::flood::{Buckets, NEW_OF_A_NETWORK, OF_A_COOKIE, OF_A_NETWORK, network};
use msci_core::ids::CookieId;
use msci_core::time::Timestamp;
use worker::Request;

use crate::error::{Error, Result};
use crate::http::header;
use crate::platform::random_bits;

struct Isolate {
    cookies: Buckets,
    networks: Buckets,
    newcomers: Buckets,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

fn takes(of: impl FnOnce(&mut Isolate) -> &mut Buckets, who: &[u8], now: Timestamp) -> Result<()> {
    let taken = ISOLATE.with_borrow_mut(|isolate| {
        let isolate = isolate.get_or_insert_with(|| {
            let bits = random_bits();
            Isolate {
                cookies: Buckets::new(OF_A_COOKIE, bits as u64),
                networks: Buckets::new(OF_A_NETWORK, (bits >> 32) as u64),
                newcomers: Buckets::new(NEW_OF_A_NETWORK, (bits >> 64) as u64),
            }
        });
        of(isolate).takes(who, now.0.saturating_mul(1000))
    });
    if taken { Ok(()) } else { Err(Error::overloaded()) }
}

/// A request of a network; those of this machine itself count nowhere.
///
/// # Errors
/// 429 where there were too many.
pub(crate) fn of_network(request: &Request, now: Timestamp) -> Result<()> {
    match network(&header(request, "cf-connecting-ip")) {
        Some(network) => takes(|isolate| &mut isolate.networks, network.as_bytes(), now),
        None => Ok(()),
    }
}

/// A batch of a cookie; where it is one that nobody had before, of a network's newcomers.
///
/// # Errors
/// 429 where there were too many.
pub(crate) fn of_visitor(request: &Request, cookie: Option<CookieId>, now: Timestamp) -> Result<()> {
    if let Some(cookie) = cookie {
        return takes(|isolate| &mut isolate.cookies, cookie.to_string().as_bytes(), now);
    }
    match network(&header(request, "cf-connecting-ip")) {
        Some(network) => takes(|isolate| &mut isolate.newcomers, network.as_bytes(), now),
        None => Ok(()),
    }
}
