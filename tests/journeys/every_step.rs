//! MD-7: runs every fault at every step of every kind of operation, each in a cell with
//! its own account. The final state must be the clean run's, the earlier one, or the contract's for this
//! fault.

mod cells;
mod doomed;
mod faults;
mod network;
mod operations;
mod scenarios;
mod snapshot;
mod stage;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use licet_contracts::operations::v1::OperationState;
use tokio::task::JoinSet;

use self::{
    cells::Cell,
    doomed::Doomed,
    faults::{Fault, Point, meetings},
    network::{Dying, Network, Seen},
    scenarios::{ALL, DELETION, Scenario, Staged},
    snapshot::Snapshot,
    stage::Stage,
};
use crate::harness::{
    Backend, clock::StandingClock, errors::take_apart, eventually, run_within, world::World,
};

/// The time limit of one cell, which takes a second or two on an idle machine.
const LONGEST_CELL: Duration = Duration::from_secs(300);
/// The time limit of all cells of one database on the busiest machine.
const LONGEST_WALK: Duration = Duration::from_secs(3600);

mod x_2_every_step_of_every_operation_survives_every_fault {
    use super::{Backend, LONGEST_WALK, run_within, walk};

    #[test]
    fn sqlite() {
        run_within(LONGEST_WALK, walk(Backend::Sqlite));
    }

    #[test]
    fn postgres() {
        run_within(LONGEST_WALK, walk(Backend::Postgres));
    }
}

/// Cells that run at the same time.
const AT_ONCE: usize = 8;

async fn walk(backend: Backend) {
    let walk = Arc::new(Walk::prepare(backend).await);
    let (cells, impossible) = walk.cells();
    let total = cells.len();
    let (killed, others): (Vec<_>, Vec<_>) = cells
        .into_iter()
        .partition(|cell| cell.fault == Fault::DriverKilled);
    let mut failures = walk.each(others).await;
    failures.extend(walk.killed(killed).await);
    println!(
        "{backend:?}: {total} cells: {} scenarios of {} registered steps, by faults; {} not possible:",
        ALL.len(),
        registered().len(),
        impossible.values().sum::<usize>(),
    );
    for ((fault, why), count) in impossible {
        println!("  {count} x {fault}: {why}");
    }
    assert!(
        failures.is_empty(),
        "{} of {total} cells failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Kinds and steps, as the services register them.
fn registered() -> BTreeSet<(&'static str, &'static str)> {
    let mut all = BTreeSet::from_iter(licet_orders::operation_steps());
    all.extend(licet_san_licensing::operation_steps());
    all
}

/// A scenario's end without a fault, and the state after its setup.
struct Known {
    trace: Vec<Seen>,
    clean: Snapshot,
    clean_state: (OperationState, String),
    before: Snapshot,
    /// The state after the setup, if the balance was withdrawn and deposited again.
    before_short: Snapshot,
}

/// Leaves out the schedule's calls and those that a later step repeated.
fn without_bystanders(mut trace: Vec<Seen>) -> Vec<Seen> {
    let later = trace.clone();
    let mut number = 0;
    trace.retain(|seen| {
        number += 1;
        let is_of_step = !seen.point.step.is_empty();
        is_of_step
            && !later[number..]
                .iter()
                .any(|other| other.is_same_change(seen))
    });
    trace
}

/// Runs one cell in its own task, so that a panic or a hang fails only this cell.
async fn named(
    name: String,
    run: impl Future<Output = Result<(), String>> + Send + 'static,
) -> Result<(), String> {
    let found = match tokio::spawn(tokio::time::timeout(LONGEST_CELL, run)).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => Err(format!("still running after {LONGEST_CELL:?}")),
        Err(panic) => Err(panic.to_string()),
    };
    found.map_err(|error| format!("{name}:\n  {error}"))
}

/// A kind without a scenario would stay untested.
fn check_kinds() {
    let kinds: BTreeSet<_> = ALL.iter().map(Scenario::kind).collect();
    for (kind, _) in registered() {
        assert!(
            kinds.contains(kind),
            "{kind} is registered but has no scenario: add one to `scenarios::ALL` and its setup to `Scenario::set`"
        );
    }
}

/// The result of `run`; panics if it hangs.
async fn within<T>(what: impl Display, run: impl Future<Output = T>) -> T {
    let run = tokio::time::timeout(LONGEST_CELL, run);
    run.await
        .unwrap_or_else(|_| panic!("{what}: still running after {LONGEST_CELL:?}"))
}

struct Walk {
    stage: Stage,
    known: BTreeMap<&'static str, Known>,
}

impl Walk {
    async fn prepare(backend: Backend) -> Self {
        check_kinds();
        let network = Arc::new(Network::default());
        let start = licet_domain::clock::Clock::now(&StandingClock::new());
        let mut world = World::empty_at(backend, start).await;
        world.interfere(network.clone());
        world.start_billing().await;
        world.start_san_licensing().await;
        world.start_orders().await;
        world.interfere(Arc::new(Dying(network.clone())));
        world.stock().await;
        world.stock_sans().await;
        let stage = Stage::new(Arc::new(world), network);
        let own_steps = licet_orders::operation_steps();
        let steps = own_steps
            .iter()
            .filter(|(kind, _)| *kind == DELETION)
            .count();
        // Each step meets about ten faults; the step that undoes makes two calls.
        stage.let_weeks_pass((steps + 1) * 10 + 3).await;
        let mut walk = Self {
            stage,
            known: BTreeMap::new(),
        };
        let known = stream::iter(ALL).map(async |scenario| {
            let clean = within(scenario.name, walk.clean(*scenario)).await;
            (scenario.name, clean)
        });
        walk.known = known.buffered(AT_ONCE).collect().await;
        walk.check_steps();
        walk
    }

    async fn clean(&self, scenario: Scenario) -> Known {
        let stage = &self.stage;
        let looked_at = scenario.set(stage, false).await;
        let account_id = &looked_at.cell.account_id;
        let before = self.look(account_id).await;
        self.be_short_of_money(account_id, async || {}).await;
        let before_short = self.look(account_id).await;
        let staged = scenario.set(stage, true).await;
        staged.cell.watch(Fault::None, None);
        let first = staged.asked.send(&stage.doors).await;
        let ended = self.end(scenario, &staged).await;
        staged.cell.open();
        let again = staged.asked.send(&stage.doors).await;
        assert_eq!(
            first.map_err(|status| take_apart(&status)),
            again.map_err(|status| take_apart(&status)),
            "{}: a repeat got another response",
            scenario.name
        );
        let clean = self.look(&staged.cell.account_id).await;
        if ended.state == OperationState::Refused {
            let (clean, before) = (clean.clone(), before.clone());
            let difference = clean
                .only(&["account"])
                .difference(&before.only(&["account"]));
            assert_eq!(
                difference, None,
                "{}: refused, but the balance changed",
                scenario.name
            );
        }
        Known {
            trace: without_bystanders(staged.cell.trace()),
            clean,
            clean_state: (ended.state, ended.refusal_reason),
            before,
            before_short,
        }
    }

    /// A step that no scenario reaches would stay untested.
    fn check_steps(&self) {
        let all = ALL.iter().flat_map(|scenario| {
            let trace = self.known[scenario.name].trace.iter();
            trace.map(|seen| (scenario.kind(), seen.point.step.as_str()))
        });
        let reached = BTreeSet::from_iter(all);
        for (kind, step) in registered() {
            assert!(
                reached.contains(&(kind, step)),
                "no scenario of {kind} reaches its step {step}: add one to `scenarios::ALL`"
            );
        }
    }

    /// The cells, and how many faults of each kind cannot occur.
    fn cells(&self) -> (Vec<Cell>, BTreeMap<(&'static str, &'static str), usize>) {
        let (mut cells, mut impossible) = (Vec::new(), BTreeMap::new());
        for scenario in ALL {
            for seen in &self.known[scenario.name].trace {
                let Point { step, path, .. } = &seen.point;
                for meeting in meetings(scenario.name, scenario.kind(), step, path) {
                    match meeting {
                        Ok((fault, end)) => cells.push(Cell {
                            scenario: *scenario,
                            point: seen.point.clone(),
                            fault,
                            end,
                        }),
                        Err(why) => *impossible.entry(why).or_default() += 1,
                    }
                }
            }
        }
        (cells, impossible)
    }

    async fn look(&self, account_id: &str) -> Snapshot {
        Snapshot::read(&self.stage.world, account_id).await
    }

    /// Runs cells, some at a time; returns the failures.
    async fn each(self: &Arc<Self>, cells: Vec<Cell>) -> Vec<String> {
        let found = stream::iter(cells).map(|cell| {
            let walk = self.clone();
            async move {
                let name = cell.to_string();
                named(name, async move { walk.run(&cell).await }).await
            }
        });
        let found: Vec<_> = found.buffer_unordered(AT_ONCE).collect().await;
        found.into_iter().filter_map(Result::err).collect()
    }

    /// Runs the cells whose drivers are killed, all at once.
    async fn killed(self: &Arc<Self>, cells: Vec<Cell>) -> Vec<String> {
        let doomed = Doomed::start(&self.stage.world).await;
        let started = stream::iter(cells).map(async |cell| {
            let staged = within(&cell, cell.scenario.set(&self.stage, true)).await;
            staged.cell.watch(cell.fault, Some(cell.point.clone()));
            (cell, staged)
        });
        let started: Vec<(Cell, Staged)> = started.buffered(AT_ONCE).collect().await;
        let mut calls = JoinSet::new();
        for (_, staged) in &started {
            let (asked, doors) = (staged.asked.clone(), doomed.doors.clone());
            calls.spawn(async move { asked.send(&doors).await.is_ok() });
        }
        for (cell, staged) in &started {
            eventually(
                &format!("{cell}: the driver waits to be killed"),
                || async { staged.cell.is_answered().then_some(()) },
            )
            .await;
        }
        doomed.kill();
        within("the calls of the killed drivers", calls.join_all()).await;
        let checked = stream::iter(started).map(|(cell, staged)| {
            let walk = self.clone();
            async move {
                staged.cell.open();
                let name = cell.to_string();
                named(name, async move { walk.check(&cell, &staged).await }).await
            }
        });
        let checked: Vec<_> = checked.buffered(AT_ONCE).collect().await;
        checked.into_iter().filter_map(Result::err).collect()
    }
}
