//! X-5, BL-3, BL-5, BL-8: `licet verify` finds every direct change to Billing's store: any row or column
//! changed, inserted or deleted.

use std::time::Duration;

use licet_contracts::billing::v1::{LineKind, UpdateAccountRequest};
use licet_runtime::database::Location;

use crate::harness::{
    Backend,
    books::{BackDoor, Books},
    on_both_databases, request_id, run_within,
    samples::{MULTI, term_price},
    selling::item,
};

on_both_databases![x_5_a_row_that_no_event_wrote_shows];

/// The books are verified after each change, which takes long on a busy machine.
const MANY_VERIFICATIONS: Duration = Duration::from_secs(900);

mod x_5_every_tampering_shows {
    use super::{Backend, MANY_VERIFICATIONS, every_tampering_shows, run_within};

    #[test]
    fn sqlite() {
        run_within(MANY_VERIFICATIONS, every_tampering_shows(Backend::Sqlite));
    }

    #[test]
    fn postgres() {
        run_within(MANY_VERIFICATIONS, every_tampering_shows(Backend::Postgres));
    }
}

/// A table and the key of its rows.
struct Table {
    name: &'static str,
    key: &'static str,
    /// A new value for each column, with a condition if only some rows can change.
    changes: &'static [&'static str],
}

const fn table(name: &'static str, key: &'static str, changes: &'static [&'static str]) -> Table {
    Table { name, key, changes }
}

/// Every column of every table of Billing and of its log; each entry changes one row.
const TABLES: &[Table] = &[
    table(
        "product",
        "product_id",
        &[
            "product_id = product_id || '0'",
            "kind = 'SAN_LICENSE'",
            "recorded_us = recorded_us + 1",
        ],
    ),
    table(
        "product_version",
        "product_id",
        &[
            "product_id = product_id || '0'",
            "version = version + 7",
            "effective_us = effective_us + 1",
            "recorded_us = recorded_us - 1",
            "product = replace(product, '12', '13')",
        ],
    ),
    table(
        "price_list",
        "product_id",
        &[
            "product_id = product_id || '0'",
            "currency = 'EUR'",
            "effective_us = effective_us - 1",
            "recorded_us = recorded_us + 1",
            "prices = prices || ' '",
        ],
    ),
    table(
        "account",
        "account_id",
        &[
            "account_id = account_id || '0'",
            "display_name = 'Somebody else'",
            "currency = 'EUR'",
            "balance_minor = balance_minor + 1",
            "created_us = created_us - 1",
            "kind = CASE kind WHEN 'PREPAID' THEN 'ON_TERMS' ELSE 'PREPAID' END",
            "credit_limit_minor = COALESCE(credit_limit_minor, 0) + 1",
            "net_days = COALESCE(net_days, 0) + 1",
            "overdue_grace_days = COALESCE(overdue_grace_days, 0) + 1",
            "receivable_minor = receivable_minor + 1",
            "last_entry_us = last_entry_us + 1",
            "last_entry_us = last_entry_us - 1",
        ],
    ),
    table(
        "quote",
        "quote_id",
        &[
            "account_id = account_id || '0'",
            "quote_id = quote_id || '0'",
            "pin = 'another'",
            "resource_id = 'another', term_index = 0",
            "term_index = COALESCE(term_index, 0) + 1",
            "currency = 'EUR'",
            "total_minor = total_minor + 1",
            "lines = replace(lines, '98', '99')",
            "decision_us = decision_us - 1",
            "expire_us = expire_us + 1",
            "invoice_id = CASE WHEN invoice_id IS NULL THEN 'inv_0' ELSE NULL END",
        ],
    ),
    table(
        "invoice",
        "invoice_id",
        &[
            "account_id = account_id || '0'",
            "invoice_id = invoice_id || '0'",
            "seller = 'another'",
            "number = number + 1000",
            "quote_id = quote_id || '0'",
            "resource_id = 'another', term_index = 0",
            "term_index = COALESCE(term_index, 0) + 1",
            "currency = 'EUR'",
            "total_minor = total_minor + 1",
            "credited_minor = credited_minor + 1",
            "held_minor = held_minor + 1",
            "state = CASE state WHEN 'PAID' THEN 'OPEN' ELSE 'PAID' END",
            "state = 'ANOTHER'",
            "issued_us = issued_us - 1",
            "paid_minor = paid_minor - 1",
            "returned_minor = returned_minor + 1",
            "due_us = COALESCE(due_us, 0) + 1",
            "accept_us = accept_us - 1",
            "line_bytes = line_bytes + 1",
        ],
    ),
    table(
        "invoice_line",
        "invoice_id",
        &[
            "account_id = account_id || '0'",
            "invoice_id = invoice_id || '0'",
            "line_number = line_number + 10",
            "amount_minor = amount_minor + 1",
            "credited_minor = credited_minor + 1",
            "held_minor = held_minor + 1",
            "line = replace(line, '12', '13')",
        ],
    ),
    table(
        "credit_note",
        "credit_note_id",
        &[
            "account_id = account_id || '0'",
            "credit_note_id = credit_note_id || '0'",
            "seller = 'another'",
            "number = number + 1000",
            "invoice_id = invoice_id || '0'",
            "currency = 'EUR'",
            "total_minor = total_minor + 1",
            "reason = 'another'",
            "issued_us = issued_us - 1",
            "returned_minor = returned_minor + 1",
        ],
    ),
    table(
        "credit_note_line",
        "credit_note_id",
        &[
            "account_id = account_id || '0'",
            "credit_note_id = credit_note_id || '0'",
            "line_number = line_number + 10",
            "amount_minor = amount_minor + 1",
        ],
    ),
    table(
        "refund",
        "refund_id",
        &[
            "account_id = account_id || '0'",
            "refund_id = refund_id || '0'",
            "resource_id = 'another'",
            "term_index = term_index + 1",
            "state = 'NOT_DUE'",
            "currency = 'EUR'",
            "creditable_minor = creditable_minor + 1",
            "refunded_minor = refunded_minor + 1",
            "explanation = 'another'",
            "first_issuance_us = COALESCE(first_issuance_us, 0) + 1",
            "full_until_us = COALESCE(full_until_us, 0) + 1",
            "review_until_us = COALESCE(review_until_us, 0) + 1",
            "decision_us = decision_us - 1",
            "credit_note_ids = '[\"cdn_0\"]'",
            "reviewer = 'another'",
            "review_reason = 'another'",
            "review_us = COALESCE(review_us, 0) + 1",
            "counted_from = CASE counted_from WHEN 'PURCHASE' THEN 'FIRST_ISSUANCE' ELSE 'PURCHASE' END",
            "count_us = COALESCE(count_us, 0) + 1",
            "last_invoice_number = COALESCE(last_invoice_number, 0) + 1",
        ],
    ),
    table(
        "ledger_entry",
        "entry_id",
        &[
            "account_id = account_id || '0'",
            "entry_id = entry_id || '0'",
            "kind = 'WITHDRAWAL'",
            "currency = 'EUR'",
            "invoice_id = 'inv_0'",
            "credit_note_id = 'cdn_0'",
            "reference = 'another'",
            "entry_us = entry_us - 1",
            "reverses_entry_id = 'ent_0'",
        ],
    ),
    table(
        "posting",
        "entry_id",
        &[
            "account_id = account_id || '0'",
            "entry_id = entry_id || '0'",
            "posting_number = posting_number + 10",
            "ledger_account = 'REVENUE'",
            "amount_minor = amount_minor * 2",
        ],
    ),
    table(
        "number_series",
        "series",
        &[
            "seller = 'another'",
            "series = 'ANOTHER'",
            "last_number = last_number + 1",
            "last_number = last_number - 1",
        ],
    ),
    table("seller", "place", &["seller = 'EU9'"]),
    table(
        "event",
        "position",
        &[
            "position = position + 100000",
            "event_id = 'another'",
            "type = 'another'",
            "resource_id = 'another'",
            "account_id = 'another'",
            "time_us = time_us + 1",
            "caller = 'another'",
            "request_id = 'another'",
            "method = 'another'",
            "why = 'another'",
            "outcome = 'another'",
            "data = '{}'",
        ],
    ),
];

/// Books with more to verify: a price list and a quote that are unused, and a renamed account. All events
/// have their positions.
async fn books(backend: Backend) -> (Books, Location, BackDoor) {
    let mut books = Books::keep(backend).await;
    let world = &books.world;
    let unused = term_price(12, ["98.00", "48.00", "149.00", "9.00"]);
    world.set_prices(MULTI, vec![unused]).await;
    let items = vec![item(LineKind::Certificate, MULTI, 1)];
    world.quote(&books.prepaid, items).await;
    let rename = UpdateAccountRequest {
        account_id: books.prepaid.clone(),
        display_name: "Renamed".to_owned(),
        request_id: request_id(),
        ..UpdateAccountRequest::default()
    };
    world.accounts().update_account(rename).await.unwrap();
    let (location, door) = books.close().await;
    (books, location, door)
}

/// Whether verification finds a difference, or cannot read the store at all.
async fn is_seen(location: &Location) -> bool {
    match licet_billing::verify(location).await {
        Ok(verification) => verification.differences() > 0,
        Err(_) => true,
    }
}

async fn every_tampering_shows(backend: Backend) {
    let (_books, location, door) = books(backend).await;
    assert!(!is_seen(&location).await);
    let mut unseen = Vec::new();
    for Table { name, key, changes } in TABLES {
        let mut statements = Vec::new();
        // The first and the last row: the last has no successor that would reveal it.
        for end in ["MIN", "MAX"] {
            let row = format!("WHERE {key} = (SELECT {end}({key}) FROM {name})");
            let changes = changes.iter();
            statements.extend(changes.map(|change| format!("UPDATE {name} SET {change} {row}")));
            statements.push(format!("DELETE FROM {name} {row}"));
        }
        for statement in statements {
            door.save(name).await;
            assert!(
                door.run(&statement).await > 0,
                "changes nothing: {statement}"
            );
            if !is_seen(&location).await {
                unseen.push(statement);
            }
            door.restore(name).await;
        }
    }
    assert!(!is_seen(&location).await, "the store was put back");
    assert!(unseen.is_empty(), "{} unseen: {unseen:#?}", unseen.len());
}

async fn x_5_a_row_that_no_event_wrote_shows(backend: Backend) {
    let (_books, location, door) = books(backend).await;
    for (table, insert) in [
        (
            "price_list",
            "INSERT INTO price_list (product_id, currency, effective_us, recorded_us, prices)
             SELECT product_id, 'EUR', effective_us, recorded_us, prices FROM price_list
             WHERE product_id = (SELECT MIN(product_id) FROM price_list) AND currency = 'USD'",
        ),
        (
            "product_version",
            "INSERT INTO product_version (product_id, version, effective_us, recorded_us, product)
             SELECT product_id, 2, effective_us, recorded_us, product FROM product_version
             WHERE version = 1 AND product_id = (SELECT MIN(product_id) FROM product_version)",
        ),
        (
            "quote",
            "INSERT INTO quote (account_id, quote_id, pin, currency, total_minor, lines, decision_us, expire_us)
             SELECT account_id, 'quo_0', pin, currency, total_minor, lines, decision_us, expire_us
             FROM quote WHERE invoice_id IS NULL",
        ),
        // A quote under another account, too: the key of the table allows its id twice.
        (
            "quote",
            "INSERT INTO quote (account_id, quote_id, pin, currency, total_minor, lines, decision_us, expire_us)
             SELECT (SELECT MIN(account_id) FROM account WHERE account_id <> quote.account_id), quote_id, pin, currency,
                total_minor, lines, decision_us, expire_us
             FROM quote WHERE invoice_id IS NULL",
        ),
        // Rows of products that do not exist, which no reference leads to.
        (
            "price_list",
            "INSERT INTO price_list (product_id, currency, effective_us, recorded_us, prices)
             SELECT 'prd_0', currency, effective_us, recorded_us, prices FROM price_list LIMIT 1",
        ),
        (
            "product_version",
            "INSERT INTO product_version (product_id, version, effective_us, recorded_us, product)
             SELECT 'prd_0', version, effective_us, recorded_us, product FROM product_version LIMIT 1",
        ),
        (
            "invoice_line",
            "INSERT INTO invoice_line (account_id, invoice_id, line_number, amount_minor, credited_minor, held_minor, line)
             SELECT account_id, 'inv_0', line_number, amount_minor, 0, 0, line FROM invoice_line LIMIT 1",
        ),
        (
            "credit_note_line",
            "INSERT INTO credit_note_line (account_id, credit_note_id, line_number, amount_minor)
             SELECT account_id, 'cdn_0', line_number, amount_minor FROM credit_note_line LIMIT 1",
        ),
        (
            "posting",
            "INSERT INTO posting (account_id, entry_id, posting_number, ledger_account, amount_minor)
             SELECT account_id, 'ent_0', posting_number, ledger_account, 0 FROM posting LIMIT 1",
        ),
    ] {
        door.save(table).await;
        assert!(door.run(insert).await > 0, "changes nothing: {insert}");
        assert!(is_seen(&location).await, "unseen: {insert}");
        door.restore(table).await;
    }
    assert!(!is_seen(&location).await, "the store was put back");
}
