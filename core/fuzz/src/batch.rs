//! A body of `POST /_msci/collect`: refused whole with a code, or a verdict for each signal that was in it.

use msci_core::limits::{BATCH_SIGNALS, FUTURE_MS, SEQ_MAX, SIGNAL_BYTES};
use msci_core::time::Timestamp;
use msci_core::wire::collect;
use serde_json::Value;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn is_code(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The verdicts sum up, and nothing that was taken is beyond its bounds.
pub(crate) fn everything(body: &[u8]) {
    let batch = match collect::parse(body, NOW) {
        Ok(batch) => batch,
        Err(error) => return assert!(is_code(error.code())),
    };
    let sent: Value = serde_json::from_slice(body).expect("what is taken is JSON");
    let sent = sent["signals"].as_array().expect("a batch has signals");
    assert_eq!(batch.signals.len(), sent.len());
    assert!((1..=BATCH_SIGNALS).contains(&sent.len()));
    for (signal, sent) in batch.signals.iter().zip(sent) {
        let seq = match signal {
            Ok(incoming) => {
                let (signal, text) = (&incoming.signal, serde_json::to_string(&incoming.signal).unwrap());
                assert!(signal.time <= NOW.plus(FUTURE_MS));
                // What the batch says of the browser comes with each: six values of at most 128 bytes,
                // which escaping makes six times as long.
                assert!(text.len() <= SIGNAL_BYTES + 6 * 6 * 128 + 1024, "{} bytes", text.len());
                assert!(!signal.fields.contains_key("token"));
                assert_eq!(sent["type"], signal.kind.name());
                signal.seq
            }
            Err(rejection) => {
                assert!(is_code(&rejection.code), "{}", rejection.code);
                rejection.seq
            }
        };
        assert!(seq <= SEQ_MAX && seq <= batch.up_to);
        assert!(seq == 0 || sent["seq"] == seq);
    }
}
