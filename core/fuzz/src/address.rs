//! An address of the read API: taken apart, asked of a set, made SQL. Nothing of it becomes SQL text.

use msci_core::config::Bundle;
use msci_core::expr::sql::PARAMETERS;
use msci_core::odata::address::{self, Dialect, Path};
use msci_core::odata::question::Question;
use msci_core::odata::sql::{self, Statement, Store};
use msci_core::odata::{Fault, model};
use msci_core::time::Timestamp;
use serde_json::json;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
/// Longest statement that D1 takes, in bytes.
const SQL_BYTES: usize = 100_000;
/// Texts of the seeds have this in them: where it comes up in SQL, a text has become code.
const STRANGER: &str = "zqxj";

fn bundle() -> Bundle {
    serde_json::from_value(json!({
        "settings": { "trackingTable": "LoyaltySignUps" },
        "tables": { "LoyaltySignUps": { "primaryKey": "LoyaltyId", "columns": {
            "FirstName": "string", "Tier": "string", "Spend": "number", "Vip": "boolean"
        } } },
        "measures": { "LifetimeValue": { "aggregate": "sum", "property": "total" } },
        "segments": { "Gold": { "filter": "Tier eq 'Gold'" } }
    }))
    .expect("a bundle")
}

fn bounded(statement: Result<Statement, Fault>) {
    match statement {
        Ok(Statement { text, parameters }) => {
            assert!(text.len() <= SQL_BYTES, "{} bytes of SQL", text.len());
            assert!(parameters.len() <= PARAMETERS);
            assert!(!text.to_ascii_lowercase().contains(STRANGER), "{text}");
        }
        Err(fault) => refused(&fault),
    }
}

fn refused(fault: &Fault) {
    assert!((400..500).contains(&fault.status), "{fault}");
    assert!(!fault.code.is_empty() && fault.message.len() < 64 * 1024);
}

/// Path and query, as they are sent.
pub(crate) fn everything(text: &str) {
    thread_local! {
        static BUNDLE: Bundle = bundle();
    }
    BUNDLE.with(|bundle| {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        for dialect in [Dialect::Current, Dialect::Legacy] {
            let address = match address::parse(dialect, path, query) {
                Ok(address) => address,
                Err(fault) => {
                    refused(&fault);
                    continue;
                }
            };
            let Path::Named { name, .. } = &address.path else { continue };
            let Ok(named) = model::named(dialect, name) else { continue };
            match Question::new(named.set, &address, bundle, None) {
                Ok(question) => {
                    let page = sql::page(&question, Store::Index, NOW);
                    bounded(page.map(|page| page.of_index(question.set)));
                    bounded(sql::count(&question, Store::Index, NOW));
                    if let Some(apply) = &question.apply {
                        bounded(sql::aggregates(&question, apply, Store::Index, NOW));
                    }
                }
                Err(fault) => refused(&fault),
            }
        }
    });
}
