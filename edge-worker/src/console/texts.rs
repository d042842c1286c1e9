//! Every text of the pages, of `www/console/texts.json`: made by `build.rs`, a module for each group.

include!(concat!(env!("OUT_DIR"), "/texts.rs"));
