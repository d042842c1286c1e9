//! Fields of stored rows that this version of the program does not know. After a rollback the older
//! program works on rows of the newer one; what it does not understand, it keeps.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::collections::{Map as SmallMap, json_object};
use crate::effects::{Table, Write};
use crate::json;

/// Fields by row. Nearly always there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct UnknownFields(SmallMap<(Table, String), Map<String, Value>>);

impl UnknownFields {
    /// Reads a row, and remembers what of it `T` would not write again.
    pub(crate) fn read<T: DeserializeOwned + Serialize>(
        &mut self,
        table: Table,
        key: &str,
        body: &str,
    ) -> Result<T, serde_json::Error> {
        let read = json::value(body)?;
        let row: T = json::from_value(&read)?;
        // Through text: every shape keeps one serialiser in the Worker.
        let written = serde_json::to_string(&row)?;
        if written == body {
            return Ok(row);
        }
        let known = json::value(&written)?;
        if let Value::Object(fields) = read {
            let unknown: Map<_, _> = json_object(
                fields.into_iter().filter(|(name, value)| known.get(name).is_none() && !value.is_null()),
            );
            if !unknown.is_empty() {
                self.0.insert((table, key.to_owned()), unknown);
            }
        }
        Ok(row)
    }

    /// Puts them back into the rows that are written.
    pub(crate) fn put_back(&mut self, writes: &mut [Write]) {
        if self.0.is_empty() {
            return;
        }
        for write in writes {
            match write {
                Write::Put { table, key, body } => {
                    let Some(unknown) = self.0.get(&(*table, key.clone())) else { continue };
                    if let Ok(Value::Object(mut row)) = json::value(body) {
                        row.extend(unknown.clone());
                        *body = json::text(&Value::Object(row));
                    }
                }
                Write::Delete { table, key } => {
                    self.0.remove(&(*table, key.clone()));
                }
                Write::Clear(cleared) => self.0.retain(|(table, _), _| table != cleared),
                Write::Wipe => self.0.clear(),
                Write::Append { .. } | Write::Remove(_) | Write::Prune(_) | Write::Withdraw(_) => {}
            }
        }
    }
}
