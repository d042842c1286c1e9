//! Builds what ships, into `dist/`. The same sources give the same bytes on every machine: names are
//! hashes of contents, and no path of the machine that built a file is in it.
//!
//! `msci-build all | sdk | worker | size`. A step whose inputs did not change is skipped.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: its output is the terminal"
)]

mod bytes;
mod place;
mod sdk;
mod size;
mod snip;
mod stamp;
mod wasm;
mod worker;
mod www;

use std::process::ExitCode;

use anyhow::{Result, bail};
use place::Place;

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("build failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str) -> Result<()> {
    let place = Place::find()?;
    // One build at a time: two would mix their files. The lock ends with the process.
    let _lock = place.lock()?;
    match command {
        "all" => {
            sdk::build(&place)?;
            www::build(&place)?;
            worker::build(&place)
        }
        "sdk" => sdk::build(&place),
        "worker" => www::build(&place).and_then(|()| worker::build(&place)),
        "size" => size::report(&place),
        _ => bail!("usage: msci-build all | sdk | worker | size"),
    }
}
