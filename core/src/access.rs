//! Who may do what: one table of everything that the admin and read API answer, with the least role that may. What is
//! not in it is answered to nobody, so a route that somebody forgot to enter does not work, rather than for everyone.

pub mod assertion;
pub mod audit;
pub mod token;

/// What somebody may do; each may also do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads, and previews what changes nothing.
    Viewer,
    /// Changes definitions, imports rows, sends again, unlinks.
    Contributor,
    /// Settings, keys, tokens, a person's data as a whole, the audit log.
    Administrator,
}

impl Role {
    /// From how it is written.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Contributor, Self::Administrator].into_iter().find(|role| role.name() == name)
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "Viewer",
            Self::Contributor => "Contributor",
            Self::Administrator => "Administrator",
        }
    }
}

/// Which of the two interfaces a token opens; without one, both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The admin API and the console.
    Admin,
    /// The read API.
    Data,
}

impl Scope {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Data => "data",
        }
    }

    /// From how it is written.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Admin, Self::Data].into_iter().find(|scope| scope.name() == name)
    }
}

use Role::{Administrator, Contributor, Viewer};

/// Every route of the admin API below its root: method, path, least role. `{kind}` stands for a kind of definitions,
/// `{name}` for a name that people gave and the audit log tells, `{id}` for one that it leaves out.
#[rustfmt::skip]
const ROUTES: [(&str, &str, Role); 45] = [
    ("GET", "settings", Viewer),
    ("PUT", "settings", Administrator),
    ("GET", "snippet", Viewer),
    ("GET", "stats", Viewer),
    ("GET", "live", Viewer),
    ("GET", "customers", Viewer),
    ("GET", "customers/{id}", Viewer),
    ("GET", "customers/{id}/timeline", Viewer),
    ("POST", "customers/{id}/unlink", Contributor),
    ("GET", EXPORT, Administrator),
    ("GET", "privacy/consents", Viewer),
    ("POST", "privacy/erase", Administrator),
    ("POST", "index/rebuild", Administrator),
    ("POST", "index/tidy", Administrator),
    ("GET", "jobs", Viewer),
    ("GET", "jobs/{id}", Viewer),
    ("DELETE", "jobs/{id}", Contributor),
    ("GET", "keys", Administrator),
    ("POST", "keys", Administrator),
    ("DELETE", "keys/{name}", Administrator),
    ("GET", "tokens", Administrator),
    ("POST", "tokens", Administrator),
    ("DELETE", "tokens/{name}", Administrator),
    ("GET", "audit", Administrator),
    ("GET", "accounts/optimizely", Viewer),
    ("PUT", "accounts/optimizely", Administrator),
    ("DELETE", "accounts/optimizely", Administrator),
    ("POST", "tables/{name}/rows", Contributor),
    ("GET", "activations", Viewer),
    ("GET", "activations/{name}", Viewer),
    ("PUT", "activations/{name}", Contributor),
    ("DELETE", "activations/{name}", Contributor),
    ("GET", "activations/{name}/deliveries", Viewer),
    ("POST", "activations/{name}/replay", Contributor),
    ("POST", "segments/preview", Viewer),
    ("GET", "segments/{name}/members", Viewer),
    ("GET", "segments/{name}/export", Viewer),
    ("POST", "segments/{name}/export", Contributor),
    ("POST", "experiences/explain", Viewer),
    ("GET", "experiences/{name}/results", Viewer),
    ("POST", "preview", Viewer),
    ("GET", "{kind}", Viewer),
    ("GET", "{kind}/{name}", Viewer),
    ("PUT", "{kind}/{name}", Contributor),
    ("DELETE", "{kind}/{name}", Contributor),
];

/// A read that is told like a change.
const EXPORT: &str = "privacy/export";

/// Kinds of definitions that the routes with `{kind}` are about.
const KINDS: [&str; 4] = ["tables", "measures", "segments", "experiences"];

/// A route that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The least role that may.
    pub role: Role,
    /// Whether the audit log tells each use by itself: what changes something, or shows a person's data as a whole.
    pub alone: bool,
    /// How the audit log tells it: without ids of people, and without anything that may be one.
    pub told: String,
}

/// Why there is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The address answers other methods.
    Method,
    /// The address answers none.
    Address,
}

/// The route of a request for what stands below the root of the admin API.
///
/// # Errors
/// Where there is none.
pub fn route(method: &str, path: &[&str]) -> Result<Route, Missing> {
    let mut missing = Missing::Address;
    for (its, pattern, role) in ROUTES {
        let Some(told) = told(pattern, path) else { continue };
        if its == method {
            let alone = role > Viewer && (method != "GET" || pattern == EXPORT);
            return Ok(Route { role, alone, told });
        }
        missing = Missing::Method;
    }
    Err(missing)
}

/// A path that fits, as it may be told.
fn told(pattern: &str, path: &[&str]) -> Option<String> {
    let mut told = String::new();
    let mut left = path.iter();
    for part in pattern.split('/') {
        let given = *left.next()?;
        let fits = match part {
            "{kind}" => KINDS.contains(&given),
            "{name}" | "{id}" => true,
            fixed => fixed == given,
        };
        if !fits {
            return None;
        }
        if !told.is_empty() {
            told.push('/');
        }
        told.push_str(if part == "{name}" && !is_name(given) || part == "{id}" { part } else { given });
    }
    left.next().is_none().then_some(told)
}

/// Whether this can be a name of a definition: 1 to 64 letters, digits, `-` or `_`.
pub fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    plain && (1..=64).contains(&name.len())
}

/// The least role for a form of the console, by the path that it is sent to: what is above is not offered. Whether
/// it may be done is decided by the routes that the form leads to.
pub fn of_form(path: &[&str]) -> Role {
    match path {
        ["preview" | "sign-out"] => Viewer,
        ["tracking" | "privacy" | "tokens" | "keys", ..] => Administrator,
        _ => Contributor,
    }
}

/// The least role for a page of the console.
pub fn of_page(path: &[&str]) -> Role {
    match path {
        ["privacy" | "tokens" | "keys" | "audit", ..] => Administrator,
        ["new", ..] => Contributor,
        _ => Viewer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, path: &str) -> Result<Route, Missing> {
        route(method, &path.split('/').collect::<Vec<_>>())
    }

    #[test]
    fn every_role_may_what_those_below_it_may() {
        assert!(Viewer < Contributor && Contributor < Administrator);
    }

    #[test]
    fn what_changes_something_is_no_viewers() {
        for (method, path, role) in ROUTES {
            let asks = ["segments/preview", "experiences/explain", "preview"].contains(&path);
            assert!(method == "GET" || asks || role > Viewer, "{method} {path}");
        }
    }

    #[test]
    fn every_route_is_found_by_its_own_method_and_no_other() {
        for (method, pattern, role) in ROUTES {
            for kind in KINDS {
                let path = pattern.replace("{kind}", kind).replace("{name}", "Golden").replace("{id}", "x");
                assert_eq!(asked(method, &path).map(|route| route.role), Ok(role), "{method} {path}");
                assert_eq!(asked("PATCH", &path), Err(Missing::Method), "{path}");
            }
        }
    }

    #[test]
    fn changes_and_exports_are_told_each_by_itself() {
        let alone = |method, path| asked(method, path).unwrap().alone;
        assert!(alone("PUT", "settings") && alone("DELETE", "segments/x") && alone("GET", EXPORT));
        assert!(!alone("GET", "tokens") && !alone("GET", "customers") && !alone("POST", "segments/preview"));
    }

    #[test]
    fn what_is_not_in_the_table_is_not_there() {
        for path in
            ["", "nope", "settings/x", "customers//", "tables/x/y", "activations/x/y/z", "../settings"]
        {
            assert_eq!(asked("GET", path), Err(Missing::Address), "{path}");
        }
    }

    #[test]
    fn the_audit_log_is_told_names_of_definitions_and_no_ids_of_people() {
        let told = |method, path| asked(method, path).unwrap().told;
        assert_eq!(told("PUT", "segments/Golden"), "segments/Golden");
        assert_eq!(told("GET", "customers/0123456789abcdef0123456789abcdef"), "customers/{id}");
        assert_eq!(told("POST", "customers/ann@shop.example/unlink"), "customers/{id}/unlink");
        assert_eq!(told("DELETE", "segments/ann@shop.example"), "segments/{name}");
    }

    #[test]
    fn a_form_is_offered_to_whom_its_routes_are_open() {
        assert_eq!(of_form(&["segments", "Golden"]), asked("PUT", "segments/Golden").unwrap().role);
        assert_eq!(of_form(&["customers", "x", "unlink"]), asked("POST", "customers/x/unlink").unwrap().role);
        assert_eq!(of_form(&["tracking"]), asked("PUT", "settings").unwrap().role);
        assert_eq!(of_form(&["privacy"]), asked("POST", "privacy/erase").unwrap().role);
        assert_eq!(of_page(&["audit"]), asked("GET", "audit").unwrap().role);
    }
}
