//! What the line on top of a preview says, of `www/console/texts.json`: made by `build.rs`.

include!(concat!(env!("OUT_DIR"), "/texts.rs"));
