//! What a column is in SQL, in the index and in an object. The texts agree with [`Record::value`].

use super::{Store, owned};
use crate::expr::Type;
use crate::expr::resolve::QueryField;
use crate::expr::sql::{Column, Parameters, SqlError, path};
use crate::odata::model::Source;
use crate::odata::question::Question;
#[cfg(doc)]
use crate::odata::record::Record;

/// What an activity is, of the kinds that objects hold.
const OBJECT_TYPE: &str = "CASE r0.type WHEN 'view' THEN 'View' WHEN 'action' THEN 'Action' \
    ELSE r0.fields ->> '$.name' END";
const OBJECT_TITLE: &str = "coalesce(nullif(r0.fields ->> '$.title', ''), nullif(r0.fields ->> '$.name', ''), \
    nullif(r0.fields ->> '$.uri', ''), '')";

/// A field of a filter.
pub(super) fn field_of(
    field: &QueryField<Source>,
    question: &Question,
    store: Store<'_>,
    parameters: &mut Parameters,
) -> Result<Column, SqlError> {
    match field {
        QueryField::Column { row, column: source } => {
            let of_activities = *row > 0 || question.set.is_of_activities();
            column(source, *row, of_activities, store, parameters)
        }
        QueryField::Count { row, item, collection: Source::Activities, .. } => Ok(Column::Rows(
            format!("cookie AS k{item} CROSS JOIN activity AS r{item} ON r{item}.object = k{item}.object"),
            format!("k{item}.customer = r{row}.id AND {}", owned(*item)),
        )),
        QueryField::Count { .. } => Err(SqlError::Unsearchable),
    }
}

/// The SQL of a column of a row.
pub(super) fn column(
    source: &Source,
    row: usize,
    of_activities: bool,
    store: Store<'_>,
    parameters: &mut Parameters,
) -> Result<Column, SqlError> {
    let text = |text: String| Ok(Column::Typed(text, Type::Text));
    match source {
        Source::Constant(constant) => return text(parameters.text(constant)?),
        Source::Nothing => return text("NULL".to_owned()),
        _ => {}
    }
    if of_activities {
        return column_of_signal(source, row, store, parameters);
    }
    Ok(match source {
        Source::Customer => Column::Lower("r0.id".to_owned()),
        Source::Known => Column::Typed("(instr(r0.id, '-') = 0)".to_owned(), Type::Bool),
        Source::Key(table) => {
            let table = parameters.text(table)?;
            return text(format!("iif(r0.source = {table}, r0.key, NULL)"));
        }
        Source::AnyKey => return text("r0.key".to_owned()),
        Source::Table => return text("r0.source".to_owned()),
        Source::Attribute(name) => Column::Json("r0.attributes".to_owned(), parameters.text(&path(&[name]))?),
        Source::Cookies => return text("r0.cookies".to_owned()),
        Source::Cookie => Column::Lower("e0.value".to_owned()),
        Source::First => Column::Typed("r0.first".to_owned(), Type::Time),
        Source::Last => Column::Typed("r0.last".to_owned(), Type::Time),
        Source::Segments => return text("r0.segments".to_owned()),
        Source::Measures => return text("r0.measures".to_owned()),
        Source::Measure(name) => Column::Json("r0.measures".to_owned(), parameters.text(&path(&[name]))?),
        Source::Member(name) => {
            let name = parameters.text(name)?;
            let member = format!(
                "EXISTS (SELECT 1 FROM membership AS m WHERE m.segment = {name} AND m.customer = r0.id)"
            );
            Column::Typed(format!("({member})"), Type::Bool)
        }
        _ => return Err(SqlError::Unsearchable),
    })
}

fn column_of_signal(
    source: &Source,
    row: usize,
    store: Store<'_>,
    parameters: &mut Parameters,
) -> Result<Column, SqlError> {
    let fields = format!("r{row}.fields");
    let kind = match store {
        Store::Index => format!("r{row}.type"),
        Store::Object(_) => format!("({OBJECT_TYPE})"),
    };
    let text = |text: String| Ok(Column::Typed(text, Type::Text));
    Ok(match (source, store) {
        (Source::Customer, Store::Index) => Column::Lower(format!("k{row}.customer")),
        (Source::Customer, Store::Object(record)) => return text(parameters.text(&record.customer)?),
        (Source::AnyKey, Store::Index) => {
            return text(format!("(SELECT c.auth FROM customer AS c WHERE c.id = k{row}.customer)"));
        }
        (Source::AnyKey, Store::Object(record)) => match &record.auth {
            Some((_, key)) => return text(parameters.text(key)?),
            None => return text("NULL".to_owned()),
        },
        (Source::Cookie, Store::Object(_)) => Column::Lower("r0.cookie".to_owned()),
        (Source::Id, _) => {
            let r = format!("r{row}");
            Column::Lower(format!(
                "printf('%08x-%04x-8%s-9%s-%s%s%08x', {r}.time >> 16 & 4294967295, {r}.time & 65535, \
                 substr({r}.stream, 1, 3), substr({r}.stream, 4, 3), substr({r}.stream, 7, 2), \
                 substr({r}.stream, 10, 2), {r}.seq & 4294967295)"
            ))
        }
        (Source::Time, _) => Column::Typed(format!("r{row}.time"), Type::Time),
        (Source::Type, _) => return text(kind),
        (Source::Title, Store::Index) => return text(format!("r{row}.title")),
        (Source::Title, Store::Object(_)) => return text(OBJECT_TITLE.to_owned()),
        (Source::Name, _) => return text(format!("coalesce({fields} ->> '$.name', {kind})")),
        (Source::Field(name), _) => Column::Json(fields, parameters.text(&path(&[name]))?),
        (Source::Property(name), _) => Column::Json(fields, parameters.text(&path(&["properties", name]))?),
        (Source::Properties, _) => return text(format!("({fields} -> '$.properties')")),
        (Source::Host, _) => {
            let uri = format!("({fields} ->> '$.uri')");
            let rest = format!("substr({uri}, instr({uri}, '://') + 3)");
            let ends: Vec<String> =
                ["/", "?", "#"].iter().map(|end| format!("instr({rest} || '{end}', '{end}')")).collect();
            let host = format!("substr({rest}, 1, min({}) - 1)", ends.join(", "));
            return text(format!("iif(instr({uri}, '://'), {host}, NULL)"));
        }
        (Source::Duration, _) => Column::Typed(
            format!(
                "iif(json_type({fields}, '$.sessionStart') IN ('integer', 'real'), \
                 CAST(max(0, r{row}.time - ({fields} ->> '$.sessionStart')) AS INTEGER), NULL)"
            ),
            Type::Number,
        ),
        // Among them the cookie: the index has the name of its object, which tells it to nobody.
        _ => return Err(SqlError::Unsearchable),
    })
}
