//! The tables of a profile's object: small rows `(key, body)`, and the timeline.

use msci_core::collections::Set;
use msci_core::effects::{Table, Write};
use msci_core::ids::{CookieId, SignalKey, StreamId};
use msci_core::json;
use msci_core::object::{CollectCall, Object, Present, Row};
use msci_core::odata::sql::PAGE_BYTES;
use msci_core::signal::{Signal, Source};
use msci_core::time::Timestamp;
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{SqlStorageValue, Storage};

use super::sql::{Statements, integer, query, text};
use crate::calls::{Activity, Statement};
use crate::error::{Error, Result};

/// Largest row that production takes; local workerd takes more, so it is enforced here.
const ROW_BYTES: usize = 2 * 1024 * 1024 - 16 * 1024;

/// Whether this object has a schema at all: reading must not bring one into being.
pub(crate) fn exists(storage: &Storage) -> Result<bool> {
    let rows = query(storage, "SELECT 1 FROM sqlite_master WHERE name = 'signal'", Vec::new())?;
    Ok(!rows.is_empty())
}

/// Steps from one version of the schema to the next. A step that was ever released is never changed, and
/// adds only: after a rollback the older program goes on with the newer schema.
const MIGRATIONS: [&[&str]; 3] = [
    &[
        "CREATE TABLE signal (cookie TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, \
         position INTEGER NOT NULL, time INTEGER NOT NULL, type TEXT NOT NULL, fields TEXT NOT NULL, \
         PRIMARY KEY (cookie, stream, seq)) WITHOUT ROWID",
        "CREATE INDEX signal_position ON signal (cookie, position)",
        "CREATE INDEX signal_time ON signal (time)",
    ],
    // A sum of each row; who said it; how old the oldest signal is, for retention; what the browser itself
    // agreed to.
    &[
        "ALTER TABLE meta ADD COLUMN sum INTEGER",
        "ALTER TABLE profile ADD COLUMN sum INTEGER",
        "ALTER TABLE measure ADD COLUMN sum INTEGER",
        "ALTER TABLE membership ADD COLUMN sum INTEGER",
        "ALTER TABLE link ADD COLUMN sum INTEGER",
        "ALTER TABLE stream ADD COLUMN sum INTEGER",
        "ALTER TABLE outbox ADD COLUMN sum INTEGER",
        "ALTER TABLE signal ADD COLUMN sum INTEGER",
        "ALTER TABLE signal ADD COLUMN source TEXT NOT NULL DEFAULT 'browser'",
        "INSERT OR REPLACE INTO meta (key, body) SELECT 'oldest', min(time) FROM signal WHERE type <> 'consent' \
         HAVING min(time) IS NOT NULL",
        // Lists are new: everything is to be written there.
        "UPDATE outbox SET body = json_set(body, '$.index', 0) WHERE key = 'owed'",
        "UPDATE meta SET body = json_set(body, '$.first_seen', (SELECT min(time) FROM signal)) WHERE key = 'log'",
        "UPDATE link SET body = json_set(body, '$.first_seen', \
         (SELECT min(time) FROM signal WHERE cookie = link.key)) WHERE key <> 'own'",
        "UPDATE meta SET body = json_set(body, '$.consent', json((SELECT json_group_object(purpose, \
         json_object('time', time, 'value', decision, \
         'key', json_object('cookie', cookie, 'stream', stream, 'seq', seq))) \
         FROM (SELECT said.key AS purpose, said.value AS decision, time, cookie, stream, seq, row_number() OVER \
         (PARTITION BY said.key ORDER BY time DESC, said.value = 'denied' DESC, stream DESC, seq DESC) AS place \
         FROM signal, json_each(fields, '$.purposes') AS said WHERE signal.type = 'consent') WHERE place = 1))) \
         WHERE key = 'log'",
    ],
    // Who asks what somebody agreed to does not read a whole life for it.
    &["CREATE INDEX IF NOT EXISTS signal_consent ON signal (time) WHERE type = 'consent'"],
];

/// Brings the schema to this program's version. The version moves in the same transaction, so that an
/// interruption leaves the old schema, whole.
pub(crate) fn migrate(storage: &Storage) -> Result<()> {
    let version = schema_version(storage)?;
    let missing = MIGRATIONS.get(version..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    let statements = Statements::new();
    for table in Table::ALL.iter().filter(|_| version == 0) {
        let name = table.name();
        statements.push(
            &format!("CREATE TABLE {name} (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"),
            &[],
        );
    }
    for step in missing.iter().copied().flatten() {
        statements.push(step, &[]);
    }
    let version = MIGRATIONS.len().to_string();
    statements.push("INSERT OR REPLACE INTO meta (key, body) VALUES ('schema', ?)", &[version.into()]);
    statements.commit(storage)
}

fn schema_version(storage: &Storage) -> Result<usize> {
    if !exists(storage)? {
        return Ok(0);
    }
    let rows = query(storage, "SELECT body FROM meta WHERE key = 'schema'", Vec::new())?;
    let row = rows.first().ok_or_else(|| Error::damaged("a schema without a version".to_owned()))?;
    text(row, 0)?.parse().map_err(|_| Error::damaged("the schema's version is no number".to_owned()))
}

/// What an object may hold, less what it needs to go on with what it has.
const STORAGE_BYTES: f64 = 9.9e9;

/// Whether there is no room for another signal. Asked before anything is written, so that a signal gets
/// its verdict and is not sent for ever.
pub(crate) fn is_full(storage: &Storage) -> Result<bool> {
    // The crate's own number ends at 4 GB.
    let sql = js_sys::Reflect::get(storage.as_raw().as_ref(), &"sql".into())?;
    let size = js_sys::Reflect::get(&sql, &"databaseSize".into())?;
    Ok(size.as_f64().is_some_and(|size| size > STORAGE_BYTES))
}

/// Every small row that an object holds in memory.
pub(crate) fn held(storage: &Storage) -> Result<Vec<(Table, String, String)>> {
    let mut out = Vec::new();
    for table in Table::HELD {
        let name = table.name();
        for row in query(storage, &format!("SELECT key, body, sum FROM {name} ORDER BY key"), Vec::new())? {
            let (key, body) = (text(&row, 0)?, text(&row, 1)?);
            check(&row, 2, &[name, key, body])?;
            out.push((table, key.to_owned(), body.to_owned()));
        }
    }
    Ok(out)
}

/// Carries out a step's writes, all or none.
pub(crate) fn write(storage: &Storage, writes: &[Write]) -> Result<()> {
    let statements = Statements::new();
    for write in writes {
        match write {
            Write::Put { table, key, body } => {
                if body.len() > ROW_BYTES {
                    return Err(Error::damaged(format!("row {}/{key} would exceed 2 MB", table.name())));
                }
                let name = table.name();
                let query = format!("INSERT OR REPLACE INTO {name} (key, body, sum) VALUES (?, ?, ?)");
                statements.push(&query, &[key.into(), body.into(), sum(&[name, key, body]).into()]);
            }
            Write::Delete { table, key } => {
                statements.push(&format!("DELETE FROM {} WHERE key = ?", table.name()), &[key.into()]);
            }
            Write::Remove(cookie) => {
                statements.push("DELETE FROM signal WHERE cookie = ?", &[cookie.to_string().into()]);
            }
            Write::Withdraw(key) => statements.push(
                "DELETE FROM signal WHERE cookie = ? AND stream = ? AND seq = ?",
                &[key.cookie.to_string().into(), key.stream.to_string().into(), (key.seq as f64).into()],
            ),
            Write::Clear(table) => statements.push(&format!("DELETE FROM {}", table.name()), &[]),
            Write::Prune(before) => statements
                .push("DELETE FROM signal WHERE time < ? AND type <> 'consent'", &[(before.0 as f64).into()]),
            Write::Wipe => {
                statements.push("DELETE FROM signal", &[]);
                for table in Table::ALL {
                    // What this object is called and how its tables look is not anybody's data.
                    let name = table.name();
                    let query = format!("DELETE FROM {name} WHERE key NOT IN ('schema', 'name')");
                    statements.push(&query, &[]);
                }
            }
            Write::Append { cookie, position, signal } => {
                let row = SignalRow {
                    cookie: &cookie.to_string(),
                    stream: &signal.stream.to_string(),
                    seq: signal.seq,
                    position: *position,
                    time: signal.time,
                    kind: signal.kind.name(),
                    fields: &serde_json::to_string(&signal.fields)?,
                    source: source_name(signal.source),
                };
                statements.push(
                    "INSERT INTO signal (cookie, stream, seq, position, time, type, fields, source, sum) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    &[
                        row.cookie.into(),
                        row.stream.into(),
                        (row.seq as f64).into(),
                        (row.position as f64).into(),
                        (row.time.0 as f64).into(),
                        row.kind.into(),
                        row.fields.into(),
                        row.source.into(),
                        row.sum().into(),
                    ],
                );
            }
        }
    }
    statements.commit(storage)
}

/// A sum (FNV-1a) over the columns of a row: any one damaged byte changes it. Checked when the row is
/// read, so that it costs nothing that grows with history.
fn sum(columns: &[&str]) -> u32 {
    let mixed = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    columns.iter().fold(0x811c_9dc5, |sum, column| mixed(column.as_bytes().iter().fold(sum, mixed), &0xff))
}

/// A row with another sum than it was written with is damaged; rows from before there were sums have none.
fn check(row: &[SqlStorageValue], column: usize, columns: &[&str]) -> Result<()> {
    match row.get(column) {
        Some(SqlStorageValue::Integer(written)) if *written != i64::from(sum(columns)) => {
            Err(Error::damaged(format!("a row is not as it was written: {}", columns.first().unwrap_or(&""))))
        }
        _ => Ok(()),
    }
}

/// A signal's row.
struct SignalRow<'a> {
    cookie: &'a str,
    stream: &'a str,
    seq: u64,
    position: u64,
    time: Timestamp,
    kind: &'a str,
    fields: &'a str,
    source: &'a str,
}

impl SignalRow<'_> {
    fn sum(&self) -> u32 {
        let numbers = format!("{} {} {}", self.seq, self.position, self.time.0);
        sum(&["signal", self.cookie, self.stream, &numbers, self.kind, self.fields, self.source])
    }
}

const COLUMNS: &str = "cookie, stream, seq, position, time, type, fields, source, sum";

fn source_name(source: Source) -> &'static str {
    match source {
        Source::Browser => "browser",
        Source::Server => "server",
    }
}

fn signal_of(row: &[SqlStorageValue]) -> Result<(CookieId, u64, Signal)> {
    let damaged = |what: &str| Error::damaged(format!("signal with a damaged {what}"));
    let stored = SignalRow {
        cookie: text(row, 0)?,
        stream: text(row, 1)?,
        seq: integer(row, 2)?.unsigned_abs(),
        position: integer(row, 3)?.unsigned_abs(),
        time: Timestamp(integer(row, 4)?),
        kind: text(row, 5)?,
        fields: text(row, 6)?,
        source: text(row, 7)?,
    };
    if matches!(row.get(8), Some(SqlStorageValue::Integer(sum)) if *sum != i64::from(stored.sum())) {
        return Err(damaged("row"));
    }
    let signal = Signal {
        stream: stored.stream.parse().map_err(|_| damaged("stream"))?,
        seq: stored.seq,
        time: stored.time,
        kind: msci_core::signal::Kind::from_name(stored.kind).ok_or_else(|| damaged("type"))?,
        fields: json::from_str(stored.fields)?,
        source: if stored.source == "server" { Source::Server } else { Source::Browser },
    };
    Ok((stored.cookie.parse().map_err(|_| damaged("cookie"))?, stored.position, signal))
}

/// Rows of a log behind a position, in order.
pub(crate) fn log_behind(
    storage: &Storage,
    cookie: CookieId,
    position: u64,
    limit: usize,
) -> Result<Vec<Row>> {
    let rows = query(
        storage,
        &format!("SELECT {COLUMNS} FROM signal WHERE cookie = ? AND position > ? ORDER BY position LIMIT ?"),
        vec![cookie.to_string().into(), (position as f64).into(), (limit as f64).into()],
    )?;
    rows_of(&rows)
}

fn rows_of(rows: &[Vec<SqlStorageValue>]) -> Result<Vec<Row>> {
    rows.iter()
        .map(|row| {
            let (_, position, signal) = signal_of(row)?;
            Ok(Row { position, signal })
        })
        .collect()
}

/// What a cookie's log says of who it is, in its order.
pub(crate) fn users(storage: &Storage, cookie: CookieId) -> Result<Vec<Row>> {
    let text = format!("SELECT {COLUMNS} FROM signal WHERE cookie = ? AND type = 'user' ORDER BY position");
    rows_of(&query(storage, &text, vec![cookie.to_string().into()])?)
}

/// Where a reader of the timeline goes on: behind this signal.
pub(crate) type Place = (i64, CookieId, StreamId, u64);

/// Which signals of a timeline.
pub(crate) enum Kinds {
    /// All of them.
    All,
    /// What visitors did: nearly all of a timeline.
    Activities,
    /// What they agreed to.
    Consents,
}

/// The newest signals behind a place, newest first.
pub(crate) fn newest(
    storage: &Storage,
    behind: Option<Place>,
    kinds: &Kinds,
    limit: usize,
) -> Result<Vec<Activity>> {
    let kinds = match kinds {
        Kinds::All => "",
        Kinds::Activities => "AND type IN ('view', 'action', 'event')",
        // As the index on them has it.
        Kinds::Consents => "AND type = 'consent'",
    };
    let mut parameters: Vec<JsValue> = Vec::new();
    let place = match behind {
        Some((time, cookie, stream, seq)) => {
            parameters.extend([
                (time as f64).into(),
                cookie.to_string().into(),
                stream.to_string().into(),
                (seq as f64).into(),
            ]);
            "(time, cookie, stream, seq) < (?, ?, ?, ?)"
        }
        None => "true",
    };
    parameters.push((limit as f64).into());
    let rows = query(
        storage,
        // The bound on scanned rows is the limit itself.
        &format!(
            "SELECT {COLUMNS} FROM signal WHERE {place} {kinds} \
             ORDER BY time DESC, cookie DESC, stream DESC, seq DESC LIMIT ?"
        ),
        parameters,
    )?;
    rows.iter()
        .map(|row| {
            let (cookie, _, signal) = signal_of(row)?;
            Ok(Activity { id: format!("{cookie}:{}:{}", signal.stream, signal.seq), signal })
        })
        .collect()
}

/// What the read API asks: of a page the signals, and the place of each, no more than one answer can hold;
/// else the rows as they are.
pub(crate) fn search(storage: &Storage, asked: &Statement) -> Result<Value> {
    let value = |value: &Value| value.as_str().map_or_else(|| value.as_f64().into(), JsValue::from);
    let parameters = asked.parameters.iter().map(value).collect();
    if asked.place.is_empty() {
        let rows = query(storage, &asked.text, parameters)?;
        return rows.iter().map(|row| Ok(json::value(text(row, 0)?)?)).collect();
    }
    let columns = COLUMNS.replace(", ", ", r0.");
    let cursor = storage
        .sql()
        .exec_raw(&format!("SELECT r0.{columns}, {} {}", asked.place, asked.text), parameters)?;
    let (mut bytes, mut activities, mut places) = (0, Vec::new(), Vec::new());
    for row in cursor.raw() {
        let row = row?;
        if bytes > PAGE_BYTES {
            break;
        }
        let (cookie, _, signal) = signal_of(&row)?;
        bytes += text(&row, 6)?.len();
        places.push(json::value(text(&row, 9)?)?);
        let id = format!("{cookie}:{}:{}", signal.stream, signal.seq);
        activities.push(Activity { id, signal });
    }
    Ok(Value::Array(vec![json::value(&serde_json::to_string(&activities)?)?, Value::Array(places)]))
}

/// The oldest signal that is not older than `cutoff`, among those that age.
pub(crate) fn oldest(storage: &Storage, cutoff: Timestamp) -> Result<Option<Timestamp>> {
    let rows = query(
        storage,
        "SELECT time FROM signal WHERE time >= ? AND type <> 'consent' ORDER BY time LIMIT 1",
        vec![(cutoff.0 as f64).into()],
    )?;
    rows.first().map(|row| integer(row, 0).map(Timestamp)).transpose()
}

/// Walks the whole timeline: once, when definitions ask for what was never counted.
pub(crate) fn walk(storage: &Storage, mut visit: impl FnMut(SignalKey, &Signal)) -> Result<()> {
    let cursor = storage.sql().exec_raw(&format!("SELECT {COLUMNS} FROM signal"), Vec::new())?;
    for row in cursor.raw() {
        let (cookie, _, signal) = signal_of(&row?)?;
        visit(signal.key(cookie), &signal);
    }
    Ok(())
}

/// What is already there of a batch.
pub(crate) fn present(storage: &Storage, call: &CollectCall, object: &mut Object) -> Result<Present> {
    let mut present = Present::default();
    let streams: Set<StreamId> = call.signals.iter().map(|offered| offered.signal.stream).collect();
    for stream in streams.iter().copied() {
        let of_stream =
            || call.signals.iter().map(|offered| &offered.signal).filter(move |s| s.stream == stream);
        let rows = query(
            storage,
            &format!(
                "SELECT {COLUMNS} FROM signal WHERE cookie = ? AND stream = ? AND seq IN (SELECT value FROM json_each(?))"
            ),
            named(call.cookie, stream, of_stream())?,
        )?;
        for row in &rows {
            let (_, _, signal) = signal_of(row)?;
            present.signals.insert((stream, signal.seq), signal);
        }
        let key = stream.to_string();
        let rows = query(storage, "SELECT body, sum FROM stream WHERE key = ?", vec![key.as_str().into()])?;
        if let Some(row) = rows.first() {
            let body = text(row, 0)?;
            check(row, 1, &["stream", &key, body])?;
            present.streams.insert(stream, object.read_stream(&key, body)?);
        }
    }
    Ok(present)
}

/// Which of these signals of one stream are there already.
pub(crate) fn known<'a>(
    storage: &Storage,
    cookie: CookieId,
    stream: StreamId,
    signals: impl Iterator<Item = &'a Signal>,
) -> Result<Vec<u64>> {
    let rows = query(
        storage,
        "SELECT seq FROM signal WHERE cookie = ? AND stream = ? AND seq IN (SELECT value FROM json_each(?))",
        named(cookie, stream, signals)?,
    )?;
    rows.iter().map(|row| integer(row, 0).map(|seq| seq as u64)).collect()
}

/// Signals of one stream as parameters: its cookie, itself, their numbers.
fn named<'a>(
    cookie: CookieId,
    stream: StreamId,
    signals: impl Iterator<Item = &'a Signal>,
) -> Result<Vec<JsValue>> {
    let seqs: Vec<u64> = signals.map(|signal| signal.seq).collect();
    Ok(vec![cookie.to_string().into(), stream.to_string().into(), serde_json::to_string(&seqs)?.into()])
}
