//! What a `user` signal may do, before any object sees it: whom it names, and whether a token proves that (contract §9).
//!
//! Who has no valid token gets the same answer for the same work, whether or not the authId exists: nothing is asked of
//! anybody here until a token has proven what it says.

use msci_core::config::Verification;
use msci_core::flood::network;
use msci_core::identity;
use msci_core::ids::{CookieId, CustomerId};
use msci_core::object::{Customer, Offered, UserOutcome};
use msci_core::signal::Kind;
use msci_core::time::Timestamp;
use msci_core::token::{CURVE_CHECKS, Expected, Fault, Use, prove};
use msci_core::wire::collect::{Batch, Incoming, Rejection};
use serde_json::Value;
use worker::{Env, Request};

use super::Tally;
use crate::calls;
use crate::configuration::{self, Configuration};
use crate::cookies::Cookies;
use crate::counting;
use crate::error::{Error, Result};
use crate::flood::{Newcomer, Prover};
use crate::http::header;
use crate::platform::normal;

/// Judges the signals of one request.
pub(super) struct Judge<'a> {
    pub(super) configuration: &'a Configuration,
    cookie: CookieId,
    /// The request's own cookie is the batch's.
    own: bool,
    address: String,
    now: Timestamp,
}

/// A batch as its object gets it.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) offered: Vec<Offered>,
    pub(super) uses: Uses,
}

/// Tokens of this request that name no browser, by whom they prove.
#[derive(Default)]
pub(super) struct Uses(Vec<(CustomerId, Use)>);

impl<'a> Judge<'a> {
    pub(super) fn of(
        request: &Request,
        configuration: &'a Configuration,
        cookie: CookieId,
        cookies: &Cookies,
        now: Timestamp,
    ) -> Self {
        let address = header(request, "cf-connecting-ip");
        Self { configuration, cookie, own: cookies.id == Some(cookie), address, now }
    }

    /// The signals that go on; the others are rejected.
    ///
    /// # Errors
    /// 429 where too many tokens proved nothing; 503 where the keys, or a customer's object, cannot be asked for.
    pub(super) async fn batch(&self, batch: &Batch, env: &Env, tally: &mut Tally) -> Result<Judged> {
        // All before anybody is asked: a batch that is put off leaves nothing behind.
        let (mut failed, mut curve_checks) = (Vec::new(), CURVE_CHECKS);
        let judged = batch.signals.iter().map(|signal| match signal {
            Ok(incoming) => self.offer(incoming.clone(), &mut curve_checks, &mut failed),
            Err(rejection) => Ok(Err(rejection.clone())),
        });
        let judged: Result<Vec<_>> = judged.collect();
        // Paid for in the end, so that a batch that comes again has a chance to come through as a whole.
        for name in &failed {
            self.prover().failed(name);
        }
        let judged = judged?;
        let mut answer = Judged::default();
        for verdict in judged {
            let bound = match verdict {
                Ok((offered, used)) => self.bind(offered, used, env, &mut answer.uses).await?,
                Err(rejection) => Err(rejection),
            };
            match bound {
                Ok(offered) => answer.offered.push(offered),
                Err(rejection) => {
                    // A `user` signal that is refused at the border is refused towards `setUser` too.
                    let code = rejection.code.as_str();
                    if matches!(code, "authid_invalid" | "token_invalid" | "no_tracking_table") {
                        tally.user = Some(UserOutcome::Refused(rejection.code.clone()));
                        tally.trusted = false;
                    }
                    tally.reject(rejection);
                }
            }
        }
        Ok(answer)
    }

    /// A place for whoever this batch brings.
    pub(super) fn newcomer(&self) -> Newcomer<'_> {
        Newcomer { network: network(&self.address), now: self.now }
    }

    fn prover(&self) -> Prover<'_> {
        Prover { network: network(&self.address), now: self.now }
    }

    fn offer(
        &self,
        incoming: Incoming,
        curve_checks: &mut u32,
        failed: &mut Vec<String>,
    ) -> Result<std::result::Result<(Offered, Option<Use>), Rejection>> {
        let Incoming { mut signal, token } = incoming;
        if signal.kind != Kind::User || !signal.fields.contains_key("authId") {
            return Ok(Ok((Offered { signal, customer: None, trusted: false }, None)));
        }
        let settings = self.configuration.settings();
        let reject = |code: &str, message: String| Ok(Err(Rejection::new(signal.seq, code, message)));
        let bundle = &self.configuration.definitions.bundle;
        let table = settings.tracking_table.as_ref().and_then(|name| Some((name, bundle.tables.get(name)?)));
        let Some((name, table)) = table else {
            return reject("no_tracking_table", "the settings name no trackingTable".to_owned());
        };
        let normal = normal(table.case_insensitive_key);
        let raw = signal.fields.get("authId").and_then(Value::as_str).unwrap_or_default();
        let auth_id = match identity::auth_id(raw, normal) {
            Ok(auth_id) => auth_id,
            Err(error) => return reject("authid_invalid", error.to_string()),
        };
        let mut used = None;
        let trusted = match token {
            Some(token) => {
                let expected = Expected {
                    auth_id: &auth_id,
                    table: name,
                    normal,
                    cookie: self.cookie,
                    own_cookie: self.own,
                };
                if !configuration::knows_keys(self.now) {
                    return Err(Error::late("the keys"));
                }
                self.prover()
                    .may_prove(&auth_id)
                    .inspect_err(|_| counting::count("tokensRefused throttled", 1))?;
                match prove(&token, &self.configuration.ring, expected, curve_checks, self.now) {
                    Ok(unbound) => used = unbound,
                    Err(fault) => {
                        failed.push(auth_id);
                        return Ok(Err(refused(signal.seq, fault)));
                    }
                }
                true
            }
            None => settings.identity.verification == Verification::Off,
        };
        let id = self.configuration.names.known(name, &auth_id);
        signal.fields.insert("authId".to_owned(), auth_id.clone().into());
        let customer = Customer { id, table: name.clone(), auth_id };
        Ok(Ok((Offered { signal, customer: Some(customer), trusted }, used)))
    }

    /// A token that names no browser is this one's, if it is the first that uses it.
    async fn bind(
        &self,
        offered: Offered,
        used: Option<Use>,
        env: &Env,
        uses: &mut Uses,
    ) -> Result<std::result::Result<Offered, Rejection>> {
        let (Some(used), Some(customer)) = (used, &offered.customer) else { return Ok(Ok(offered)) };
        if uses.0.iter().any(|(_, known)| *known == used) {
            return Ok(Ok(offered));
        }
        if !calls::use_token(env, self.configuration.n(), customer.id, &used).await? {
            self.prover().failed(&customer.auth_id);
            return Ok(Err(refused(offered.signal.seq, Fault::Replayed)));
        }
        uses.0.push((customer.id, used));
        Ok(Ok(offered))
    }
}

impl Uses {
    /// The browser goes on under another cookieId with these signals, and with the tokens that came in them.
    pub(super) async fn follow(
        &mut self,
        env: &Env,
        configuration: &Configuration,
        signals: &[Offered],
        next: CookieId,
    ) -> Result<()> {
        for (customer, used) in &mut self.0 {
            let named = signals.iter().filter_map(|offered| offered.customer.as_ref());
            if named.map(|customer| customer.id).any(|id| id == *customer) {
                let after = used.as_cookie(next);
                calls::use_token(env, configuration.n(), *customer, &after).await?;
                *used = after;
            }
        }
        Ok(())
    }
}

/// Why is counted, and told to nobody who has no key.
fn refused(seq: u64, fault: Fault) -> Rejection {
    counting::count(&format!("tokensRefused {}", fault.code()), 1);
    Rejection::new(seq, "token_invalid", "the identity token does not prove this authId")
}
