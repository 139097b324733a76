//! A full disk, a failing statement and an interrupted transaction: the store has everything that was
//! acknowledged, and nothing else.

use std::{future::poll_fn, pin::pin, task::Poll};

use licet_contracts::billing::v1::{DepositRequest, GetAccountRequest};
use licet_runtime::{
    database::{Database, Migration, Tx, Work},
    fault::Fault,
};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, Set};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::harness::{
    Backend,
    errors::take_apart,
    on_both_databases, request_id,
    samples::usd,
    world::{Storage, World},
};

on_both_databases![
    a_failed_statement_undoes_the_whole_transaction,
    a_transaction_that_is_cut_off_keeps_nothing_back,
];

mod note {
    //! A row large enough to fill a store soon.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "note")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) number: i64,
        pub(super) text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const SCHEMA: Migration = Migration {
    name: "notes_0001",
    sql: "CREATE TABLE note (number BIGINT PRIMARY KEY, text TEXT NOT NULL);",
};

async fn open(storage: &Storage) -> Database {
    Database::open(&storage.location("billing"), &[SCHEMA])
        .await
        .unwrap()
}

async fn count(database: &Database) -> u64 {
    note::Entity::find()
        .count(database.read_alone())
        .await
        .unwrap()
}

async fn write(tx: &Tx, number: i64) -> Result<(), Fault> {
    let row = note::ActiveModel {
        number: Set(number),
        // About a page.
        text: Set("x".repeat(3000)),
    };
    Ok(tx.later(note::Entity, note::Entity::insert(row)).await?)
}

struct Writing(i64);

impl Work for Writing {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        write(tx, self.0).await
    }
}

/// Lets the store grow by `pages` more pages.
async fn leave_room(database: &Database, pages: i64) {
    let writer = database.write_alone();
    let query = sea_orm::Statement::from_string(writer.get_database_backend(), "PRAGMA page_count");
    let row = writer.query_one_raw(query).await.unwrap().unwrap();
    let used: i64 = row.try_get("", "page_count").unwrap();
    let limit = format!("PRAGMA max_page_count = {}", used + pages);
    writer.execute_unprepared(&limit).await.unwrap();
}

/// Removes the limit that [`leave_room`] set.
async fn free(database: &Database) {
    let limit = "PRAGMA max_page_count = 1000000";
    database
        .write_alone()
        .execute_unprepared(limit)
        .await
        .unwrap();
}

#[test]
fn what_is_written_after_the_store_was_full_is_there() {
    crate::harness::run(async {
        let storage = Storage::create(Backend::Sqlite).await;
        let database = open(&storage).await;
        let mut acknowledged = 0;
        let mut refused = 0;
        for number in 0..200 {
            if number < 100 && number % 10 == 0 {
                leave_room(&database, 2).await;
            }
            if number == 100 {
                free(&database).await;
            }
            match database.transact(&Writing(number)).await {
                Ok(()) => acknowledged += 1,
                Err(fault) => {
                    refused += 1;
                    take_apart(&fault.into()).expect(Code::ResourceExhausted, "STORE_FULL");
                }
            }
            assert_eq!(count(&database).await, acknowledged, "after {number}");
        }
        assert!(refused > 0 && acknowledged >= 100, "{refused} were refused");
        // Other connections see the same rows, and later ones too.
        assert_eq!(count(&open(&storage).await).await, acknowledged);
    });
}

#[test]
fn a_full_store_refuses_deposits_and_keeps_the_others() {
    crate::harness::run(async {
        let mut world = World::start(Backend::Sqlite).await;
        let account_id = world.empty_account().await;
        let mut repeats = Vec::new();
        let mut acknowledged = 0;
        for number in 0..400 {
            if number < 200 && number % 20 == 0 {
                leave_room(world.billing_store(), 1).await;
            }
            if number == 200 {
                free(world.billing_store()).await;
            }
            let request = DepositRequest {
                account_id: account_id.clone(),
                amount: usd("1.00"),
                request_id: request_id(),
                reference: "y".repeat(100),
            };
            match world.accounts().deposit(request.clone()).await {
                Ok(_) => acknowledged += 1,
                Err(status) => {
                    take_apart(&status).expect(Code::ResourceExhausted, "STORE_FULL");
                    let details = status.get_error_details();
                    assert!(
                        details
                            .retry_info()
                            .is_some_and(|info| info.retry_delay.is_some())
                    );
                    // Reads still work.
                    let read = GetAccountRequest {
                        account_id: account_id.clone(),
                    };
                    world.accounts().get_account(read).await.unwrap();
                    repeats.push(request);
                }
            }
        }
        assert!(!repeats.is_empty(), "the store was never full");
        for request in repeats {
            world.accounts().deposit(request).await.unwrap();
            acknowledged += 1;
        }
        assert_eq!(acknowledged, 400);
        assert_eq!(world.balance(&account_id).await, "400.00 USD");
        world.stop_billing().await;
        world.start_billing().await;
        assert_eq!(world.balance(&account_id).await, "400.00 USD");
    });
}

/// Ignores a failed statement and goes on.
struct Careless;

impl Work for Careless {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        write(tx, 1).await?;
        tx.execute_unprepared("INSERT INTO nothing_of_that_name VALUES (1)")
            .await
            .unwrap_err();
        let _ = write(tx, 2).await;
        Ok(())
    }
}

async fn a_failed_statement_undoes_the_whole_transaction(backend: Backend) {
    let storage = Storage::create(backend).await;
    let database = open(&storage).await;
    // SQLite may have rolled back by itself, and PostgreSQL acknowledges a COMMIT that rolls back.
    database.transact(&Careless).await.unwrap_err();
    assert_eq!(count(&database).await, 0);
    database.transact(&Writing(3)).await.unwrap();
    assert_eq!(count(&database).await, 1);
}

async fn a_transaction_that_is_cut_off_keeps_nothing_back(backend: Backend) {
    let storage = Storage::create(backend).await;
    let database = open(&storage).await;
    let others = open(&storage).await;
    let mut expected = 0;
    for cut in 0..24 {
        for number in 0..4 {
            let number = 1000 + cut * 10 + number;
            let work = Writing(number);
            // The first statement begins the transaction, which is then cut off at each of its waits in turn.
            let mut writing = pin!(async {
                let tx = database.read();
                note::Entity::find().count(&tx).await.unwrap();
                drop(tx);
                database.transact(&work).await
            });
            let mut polls = 0;
            poll_fn(|context| {
                if polls == cut || writing.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                polls += 1;
                Poll::Pending
            })
            .await;
        }
        for number in 0..20 {
            let row = note::ActiveModel {
                number: Set(cut * 100 - 10_000 + number),
                text: Set(String::new()),
            };
            note::Entity::insert(row)
                .exec_without_returning(database.write_alone())
                .await
                .unwrap();
            expected += 1;
        }
        let seen = note::Entity::find().all(others.read_alone()).await.unwrap();
        let plain = seen.iter().filter(|note| note.number < 0).count();
        assert_eq!(plain, expected, "cut off at wait {cut}");
    }
}
