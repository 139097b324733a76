//! What a transaction of the runtime guarantees on both databases, however few round trips it makes: all or
//! nothing, and each statement sees the changes before it. X-2: if two drivers run one step of an operation,
//! one wins.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use licet_domain::{
    clock::Instant,
    ids::AccountId,
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    database::{Database, Migration, Tx, Work},
    fault::Fault,
    operation::{self, Next, NextStep, Operation, Operations, Registry, Step, Steps},
    peer::PeerFault,
    schedule::DueWork,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::Expr};
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::harness::{Backend, clock::StandingClock, on_both_databases, world::Storage};

on_both_databases![
    changes_of_one_row_are_made_in_their_order,
    a_statement_sees_what_was_changed_before_it,
    what_gathered_is_undone_with_the_rest,
    a_lost_race_at_the_end_runs_the_work_again,
    x_2_of_two_drivers_on_one_step_one_is_through_it,
];

mod counter {
    //! A row with a name and a number.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "counter")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) name: String,
        pub(super) value: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const SCHEMA: Migration = Migration {
    name: "counters_0001",
    sql: "CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL);",
};

async fn open(storage: &Storage) -> Database {
    // Any service's location works.
    let location = storage.location("billing");
    Database::open(&location, &[SCHEMA]).await.unwrap()
}

async fn add(tx: &Tx, name: &str, value: i64) -> Result<(), Fault> {
    let row = counter::ActiveModel {
        name: Set(name.to_owned()),
        value: Set(value),
    };
    Ok(tx
        .later(counter::Entity, counter::Entity::insert(row))
        .await?)
}

async fn set(tx: &Tx, name: &str, value: i64) -> Result<(), Fault> {
    let update = counter::Entity::update_many()
        .col_expr(counter::Column::Value, Expr::value(value))
        .filter(counter::Column::Name.eq(name));
    Ok(tx.later(counter::Entity, update).await?)
}

async fn value(database: &Database, name: &str) -> Option<i64> {
    let found = counter::Entity::find_by_id(name)
        .one(database.read_alone())
        .await;
    found.unwrap().map(|row| row.value)
}

/// Writes, changes and removes one row, and keeps another.
struct InOrder;

impl Work for InOrder {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        add(tx, "kept", 1).await?;
        set(tx, "kept", 2).await?;
        set(tx, "kept", 3).await?;
        add(tx, "gone", 1).await?;
        let delete = counter::Entity::delete_many().filter(counter::Column::Name.eq("gone"));
        Ok(tx.later(counter::Entity, delete).await?)
    }
}

async fn changes_of_one_row_are_made_in_their_order(backend: Backend) {
    let storage = Storage::create(backend).await;
    let database = open(&storage).await;
    database.transact(&InOrder).await.unwrap();
    assert_eq!(value(&database, "kept").await, Some(3));
    assert_eq!(value(&database, "gone").await, None);
}

struct Looking;

impl Work for Looking {
    type Output = Vec<i64>;

    async fn run(&self, tx: &Tx) -> Result<Vec<i64>, Fault> {
        let mut seen = Vec::new();
        add(tx, "seen", 1).await?;
        for next in 2..4 {
            let found = counter::Entity::find_by_id("seen").one(tx).await?;
            seen.extend(found.map(|row| row.value));
            set(tx, "seen", next).await?;
        }
        Ok(seen)
    }
}

async fn a_statement_sees_what_was_changed_before_it(backend: Backend) {
    let storage = Storage::create(backend).await;
    let database = open(&storage).await;
    assert_eq!(database.transact(&Looking).await.unwrap(), [1, 2]);
    assert_eq!(value(&database, "seen").await, Some(3));
}

/// Changes a row and then refuses; a read in between forces the change to be sent.
struct Refusing {
    looks: bool,
}

impl Work for Refusing {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        add(tx, "undone", 1).await?;
        if self.looks {
            counter::Entity::find().all(tx).await?;
        }
        set(tx, "undone", 2).await?;
        Err(Refusal::new(Reason::NotFound, "it is only a test").into())
    }
}

async fn what_gathered_is_undone_with_the_rest(backend: Backend) {
    let storage = Storage::create(backend).await;
    let database = open(&storage).await;
    for looks in [false, true] {
        database.transact(&Refusing { looks }).await.unwrap_err();
        assert_eq!(value(&database, "undone").await, None);
    }
}

/// Its first run adds a row that exists already, its second a new one.
struct Racing {
    runs: AtomicI64,
}

impl Work for Racing {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        add(tx, if run == 0 { "taken" } else { "free" }, run).await
    }
}

async fn a_lost_race_at_the_end_runs_the_work_again(backend: Backend) {
    let storage = Storage::create(backend).await;
    let database = open(&storage).await;
    let racing = Racing {
        runs: AtomicI64::new(0),
    };
    for _ in 0..2 {
        racing.runs.store(0, Ordering::Relaxed);
        let first = value(&database, "taken").await.is_none();
        database.transact(&racing).await.unwrap();
        let runs = racing.runs.load(Ordering::Relaxed);
        assert_eq!(runs, if first { 1 } else { 2 });
    }
    assert_eq!(value(&database, "taken").await, Some(0));
    assert_eq!(value(&database, "free").await, Some(1));
}

/// Counts up in two steps, each reached by both drivers at once.
struct CountUp;

impl Operation for CountUp {
    const KIND: &'static str = "COUNT_UP";
    type Peers = Barrier;
    type Output = ();
}

#[derive(Serialize, Deserialize)]
struct First {}

#[derive(Serialize, Deserialize)]
struct Second {}

impl Step for First {
    const NAME: &'static str = "first";
    type Operation = CountUp;
    type Answer = ();

    async fn ask(&self, both: &Barrier, _request_id: Uuid) -> Result<(), PeerFault> {
        meet(both).await
    }

    async fn apply(
        &self,
        tx: &Tx,
        _now: Instant,
        _answer: &Result<(), Refusal>,
    ) -> Result<Next<CountUp>, Fault> {
        count(tx, 0).await?;
        Ok(Next::step(&Second {}))
    }
}

impl Step for Second {
    const NAME: &'static str = "second";
    type Operation = CountUp;
    type Answer = ();

    async fn ask(&self, both: &Barrier, _request_id: Uuid) -> Result<(), PeerFault> {
        meet(both).await
    }

    async fn apply(
        &self,
        tx: &Tx,
        _now: Instant,
        _answer: &Result<(), Refusal>,
    ) -> Result<Next<CountUp>, Fault> {
        count(tx, 1).await?;
        Ok(Next::Done(()))
    }
}

async fn meet(both: &Barrier) -> Result<(), PeerFault> {
    // A driver that lost the previous step may never reach this one.
    let _ = tokio::time::timeout(Duration::from_millis(300), both.wait()).await;
    Ok(())
}

async fn count(tx: &Tx, expected: i64) -> Result<(), Fault> {
    let found = counter::Entity::find_by_id("counted").one(tx).await?;
    let counted = found.map_or(0, |row| row.value);
    // The second driver finds the first one's count.
    if counted != expected {
        return Err(Fault::internal("the step was applied already"));
    }
    set(tx, "counted", counted + 1).await
}

struct Begin;

impl Work for Begin {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        add(tx, "counted", 0).await?;
        let first = NextStep::of(&First {});
        let now = Instant::from_micros(0).unwrap();
        operation::begin(tx, now, "counted", AccountId::generate(), first).await?;
        Ok(())
    }
}

async fn x_2_of_two_drivers_on_one_step_one_is_through_it(backend: Backend) {
    let storage = Storage::create(backend).await;
    let database = open(&storage).await;
    for _ in 0..10 {
        let fresh = counter::Entity::delete_many().exec(database.write_alone());
        fresh.await.unwrap();
        database.transact(&Begin).await.unwrap();
        let both = Arc::new(Barrier::new(2));
        let driver = || {
            let clock = Arc::new(StandingClock::new());
            let registry =
                Registry::new(|_, _| Ok(None)).with(Steps::of::<First>().or::<Second>(), Ok);
            Operations::new(database.clone(), Arc::clone(&both), clock, registry)
        };
        let (one, other) = (driver(), driver());
        let (one, other) = tokio::join!(one.run_due(true), other.run_due(true));
        assert_eq!(value(&database, "counted").await, Some(2));
        assert_eq!(one.unwrap() + other.unwrap(), 1, "one driver ends it");
    }
}
