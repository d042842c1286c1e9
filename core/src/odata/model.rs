//! What there is to ask about: entity sets, their columns and functions, in both dialects. Columns of
//! customers follow from the configuration: imported columns, and one per identity table's key.

use std::borrow::Cow;

use super::Fault;
use super::address::{Argument, Dialect};
use crate::config::{Bundle, Column as Imported};
use crate::expr::Type;

/// Before every name of the current dialect.
pub const PREFIX: &str = "msdynci_";

/// An entity set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Customers and visitors.
    Customers,
    /// Page views, interactions and custom events of all.
    Activities,
    /// Page views as they arrived.
    Views,
    /// Interactions as they arrived.
    Actions,
    /// Which cookies signed in as whom.
    Users,
    /// Cookies, and whose they are.
    Cookies,
    /// Keys of identity tables, and whose they are.
    Keys,
    /// Customers and the segments they are in.
    Memberships,
    /// Customers and their measures.
    Measures,
}

impl Set {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Customers,
        Self::Activities,
        Self::Views,
        Self::Actions,
        Self::Users,
        Self::Cookies,
        Self::Keys,
        Self::Memberships,
        Self::Measures,
    ];

    /// In the current dialect without its prefix, and in the legacy one: also the name of its type.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Customers => ("customerprofiles", "Customer"),
            Self::Activities => ("unifiedactivities", "UnifiedActivity"),
            Self::Views => ("personalizationviews", "PersonalizationView"),
            Self::Actions => ("personalizationactions", "PersonalizationAction"),
            Self::Users => ("personalizationusers", "PersonalizationUser"),
            Self::Cookies => ("personalizationcookies", "PersonalizationCookie"),
            Self::Keys => ("alternatekeys", "AlternateKey"),
            Self::Memberships => ("segmentmemberships", "Customer_Segment"),
            Self::Measures => ("customermeasures", "Customer_Measure"),
        }
    }

    /// Its name.
    pub fn name(self, dialect: Dialect) -> String {
        let (current, legacy) = self.names();
        match dialect {
            Dialect::Current => format!("{PREFIX}{current}"),
            Dialect::Legacy => legacy.to_owned(),
        }
    }

    /// Name of its type.
    pub fn type_name(self, dialect: Dialect) -> String {
        let (_, legacy) = self.names();
        match dialect {
            Dialect::Current => format!("{PREFIX}{}", legacy.to_ascii_lowercase().replace('_', "")),
            Dialect::Legacy => legacy.to_owned(),
        }
    }

    /// Whether its rows are activities: as many as there are signals.
    pub fn is_of_activities(self) -> bool {
        matches!(self, Self::Activities | Self::Views | Self::Actions)
    }

    /// What can be expanded, and how it is called there.
    pub fn expansions(self) -> &'static [Self] {
        match self {
            Self::Customers => &[Self::Activities, Self::Measures, Self::Memberships],
            _ => &[],
        }
    }

    /// As a property of a customer.
    pub fn as_property(self, dialect: Dialect) -> String {
        self.type_name(dialect)
    }
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The profile that a cookie belongs to.
    Profile,
    /// A cookie's views.
    Views,
    /// A cookie's actions.
    Actions,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Profile, Self::Views, Self::Actions];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "msdynci_p13nprofile",
            Self::Views => "msdynci_p13nviews",
            Self::Actions => "msdynci_p13nactions",
        }
    }
}

/// What a name stands for: a function where there are its arguments, a set otherwise.
pub struct Named {
    /// With `cookieid=…`.
    pub function: Option<Function>,
    /// Without.
    pub set: Set,
}

/// Looks a name up, older ones included.
///
/// # Errors
/// 404 where there is none.
pub fn named(dialect: Dialect, name: &str) -> Result<Named, Fault> {
    let missing = || Fault::missing(format!("there is no resource {name:.80}"));
    let lower = name.to_ascii_lowercase();
    if dialect == Dialect::Legacy {
        let found = Set::ALL.into_iter().find(|set| set.names().1.eq_ignore_ascii_case(name));
        return Ok(Named { function: None, set: found.ok_or_else(missing)? });
    }
    let plain = lower.strip_prefix(PREFIX).ok_or_else(missing)?;
    let (function, set) = match plain {
        "p13nprofile" | "personalizationprofiles" => (Some(Function::Profile), Set::Activities),
        "p13nviews" | "pageviews" | "p13npageviews" => (Some(Function::Views), Set::Views),
        "p13nactions" | "pageclicks" | "p13npageclicks" => (Some(Function::Actions), Set::Actions),
        other => {
            let found = Set::ALL.into_iter().find(|set| set.names().0 == other);
            (None, found.ok_or_else(missing)?)
        }
    };
    Ok(Named { function, set })
}

/// Type of a column, as the outside sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edm {
    /// `Edm.String`
    Text,
    /// `Edm.Boolean`
    Bool,
    /// `Edm.Double`
    Number,
    /// `Edm.DateTimeOffset`
    Time,
    /// `Edm.Guid`
    Guid,
    /// `Collection(Edm.String)`
    Texts,
}

impl Edm {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "Edm.String",
            Self::Bool => "Edm.Boolean",
            Self::Number => "Edm.Double",
            Self::Time => "Edm.DateTimeOffset",
            Self::Guid => "Edm.Guid",
            Self::Texts => "Collection(Edm.String)",
        }
    }

    /// In filters.
    pub fn expr(self) -> Type {
        match self {
            Self::Text | Self::Guid | Self::Texts => Type::Text,
            Self::Bool => Type::Bool,
            Self::Number => Type::Number,
            Self::Time => Type::Time,
        }
    }
}

/// A name of the configuration, or of this file.
pub type Name = Cow<'static, str>;

/// Where a column's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Whose row it is.
    Customer,
    /// Whether that is a customer of an identity table.
    Known,
    /// Key in this identity table.
    Key(Name),
    /// The key, of whichever table.
    AnyKey,
    /// The table that the key is of.
    Table,
    /// An attribute by its own spelling.
    Attribute(Name),
    /// All cookieIds.
    Cookies,
    /// The cookieId.
    Cookie,
    /// First seen.
    First,
    /// Last seen.
    Last,
    /// Segments, as the text of a JSON array.
    Segments,
    /// Measures, as the text of a JSON object.
    Measures,
    /// One measure; in filters only.
    Measure(Name),
    /// Whether the customer is in a segment; in filters only.
    Member(Name),
    /// All activities; in filters only.
    Activities,
    /// Name of a signal, made of its time and number.
    Id,
    /// When it happened.
    Time,
    /// `View`, `Action`, or the event's name.
    Type,
    /// Its heading.
    Title,
    /// Its name, or its type.
    Name,
    /// A field of the signal.
    Field(Name),
    /// A property of the signal.
    Property(Name),
    /// All properties, as JSON text.
    Properties,
    /// Host of its address.
    Host,
    /// How long the session had lasted.
    Duration,
    /// The same everywhere.
    Constant(&'static str),
    /// Nothing is known of it.
    Nothing,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// In the legacy dialect.
    pub legacy: String,
    /// Its type.
    pub edm: Edm,
    /// Its value.
    pub source: Source,
}

impl Column {
    fn new(legacy: impl Into<String>, edm: Edm, source: Source) -> Self {
        Self { legacy: legacy.into(), edm, source }
    }

    /// As the dialect spells it.
    pub fn name(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Current => format!("{PREFIX}{}", self.legacy.to_ascii_lowercase()),
            Dialect::Legacy => self.legacy.clone(),
        }
    }
}

/// Without the prefix that may be left out.
pub(crate) fn plain(name: &str) -> &str {
    let head = name.get(..PREFIX.len()).filter(|head| head.eq_ignore_ascii_case(PREFIX));
    head.map_or(name, |_| name.get(PREFIX.len()..).unwrap_or_default())
}

/// The column of this name, in any case, with or without prefix.
pub fn find(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.legacy.eq_ignore_ascii_case(plain(name)))
}

const fn field(name: &'static str) -> Source {
    Source::Field(Cow::Borrowed(name))
}

type Fixed = (&'static str, Edm, Source);

const CUSTOMER: Fixed = ("CustomerId", Edm::Text, Source::Customer);

const fn property(name: &'static str) -> Source {
    Source::Property(Cow::Borrowed(name))
}

static ACTIVITIES: [Fixed; 9] = [
    ("ActivityId", Edm::Guid, Source::Id),
    ("ActivityName", Edm::Text, Source::Name),
    ("ActivityTime", Edm::Time, Source::Time),
    ("ActivityType", Edm::Text, Source::Type),
    ("ActivityTypeDisplay", Edm::Text, Source::Type),
    ("Title", Edm::Text, Source::Title),
    ("ExternalUrl", Edm::Text, field("uri")),
    ("SemanticData", Edm::Text, Source::Properties),
    CUSTOMER,
];

/// Of an interaction; the first of them of a page view.
static SIGNAL: [Fixed; 26] = [
    ("SignalId", Edm::Guid, Source::Id),
    ("SignalName", Edm::Text, Source::Type),
    ("SignalTimestamp", Edm::Time, Source::Time),
    ("SignalTimezone", Edm::Text, field("timezone")),
    ("SdkVersion", Edm::Text, field("sdk")),
    ("HostDomain", Edm::Text, Source::Host),
    ("SessionId", Edm::Text, field("sessionId")),
    ("SessionDurationMs", Edm::Number, Source::Duration),
    ("UserLocalId", Edm::Guid, Source::Cookie),
    ("UserAuthId", Edm::Text, Source::AnyKey),
    ("ViewName", Edm::Text, field("name")),
    ("ViewTitle", Edm::Text, field("title")),
    ("ViewType", Edm::Text, field("viewType")),
    ("ViewUri", Edm::Text, field("uri")),
    ("ViewPreviousViews", Edm::Text, field("previous")),
    ("ReferrerUri", Edm::Text, field("referrer")),
    ("ReferrerPageTitle", Edm::Text, Source::Nothing),
    // What an experiment tool tells with the views.
    ("OptimizelyCampaignIdentifier", Edm::Text, property("optimizelyCampaignIdentifier")),
    ("OptimizelyExperimentIdentifier", Edm::Text, property("optimizelyExperimentIdentifier")),
    ("ActionName", Edm::Text, field("name")),
    ("ActionType", Edm::Text, field("actionType")),
    ("ActionTarget", Edm::Text, field("target")),
    ("ActionElementId", Edm::Text, field("elementId")),
    ("ActionIsOutbound", Edm::Bool, field("isOutbound")),
    ("ActionElapsedTimeMs", Edm::Number, field("elapsedMs")),
    ("ClickCoordinates", Edm::Text, field("coordinates")),
];
const OF_VIEWS: usize = 19;

static USERS: [Fixed; 6] = [
    ("UserLocalId", Edm::Guid, Source::Cookie),
    ("UserAuthId", Edm::Text, Source::AnyKey),
    CUSTOMER,
    ("FullName", Edm::Text, Source::Attribute(Cow::Borrowed("FullName"))),
    ("Email", Edm::Text, Source::Attribute(Cow::Borrowed("Email"))),
    ("LastSeen", Edm::Time, Source::Last),
];
static COOKIES: [Fixed; 5] = [
    ("UserLocalId", Edm::Guid, Source::Cookie),
    CUSTOMER,
    ("Known", Edm::Bool, Source::Known),
    ("FirstSeen", Edm::Time, Source::First),
    ("LastSeen", Edm::Time, Source::Last),
];
static KEYS: [Fixed; 4] = [
    CUSTOMER,
    ("AlternateValue", Edm::Text, Source::AnyKey),
    ("DataSourceName", Edm::Text, Source::Constant("Imported")),
    ("EntityName", Edm::Text, Source::Table),
];
static MEMBERSHIPS: [Fixed; 3] = [
    CUSTOMER,
    ("Segments", Edm::Text, Source::Segments),
    ("SegmentProvider", Edm::Text, Source::Constant("MSCI")),
];
static MEASURES: [Fixed; 2] = [CUSTOMER, ("Measures", Edm::Text, Source::Measures)];

/// Columns of a set; its key comes first.
pub fn columns(set: Set, bundle: &Bundle) -> Vec<Column> {
    let fixed: &[Fixed] = match set {
        Set::Customers => return customer_columns(bundle),
        Set::Activities => &ACTIVITIES,
        Set::Views => SIGNAL.get(..OF_VIEWS).unwrap_or_default(),
        Set::Actions => &SIGNAL,
        Set::Users => &USERS,
        Set::Cookies => &COOKIES,
        Set::Keys => &KEYS,
        Set::Memberships => &MEMBERSHIPS,
        Set::Measures => &MEASURES,
    };
    let mut columns = Vec::new();
    for (name, edm, source) in fixed {
        // The name and title that an action carries are its own.
        let foreign = set == Set::Actions && matches!(*name, "ViewName" | "ViewTitle");
        let source = if foreign { Source::Nothing } else { source.clone() };
        columns.push(Column::new(*name, *edm, source));
    }
    columns
}

fn customer_columns(bundle: &Bundle) -> Vec<Column> {
    let mut columns = vec![
        Column::new("CustomerId", Edm::Text, Source::Customer),
        Column::new("Known", Edm::Bool, Source::Known),
    ];
    // The tracking table's spelling of a name goes before that of others, and of browsers.
    let tracking = bundle.settings.tracking_table.as_ref().and_then(|name| bundle.tables.get(name));
    let mut attributes = Vec::new();
    for table in tracking.into_iter().chain(bundle.tables.values()) {
        attributes.push((table.primary_key.as_str(), Edm::Text));
        attributes.extend(table.columns.iter().map(|(name, kind)| {
            let edm = match kind {
                Imported::String => Edm::Text,
                Imported::Number => Edm::Number,
                Imported::Boolean => Edm::Bool,
            };
            (name.as_str(), edm)
        }));
    }
    for usual in ["FullName", "FirstName", "LastName", "Email"] {
        let given = attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(usual));
        let (name, edm) = given.copied().unwrap_or((usual, Edm::Text));
        columns.push(Column::new(usual, edm, Source::Attribute(name.to_owned().into())));
    }
    columns.push(Column::new("CookieIds", Edm::Texts, Source::Cookies));
    columns.push(Column::new("FirstSeen", Edm::Time, Source::First));
    columns.push(Column::new("LastSeen", Edm::Time, Source::Last));
    let keys = bundle.tables.iter().map(|(name, table)| {
        Column::new(
            identifier(&format!("{name}_{}", table.primary_key)),
            Edm::Text,
            Source::Key(name.clone().into()),
        )
    });
    let attributes = attributes
        .into_iter()
        .map(|(name, edm)| Column::new(identifier(name), edm, Source::Attribute(name.to_owned().into())));
    for column in keys.chain(attributes) {
        if find(&columns, &column.legacy).is_none() {
            columns.push(column);
        }
    }
    columns
}

/// A name that clients can use as a property: letters, digits and underscores.
fn identifier(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let digit = name.starts_with(|c: char| c.is_ascii_digit()).then_some('_');
    digit.into_iter().chain(plain).collect()
}

/// The key that an address gives in parentheses.
///
/// # Errors
/// 400 for anything else.
pub fn key(columns: &[Column], arguments: &[(String, Argument)]) -> Result<String, Fault> {
    let own = columns.first().map(|column| column.legacy.as_str()).unwrap_or_default();
    match arguments {
        [(name, value)] if name.is_empty() || plain(name).eq_ignore_ascii_case(own) => {
            value.text().map(str::to_owned)
        }
        _ => None,
    }
    .ok_or_else(|| Fault::query(format!("the key is {own} alone, as in ('…')")))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn bundle() -> Bundle {
        serde_json::from_value(json!({
            "settings": { "trackingTable": "LoyaltySignUps" },
            "tables": { "LoyaltySignUps": { "primaryKey": "LoyaltyId", "columns": {
                "FirstName": "string", "Spend": "number", "Vip": "boolean", "Home town": "string", "2nd": "string",
                "CustomerId": "string"
            } } },
            "measures": { "LifetimeValue": { "aggregate": "sum", "property": "total" } },
            "segments": { "Gold": { "filter": "Spend ge 1000" } }
        }))
        .unwrap()
    }

    fn names(set: Set) -> Vec<String> {
        columns(set, &bundle()).iter().map(|column| column.name(Dialect::Current)).collect()
    }

    #[test]
    fn customers_have_the_columns_of_their_tables() {
        assert_eq!(
            names(Set::Customers).iter().map(|name| name.strip_prefix(PREFIX).unwrap()).collect::<Vec<_>>(),
            [
                "customerid",
                "known",
                "fullname",
                "firstname",
                "lastname",
                "email",
                "cookieids",
                "firstseen",
                "lastseen",
                "loyaltysignups_loyaltyid",
                "loyaltyid",
                "_2nd",
                "home_town",
                "spend",
                "vip"
            ]
        );
    }

    #[test]
    fn every_column_of_a_set_has_a_name_of_its_own_and_is_found_in_any_case() {
        for set in Set::ALL {
            let columns = columns(set, &bundle());
            for (at, column) in columns.iter().enumerate() {
                assert_eq!(find(&columns, &column.name(Dialect::Current)), Some(at));
                assert_eq!(find(&columns, &column.legacy.to_uppercase()), Some(at));
            }
        }
    }

    #[test]
    fn older_names_lead_to_the_same() {
        for (old, new) in [
            ("msdynci_personalizationprofiles", "msdynci_p13nprofile"),
            ("msdynci_pageviews", "msdynci_p13nviews"),
            ("msdynci_p13npageviews", "msdynci_p13nviews"),
            ("msdynci_pageclicks", "msdynci_p13nactions"),
            ("msdynci_p13npageclicks", "msdynci_p13nactions"),
        ] {
            let [old, new] = [old, new].map(|name| named(Dialect::Current, name).ok().unwrap());
            assert_eq!((old.function, old.set), (new.function, new.set));
        }
        for missing in ["customerprofiles", "msdynci_", "Customer", ""] {
            assert!(named(Dialect::Current, missing).is_err(), "{missing}");
        }
        assert!(named(Dialect::Legacy, "customer").is_ok());
    }
}
