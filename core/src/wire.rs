//! Shapes that cross a border, apart from the engine's own types: what the SDK sends and gets, and
//! what the Worker and its objects say to each other.

mod addresses;
pub mod collect;
pub mod cookies;
pub mod tcf;
