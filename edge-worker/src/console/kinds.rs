//! The kinds of definitions: what of each its form asks for, and how.

use super::texts::{activations, experiences, layout, measures, segments, tables};
use crate::error::{Error, Result};
use crate::http::encoded;

/// How a field is typed, and what of the definition it is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// A text.
    Line,
    /// A filter over activities, with its fault where it stands.
    Filter,
    /// A filter over customers, likewise.
    Audience,
    /// A truth value.
    Check,
    /// One of these.
    Choice(&'static [&'static str]),
    /// One of the segments.
    Segment,
    /// A list of columns, one a line.
    Columns,
    /// Entered, left, or both.
    Moves,
    /// All of the definition, as JSON.
    Whole,
}

pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
    pub(super) shape: Shape,
}

pub(super) struct Kind {
    /// Its part of addresses, here and in the admin API.
    pub(super) path: &'static str,
    pub(super) many: &'static str,
    /// What a new one is called.
    pub(super) new: &'static str,
    /// What it is for, where there is none yet.
    pub(super) purpose: &'static str,
    pub(super) fields: &'static [Field],
}

/// The kind that an address names.
pub(super) fn kind(path: &str) -> Result<&'static Kind> {
    KINDS.iter().find(|kind| kind.path == path).ok_or_else(Error::not_found)
}

impl Kind {
    /// Of one of them.
    pub(super) fn address(&self, name: &str) -> String {
        format!("{}/{}", self.path, encoded(name))
    }
}

const fn field(name: &'static str, label: &'static str, help: &'static str, shape: Shape) -> Field {
    Field { name, label, help, shape }
}

const AGGREGATES: &[&str] = &["count", "sum", "average", "min", "max", "first", "last", "countDistinct"];

static KINDS: [Kind; 5] = [
    Kind {
        path: "tables",
        many: layout::TABLES,
        new: tables::NEW,
        purpose: tables::PURPOSE,
        fields: &[
            field("primaryKey", tables::KEY, tables::KEY_HELP, Shape::Line),
            field("columns", tables::COLUMNS, tables::COLUMNS_HELP, Shape::Columns),
            field("caseInsensitiveKey", tables::ANY_CASE, "", Shape::Check),
        ],
    },
    Kind {
        path: "measures",
        many: layout::MEASURES,
        new: measures::NEW,
        purpose: measures::PURPOSE,
        fields: &[
            field("aggregate", measures::HOW, measures::HOW_HELP, Shape::Choice(AGGREGATES)),
            field("property", measures::PROPERTY, measures::PROPERTY_HELP, Shape::Line),
            field("filter", measures::FILTER, measures::FILTER_HELP, Shape::Filter),
            field("window", measures::WINDOW, measures::WINDOW_HELP, Shape::Line),
        ],
    },
    Kind {
        path: "segments",
        many: layout::SEGMENTS,
        new: segments::NEW,
        purpose: segments::PURPOSE,
        fields: &[
            field("displayName", segments::SHOWN_AS, segments::SHOWN_AS_HELP, Shape::Line),
            field("filter", segments::CONDITION, segments::CONDITION_HELP, Shape::Audience),
            field("active", segments::ACTIVE, "", Shape::Check),
        ],
    },
    Kind {
        path: "experiences",
        many: layout::EXPERIENCES,
        new: experiences::NEW,
        purpose: experiences::PURPOSE,
        fields: &[field("whole", experiences::DEFINITION, experiences::DEFINITION_HELP, Shape::Whole)],
    },
    Kind {
        path: "activations",
        many: layout::ACTIVATIONS,
        new: activations::NEW,
        purpose: activations::PURPOSE,
        fields: &[
            field("segment", activations::SEGMENT, activations::SEGMENT_HELP, Shape::Segment),
            field("on", activations::WHEN, "", Shape::Moves),
            field("url", activations::URL, activations::URL_HELP, Shape::Line),
            field("secret", activations::SECRET, activations::SECRET_HELP, Shape::Line),
        ],
    },
];
