//! The merge protocol under every fault that a network, a disk and people can think of, in virtual
//! time: the same code as in the Worker, a rim that crashes between any two transactions, messages that
//! are lost, doubled and late, clients that retry, tabs, devices, customers, unlinks.
//!
//! `cargo test -p msci-core --release simulate`; `MSCI_SEED` replays one schedule,
//! `MSCI_SCHEDULES` makes it a campaign.

// A test as a whole: what clippy allows inside test functions it does not know here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::integer_division_remainder_used,
    clippy::print_stdout
)]

#[path = "simulate/activations.rs"]
mod activations;
#[path = "simulate/copies.rs"]
mod copies;
#[path = "simulate/definitions.rs"]
mod definitions;
#[path = "simulate/ends.rs"]
mod ends;
#[path = "simulate/node.rs"]
mod node;
#[path = "simulate/oracle.rs"]
mod oracle;
#[path = "simulate/people.rs"]
mod people;
#[path = "simulate/rim.rs"]
mod rim;
#[path = "simulate/world.rs"]
mod world;

use definitions::{Versions, definitions};
use world::World;

/// Schedules of a run that sets no number; without optimisation each takes twenty times as long.
const SCHEDULES: u64 = if cfg!(debug_assertions) { 500 } else { 50_000 };

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One schedule. Some go on for days after everything was quiet once.
fn simulate(seed: u64, definitions: &[Versions]) -> Result<World<'_>, String> {
    let mut world = World::new(seed, definitions);
    world.run();
    oracle::check(&world)?;
    let days = [8, 40, 400, 0, 0, 0, 0, 0][seed as usize % 8];
    if days > 0 {
        world.days_pass(days);
        oracle::check(&world).map_err(|violation| format!("{days} days later: {violation}"))?;
    }
    Ok(world)
}

#[test]
fn simulate_every_acknowledged_signal_is_in_the_one_right_profile_exactly_once() {
    let seeds = match setting("MSCI_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("MSCI_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let definitions = definitions();
    let (mut crashes, mut schedules, mut acknowledged, mut lost, mut steps) = (0, 0, 0, 0, 0);
    for seed in seeds {
        let world = simulate(seed, &definitions)
            .unwrap_or_else(|violation| panic!("seed {seed}: {violation}\nMSCI_SEED={seed} replays it"));
        crashes += world.crashes;
        lost += world.lost;
        steps += world.steps;
        acknowledged += world.acknowledged.len();
        schedules += 1;
    }
    #[allow(clippy::print_stdout)]
    {
        println!(
            "{schedules} schedules, {steps} steps, {crashes} crashes, {lost} messages lost, {acknowledged} signals, 0 violations"
        );
    }
    assert!(schedules == 1 || crashes >= 5 * schedules, "too few crashes to mean anything: {crashes}");
}

/// Each planted fault is found: a simulator that finds nothing shows nothing.
#[cfg(feature = "mutants")]
#[test]
fn every_planted_fault_is_found_within_two_thousand_seeds() {
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    let definitions = definitions();
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut missed: Vec<u32> = Vec::new();
    let only = setting("MSCI_FAULT").map(|fault| fault as u32);
    let seeds = setting("MSCI_SCHEDULES").unwrap_or(2000);
    for number in (1..=msci_core::mutants::COUNT).filter(|number| only.is_none_or(|only| only == *number)) {
        msci_core::mutants::plant(number);
        let found = (0..seeds).find(|seed| {
            let ran = catch_unwind(AssertUnwindSafe(|| simulate(*seed, &definitions).map(|_| ())));
            !matches!(ran, Ok(Ok(())))
        });
        match found {
            Some(seed) => println!("fault {number}: seed {seed}"),
            None => missed.push(number),
        }
    }
    msci_core::mutants::plant(0);
    set_hook(hook);
    assert!(missed.is_empty(), "no schedule found the faults {missed:?}");
}
