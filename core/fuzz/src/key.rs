//! A key as it is asked for: it is refused with a place, or it is stored, read back and shown as it is, without a secret.

use msci_core::keys::{Kind, Record, Ring};
use msci_core::time::Timestamp;
use msci_core::{json, strict_json};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const FRESH: &str = "a secret that was made at random";

/// Nothing is half a key.
pub(crate) fn everything(text: &str) {
    let Ok(asked) = strict_json::parse(text.as_bytes()) else { return };
    let (record, made) = match Record::asked(&asked, ("fresh".to_owned(), FRESH.to_owned()), NOW) {
        Ok(taken) => taken,
        Err(bad) => {
            assert!(!bad.at.is_empty() && !bad.what.is_empty());
            return;
        }
    };
    let stored = serde_json::to_string(&record).expect("plain data");
    let again: Record = json::from_str(&stored).expect("what was written is read");
    assert!(again == record);
    let shown = record.shown();
    let secret = asked.get("secret").and_then(serde_json::Value::as_str);
    // Who calls a key by its secret has told it.
    let told = |secret: &&str| record.name.contains(*secret) || record.id.contains(*secret);
    for secret in made.as_deref().into_iter().chain(secret).filter(|secret| !told(secret)) {
        assert!(shown.get("secret").is_none() && !shown.to_string().contains(secret), "{shown}");
    }
    assert_eq!(made.is_some(), record.kind == Kind::Identity && shown["alg"] == "HS256" && secret.is_none());
    assert_eq!(shown.get("publicKey").is_some(), shown["alg"] == "ES256");
    let (id, kind) = (record.id.clone(), record.kind);
    assert!((1..=64).contains(&id.len()) && id != "built-in");
    let ring = Ring::of(1, vec![record]);
    assert_eq!(ring.ingestion(&id).is_some(), kind == Kind::Ingestion);
}
