//! Upgrades a store from before payment terms existed: every invoice is paid, and every credit went to the
//! balance.

use licet_contracts::{
    billing::v1::{
        AccountKind, CreditNote, Invoice, InvoiceState, LedgerEntry, ListCreditNotesRequest,
        ListRefundsRequest, Refund,
    },
    orders::v1::DeleteOrderRequest,
};

use crate::harness::{
    Backend, books::BackDoor, on_both_databases, request_id, samples::shown, world::World,
};

on_both_databases![a_store_of_before_terms_of_payment_comes_out_right];

const FIRST_SCHEMA: &str =
    include_str!("../../services/billing/src/store/migrations/m0001_initial.sql");

/// The first schema's tables; a table comes after those it refers to.
const TABLES: [&str; 13] = [
    "product",
    "product_version",
    "price_list",
    "account",
    "quote",
    "invoice",
    "invoice_line",
    "credit_note",
    "credit_note_line",
    "refund",
    "ledger_entry",
    "posting",
    "number_series",
];

/// The columns of a table in the first schema, separated by commas.
fn first_columns(table: &str) -> String {
    let start = format!("CREATE TABLE {table} (\n");
    let (_, rest) = FIRST_SCHEMA.split_once(&start).unwrap();
    let (body, _) = rest.split_once("\n);").unwrap();
    let names = body
        .lines()
        .map(|line| line.trim().split(' ').next().unwrap());
    let is_column = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    names.filter(is_column).collect::<Vec<_>>().join(", ")
}

/// Rewrites every row of a store as the first schema stored it.
async fn undo_later_schemas(door: &BackDoor, backend: Backend) {
    let end = match backend {
        Backend::Sqlite => "",
        Backend::Postgres => " CASCADE",
    };
    for table in TABLES {
        door.save(table).await;
        door.run(&format!("DROP TABLE {table}{end}")).await;
    }
    let schema = match backend {
        Backend::Sqlite => FIRST_SCHEMA.replace(" COLLATE \"C\"", ""),
        Backend::Postgres => FIRST_SCHEMA.to_owned(),
    };
    for statement in schema.split_inclusive(";\n") {
        door.run(statement).await;
    }
    for table in TABLES {
        let columns = first_columns(table);
        let rows = format!("SELECT {columns} FROM saved_{table}");
        door.run(&format!("INSERT INTO {table} ({columns}) {rows}"))
            .await;
        door.run(&format!("DROP TABLE saved_{table}")).await;
    }
    // Events of the first schema had no seals.
    for log in ["event", "outbox"] {
        door.run(&format!("DELETE FROM {log}")).await;
    }
    door.run("DROP TABLE seal").await;
    door.run("DROP TABLE seller").await;
    let later = "version LIKE 'billing_%' AND version <> 'billing_0001_initial'";
    door.run(&format!("DELETE FROM seaql_migrations WHERE {later}"))
        .await;
}

/// Everything that the customer sees of the account's money.
async fn books(
    world: &World,
    account_id: &str,
) -> (Vec<Invoice>, Vec<CreditNote>, Vec<LedgerEntry>, Vec<Refund>) {
    let invoices = world.invoices_of_account(account_id).await;
    let request = ListCreditNotesRequest {
        account_id: account_id.to_owned(),
        ..ListCreditNotesRequest::default()
    };
    let notes = world.invoices().list_credit_notes(request).await;
    let request = ListRefundsRequest {
        account_id: account_id.to_owned(),
        ..ListRefundsRequest::default()
    };
    let refunds = world.refunds().list_refunds(request).await;
    (
        invoices,
        notes.unwrap().into_inner().credit_notes,
        world.entries_of(account_id).await,
        refunds.unwrap().into_inner().refunds,
    )
}

async fn a_store_of_before_terms_of_payment_comes_out_right(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let kept = world.single_domain_order(&account_id, 0).await;
    let deleted = world.single_domain_order(&account_id, 1).await;
    world.record(&kept.order_id).await;
    let request = DeleteOrderRequest {
        order_id: deleted.order_id,
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(request).await.unwrap();
    let before = books(&world, &account_id).await;
    let account = world.get_account(&account_id).await;

    world.stop_billing().await;
    let door = BackDoor::open(&world.billing_location()).await;
    undo_later_schemas(&door, backend).await;
    drop(door);
    world.start_billing().await;

    let after = books(&world, &account_id).await;
    assert_eq!(after, before);
    assert_eq!(world.get_account(&account_id).await, account);
    assert_eq!(account.kind(), AccountKind::Prepaid);
    let (invoices, notes, _, refunds) = after;
    assert_eq!((invoices.len(), notes.len(), refunds.len()), (2, 1, 1));
    for invoice in &invoices {
        assert_eq!(invoice.state(), InvoiceState::Paid);
        assert_eq!(invoice.paid, invoice.total);
        assert_eq!(invoice.returned, invoice.credited);
    }
    assert_eq!(shown(invoices[1].returned.as_ref()), "80.00 USD");
    assert_eq!(notes[0].returned, notes[0].total);
    let found = licet_billing::verify(&world.billing_location()).await;
    assert_eq!(found.unwrap().differences(), 0);
    // The account works on.
    world.withdraw(&account_id, "940.00").await.unwrap();
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
}
