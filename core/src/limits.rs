//! Every bound on what comes from outside, in one place (contract §3). A test of the Worker compares
//! the answers at each bound, so a number changed here is a number changed for every client.

/// Longest body of `POST /_msci/collect`, after decompression, in bytes.
pub const BODY_BYTES: usize = 512 * 1024;
/// Most signals in one batch.
pub const BATCH_SIGNALS: usize = 500;
/// Longest single signal, as compact JSON, in bytes.
pub const SIGNAL_BYTES: usize = 32 * 1024;
/// Most properties of one signal.
pub const PROPERTIES: usize = 64;
/// Longest property name, in bytes.
pub const PROPERTY_NAME_BYTES: usize = 128;
/// Longest string anywhere in a batch, in bytes.
pub const STRING_BYTES: usize = 8 * 1024;
/// Deepest nesting of JSON.
pub const JSON_DEPTH: usize = 16;
/// Longest `authId`, in bytes after normalisation.
pub const AUTH_ID_BYTES: usize = 256;
/// Largest `seq`: integers above it do not survive a JavaScript number.
pub const SEQ_MAX: u64 = (1 << 53) - 1;
/// How far ahead of the edge's clock a corrected browser time may lie, in milliseconds.
pub const FUTURE_MS: i64 = 5 * 60 * 1000;
/// Signals in one page of a shipped log. With `SHIP_BYTES` it keeps a merge's message far below the
/// platform's 32 MiB and a page's transaction short.
pub const SHIP_SIGNALS: usize = 500;
/// Bytes of payload in one page of a shipped log.
pub const SHIP_BYTES: usize = 1024 * 1024;
/// Longest filter expression, in bytes.
pub const FILTER_BYTES: usize = 4 * 1024;
/// Deepest nesting of a filter expression.
pub const FILTER_DEPTH: usize = 20;
/// Most nodes of a filter expression.
pub const FILTER_NODES: usize = 100;
/// Activities that one answer of the read API holds.
pub const ACTIVITIES_PER_ANSWER: usize = 200;
/// Longest proof cookie or token that is looked at, in bytes.
pub const TOKEN_BYTES: usize = 4 * 1024;
/// So long an SDK keeps what it could not send, in days.
pub const QUEUE_DAYS: u32 = 30;
