//! The fold: a profile is a pure function of the *set* of its signals, its imported row, the
//! definitions and now (law 1). Folding a signal is commutative and is done once per identity; the
//! size of what is kept does not depend on how many there were (law 9).

mod evaluate;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attributes::Attributes;
use crate::collections::{Map, Set};
use crate::consent::{Consents, Decisions};
use crate::counter::{Counter, CounterId};
use crate::definitions::{BROWSER_ATTRIBUTES, Definitions};
use crate::effects::{Table, Write};
use crate::export::Held;
use crate::ids::{CustomerId, SignalKey};
use crate::json;
use crate::membership::{Cause, Membership, Move};
use crate::mutants::planted;
use crate::object::UnknownFields;
use crate::outcome::{self, Outcome};
use crate::places::{Place, Places};
use crate::reading::Reading;
use crate::signal::{Kind, Signal, Source};
use crate::snapshot::Snapshot;
use crate::time::Timestamp;

/// The imported row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// Version of the row; an older one never replaces a newer one.
    pub version: u64,
    /// Columns by name.
    pub values: Map<String, Value>,
}

/// The part of a profile that is one row in storage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Head {
    /// Grows with every change.
    version: u64,
    /// Definitions it was last folded with.
    n: u64,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    /// Given by browsers.
    browser: Attributes,
    /// Given by the site's servers.
    #[serde(skip_serializing_if = "is_empty")]
    server: Attributes,
    /// The imported row, once asked for; its absence is remembered as version 0.
    imported: Option<Imported>,
    /// Consent by purpose.
    consent: Consents,
    /// Experiences whose audience it is in.
    audiences: Vec<String>,
    /// What memberships and audiences were last evaluated with.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluated: Option<Evaluated>,
}

/// As of when memberships hold. None means that every filter is to be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Evaluated {
    /// Version of the definitions.
    n: u64,
    /// Time.
    at: Timestamp,
}

/// What is kept of a profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    head: Head,
    counters: Map<CounterId, Counter>,
    memberships: Map<String, Membership>,
    /// Counters that are not written yet.
    dirty: Set<CounterId>,
    /// Filters to be evaluated: what they ask for has changed.
    touched: Places,
    /// Memberships that are not written yet.
    moved: Vec<String>,
    /// Whether time alone changed something that readers see.
    stirred: bool,
    /// Segments entered and left since they were last taken.
    moves: Vec<Move>,
}

/// Where the next of some counters, that come in order, may stand.
#[derive(Default)]
struct At {
    counter: usize,
    dirty: usize,
}

const HEAD: &str = "head";

fn is_empty(attributes: &Attributes) -> bool {
    *attributes == Attributes::default()
}

impl Profile {
    /// Its version.
    pub fn version(&self) -> u64 {
        self.head.version
    }

    /// The imported row's version, once the row was asked for; 0 where there is none.
    pub fn imported_version(&self) -> Option<u64> {
        self.head.imported.as_ref().map(|row| row.version)
    }

    /// Goes on above a version that another life of this profile reached.
    pub(crate) fn raise(&mut self, floor: u64) {
        self.head.version = self.head.version.max(floor);
    }

    /// Time of the newest signal.
    pub(crate) fn last_seen(&self) -> Option<Timestamp> {
        self.head.last_seen
    }

    /// Version of the definitions it was last folded with.
    pub fn definitions_version(&self) -> u64 {
        self.head.n
    }

    /// Segments it is in.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.memberships.keys().map(String::as_str)
    }

    /// Segments it is in, with since when and why.
    pub fn memberships(&self) -> impl Iterator<Item = (&str, &Membership)> {
        self.memberships.iter().map(|(name, membership)| (name.as_str(), membership))
    }

    /// Segments entered and left since this was last asked, in the order in which it happened.
    pub fn take_moves(&mut self) -> Vec<Move> {
        std::mem::take(&mut self.moves)
    }

    /// Segments entered and left that nobody is to hear of go.
    pub(crate) fn keep_moves(&mut self, keep: impl FnMut(&Move) -> bool) {
        self.moves.retain(keep);
    }

    /// Nothing is left of it but the news of what it left.
    pub(crate) fn leave_all(&mut self, at: Timestamp, cause: Cause) -> Self {
        let mut moves = std::mem::take(&mut self.moves);
        let names = self.memberships.keys().cloned();
        moves.extend(names.map(|segment| Move { segment, entered: false, at, cause }));
        Self { moves, ..Self::default() }
    }

    /// What was agreed to: the newest decision of whoever is merged here.
    pub fn consent(&self) -> Decisions {
        self.head.consent.decisions()
    }

    /// Takes one stored row.
    pub(crate) fn load(
        &mut self,
        table: Table,
        key: &str,
        body: &str,
        unknown: &mut UnknownFields,
    ) -> Result<(), serde_json::Error> {
        match table {
            Table::Profile => self.head = unknown.read(table, key, body)?,
            Table::Measure => {
                let id: CounterId = json::from_value(&key.into())?;
                self.counters.insert(id, unknown.read(table, key, body)?);
            }
            Table::Membership => {
                self.memberships.insert(key.to_owned(), unknown.read(table, key, body)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Folds a signal that is new to this profile. [`Self::bump`] writes what it changed.
    pub fn fold(&mut self, definitions: &Definitions, key: SignalKey, signal: &Signal, now: Timestamp) {
        // What time changed until now was before this signal.
        self.pass(definitions, now);
        self.head.first_seen = Some(self.head.first_seen.map_or(signal.time, |seen| seen.min(signal.time)));
        self.head.last_seen = Some(self.head.last_seen.map_or(signal.time, |seen| seen.max(signal.time)));
        match signal.kind {
            Kind::User => {
                let mut touched = Vec::new();
                let given = match signal.source {
                    Source::Browser => &mut self.head.browser,
                    Source::Server => &mut self.head.server,
                };
                for (field, attribute) in BROWSER_ATTRIBUTES {
                    if let Some(value) = signal.fields.get(field) {
                        given.give(attribute, signal.time, key, value);
                        touched.extend(definitions.reach.of_attribute(attribute));
                    }
                }
                let traits = signal.fields.get("traits").and_then(Value::as_object);
                for (name, value) in traits.into_iter().flatten() {
                    given.give(name, signal.time, key, value);
                    touched.extend(definitions.reach.of_attribute(name));
                }
                self.touch(&touched);
            }
            Kind::Consent => self.head.consent.note(key, signal),
            Kind::View | Kind::Action | Kind::Event => {
                let read = Reading::of(signal);
                let mut at = At::default();
                for place in definitions.reach.counters(&read).iter() {
                    self.count(definitions, place, &mut at, key, &read, now);
                }
            }
        }
    }

    fn count(
        &mut self,
        definitions: &Definitions,
        place: Place,
        at: &mut At,
        key: SignalKey,
        read: &Reading<'_>,
        now: Timestamp,
    ) {
        let Some((id, counting)) = definitions.counters.nth(place as usize) else { return };
        if !counting.matches(read) {
            return;
        }
        let counter = self.counters.get_or_insert_from(&mut at.counter, *id, Counter::default);
        if counter.fold(counting, key, read.signal, now) {
            self.dirty.insert_from(&mut at.dirty, *id);
            if !planted(50) {
                self.touch(definitions.reach.of_counter(place));
            }
        }
    }

    fn touch(&mut self, places: &[Place]) {
        for place in places {
            self.touched.insert(*place);
        }
    }

    /// Takes the imported row, unless a newer one is there. Says whether it was taken.
    pub fn import(&mut self, definitions: &Definitions, row: Imported, now: Timestamp) -> bool {
        let newer = self.head.imported.as_ref().is_none_or(|old| row.version > old.version);
        if newer {
            self.pass(definitions, now);
            let old = self.head.imported.take().unwrap_or_default();
            for name in old.values.keys().chain(row.values.keys()) {
                if old.values.get(name) != row.values.get(name) {
                    self.touch(definitions.reach.of_attribute(name));
                }
            }
            self.head.imported = Some(row);
        }
        newer
    }

    /// Goes on with memberships that were kept elsewhere so far. The next evaluation looks at all of them,
    /// and says what differs.
    pub fn inherit(&mut self, memberships: Vec<(String, Timestamp)>, out: &mut Vec<Write>) {
        for (name, since) in memberships {
            let since = self.memberships.get(&name).map_or(since, |own| own.since.min(since));
            let membership = Membership { since, cause: Some(Cause::Import) };
            out.push(Write::put(Table::Membership, &name, &membership));
            self.memberships.insert(name, membership);
            self.head.evaluated = None;
        }
    }

    /// Counters that the definitions ask for and this profile cannot answer: they are new to it, or must
    /// know of more. They need one look at the whole timeline, once.
    pub fn missing(&self, definitions: &Definitions) -> Vec<CounterId> {
        if self.head.n >= definitions.bundle.n {
            return Vec::new();
        }
        definitions
            .counters
            .iter()
            .filter(|(id, counting)| {
                // Of what was counted all along and is not there, there was nothing.
                let new = counting.since > self.head.n && !planted(54);
                self.counters.get(id).map_or(new, |counter| counter.kept() < counting.keep)
            })
            .map(|(id, _)| *id)
            .collect()
    }

    /// Starts the missing counters anew; [`Self::backfill`] then folds the timeline into them.
    pub fn restart(&mut self, missing: &[CounterId]) {
        for id in missing {
            if self.counters.remove(id).is_some() {
                self.dirty.insert(*id);
            }
        }
    }

    /// Folds one signal of the timeline into the missing counters only; they are in order.
    pub fn backfill(
        &mut self,
        definitions: &Definitions,
        missing: &[CounterId],
        key: SignalKey,
        signal: &Signal,
        now: Timestamp,
    ) {
        let read = Reading::of(signal);
        let mut at = At::default();
        for place in definitions.reach.counters(&read).iter() {
            let counter = definitions.counters.nth(place as usize);
            if counter.is_some_and(|(id, _)| missing.binary_search(id).is_ok()) {
                self.count(definitions, place, &mut at, key, &read, now);
            }
        }
    }

    /// Adopts a new version of the definitions, whose missing counters were filled. The next evaluation
    /// looks at all of them.
    pub fn adopt(&mut self, definitions: &Definitions, out: &mut Vec<Write>) {
        if self.head.n >= definitions.bundle.n {
            return;
        }
        let gone = self.counters.keys().filter(|id| !definitions.counters.contains_key(*id));
        for id in gone.copied().collect::<Vec<_>>() {
            self.counters.remove(&id);
            self.dirty.insert(id);
        }
        self.write_counters(out);
        self.head.n = definitions.bundle.n;
        // Also where there is nothing to count: the next change of definitions starts from here.
        out.push(Write::put(Table::Profile, HEAD, &self.head));
    }

    /// One more version of this profile, and the rows of what changed.
    pub fn bump(&mut self, out: &mut Vec<Write>) {
        self.head.version += 1;
        self.write_counters(out);
        out.push(Write::put(Table::Profile, HEAD, &self.head));
    }

    fn write_counters(&mut self, out: &mut Vec<Write>) {
        for id in std::mem::take(&mut self.dirty) {
            out.push(match self.counters.get(&id) {
                Some(counter) => Write::put(Table::Measure, &id.text(), counter),
                None => Write::delete(Table::Measure, &id.text()),
            });
        }
    }

    /// The same profile after everything in it was given away to a customer: only the version stays,
    /// so that copies of it can still be told apart, and the definitions, of which none ever go back.
    pub fn clear(&mut self, out: &mut Vec<Write>) {
        let Head { version, n, .. } = self.head;
        *self = Self::default();
        self.head.version = version;
        self.head.n = n;
        out.push(Write::Clear(Table::Measure));
        out.push(Write::Clear(Table::Membership));
    }

    /// Forgets everything that came from signals, to fold the remaining ones again. What came from
    /// elsewhere stays, and so do memberships: only what then differs is entered or left.
    pub fn unfold(&mut self, definitions: &Definitions, now: Timestamp) {
        self.pass(definitions, now);
        let Head { version, imported, audiences, .. } = std::mem::take(&mut self.head);
        self.head = Head { version, imported, audiences, n: definitions.bundle.n, ..Head::default() };
        if !planted(17) {
            self.counters.clear();
        }
        self.dirty = Set::default();
        self.touched = Places::default();
    }

    /// An attribute: the imported row before the site's servers before the browser.
    fn attribute(&self, name: &str) -> Option<&Value> {
        let imported =
            self.head.imported.as_ref().and_then(|row| row.values.get(name)).filter(|v| !v.is_null());
        imported.or_else(|| self.head.server.get(name)).or_else(|| self.head.browser.get(name))
    }

    fn attributes(&self) -> Map<String, Value> {
        let imported = self.head.imported.iter().flat_map(|row| row.values.iter());
        let imported = imported.filter(|(_, value)| !value.is_null());
        let mut all: Map<_, _> = imported.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.head.server.fill(&mut all);
        self.head.browser.fill(&mut all);
        all
    }

    /// What became of it wherever it was shown an experience.
    pub fn outcomes(&self, definitions: &Definitions) -> Vec<Outcome> {
        outcome::all(definitions, &self.counters)
    }

    /// What an export has besides the view.
    pub fn held(&self, definitions: &Definitions) -> Held<'_> {
        Held {
            browser: &self.head.browser,
            server: &self.head.server,
            memberships: self.memberships().collect(),
            outcomes: self.outcomes(definitions),
        }
    }

    /// The view of it at `now`; the caller adds what it knows of identity.
    pub fn snapshot(
        &self,
        definitions: &Definitions,
        customer: CustomerId,
        tag: String,
        now: Timestamp,
    ) -> Snapshot {
        // One version says one thing, whichever clock it is shown by.
        let as_of = self.as_of(now);
        let measures = definitions.measures.iter().filter_map(|(name, id)| {
            let (counting, counter) = definitions.counter(*id, &self.counters)?;
            Some((name.clone(), counter.value(counting, as_of)))
        });
        Snapshot {
            customer,
            tag,
            version: self.head.version,
            n: self.head.n,
            valid_until: self.holds_until(definitions, now),
            auth: None,
            cookie_ids: Vec::new(),
            attributes: self.attributes(),
            segments: self.memberships.keys().cloned().collect(),
            measures: measures.collect(),
            audiences: self.head.audiences.clone(),
            consent: self.consent(),
            cookie_consent: Map::new(),
            bucket_key: customer.to_string(),
            first_seen: self.head.first_seen,
            last_seen: self.head.last_seen,
        }
    }
}

#[cfg(test)]
mod tests;
