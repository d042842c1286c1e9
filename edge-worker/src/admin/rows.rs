//! `POST /tables/{name}/rows`: CSV or JSON Lines as a stream, a verdict for every bad line (the first thousand of them,
//! or all, where they are asked for), the others are taken. Rows are written in chunks while more of them arrive, so what is held does not grow with the
//! import; a sender who goes away leaves whole chunks, and may send everything again.

use msci_core::config::Table;
use msci_core::import::{Format, Import, Refusals, Refused, Row, Verdict};
use msci_core::json;
use msci_core::time::{SECOND_MS, Timestamp};
use serde_json::{Value, json};
use worker::{Env, Request, Response};

use crate::calls::{self, JobCall, Work};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::http::{self, Pieces, header};
use crate::platform::{normal, now};
use crate::storage::index::{self, Upserted};

/// Largest import in one request, unpacked, in bytes.
const IMPORT_BYTES: usize = 1024 * 1024 * 1024;
/// Bytes that are looked at before what they hold is written.
const PIECE_BYTES: usize = 32 * 1024;
/// Rows in one statement, and their bytes: the database takes 2 MB.
const CHUNK: usize = 500;
const CHUNK_BYTES: usize = 512 * 1024;
/// Bad lines that the answer lists, unless all are asked for; then so many are sent at once.
const LISTED: usize = 1000;
/// The job that carries rows on hears of news this often.
const NEWS_MS: i64 = 2 * SECOND_MS;

/// Imports rows.
pub(super) async fn import(
    request: Request,
    env: &Env,
    configuration: &Configuration,
    name: &str,
) -> Result<Response> {
    let table = configuration.definitions.bundle.tables.get(name).ok_or_else(Error::not_found)?;
    let format = match http::media_type(&header(&request, "content-type")).as_str() {
        "text/csv" => Format::Csv,
        "application/x-ndjson" => Format::JsonLines,
        _ => return Err(unsupported("send text/csv or application/x-ndjson")),
    };
    let gzip = match header(&request, "content-encoding").to_ascii_lowercase().as_str() {
        "" | "identity" => false,
        "gzip" => true,
        _ => return Err(unsupported("send plain text or gzip")),
    };
    let query = http::url(&request)?.search_params();
    let option = |name: &str, value: &str| match query.get(name) {
        Some(given) if given == value => Ok(true),
        Some(given) if !given.is_empty() => {
            Err(Error::client(400, "invalid_option", format!("{name} may be \"{value}\"")))
        }
        _ => Ok(false),
    };
    let (anew, all) = (option("erased", "anew")?, option("rejected", "all")?);
    let rejected = Refusals::of_at_most(if all { usize::MAX } else { LISTED });
    let mut writer = Writer { anew, rejected, ..Writer::new(env, name, table) };
    let normal = normal(table.case_insensitive_key);
    let mut import = Import::new(format, name, table, &configuration.names, normal);
    let read = read(&request, gzip, &mut import, &mut writer).await;
    if let Err(error) = read {
        // What was written stays, and is carried on.
        writer.tell(true).await?;
        return Err(error);
    }
    writer.write(0).await?;
    writer.tell(true).await?;
    let report = writer.report();
    if all { streamed(&report, writer.rejected) } else { http::json(&told(report, &writer.rejected)) }
}

fn shown((line, code, message): (u64, &str, &str)) -> Value {
    json!({ "line": line, "code": code, "message": message })
}

fn told(mut report: Value, rejected: &Refusals) -> Value {
    if let Some(report) = report.as_object_mut() {
        report.insert("rejected".to_owned(), rejected.iter().map(shown).collect());
    }
    report
}

/// The same answer, however long: it is made as fast as it is taken.
fn streamed(report: &Value, rejected: Refusals) -> Result<Response> {
    let mut text = json::text(report);
    text.truncate(text.len().saturating_sub(1));
    text.push_str(",\"rejected\":[");
    http::streamed("application/json", |out| async move {
        for (at, line) in rejected.iter().enumerate() {
            if at > 0 {
                text.push(',');
                if at.is_multiple_of(LISTED) {
                    out.send(&std::mem::take(&mut text)).await?;
                }
            }
            text.push_str(&json::text(&shown(line)));
        }
        text.push_str("]}");
        out.send(&text).await
    })
}

fn unsupported(message: &'static str) -> Error {
    Error::client(415, "unsupported_media_type", message)
}

async fn read(request: &Request, gzip: bool, import: &mut Import<'_>, writer: &mut Writer<'_>) -> Result<()> {
    let refused = |refused: Refused| Error::client(400, refused.code, refused.message);
    let mut verdicts = Vec::new();
    let mut bytes = 0;
    if let Some(pieces) = Pieces::of(request, gzip)? {
        while let Some(arrived) = pieces.next().await? {
            bytes += arrived.len();
            if bytes > IMPORT_BYTES {
                pieces.stop();
                let message = format!(
                    "an import may have {IMPORT_BYTES} bytes; its first {} lines were looked at",
                    writer.received
                );
                return Err(Error::client(413, "too_large", message));
            }
            for piece in arrived.chunks(PIECE_BYTES) {
                import.feed(piece, &mut verdicts).map_err(refused)?;
                writer.take(verdicts.drain(..));
                writer.write(CHUNK).await?;
                writer.tell(false).await?;
            }
        }
    }
    import.finish(&mut verdicts).map_err(refused)?;
    writer.take(verdicts.drain(..));
    Ok(())
}

/// Writes rows in chunks, and remembers what became of each line.
struct Writer<'a> {
    env: &'a Env,
    name: &'a str,
    table: &'a Table,
    /// Who was erased may come back.
    anew: bool,
    waiting: Vec<Row>,
    received: u64,
    created: u64,
    updated: u64,
    rejected: Refusals,
    /// The job that carries on what has changed, and when it heard of it; whether there is more.
    job: Value,
    told: Timestamp,
    news: bool,
}

impl<'a> Writer<'a> {
    fn new(env: &'a Env, name: &'a str, table: &'a Table) -> Self {
        Self {
            env,
            name,
            table,
            anew: false,
            waiting: Vec::new(),
            received: 0,
            created: 0,
            updated: 0,
            rejected: Refusals::default(),
            job: Value::Null,
            told: Timestamp(0),
            news: false,
        }
    }

    fn take(&mut self, verdicts: impl Iterator<Item = Verdict>) {
        for verdict in verdicts {
            self.received += 1;
            match verdict {
                Ok(row) => self.waiting.push(row),
                Err(bad) => self.rejected.push(bad.line, bad.code, &bad.message),
            }
        }
    }

    /// Writes what waits, chunk by chunk, but for less than `least` rows at the end.
    async fn write(&mut self, least: usize) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(CHUNK).take_while(|row| {
                bytes += row.body.len() + row.key.len();
                bytes <= CHUNK_BYTES
            });
            // One row is always less than that.
            let (chunk, left) = rest.split_at(fits.count().max(1));
            if left.is_empty() && chunk.len() < least {
                break;
            }
            // Somebody may have deleted the table, or made another of the same name.
            let configuration = configuration::current(self.env, now()).await?;
            if configuration.definitions.bundle.tables.get(self.name) != Some(self.table) {
                return Err(Error::client(409, "table_changed", "the table has changed during the import"));
            }
            let Upserted { created, updated, erased } =
                index::upsert(self.env, self.name, chunk, self.anew).await?;
            self.created += created;
            self.updated += updated;
            self.news |= created + updated > 0;
            for line in erased {
                self.rejected.push(
                    line,
                    "erased",
                    "this person was erased; with ?erased=anew they are taken as new",
                );
            }
            rest = left;
        }
        let written = waiting.len() - rest.len();
        waiting.drain(..written);
        self.waiting = waiting;
        Ok(())
    }

    /// Lets the job know: now and then while more arrives, and at the end, when it begins at once.
    async fn tell(&mut self, end: bool) -> Result<()> {
        if self.news && (end || now() > self.told.plus(NEWS_MS)) {
            let work = Work::Push { news: 0 };
            let call = if end { JobCall::Start(work) } else { JobCall::Later(work) };
            self.job = calls::job(self.env, &call).await?;
            self.told = now();
            self.news = false;
        }
        Ok(())
    }

    /// All of the answer but the lines.
    fn report(&self) -> Value {
        json!({
            "received": self.received,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.received - self.created - self.updated - self.rejected.count(),
            "unlisted": self.rejected.unlisted(),
            "job": self.job.get("job"),
        })
    }
}
