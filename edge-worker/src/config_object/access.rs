//! Tokens, of which only digests are kept, and the audit log. Entries that were told each by themselves and those that
//! were counted have a bound each, so that no number of reads or refusals takes a change out of the log.

use std::cell::Cell;

use msci_core::access::audit::{DAYS, ENTRIES};
use msci_core::access::token;
use msci_core::json;
use msci_core::time::{DAY_MS, Timestamp};
use serde_json::json;
use wasm_bindgen::JsValue;

use super::ConfigObject;
use crate::error::{Error, Result};
use crate::platform::{now, random_bits, random_bytes};
use crate::storage::sql::{self, Statements};

/// Most tokens.
const TOKENS: i64 = 200;
/// Entries between two looks at what has to go.
const TIDY_EVERY: u32 = 100;

thread_local! {
    static TOLD: Cell<u32> = const { Cell::new(0) };
}

const SCHEMA: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS token (id TEXT PRIMARY KEY, body TEXT NOT NULL, digest TEXT NOT NULL, used INTEGER)",
    // `same` names what is counted in one row; null is a row of its own.
    "CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, \
     body TEXT NOT NULL, status INTEGER NOT NULL, count INTEGER NOT NULL, same TEXT UNIQUE)",
    "CREATE INDEX IF NOT EXISTS audit_counted ON audit (same IS NULL, id)",
];

fn number(number: i64) -> JsValue {
    (number as f64).into()
}

impl ConfigObject {
    fn rows(&self, query: &str, parameters: Vec<JsValue>) -> Result<Vec<Vec<worker::SqlStorageValue>>> {
        let storage = self.state.storage();
        if !self.ready.replace(true) {
            let statements = Statements::new();
            for step in SCHEMA {
                statements.push(step, &[]);
            }
            statements.commit(&storage).inspect_err(|_| self.ready.set(false))?;
        }
        sql::query(&storage, query, parameters)
    }

    /// What is kept of a token and its digest; null if there is none of this id.
    pub(super) fn token(&self, id: &str) -> Result<String> {
        let query = "SELECT json_array(json(body), digest) FROM token WHERE id = ?";
        let rows = self.rows(query, vec![id.into()])?;
        rows.first().map_or(Ok("null".to_owned()), |row| Ok(sql::text(row, 0)?.to_owned()))
    }

    /// All tokens, the newest first: what is kept, and when each was last used.
    pub(super) fn tokens(&self) -> Result<String> {
        let query = "SELECT body, coalesce(used, 0) FROM token ORDER BY rowid DESC";
        let mut items = Vec::new();
        for row in self.rows(query, Vec::new())? {
            let mut token = json::value(sql::text(&row, 0)?)?;
            let used = sql::integer(&row, 1)?;
            if let Some(token) = token.as_object_mut().filter(|_| used > 0) {
                token.insert("lastUsed".to_owned(), Timestamp(used).to_rfc3339().into());
            }
            items.push(token);
        }
        Ok(json::text(&json!({ "items": items })))
    }

    /// Makes a token of what `token::asked` took; answers it with its text, which nobody hears again.
    pub(super) fn make_token(&self, asked: &str) -> Result<String> {
        let mut body = json::value(asked)?;
        let rows = self.rows("SELECT count(*) FROM token", Vec::new())?;
        if rows.first().is_some_and(|row| sql::integer(row, 0).is_ok_and(|count| count >= TOKENS)) {
            return Err(Error::client(409, "too_many_tokens", format!("there are {TOKENS} tokens already")));
        }
        let text = token::text(random_bits() as u64, &random_bytes());
        let id = token::id(&text).unwrap_or_default();
        let mut insert = |name: &str, value: &str| {
            if let Some(body) = body.as_object_mut() {
                body.insert(name.to_owned(), value.into());
            }
            json::text(&body)
        };
        insert("id", id);
        let kept = insert("createdAt", &now().to_rfc3339());
        let told = insert("token", &text);
        let statements = Statements::new();
        let parameters = [id.into(), kept.into(), token::digest(&text).into()];
        statements.push("INSERT INTO token (id, body, digest) VALUES (?, ?, ?)", &parameters);
        statements.commit(&self.state.storage())?;
        Ok(told)
    }

    /// Takes a token away.
    pub(super) fn remove_token(&self, id: &str) -> Result<String> {
        let id: String = json::from_str(id)?;
        let rows = self.rows("DELETE FROM token WHERE id = ? RETURNING id", vec![id.into()])?;
        if rows.is_empty() { Err(Error::not_found()) } else { Ok(String::new()) }
    }

    /// Entries as `audit::sent` has them; answers the number of the last. Those without a count wait for their outcome.
    pub(super) fn tell_audit(&self, asked: &str) -> Result<String> {
        let told: Vec<(i64, i64, String, String, Option<i64>)> = json::from_str(asked)?;
        self.tidy_audit()?;
        let mut last = 0;
        for (at, status, token, body, count) in told {
            let used = "UPDATE token SET used = ?1 WHERE id = ?2";
            self.rows(used, vec![number(now().0), token.into()])?;
            let same = count.map_or(JsValue::NULL, |_| format!("{at} {status} {body}").into());
            let insert = "INSERT INTO audit (at, body, status, count, same) VALUES (?1, ?2, ?3, ?4, ?5) \
                          ON CONFLICT (same) DO UPDATE SET count = count + ?4 RETURNING id";
            let parameters = vec![number(at), body.into(), number(status), number(count.unwrap_or(1)), same];
            let rows = self.rows(insert, parameters)?;
            last = rows.first().map_or(Ok(0), |row| sql::integer(row, 0))?;
        }
        Ok(last.to_string())
    }

    /// The outcome of an entry.
    pub(super) fn end_audit(&self, asked: &str) -> Result<String> {
        let (id, status): (i64, i64) = json::from_str(asked)?;
        self.rows("UPDATE audit SET status = ? WHERE id = ?", vec![number(status), number(id)])?;
        Ok(String::new())
    }

    fn tidy_audit(&self) -> Result<()> {
        let told = TOLD.get();
        TOLD.set(told.wrapping_add(1));
        if told.rem_euclid(TIDY_EVERY) != 0 {
            return Ok(());
        }
        self.rows("DELETE FROM audit WHERE at < ?", vec![number(now().0 - DAYS * DAY_MS)])?;
        for alone in [0, 1] {
            let surplus = "DELETE FROM audit WHERE (same IS NULL) = ?1 AND id <= (SELECT id FROM audit \
                           WHERE (same IS NULL) = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
            self.rows(surplus, vec![number(alone), ENTRIES.into()])?;
        }
        Ok(())
    }

    /// `(top, behind, since)`: the newest entries, behind one of them, of a time on; and the number of the last
    /// where there are more.
    pub(super) fn audit(&self, asked: &str) -> Result<String> {
        let (top, behind, since): (u32, Option<i64>, Timestamp) = json::from_str(asked)?;
        let query = "SELECT id, at, body, status, count, same IS NOT NULL FROM audit \
                     WHERE id < ?1 AND at >= ?2 ORDER BY id DESC LIMIT ?3";
        let behind = number(behind.unwrap_or(1 << 52));
        let rows = self.rows(query, vec![behind, number(since.0), (top + 1).into()])?;
        let mut items = Vec::new();
        let mut last = None;
        for row in rows.iter().take(top as usize) {
            let mut item = json::value(sql::text(row, 2)?)?;
            last = Some(sql::integer(row, 0)?);
            if let Some(item) = item.as_object_mut() {
                item.insert("at".to_owned(), Timestamp(sql::integer(row, 1)?).to_rfc3339().into());
                item.insert("status".to_owned(), sql::integer(row, 3)?.into());
                if sql::integer(row, 5)? != 0 {
                    item.insert("count".to_owned(), sql::integer(row, 4)?.into());
                }
            }
            items.push(item);
        }
        let mut answer = json!({ "items": items });
        if let Some((answer, last)) = answer.as_object_mut().zip(last.filter(|_| rows.len() > top as usize)) {
            answer.insert("skiptoken".to_owned(), last.to_string().into());
        }
        Ok(json::text(&answer))
    }
}
