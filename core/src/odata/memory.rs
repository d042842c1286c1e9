//! Questions answered from records that are all at hand: filtered and sorted as the database would.

use std::cmp::Ordering;

use super::model::{Edm, Source};
use super::question::Question;
use super::record::Record;
use crate::expr::resolve::QueryField;
use crate::expr::{Scalar, eval};
use crate::time::Timestamp;

/// Rows of a few customers that are all at hand, as the question wants them: filtered, in order.
pub fn answered(question: &Question, records: Vec<Record>, now: Timestamp) -> Vec<Record> {
    let edm = |source: &Source| {
        let column = question.columns.iter().find(|column| column.source == *source);
        column.map_or(Edm::Text, |column| column.edm)
    };
    let scalar = |record: &Record, source: &Source| record.scalar(source, edm(source));
    let holds = |record: &Record| {
        question.looks_at().is_none_or(|filter| {
            let field = |field: &QueryField<Source>| match field {
                QueryField::Column { column, .. } => scalar(record, column),
                QueryField::Count { .. } => Scalar::Null,
            };
            eval::holds(filter, &field, now)
        })
    };
    let mut kept: Vec<Record> = Vec::new();
    for record in records.into_iter().filter(holds) {
        let place = kept.partition_point(|other| {
            let mut order = Ordering::Equal;
            for by in &question.order {
                let one = compare(&scalar(other, &by.source), &scalar(&record, &by.source));
                order = order.then(if by.descending { one.reverse() } else { one });
            }
            let key = |record: &Record| (record.customer.clone(), record.cookie.clone());
            order.then_with(|| key(other).cmp(&key(&record))).is_le()
        });
        kept.insert(place, record);
    }
    kept
}

/// As the database sorts: null first, then numbers, then text without regard to case.
fn compare(left: &Scalar, right: &Scalar) -> Ordering {
    let key = |scalar: &Scalar| match scalar {
        Scalar::Null => (0, 0.0, String::new()),
        Scalar::Bool(truth) => (1, f64::from(u8::from(*truth)), String::new()),
        Scalar::Number(number) => (1, *number, String::new()),
        Scalar::Time(time) => (1, time.0 as f64, String::new()),
        Scalar::Text(text) => (2, 0.0, text.to_ascii_lowercase()),
    };
    let (left, right) = (key(left), key(right));
    left.0.cmp(&right.0).then(left.1.total_cmp(&right.1)).then_with(|| left.2.cmp(&right.2))
}
