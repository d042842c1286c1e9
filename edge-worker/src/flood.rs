//! Counts who sends, in the memory of this isolate (`msci_core::flood` decides).

use std::cell::RefCell;

use msci_core::flood::{
    Buckets, FAULTS_OF_A_NAME, FAULTS_OF_A_NETWORK, NEW_OF_A_NETWORK, OF_A_COOKIE, OF_A_NETWORK, network,
};
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
    faulty_networks: Buckets,
    faulty_names: Buckets,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

fn with<T>(act: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with_borrow_mut(|isolate| act(isolate.get_or_insert_with(Isolate::new)))
}

impl Isolate {
    // Once for all that counts: each of them would have a copy of it.
    #[inline(never)]
    fn new() -> Self {
        let (bits, more) = (random_bits(), random_bits());
        Self {
            cookies: Buckets::new(OF_A_COOKIE, bits as u64),
            networks: Buckets::new(OF_A_NETWORK, (bits >> 32) as u64),
            newcomers: Buckets::new(NEW_OF_A_NETWORK, (bits >> 64) as u64),
            faulty_networks: Buckets::new(FAULTS_OF_A_NETWORK, more as u64),
            faulty_names: Buckets::new(FAULTS_OF_A_NAME, (more >> 64) as u64),
        }
    }
}

fn takes(of: impl FnOnce(&mut Isolate) -> &mut Buckets, who: &[u8], now: Timestamp) -> Result<()> {
    let taken = with(|isolate| of(isolate).takes(who, now.micros()));
    if taken { Ok(()) } else { Err(Error::overloaded()) }
}

/// A token that is about to be looked at: whose network sends it, and whom it is said to prove. Neither is kept but in
/// these counts, whose places nobody can tell the name of.
pub(crate) struct Prover<'a> {
    pub(crate) network: Option<&'a str>,
    pub(crate) now: Timestamp,
}

impl Prover<'_> {
    /// Whether it is looked at.
    ///
    /// # Errors
    /// 429 where too many proved nothing: the signals stay with the browser, which comes again.
    pub(crate) fn may_prove(&self, name: &str) -> Result<()> {
        let now = self.now.micros();
        let may = with(|isolate| {
            let network =
                self.network.is_none_or(|network| isolate.faulty_networks.may(network.as_bytes(), now));
            network && isolate.faulty_names.may(name.as_bytes(), now)
        });
        if may { Ok(()) } else { Err(Error::overloaded()) }
    }

    /// It proved nothing.
    pub(crate) fn failed(&self, name: &str) {
        let now = self.now.micros();
        with(|isolate| {
            if let Some(network) = self.network {
                isolate.faulty_networks.takes(network.as_bytes(), now);
            }
            isolate.faulty_names.takes(name.as_bytes(), now);
        });
    }
}

/// A proof cookie of this network proved nothing.
pub(crate) fn void_proof(request: &Request, now: Timestamp) {
    if let Some(network) = network(&header(request, "cf-connecting-ip")) {
        with(|isolate| isolate.faulty_networks.takes(network.as_bytes(), now.micros()));
    }
}

/// A place among the newcomers of a network, for a batch of whom only its object knows whether they are new: whoever
/// makes up an id for each request makes profiles like one who has none.
pub(crate) struct Newcomer<'a> {
    pub(crate) network: Option<&'a str>,
    pub(crate) now: Timestamp,
}

impl Newcomer<'_> {
    /// Whether there is one; it is taken.
    pub(crate) fn takes(&self) -> bool {
        self.network.is_none_or(|network| {
            with(|isolate| isolate.newcomers.takes(network.as_bytes(), self.now.micros()))
        })
    }

    /// It was somebody whom we know.
    pub(crate) fn was_none(&self) {
        if let Some(network) = self.network {
            with(|isolate| isolate.newcomers.gives_back(network.as_bytes()));
        }
    }
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

/// A batch of a cookie; where it has none, of a network's newcomers.
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
