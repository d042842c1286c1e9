//! Whom a page is previewed as. Somebody made up has what is given: attributes, measures and segments. Who did nothing has no
//! activities, so what counts them finds none.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::activity;
use crate::collections::Map;
use crate::definitions::Definitions;
use crate::expr::resolve::CustomerField;
use crate::expr::{Expr, Scalar, eval};
use crate::ids::CustomerId;
use crate::snapshot::Snapshot;
use crate::time::Timestamp;

/// Largest persona, as JSON, in bytes: it travels in a cookie.
pub const PERSONA_BYTES: usize = 2048;

/// A made-up customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Persona {
    /// How people call it; also what holdouts and variants hash, so each name always sees the same.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Attributes by name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Measures by name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub measures: Map<String, Value>,
    /// Segments it is in, besides those whose filter holds for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
}

/// Whom a page is shown as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Viewer {
    /// A customer or visitor that there is.
    Customer(CustomerId),
    /// Somebody made up.
    Persona(Persona),
}

impl Viewer {
    /// How people call whoever that is.
    pub fn name(&self) -> String {
        match self {
            Self::Customer(customer) => customer.to_string(),
            Self::Persona(persona) if persona.name.is_empty() => "a persona".to_owned(),
            Self::Persona(persona) => persona.name.clone(),
        }
    }
}

impl Persona {
    /// What pages are decided with.
    pub fn snapshot(&self, definitions: &Definitions, now: Timestamp) -> Snapshot {
        let mut segments = self.segments.clone();
        // Each comes after those that it asks about.
        for (name, filter) in &definitions.segments {
            if !segments.contains(name) && self.holds(filter, &segments, now) {
                segments.push(name.clone());
            }
        }
        let is_in =
            |audience: Option<&Expr<_>>| audience.is_none_or(|filter| self.holds(filter, &segments, now));
        let experiences =
            definitions.experiences.iter().filter(|experience| is_in(experience.audience.as_ref()));
        let audiences = experiences.map(|experience| experience.name.clone()).collect();
        let stranger = Snapshot::stranger(definitions, now);
        Snapshot {
            customer: CustomerId::Unknown(0),
            attributes: self.attributes.clone(),
            measures: self.measures.clone(),
            bucket_key: self.name.clone(),
            segments,
            audiences,
            ..stranger
        }
    }

    fn holds(&self, filter: &Expr<CustomerField>, segments: &[String], now: Timestamp) -> bool {
        let field = |field: &CustomerField| match field {
            CustomerField::Attribute(name) => activity::scalar(self.attributes.get(name)),
            CustomerField::Measure(name) => activity::scalar(self.measures.get(name)),
            CustomerField::Member(name) => Scalar::Bool(segments.contains(name)),
            CustomerField::Count(_) => Scalar::Number(0.0),
        };
        eval::holds(filter, &field, now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_persona_is_in_what_it_is_given_and_in_what_follows_from_that() {
        let change = json!({ "selector": "h1", "action": "setText", "value": "x" });
        let experience =
            |audience: &str| json!({ "audience": audience, "pages": ["/"], "changes": [change] });
        let definitions = Definitions::compile(
            serde_json::from_value(json!({
                "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string" } } },
                "measures": { "Spent": { "aggregate": "sum", "property": "total" } },
                "segments": {
                    "Gold": { "filter": "Tier eq 'gold'" },
                    "GoldBuyers": { "filter": "IsMemberOfSegment('Gold') and Measures/Spent gt 100" },
                    "Readers": { "filter": "UnifiedActivity/any(a: contains(a/ViewUri,'/reviews'))" },
                    "Idle": { "filter": "UnifiedActivity/$count eq 0" },
                },
                "experiences": {
                    "buyers": experience("IsMemberOfSegment('GoldBuyers')"),
                    "readers": experience("IsMemberOfSegment('Readers')"),
                    "all": experience(""),
                    "rich": experience("Measures/Spent gt 1000"),
                },
            }))
            .unwrap(),
        )
        .unwrap();
        let persona: Persona = serde_json::from_value(json!({
            "name": "Ada", "attributes": { "Tier": "Gold" }, "measures": { "Spent": 120 }, "segments": ["Readers"],
        }))
        .unwrap();
        let snapshot = persona.snapshot(&definitions, Timestamp(0));
        let mut segments = snapshot.segments.clone();
        segments.sort();
        assert_eq!(segments, ["Gold", "GoldBuyers", "Idle", "Readers"]);
        assert_eq!(snapshot.audiences, ["all", "buyers", "readers"]);
        assert_eq!(snapshot.text("tier").as_deref(), Some("Gold"));
        assert!(!snapshot.customer.is_known() && snapshot.cookie_ids.is_empty());
    }
}
