//! What the service says of itself: `$metadata` as CSDL 4.0 and the service document. The model that
//! answers questions is the one that is described, so that the two cannot differ.

use serde_json::{Value, json};

use super::address::Dialect;
use super::model::{Column, Edm, Function, Set, columns};
use crate::config::Bundle;

/// Namespace of all types.
pub const NAMESPACE: &str = "MSCI";

/// The service document.
pub fn service(root: &str, dialect: Dialect) -> Value {
    let sets = Set::ALL.map(|set| {
        let name = set.name(dialect);
        json!({ "name": name, "kind": "EntitySet", "url": name })
    });
    json!({ "@odata.context": format!("{root}$metadata"), "value": sets.as_slice() })
}

/// `$metadata`
pub fn csdl(dialect: Dialect, bundle: &Bundle) -> String {
    let mut xml = Xml::default();
    xml.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.open("edmx:Edmx", &[("xmlns:edmx", "http://docs.oasis-open.org/odata/ns/edmx"), ("Version", "4.0")]);
    xml.open("edmx:DataServices", &[]);
    xml.open("Schema", &[("xmlns", "http://docs.oasis-open.org/odata/ns/edm"), ("Namespace", NAMESPACE)]);
    for set in Set::ALL {
        entity(&mut xml, set, dialect, bundle);
    }
    if dialect == Dialect::Current {
        functions(&mut xml, bundle);
    }
    xml.open("EntityContainer", &[("Name", "Container")]);
    for set in Set::ALL {
        let (name, kind) = (set.name(dialect), full(&set.type_name(dialect)));
        let attributes = [("Name", name.as_str()), ("EntityType", kind.as_str())];
        if set.expansions().is_empty() {
            xml.empty("EntitySet", &attributes);
            continue;
        }
        xml.open("EntitySet", &attributes);
        for expanded in set.expansions() {
            let (path, target) = (expanded.as_property(dialect), expanded.name(dialect));
            xml.empty("NavigationPropertyBinding", &[("Path", &path), ("Target", &target)]);
        }
        xml.close("EntitySet");
    }
    if dialect == Dialect::Current {
        for function in Function::ALL {
            let (name, kind) = (function.name(), full(function.name()));
            xml.empty("FunctionImport", &[("Name", name), ("Function", &kind)]);
        }
    }
    for end in ["EntityContainer", "Schema", "edmx:DataServices", "edmx:Edmx"] {
        xml.close(end);
    }
    xml.text
}

fn full(name: &str) -> String {
    format!("{NAMESPACE}.{name}")
}

fn entity(xml: &mut Xml, set: Set, dialect: Dialect, bundle: &Bundle) {
    xml.open("EntityType", &[("Name", &set.type_name(dialect))]);
    let columns = columns(set, bundle);
    if let Some(key) = columns.first() {
        xml.open("Key", &[]);
        xml.empty("PropertyRef", &[("Name", &key.name(dialect))]);
        xml.close("Key");
    }
    for (at, column) in columns.iter().enumerate() {
        property(xml, column, dialect, at == 0);
    }
    for expanded in set.expansions() {
        let kind = full(&expanded.type_name(dialect));
        let (name, many) = (expanded.as_property(dialect), format!("Collection({kind})"));
        let kind = if *expanded == Set::Activities { &many } else { &kind };
        xml.empty("NavigationProperty", &[("Name", &name), ("Type", kind)]);
    }
    xml.close("EntityType");
}

fn property(xml: &mut Xml, column: &Column, dialect: Dialect, key: bool) {
    let name = column.name(dialect);
    let mut attributes = vec![("Name", name.as_str()), ("Type", column.edm.name())];
    if key || column.edm == Edm::Texts {
        attributes.push(("Nullable", "false"));
    }
    if column.edm == Edm::Time {
        attributes.push(("Precision", "3"));
    }
    xml.empty("Property", &attributes);
}

/// The profile that a cookie belongs to has the columns of a customer, further attributes, and what was
/// asked to be included.
fn functions(xml: &mut Xml, bundle: &Bundle) {
    let dialect = Dialect::Current;
    xml.open("ComplexType", &[("Name", "Measures"), ("OpenType", "true")]);
    xml.close("ComplexType");
    xml.open("ComplexType", &[("Name", "Profile"), ("OpenType", "true")]);
    for column in columns(Set::Customers, bundle) {
        property(xml, &column, dialect, false);
    }
    xml.empty(
        "Property",
        &[("Name", "segmentmembership"), ("Type", "Collection(Edm.String)"), ("Nullable", "false")],
    );
    xml.empty("Property", &[("Name", "measures"), ("Type", &full("Measures"))]);
    let activities = format!("Collection({})", full(&Set::Activities.type_name(dialect)));
    xml.empty("NavigationProperty", &[("Name", "unifiedactivity"), ("Type", &activities)]);
    xml.close("ComplexType");
    for function in Function::ALL {
        let of = |set: Set| format!("Collection({})", full(&set.type_name(dialect)));
        let (parameter, kind, answer) = match function {
            Function::Profile => ("include", "Collection(Edm.String)", full("Profile")),
            Function::Views => ("top", "Edm.Int32", of(Set::Views)),
            Function::Actions => ("top", "Edm.Int32", of(Set::Actions)),
        };
        // With and without the parameter that may be left out.
        for parameters in [&["cookieid"] as &[&str], &["cookieid", parameter]] {
            xml.open("Function", &[("Name", function.name())]);
            for name in parameters {
                let kind = if *name == "cookieid" { "Edm.String" } else { kind };
                xml.empty("Parameter", &[("Name", name), ("Type", kind), ("Nullable", "false")]);
            }
            xml.empty("ReturnType", &[("Type", &answer), ("Nullable", "false")]);
            xml.close("Function");
        }
    }
}

#[derive(Default)]
struct Xml {
    text: String,
}

impl Xml {
    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) {
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            for c in value.chars() {
                match c {
                    '&' => self.text.push_str("&amp;"),
                    '<' => self.text.push_str("&lt;"),
                    '"' => self.text.push_str("&quot;"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        self.text.push_str(end);
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, ">\n");
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, "/>\n");
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push_str(">\n");
    }
}
