//! Billing's books with one of everything, written through the service; and direct access to the store, for
//! rows that no call would write.

use chrono::TimeDelta;
use licet_contracts::billing::v1::{
    AccountKind, ApproveRefundRequest, ChargeQuoteRequest, CreateAccountRequest,
    CreateQuoteRequest, CreditNote, CreditNoteLine, DepositRequest, Invoice,
    IssueCreditNoteRequest, LineKind, PayInvoiceRequest, PaymentTerms, QuoteItem, Refund,
    RefundState, RequestRefundRequest, ReverseEntryRequest, Subject, WithdrawRequest,
};
use licet_domain::clock::Instant;
use licet_runtime::database::Location;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

use super::{
    Backend,
    corrections::in_use,
    eventually, request_id,
    samples::{MULTI, usd},
    world::World,
};

/// Accounts, invoices, credit notes and refunds in each of their states.
pub(crate) struct Books {
    pub(crate) world: World,
    pub(crate) prepaid: String,
    /// An account on terms of 30 days, up to 1000.00.
    pub(crate) on_terms: String,
    /// 196.00, prepaid, fully credited by a refund.
    pub(crate) refunded: Invoice,
    /// 196.00 on terms: 40.00 paid, 10.00 credited.
    pub(crate) part_paid: Invoice,
    /// 196.00 on terms, fully held by a refund in review.
    pub(crate) held: Invoice,
    /// The credit note on `part_paid`.
    pub(crate) goodwill: CreditNote,
}

impl Books {
    /// Writes a month of transactions; the clock stops 28 days after the charges.
    pub(crate) async fn keep(backend: Backend) -> Self {
        let world = World::start(backend).await;
        world.stock().await;
        let prepaid = open_account(&world, "Prepaid & Söhne <Ltd>", false).await;
        let on_terms = open_account(&world, "On Terms GmbH", true).await;
        world.deposit(&prepaid, "1000.00").await;
        world.deposit(&on_terms, "250.00").await;
        move_money(&world, &prepaid).await;

        let sold = world.now();
        let refunded = sell(&world, &prepaid, "ord_refunded").await;
        let reviewed = sell(&world, &prepaid, "ord_reviewed").await;
        let approved = sell(&world, &prepaid, "ord_approved").await;
        let part_paid = sell(&world, &on_terms, "ord_part_paid").await;
        let whole_paid = sell(&world, &on_terms, "ord_whole_paid").await;
        let held = sell(&world, &on_terms, "ord_held").await;

        pay(&world, &part_paid, Some("40.00")).await;
        pay(&world, &whole_paid, None).await;
        let goodwill = forgive(&world, &part_paid, "10.00").await;
        forgive(&world, &whole_paid, "5.00").await;
        refund(&world, &refunded, None, RefundState::Refunded).await;

        world.time.advance(TimeDelta::days(28));
        let review = RefundState::PendingReview;
        refund(&world, &reviewed, Some(sold), review).await;
        refund(&world, &held, Some(sold), review).await;
        let pending = refund(&world, &approved, Some(sold), review).await;
        approve(&world, &pending, "50.00").await;
        Self {
            world,
            prepaid,
            on_terms,
            refunded,
            part_paid,
            held,
            goodwill,
        }
    }

    /// Stops Billing once each of its events has a position, and opens its store.
    pub(crate) async fn close(&mut self) -> (Location, BackDoor) {
        let location = self.world.billing_location();
        let door = BackDoor::open(&location).await;
        eventually("all events have positions", || async {
            self.world.catch_up().await;
            let waiting = licet_billing::verify(&location).await.unwrap();
            assert_eq!(waiting.differences(), 0, "{waiting}");
            (door.run("UPDATE outbox SET why = why").await == 0).then_some(())
        })
        .await;
        self.world.stop_billing().await;
        (location, door)
    }
}

async fn open_account(world: &World, display_name: &str, on_terms: bool) -> String {
    let kind = if on_terms {
        AccountKind::OnTerms
    } else {
        AccountKind::Prepaid
    };
    let request = CreateAccountRequest {
        display_name: display_name.to_owned(),
        currency_code: "USD".to_owned(),
        request_id: request_id(),
        kind: kind.into(),
        terms: on_terms.then(|| PaymentTerms {
            credit_limit: usd("1000.00"),
            net_days: 30,
            overdue_grace_days: 5,
        }),
    };
    let answer = world.accounts().create_account(request).await.unwrap();
    answer.into_inner().account.unwrap().account_id
}

/// Deposits and reverses the deposit, then withdraws.
async fn move_money(world: &World, account_id: &str) {
    let deposit = DepositRequest {
        account_id: account_id.to_owned(),
        amount: usd("20.00"),
        reference: "<b>twice</b> & wrong".to_owned(),
        request_id: request_id(),
    };
    let answer = world.accounts().deposit(deposit).await.unwrap();
    let reverse = ReverseEntryRequest {
        entry_id: answer.into_inner().entry.unwrap().entry_id,
        reason: "booked twice".to_owned(),
        request_id: request_id(),
        ..ReverseEntryRequest::default()
    };
    world.accounts().reverse_entry(reverse).await.unwrap();
    let withdraw = WithdrawRequest {
        account_id: account_id.to_owned(),
        amount: usd("30.00"),
        request_id: request_id(),
        ..WithdrawRequest::default()
    };
    world.accounts().withdraw(withdraw).await.unwrap();
}

/// Charges a certificate for a year and two further domains: 98.00 and 98.00.
pub(crate) async fn sell(world: &World, account_id: &str, resource_id: &str) -> Invoice {
    let items = [(LineKind::Certificate, 1), (LineKind::Domain, 2)];
    let items = items.map(|(kind, quantity)| QuoteItem {
        kind: kind.into(),
        product_id: MULTI.to_owned(),
        quantity,
        term_months: 12,
        ..QuoteItem::default()
    });
    let ask = CreateQuoteRequest {
        account_id: account_id.to_owned(),
        items: items.to_vec(),
        subject: Some(Subject {
            resource_id: resource_id.to_owned(),
            term_index: 0,
        }),
        request_id: request_id(),
        ..CreateQuoteRequest::default()
    };
    let quote = world.quotes().create_quote(ask).await.unwrap().into_inner();
    let charge = ChargeQuoteRequest {
        quote_id: quote.quote.unwrap().quote_id,
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    let answer = world.invoices().charge_quote(charge).await.unwrap();
    answer.into_inner().invoice.unwrap()
}

async fn pay(world: &World, invoice: &Invoice, amount: Option<&str>) {
    let request = PayInvoiceRequest {
        invoice_id: invoice.invoice_id.clone(),
        amount: amount.and_then(usd),
        request_id: request_id(),
        ..PayInvoiceRequest::default()
    };
    world.invoices().pay_invoice(request).await.unwrap();
}

/// Credits the invoice's first line.
async fn forgive(world: &World, invoice: &Invoice, amount: &str) -> CreditNote {
    let request = IssueCreditNoteRequest {
        invoice_id: invoice.invoice_id.clone(),
        lines: vec![CreditNoteLine {
            line_number: 1,
            amount: usd(amount),
        }],
        reason: "goodwill <script>alert(1)</script>".to_owned(),
        request_id: request_id(),
        ..IssueCreditNoteRequest::default()
    };
    let answer = world.invoices().issue_credit_note(request).await.unwrap();
    answer.into_inner().credit_note.unwrap()
}

async fn refund(
    world: &World,
    invoice: &Invoice,
    issued: Option<Instant>,
    expected: RefundState,
) -> Refund {
    let request = RequestRefundRequest {
        account_id: invoice.account_id.clone(),
        subject: invoice.subject.clone(),
        r#use: Some(in_use(issued)),
        request_id: request_id(),
        ..RequestRefundRequest::default()
    };
    let answer = world.refunds().request_refund(request).await.unwrap();
    let refund = answer.into_inner().refund.unwrap();
    assert_eq!(refund.state(), expected, "{}", refund.explanation);
    refund
}

async fn approve(world: &World, refund: &Refund, amount: &str) {
    let request = ApproveRefundRequest {
        refund_id: refund.refund_id.clone(),
        amount: usd(amount),
        reason: "half of it was used".to_owned(),
        request_id: request_id(),
        ..ApproveRefundRequest::default()
    };
    world.refunds().approve_refund(request).await.unwrap();
}

/// Access to a store's rows without their constraints.
pub(crate) struct BackDoor {
    connection: DatabaseConnection,
}

impl BackDoor {
    /// Opens the store, and drops the constraints that keep rows valid.
    pub(crate) async fn open(location: &Location) -> Self {
        let connection = match location {
            Location::Sqlite(path) => {
                let path = path.clone();
                let mut options = ConnectOptions::new("sqlite::memory:");
                options
                    .max_connections(1)
                    .map_sqlx_sqlite_opts(move |sqlite| {
                        sqlite
                            .filename(&path)
                            .in_memory(false)
                            .shared_cache(false)
                            .foreign_keys(false)
                            .pragma("ignore_check_constraints", "ON")
                            .pragma("busy_timeout", "10000")
                    });
                Database::connect(options).await.unwrap()
            }
            Location::Postgres { url, schema } => {
                let schema = schema.clone();
                let mut options = ConnectOptions::new(url);
                options
                    .max_connections(1)
                    .map_sqlx_postgres_opts(move |postgres| {
                        postgres.options([("search_path", schema.as_str())])
                    });
                Database::connect(options).await.unwrap()
            }
        };
        let door = Self { connection };
        if door.connection.get_database_backend() == DbBackend::Postgres {
            door.run(
                "DO $$ DECLARE guard RECORD; BEGIN
                    FOR guard IN SELECT conrelid::regclass AS owner, conname FROM pg_constraint
                        WHERE contype IN ('c', 'f') AND connamespace = current_schema()::regnamespace
                            -- A part loses its constraints with its table.
                            AND conparentid = 0 AND coninhcount = 0
                    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', guard.owner, guard.conname);
                    END LOOP; END $$",
            )
            .await;
        }
        door
    }

    /// Runs one statement; returns how many rows it changed.
    pub(crate) async fn run(&self, sql: &str) -> u64 {
        loop {
            match self.connection.execute_unprepared(sql).await {
                Ok(ran) => return ran.rows_affected(),
                // Services write too. The statement that lost a deadlock was rolled back; repeat it.
                Err(error) if error.to_string().contains("deadlock detected") => {}
                Err(error) => panic!("{sql}: {error}"),
            }
        }
    }

    /// Saves the rows of a table.
    pub(crate) async fn save(&self, table: &str) {
        self.run(&format!(
            "CREATE TABLE saved_{table} AS SELECT * FROM {table}"
        ))
        .await;
    }

    /// Restores the rows that [`BackDoor::save`] saved.
    pub(crate) async fn restore(&self, table: &str) {
        self.run(&format!("DELETE FROM {table}")).await;
        self.run(&format!("INSERT INTO {table} SELECT * FROM saved_{table}"))
            .await;
        self.run(&format!("DROP TABLE saved_{table}")).await;
    }

    /// Saves the rows of all tables, as a backup would.
    pub(crate) async fn save_all(&self) {
        for table in self.tables().await {
            self.save(&table).await;
        }
    }

    /// Puts back what [`BackDoor::save_all`] saved, at once, under running services: what was written since is
    /// lost, as when a backup is restored.
    pub(crate) async fn restore_all(&self) {
        let tables = self.tables().await;
        let saved = tables
            .iter()
            .filter_map(|table| table.strip_prefix("saved_"));
        let is_postgres = self.connection.get_database_backend() == DbBackend::Postgres;
        let (begin, end, overriding) = if is_postgres {
            // Statements that are sent together are one transaction.
            ("", "", "OVERRIDING SYSTEM VALUE")
        } else {
            ("BEGIN IMMEDIATE;", "COMMIT;", "")
        };
        let mut sql = begin.to_owned();
        for table in saved {
            sql += &format!(
                "DELETE FROM {table};
                 INSERT INTO {table} {overriding} SELECT * FROM saved_{table};"
            );
        }
        self.run(&(sql + end)).await;
    }

    async fn tables(&self) -> Vec<String> {
        let backend = self.connection.get_database_backend();
        let query = if backend == DbBackend::Postgres {
            "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = current_schema()"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        };
        let rows = self
            .connection
            .query_all_raw(Statement::from_string(backend, query));
        let rows = rows.await.unwrap();
        let names = rows.iter().map(|row| row.try_get("", "name").unwrap());
        names.collect()
    }
}
