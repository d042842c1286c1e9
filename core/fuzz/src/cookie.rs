//! A `Cookie` header, and what stands in it: ids, proofs, sealed values, versions. What we did not write is absent.

use msci_core::ids::{CookieId, CustomerId, LogId, StreamId};
use msci_core::proof::ProofKey;
use msci_core::time::Timestamp;
use msci_core::wire::cookies;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn value(text: &str) {
    // An id is read as it is written, in any case, or not at all.
    let lower = text.to_ascii_lowercase();
    assert!(
        text.parse::<CookieId>().is_ok_and(|id| id.to_string() == lower) || text.parse::<CookieId>().is_err()
    );
    assert!(text.parse::<CustomerId>().map_or(true, |id| id.to_string() == lower));
    assert!(text.parse::<StreamId>().map_or(true, |id| id.to_string() == lower));
    assert!(text.parse::<LogId>().map_or(true, |id| id.to_string() == lower));
    let key = ProofKey::new([3; 32]);
    let cookie = CookieId::from_bits(1);
    // Nobody who has not the key makes either; the seeds are of another key.
    assert_eq!(key.verify(text, cookie, NOW), None);
    assert_eq!(key.unseal("preview", text, NOW), None);
    if let Some((tag, version)) = cookies::version(text) {
        assert!(format!("{tag}.{version}").len() <= text.len());
    }
    if cookies::is_exposure(text) {
        assert!(text.len() <= 129 && !text.contains(['<', '"', '\'', '&', ',', ';']));
    }
}

/// A value is one that the header has exactly once, whatever stands around it.
pub(crate) fn everything(header: &str) {
    let names = ["_msci", "__Host-msci_p", "_msci_v", "_msci_optout"];
    for (name, found) in names.into_iter().zip(cookies::values(header, names)) {
        let pairs = || header.split(';').filter_map(|pair| pair.split_once('='));
        let named = pairs().filter(|(key, _)| key.trim() == name).count();
        assert_eq!(found.is_some(), named == 1, "{name}");
        if let Some(found) = found {
            assert!(!found.contains(';'));
            value(found);
        }
    }
    value(header);
}
