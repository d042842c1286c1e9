//! Every decision of the product, pure: no clock, no I/O, no randomness, no JavaScript or Worker
//! types. The rim (SDK and Worker) hands in bytes, times and random bits, and carries out what comes
//! back. That is what lets the same code run in the edge, in tests and in a simulator.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
pub mod activation;
pub mod activity;
pub mod attributes;
pub mod base64url;
pub mod collections;
pub mod config;
pub mod consent;
pub mod counter;
pub mod definitions;
pub mod effects;
pub mod experience;
pub mod explain;
pub mod export;
pub mod expr;
pub mod flood;
pub mod identity;
pub mod ids;
pub mod import;
pub mod json;
pub mod judge;
pub mod keys;
pub mod limits;
pub mod membership;
pub mod mutants;
pub mod object;
pub mod odata;
pub mod outcome;
pub mod page;
pub mod persona;
mod places;
pub mod preview;
pub mod profile;
pub mod proof;
pub mod reading;
pub mod results;
pub mod session;
pub mod signal;
pub mod snapshot;
pub mod sorting;
pub mod stats;
pub mod stream;
pub mod strict_json;
pub mod template;
pub mod time;
pub mod token;
pub mod wire;
mod work;
