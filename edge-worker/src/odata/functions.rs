//! `msdynci_p13nprofile(cookieid='…')` and its like: what a cookie's profile is, for the unknown and the
//! known alike. What is linked counts; a claim does not.

use msci_core::limits::ACTIVITIES_PER_ANSWER;
use msci_core::odata::address::{Address, Argument, Options};
use msci_core::odata::model::{Function, PREFIX, Set};
use msci_core::odata::question::Question;
use msci_core::odata::record::Record;
use msci_core::snapshot::Snapshot;
use serde_json::{Value, json};

use super::answer::{self, Answer, with_context};
use super::{Asked, objects};
use crate::error::{Error, Result};

const PARTS: [&str; 3] = ["segmentmembership", "measures", "unifiedactivity"];

/// Arguments of a function.
#[derive(Default)]
struct Arguments {
    cookie: String,
    include: Vec<String>,
    top: usize,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::client(400, "invalid_query", message.into())
}

impl Arguments {
    fn read(function: Function, address: &Address, given: &[(String, Argument)]) -> Result<Self> {
        let beside = address.options.keys().find(|name| !name.starts_with('@') && *name != "$format");
        if let Some(option) = beside {
            return Err(invalid(format!("{option:.40} does not go with a function")));
        }
        let mut arguments = Self { top: ACTIVITIES_PER_ANSWER, ..Self::default() };
        for (name, value) in given {
            let value = aliased(address, value)?;
            match (name.to_ascii_lowercase().as_str(), value) {
                ("cookieid", Argument::Text(cookie) | Argument::Bare(cookie)) => arguments.cookie = cookie,
                ("include", Argument::List(parts)) if function == Function::Profile => {
                    if let Some(other) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
                        return Err(invalid(format!(
                            "{other:.40} cannot be included; there are {}",
                            PARTS.join(", ")
                        )));
                    }
                    arguments.include = parts;
                }
                ("top", Argument::Bare(top)) if function != Function::Profile => {
                    let top = top.parse().ok().filter(|top| (1..=ACTIVITIES_PER_ANSWER).contains(top));
                    let message =
                        || invalid(format!("top should be a number from 1 to {ACTIVITIES_PER_ANSWER}"));
                    arguments.top = top.ok_or_else(message)?;
                }
                _ => return Err(invalid(format!("there is no argument {name:.40?} like this"))),
            }
        }
        if arguments.cookie.is_empty() {
            return Err(invalid("cookieid is missing"));
        }
        Ok(arguments)
    }
}

/// `@p1` stands for what the option of this name says.
fn aliased(address: &Address, value: &Argument) -> Result<Argument> {
    let Argument::Bare(name) = value else { return Ok(value.clone()) };
    if !name.starts_with('@') {
        return Ok(value.clone());
    }
    let text = address.options.get(name).ok_or_else(|| invalid(format!("{name:.40} has no value")))?;
    Ok(msci_core::odata::address::argument(text)?)
}

/// Answers a function.
pub(super) async fn call(
    asked: &Asked<'_>,
    function: Function,
    given: &[(String, Argument)],
) -> Result<Answer> {
    let arguments = Arguments::read(function, &asked.address, given)?;
    let snapshot = objects::of_cookie(asked, &arguments.cookie).await?;
    let snapshot =
        snapshot.ok_or_else(|| Error::client(404, "profile_not_found", "no profile has this cookieid"))?;
    let set = match function {
        Function::Profile => return profile(asked, &arguments, &snapshot).await,
        Function::Views => Set::Views,
        Function::Actions => Set::Actions,
    };
    let mut answer =
        with_context(asked, &format!("Collection(MSCI.{})", set.type_name(asked.address.dialect)));
    answer.insert("value".to_owned(), signals(asked, set, &Record::of(&snapshot), arguments.top).await?);
    Ok(Answer::Json(Value::Object(answer)))
}

/// The newest signals of a profile.
async fn signals(asked: &Asked<'_>, set: Set, of: &Record, top: usize) -> Result<Value> {
    let plain = Address { options: Options::default(), ..asked.address.clone() };
    let mut question = Question::new(set, &plain, &asked.configuration.definitions.bundle, None)?;
    question.page = top;
    let columns = question.shown();
    let found = objects::page(asked, &question, of).await?;
    let rows =
        found.iter().take(top).map(|(record, _)| Value::Object(answer::row(asked, set, &columns, record)));
    Ok(rows.collect())
}

async fn profile(asked: &Asked<'_>, arguments: &Arguments, snapshot: &Snapshot) -> Result<Answer> {
    let record = Record::of(snapshot);
    let plain = Address { options: Options::default(), ..asked.address.clone() };
    let question = Question::new(Set::Customers, &plain, &asked.configuration.definitions.bundle, None)?;
    let mut answer = with_context(asked, Function::Profile.name());
    let row = record.row(question.shown().iter().map(|(name, column)| (name.as_str(), *column)));
    // What is not there is left out, as attributes that no table has are added.
    answer.extend(row.into_iter().filter(|(_, value)| !value.is_null()));
    for (name, value) in snapshot.attributes.iter() {
        let name = format!("{PREFIX}{}", name.to_ascii_lowercase());
        answer.entry(name).or_insert_with(|| value.clone());
    }
    for part in &arguments.include {
        let value = match part.as_str() {
            "segmentmembership" => json!(snapshot.segments),
            "measures" => json!(snapshot.measures),
            _ => signals(asked, Set::Activities, &record, arguments.top).await?,
        };
        answer.insert(part.clone(), value);
    }
    Ok(Answer::Json(Value::Object(answer)))
}
