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

use std::iter::StepBy;
use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::thread::{self, available_parallelism};

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

/// What schedules made, added up.
#[derive(Default)]
struct Tally {
    schedules: u64,
    steps: u64,
    crashes: u64,
    lost: u64,
    acknowledged: usize,
}

impl Tally {
    /// Of the schedules of these seeds, up to the first violation.
    fn of(seeds: impl Iterator<Item = u64>) -> Result<Self, String> {
        let definitions = definitions();
        let mut tally = Self::default();
        for seed in seeds {
            let world = simulate(seed, &definitions)
                .map_err(|violation| format!("seed {seed}: {violation}\nMSCI_SEED={seed} replays it"))?;
            tally.add(&Self {
                schedules: 1,
                steps: world.steps,
                crashes: world.crashes,
                lost: world.lost,
                acknowledged: world.acknowledged.len(),
            });
        }
        Ok(tally)
    }

    fn add(&mut self, other: &Self) {
        self.schedules += other.schedules;
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.lost += other.lost;
        self.acknowledged += other.acknowledged;
    }
}

/// Numbers shared out among the processors of this machine, each share in order.
fn shared<T: Send>(numbers: Range<u64>, work: impl Fn(StepBy<Range<u64>>) -> T + Sync) -> Vec<T> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let shares: Vec<_> = (numbers.start..)
            .take(processors)
            .map(|first| (first.min(numbers.end)..numbers.end).step_by(processors))
            .map(|share| scope.spawn(|| work(share)))
            .collect();
        shares.into_iter().map(|share| share.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

#[test]
fn simulate_every_acknowledged_signal_is_in_the_one_right_profile_exactly_once() {
    let seeds = match setting("MSCI_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("MSCI_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let mut all = Tally::default();
    for tally in shared(seeds, Tally::of) {
        all.add(&tally.unwrap_or_else(|violation| panic!("{violation}")));
    }
    let Tally { schedules, steps, crashes, lost, acknowledged } = all;
    println!(
        "{schedules} schedules, {steps} steps, {crashes} crashes, {lost} messages lost, {acknowledged} signals, 0 violations"
    );
    assert!(schedules == 1 || crashes >= 5 * schedules, "too few crashes to mean anything: {crashes}");
}

/// Each planted fault is found: a simulator that finds nothing shows nothing.
#[cfg(feature = "mutants")]
#[test]
fn every_planted_fault_is_found_within_two_thousand_seeds() {
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let only = setting("MSCI_FAULT");
    let seeds = setting("MSCI_SCHEDULES").unwrap_or(2000);
    let faults = only.map_or(1..u64::from(msci_core::mutants::COUNT) + 1, |fault| fault..fault + 1);
    let missed = shared(faults, |faults| {
        let definitions = definitions();
        let find = |fault: u64| {
            msci_core::mutants::plant(fault as u32);
            let fails = |seed: u64| {
                let ran = catch_unwind(AssertUnwindSafe(|| simulate(seed, &definitions).map(|_| ())));
                !matches!(ran, Ok(Ok(())))
            };
            (0..seeds).find(|seed| fails(*seed)).inspect(|seed| println!("fault {fault}: seed {seed}"))
        };
        faults.filter(|fault| find(*fault).is_none()).collect::<Vec<_>>()
    });
    set_hook(hook);
    let missed = missed.concat();
    assert!(missed.is_empty(), "no schedule found the faults {missed:?}");
}
