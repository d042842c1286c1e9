//! Which part answers which address, in each of the scripts.

#[cfg(feature = "api")]
mod api;
#[cfg(feature = "console")]
mod console;
#[cfg(feature = "edge")]
mod edge;

#[cfg(feature = "api")]
pub(crate) use api::route;
#[cfg(feature = "console")]
pub(crate) use console::route;
#[cfg(feature = "edge")]
pub(crate) use edge::route;

use crate::names;

/// What stands behind the prefix.
fn own(path: &str) -> Option<&str> {
    path.strip_prefix(names::PREFIX).filter(|rest| rest.starts_with('/'))
}
