//! What can be named in a question about a set: its columns, measures, properties, collections, segments.

use std::borrow::Cow;

use super::Fault;
use super::address::Dialect;
use super::model::{self, Column, Set, Source};
use crate::activity::ActivityField;
use crate::config::Bundle;
use crate::counter::Aggregate;
use crate::expr::Type;
use crate::expr::resolve::Entity;

/// What can be expanded under this name.
pub(super) fn expansion(set: Set, name: &str) -> Option<Set> {
    let named = |expanded: &&Set| {
        let plain = model::plain(name);
        [Dialect::Current, Dialect::Legacy]
            .iter()
            .any(|dialect| model::plain(&expanded.as_property(*dialect)).eq_ignore_ascii_case(plain))
    };
    set.expansions().iter().find(named).copied()
}

/// What the rows of a set can be asked about.
pub(super) struct Rows<'a> {
    set: Set,
    columns: Cow<'a, [Column]>,
    bundle: &'a Bundle,
    /// Rows of the collection that a customer has.
    activities: Option<Box<Rows<'a>>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(set: Set, columns: &'a [Column], bundle: &'a Bundle) -> Self {
        let activities = (set == Set::Customers).then(|| {
            let columns = model::columns(Set::Activities, bundle).into();
            Box::new(Rows { set: Set::Activities, columns, bundle, activities: None })
        });
        Self { set, columns: columns.into(), bundle, activities }
    }

    /// A column, a measure, or a property, by the words of an option.
    pub(super) fn path(&self, text: &str) -> Result<(Source, Type), Fault> {
        let mut path: Vec<String> = text.trim().split('/').map(str::to_owned).collect();
        if let Some(first) = path.first_mut() {
            *first = model::plain(first).to_owned();
        }
        self.column(&path).ok_or_else(|| Fault::query(format!("there is no column {text:.80}")))
    }

    /// Definitions have more words for activities than these have columns.
    fn of_signal(&self, path: &[String]) -> Option<(Source, Type)> {
        let (field, kind) = ActivityField::from_path(path).filter(|_| self.set.is_of_activities())?;
        let source = match field {
            ActivityField::Type => Source::Type,
            ActivityField::Time => Source::Time,
            ActivityField::Wire(name) => Source::Field(name.into()),
            ActivityField::Property(name) => Source::Property(name.into()),
            // No path names it.
            ActivityField::Exposure(_) => return None,
        };
        Some((source, kind))
    }
}

impl Entity<Source> for Rows<'_> {
    fn column(&self, path: &[String]) -> Option<(Source, Type)> {
        let found = |column: &Column| (column.source.clone(), column.edm.expr());
        match path {
            [name] => {
                let own = model::find(&self.columns, name).and_then(|at| self.columns.get(at)).map(found);
                own.or_else(|| self.of_signal(path))
            }
            [set, name] if set.eq_ignore_ascii_case("Measures") && !self.set.is_of_activities() => {
                let measures = self.bundle.measures.iter();
                let (name, measure) = measures.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
                let kind = match measure.aggregate {
                    Aggregate::First | Aggregate::Last => Type::Any,
                    _ => Type::Number,
                };
                Some((Source::Measure(name.clone().into()), kind))
            }
            [..] => self.of_signal(path),
        }
    }

    fn collection(&self, name: &str) -> Option<(Source, &dyn Entity<Source>)> {
        let activities = self.activities.as_ref()?;
        (expansion(self.set, name) == Some(Set::Activities))
            .then_some((Source::Activities, &**activities as _))
    }

    fn segment(&self, name: &str) -> Option<Source> {
        let mut segments = self.bundle.segments.keys().filter(|_| !self.set.is_of_activities());
        segments.find(|own| own.eq_ignore_ascii_case(name)).map(|own| Source::Member(own.clone().into()))
    }
}
