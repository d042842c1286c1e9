//! What is told to whatever edits filters part by part: a filter as a tree, and the names that it can use.

use serde_json::{Value, json};

use super::{Definitions, Names};
use crate::expr::parse::{Ast, Node, parse};
use crate::expr::{ExprError, Scalar, Type, resolve};

impl Definitions {
    /// A filter over customers, or over the activities of one, as a tree of lists, each of which begins with what
    /// it is: `["and", a, b]`, `["compare", "eq", ["path", "Tier"], ["text", "Gold"]]`. Names stand as they are
    /// written.
    ///
    /// # Errors
    /// As for a definition with this filter.
    pub fn tree(&self, text: &str, of_activities: bool) -> Result<Value, ExprError> {
        if of_activities {
            resolve::activity(text)?;
        } else {
            resolve::customer(text, &self.names())?;
        }
        Ok(told(&parse(text, &[])?))
    }

    /// Names and types that a filter over customers can use: `{ attributes: [[name, type]], measures: …,
    /// segments: [[name]] }`, the type `text`, `number`, `bool` or `any`.
    pub fn nameable(&self) -> Value {
        let names = Names::of(&self.bundle);
        let typed = |(name, kind): &(String, Type)| {
            let kind = match kind {
                Type::Number => "number",
                Type::Bool => "bool",
                Type::Any => "any",
                Type::Null | Type::Text | Type::Time => "text",
            };
            json!([name, kind])
        };
        json!({
            "attributes": names.attributes.values().map(typed).collect::<Value>(),
            "measures": names.measures.values().map(typed).collect::<Value>(),
            "segments": names.segments.values().map(|name| json!([name])).collect::<Value>(),
        })
    }
}

fn told(tree: &Ast) -> Value {
    let list = |what: &str, parts: &mut dyn Iterator<Item = Value>| {
        Value::Array(std::iter::once(Value::from(what)).chain(parts).collect())
    };
    let of = |what: &str, parts: &[&Ast]| list(what, &mut parts.iter().map(|part| told(part)));
    let maybe = |part: &Option<Box<Ast>>| part.as_deref().map_or(Value::Null, told);
    let names = |path: &[String]| path.iter().map(String::as_str).collect::<Value>();
    match &tree.node {
        Node::Literal(Scalar::Null) => json!(["null"]),
        Node::Literal(Scalar::Bool(truth)) => json!(["bool", truth]),
        Node::Literal(Scalar::Number(number)) => json!(["number", number]),
        Node::Literal(Scalar::Text(text)) => json!(["text", text]),
        Node::Literal(Scalar::Time(time)) => json!(["time", time.to_rfc3339()]),
        Node::Duration(ms) => json!(["duration", ms]),
        Node::Path(path) => json!(["path", names(path)]),
        Node::Call(name, arguments) => list(name, &mut arguments.iter().map(told)),
        Node::Lambda { path, any, variable, predicate } => {
            json!([if *any { "any" } else { "all" }, names(path), variable, maybe(predicate)])
        }
        Node::Count(path, filter) => json!(["$count", names(path), maybe(filter)]),
        Node::Not(inner) => of("not", &[inner]),
        Node::And(left, right) => of("and", &[left, right]),
        Node::Or(left, right) => of("or", &[left, right]),
        Node::Compare(left, operator, right) => {
            json!(["compare", operator, told(left), told(right)])
        }
        Node::In(left, items) => list("in", &mut std::iter::once(told(left)).chain(items.iter().map(told))),
        Node::Shift(left, add, right) => of(if *add { "add" } else { "sub" }, &[left, right]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions() -> Definitions {
        let bundle = json!({
            "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string", "Vip": "boolean" } } },
            "measures": { "Spent": { "aggregate": "sum", "property": "total" } },
            "segments": { "Gold": { "filter": "Tier eq 'Gold'" } },
        });
        Definitions::compile(serde_json::from_value(bundle).unwrap()).unwrap()
    }

    #[test]
    fn a_filter_is_told_as_the_tree_that_it_is() {
        let tree = |text: &str| definitions().tree(text, false).unwrap();
        assert_eq!(
            tree("tier in ('a','it''s') and not (Vip eq true)"),
            json!([
                "and",
                ["in", ["path", ["tier"]], ["text", "a"], ["text", "it's"]],
                ["not", ["compare", "eq", ["path", ["Vip"]], ["bool", true]]]
            ])
        );
        assert_eq!(
            tree(
                "UnifiedActivity/any(a: contains(a/ViewUri,'/x') and a/ActivityTime gt now() sub duration'P1D')"
            ),
            json!([
                "any",
                ["UnifiedActivity"],
                "a",
                [
                    "and",
                    ["contains", ["path", ["a", "ViewUri"]], ["text", "/x"]],
                    [
                        "compare",
                        "gt",
                        ["path", ["a", "ActivityTime"]],
                        ["sub", ["now"], ["duration", 86_400_000]]
                    ]
                ]
            ])
        );
        assert_eq!(
            tree("UnifiedActivity/$count ge 2"),
            json!(["compare", "ge", ["$count", ["UnifiedActivity"], null], ["number", 2.0]])
        );
        let of_activity = definitions().tree("Properties/total gt -1.5", true).unwrap();
        assert_eq!(
            of_activity,
            json!(["compare", "gt", ["path", ["Properties", "total"]], ["number", -1.5]])
        );
    }

    #[test]
    fn what_a_definition_refuses_is_no_tree() {
        for (text, of_activities, at) in [
            ("Tier eq", false, 7),
            ("Nope eq 1", false, 0),
            ("Tier eq 1", false, 8),
            ("Tier eq 'x'", true, 0),
            ("now() gt 2020-01-01T00:00:00Z", false, 0),
        ] {
            assert_eq!(definitions().tree(text, of_activities).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn all_names_are_told_with_their_types() {
        let names = definitions().nameable();
        let has =
            |what: &str, name: Value| assert!(names[what].as_array().unwrap().contains(&name), "{names}");
        has("attributes", json!(["Id", "text"]));
        has("attributes", json!(["Vip", "bool"]));
        has("attributes", json!(["Email", "text"]));
        has("measures", json!(["Spent", "number"]));
        has("segments", json!(["Gold"]));
    }
}
