//! What a page's marker says, as a view brings it back (`experience:bucket,…`): a bucket is read where it was
//! written, and nowhere else.

use msci_core::activity::ActivityField;
use msci_core::expr::Scalar;
use msci_core::ids::StreamId;
use msci_core::limits::STRING_BYTES;
use msci_core::page::{Exposure, marker};
use msci_core::signal::{Kind, Signal, Source};
use msci_core::time::Timestamp;
use serde_json::{Map, Value};

fn bucket(shown: &str, experience: &str) -> Option<String> {
    let fields = Map::from_iter([("exposures".to_owned(), Value::from(shown))]);
    let stream = StreamId::from_bits(1);
    let signal =
        Signal { stream, seq: 1, time: Timestamp(1), kind: Kind::View, source: Source::Browser, fields };
    match ActivityField::Exposure(experience.to_owned()).of(&signal) {
        Scalar::Text(bucket) => Some(bucket),
        _ => None,
    }
}

/// Read from any text; and written of names, then read back.
pub(crate) fn everything(text: &str) {
    for name in ["hero", "a", ""] {
        if let Some(bucket) = bucket(text, name) {
            assert!((1..=64).contains(&bucket.len()) && text.contains(&format!("{name}:{bucket}")));
        }
    }
    let mut exposures: Vec<Exposure> = Vec::new();
    for pair in text.split(',') {
        let (name, bucket) = pair.split_once(':').unwrap_or((pair, "treated"));
        // As names of experiences and variants may be.
        let plain = |name: &str| {
            let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            (1..=64).contains(&name.len()) && name.bytes().all(byte)
        };
        if plain(name) && plain(bucket) && !exposures.iter().any(|exposure| exposure.name == name) {
            exposures.push(Exposure {
                name: name.to_owned(),
                bucket: bucket.to_owned(),
                changes: Vec::new(),
            });
        }
    }
    let shown = marker(&exposures, None);
    assert!(shown.len() <= STRING_BYTES);
    let mut left = shown.len();
    for exposure in &exposures {
        let length = exposure.name.len() + exposure.bucket.len() + 1;
        if left < length {
            break;
        }
        assert_eq!(bucket(&shown, &exposure.name).as_ref(), Some(&exposure.bucket));
        left = left.saturating_sub(length + 1);
    }
}
