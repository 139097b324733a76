//! `licet verify` finds nothing in books that were written through the services, and each of its checks finds
//! the fault it looks for.

use std::{process::Output, time::Duration};

use licet_billing::Verification;
use licet_runtime::database::Location;

use crate::harness::{
    Backend,
    books::{BackDoor, Books},
    on_both_databases,
    process::{SuiteProcess, licet},
    run, run_within,
    world::{Storage, World},
};

on_both_databases![
    bl_5_verify_finds_nothing_in_books_kept_through_the_front_door,
    verify_shows_a_hundred_differences_and_counts_the_rest,
    verify_sums_up_what_passes_64_bits_on_the_way,
    verify_runs_beside_the_service_and_ends_with_its_verdict,
    verify_reads_no_store_that_is_not_there_or_of_another_version,
];

/// Some hundred changes are verified one by one, which takes long on a busy machine.
const MANY_VERIFICATIONS: Duration = Duration::from_secs(900);

mod bl_5_every_check_of_verify_finds_what_it_is_for {
    use super::{Backend, MANY_VERIFICATIONS, every_check_finds_what_it_is_for, run_within};

    #[test]
    fn sqlite() {
        run_within(
            MANY_VERIFICATIONS,
            every_check_finds_what_it_is_for(Backend::Sqlite),
        );
    }

    #[test]
    fn postgres() {
        run_within(
            MANY_VERIFICATIONS,
            every_check_finds_what_it_is_for(Backend::Postgres),
        );
    }
}

async fn verify(location: &Location) -> Verification {
    licet_billing::verify(location).await.unwrap()
}

/// The names of the checks that found a difference.
fn differing(verification: &Verification) -> Vec<&'static str> {
    let checks = verification.checks.iter();
    checks
        .filter(|check| check.differences > 0)
        .map(|check| check.name)
        .collect()
}

async fn bl_5_verify_finds_nothing_in_books_kept_through_the_front_door(backend: Backend) {
    let books = Books::keep(backend).await;
    let verification = verify(&books.world.billing_location()).await;
    assert_eq!(verification.differences(), 0, "{verification}");
    for check in &verification.checks {
        assert!(check.checked > 0, "{} had nothing to check", check.name);
    }
}

/// Ways to damage the books: the check that finds it, the table, and the statement.
const SPOILT: &[(&str, &str, &str)] = &[
    (
        "entry_sums",
        "posting",
        "UPDATE posting SET amount_minor = amount_minor + 1
         WHERE posting_number = 1 AND ledger_account = 'RECEIVABLE'",
    ),
    ("entry_sums", "posting", "DELETE FROM posting"),
    (
        "entry_postings",
        "posting",
        "UPDATE posting SET ledger_account = 'REVENUE' WHERE ledger_account = 'CASH'",
    ),
    (
        "entry_postings",
        "posting",
        "UPDATE posting SET amount_minor = -amount_minor",
    ),
    (
        "entry_postings",
        "posting",
        "UPDATE posting SET account_id = (SELECT MAX(account_id) FROM account)
         WHERE account_id = (SELECT MIN(account_id) FROM account)",
    ),
    (
        "reversals",
        "posting",
        "UPDATE posting SET amount_minor = amount_minor * 2
         WHERE entry_id IN (SELECT entry_id FROM ledger_entry WHERE kind = 'REVERSAL')",
    ),
    (
        "reversals",
        "ledger_entry",
        "UPDATE ledger_entry SET reverses_entry_id = NULL WHERE kind = 'REVERSAL'",
    ),
    (
        "reversals",
        "ledger_entry",
        "UPDATE ledger_entry SET reverses_entry_id = (SELECT MIN(entry_id) FROM ledger_entry WHERE kind = 'INVOICE')
         WHERE kind = 'REVERSAL'",
    ),
    (
        "entry_times",
        "account",
        "UPDATE account SET last_entry_us = last_entry_us - 1",
    ),
    (
        "entry_times",
        "account",
        "UPDATE account SET last_entry_us = last_entry_us + 1",
    ),
    (
        "balances",
        "account",
        "UPDATE account SET balance_minor = balance_minor + 1",
    ),
    (
        "receivables",
        "account",
        "UPDATE account SET receivable_minor = receivable_minor + 1",
    ),
    (
        "receivables",
        "posting",
        "UPDATE posting SET amount_minor = amount_minor + 1 WHERE ledger_account = 'RECEIVABLE'",
    ),
    (
        "dues",
        "account",
        "UPDATE account SET receivable_minor = receivable_minor - 1 WHERE receivable_minor > 0",
    ),
    (
        "currencies",
        "refund",
        "UPDATE refund SET currency = 'EUR'",
    ),
    (
        "currencies",
        "ledger_entry",
        "UPDATE ledger_entry SET currency = 'nonsense' WHERE kind = 'DEPOSIT'",
    ),
    (
        "invoice_totals",
        "invoice_line",
        "UPDATE invoice_line SET amount_minor = amount_minor + 1 WHERE line_number = 1",
    ),
    (
        "invoice_totals",
        "invoice_line",
        "UPDATE invoice_line SET line_number = 3 WHERE line_number = 2",
    ),
    ("invoice_totals", "invoice_line", "DELETE FROM invoice_line"),
    (
        "invoice_sales",
        "ledger_entry",
        "DELETE FROM ledger_entry WHERE kind = 'INVOICE'",
    ),
    (
        "invoice_sales",
        "ledger_entry",
        "UPDATE ledger_entry SET invoice_id = NULL WHERE kind = 'PAYMENT'",
    ),
    (
        "invoice_payments",
        "invoice",
        "UPDATE invoice SET paid_minor = paid_minor + 1 WHERE state = 'OPEN'",
    ),
    (
        "invoice_payments",
        "ledger_entry",
        "DELETE FROM ledger_entry WHERE kind = 'PAYMENT'",
    ),
    (
        "invoice_credits",
        "invoice",
        "UPDATE invoice SET credited_minor = credited_minor + 1",
    ),
    (
        "invoice_credits",
        "credit_note",
        "DELETE FROM credit_note",
    ),
    (
        "line_credits",
        "invoice_line",
        "UPDATE invoice_line SET credited_minor = credited_minor + 1",
    ),
    (
        "line_credits",
        "credit_note_line",
        "UPDATE credit_note_line SET line_number = line_number + 9",
    ),
    (
        "invoice_returns",
        "invoice",
        "UPDATE invoice SET returned_minor = returned_minor - 1 WHERE returned_minor > 0",
    ),
    (
        "invoice_states",
        "invoice",
        "UPDATE invoice SET state = 'PAID'",
    ),
    (
        "invoice_states",
        "invoice",
        "UPDATE invoice SET state = 'OPEN'",
    ),
    (
        "invoice_states",
        "invoice",
        "UPDATE invoice SET state = 'ANOTHER' WHERE state = 'PAID'",
    ),
    (
        "invoice_states",
        "invoice",
        "UPDATE invoice SET paid_minor = total_minor * 2",
    ),
    (
        "credit_limits",
        "invoice_line",
        "UPDATE invoice_line SET held_minor = amount_minor + 1",
    ),
    (
        "credit_limits",
        "invoice_line",
        "UPDATE invoice_line SET credited_minor = -1",
    ),
    (
        "credit_note_totals",
        "credit_note_line",
        "UPDATE credit_note_line SET amount_minor = amount_minor + 1",
    ),
    (
        "credit_note_totals",
        "credit_note_line",
        "DELETE FROM credit_note_line",
    ),
    (
        "credit_note_entries",
        "ledger_entry",
        "UPDATE ledger_entry SET credit_note_id = NULL WHERE kind = 'CREDIT_NOTE'",
    ),
    (
        "credit_note_entries",
        "credit_note",
        "UPDATE credit_note SET account_id = (SELECT MAX(account_id) FROM account)
         WHERE account_id = (SELECT MIN(account_id) FROM account)",
    ),
    (
        "credit_note_returns",
        "credit_note",
        "UPDATE credit_note SET returned_minor = returned_minor + 1",
    ),
    (
        "holds",
        "invoice",
        "UPDATE invoice SET held_minor = held_minor - 1 WHERE held_minor > 0",
    ),
    (
        "holds",
        "refund",
        "UPDATE refund SET state = 'REJECTED' WHERE state = 'PENDING_REVIEW'",
    ),
    (
        "holds",
        "invoice",
        "UPDATE invoice SET resource_id = NULL, term_index = NULL WHERE held_minor > 0",
    ),
    (
        "refund_credits",
        "refund",
        "UPDATE refund SET refunded_minor = refunded_minor + 1",
    ),
    (
        "refund_credits",
        "refund",
        "UPDATE refund SET credit_note_ids = '[]' WHERE state = 'REFUNDED'",
    ),
    ("numbers", "invoice", "DELETE FROM invoice WHERE number = 2"),
    (
        "numbers",
        "credit_note",
        "UPDATE credit_note SET number = number + 1 WHERE number = (SELECT MAX(number) FROM credit_note)",
    ),
    (
        "numbers",
        "number_series",
        "UPDATE number_series SET last_number = last_number + 1 WHERE series = 'INVOICE'",
    ),
    ("numbers", "number_series", "DELETE FROM number_series"),
    // The keys of the tables allow a number twice: of two accounts.
    (
        "numbers",
        "invoice",
        "INSERT INTO invoice (account_id, invoice_id, seller, number, quote_id, currency, total_minor, credited_minor,
            held_minor, state, issued_us, accept_us, paid_minor, returned_minor, line_bytes)
         SELECT (SELECT MIN(account_id) FROM account WHERE account_id <> invoice.account_id), 'inv_0', seller, number,
            'qte_0', currency, 0, 0, 0, 'PAID', issued_us, accept_us, 0, 0, 0
         FROM invoice WHERE number = 2",
    ),
    (
        "numbers",
        "credit_note",
        "INSERT INTO credit_note (account_id, credit_note_id, seller, number, invoice_id, currency, total_minor,
            returned_minor, reason, issued_us)
         SELECT (SELECT MIN(account_id) FROM account WHERE account_id <> credit_note.account_id), 'cdn_0', seller,
            number, invoice_id, currency, total_minor, returned_minor, reason, issued_us
         FROM credit_note WHERE number = 1",
    ),
    (
        "quotes",
        "quote",
        "UPDATE quote SET total_minor = total_minor + 1 WHERE invoice_id IS NOT NULL",
    ),
    ("quotes", "quote", "UPDATE quote SET invoice_id = NULL"),
    (
        "quotes",
        "invoice",
        "DELETE FROM invoice WHERE number = 1",
    ),
    (
        "orphans",
        "product_version",
        "UPDATE product_version SET product_id = product_id || '0'",
    ),
    (
        "orphans",
        "price_list",
        "UPDATE price_list SET product_id = product_id || '0'",
    ),
    (
        "orphans",
        "invoice_line",
        "UPDATE invoice_line SET invoice_id = invoice_id || '0'",
    ),
    (
        "orphans",
        "credit_note_line",
        "UPDATE credit_note_line SET credit_note_id = credit_note_id || '0'",
    ),
    (
        "orphans",
        "posting",
        "UPDATE posting SET entry_id = entry_id || '0'",
    ),
    (
        "quote_lines",
        "quote",
        "UPDATE quote SET lines = '[]'",
    ),
    (
        "quote_lines",
        "invoice_line",
        "UPDATE invoice_line SET line = replace(line, '\"quantity\":2', '\"quantity\":3')",
    ),
    (
        "quote_lines",
        "invoice_line",
        "DELETE FROM invoice_line WHERE line_number = 2",
    ),
    (
        "line_amounts",
        "invoice_line",
        "UPDATE invoice_line SET line = replace(line, '\"quantity\":2', '\"quantity\":3')",
    ),
    (
        "line_amounts",
        "invoice_line",
        "UPDATE invoice_line SET amount_minor = amount_minor + 1",
    ),
    (
        "line_amounts",
        "invoice_line",
        "UPDATE invoice_line SET line = '{}'",
    ),
];

/// Ways to damage the log; the tests of events have more.
const SPOILT_LOG: &[(&str, &str, &str)] = &[
    (
        "log_positions",
        "event",
        "DELETE FROM event WHERE position = 2",
    ),
    (
        "log_chain",
        "event",
        "UPDATE event SET why = 'because' WHERE position = 2",
    ),
    (
        "seals",
        "event",
        "DELETE FROM event WHERE position = (SELECT MAX(position) FROM event)",
    ),
    ("seals", "account", "UPDATE account SET created_us = 0"),
];

async fn every_check_finds_what_it_is_for(backend: Backend) {
    let mut books = Books::keep(backend).await;
    let (location, door) = books.close().await;
    let clean = verify(&location).await;
    assert_eq!(clean.differences(), 0, "{clean}");
    for (check, table, spoil) in SPOILT.iter().chain(SPOILT_LOG) {
        door.save(table).await;
        assert!(door.run(spoil).await > 0, "changes nothing: {spoil}");
        let verification = verify(&location).await;
        let found = differing(&verification);
        assert!(
            found.contains(check),
            "{check} missed {spoil}; found by {found:?}\n{verification}"
        );
        door.restore(table).await;
    }
    let restored = verify(&location).await;
    assert_eq!(restored, clean, "{restored}");
    for check in &clean.checks {
        assert!(
            SPOILT
                .iter()
                .chain(SPOILT_LOG)
                .any(|(name, ..)| *name == check.name),
            "nothing shows that {} finds anything",
            check.name
        );
    }
}

async fn verify_shows_a_hundred_differences_and_counts_the_rest(backend: Backend) {
    let world = World::start(backend).await;
    for _ in 0..101 {
        world.empty_account().await;
    }
    let location = world.billing_location();
    let door = BackDoor::open(&location).await;
    door.run("UPDATE account SET balance_minor = 2450").await;
    let verification = verify(&location).await;
    assert_eq!(differing(&verification), ["balances"]);
    let mut checks = verification.checks.iter();
    let balances = checks.find(|check| check.name == "balances").unwrap();
    assert_eq!((balances.checked, balances.differences), (101, 101));
    assert_eq!(balances.shown.len(), 100);
    let first = &balances.shown[0];
    assert!(first.subject.starts_with("acc_"), "{first:?}");
    assert_eq!(
        (first.expected.as_str(), first.found.as_str()),
        ("0.00 USD", "24.50 USD")
    );
    assert!(verification.to_string().contains("100 of 101 shown"));
}

async fn verify_sums_up_what_passes_64_bits_on_the_way(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.account_with("24.50").await;
    let location = world.billing_location();
    let door = BackDoor::open(&location).await;
    let (most, now) = (i64::MAX, world.now().as_micros());
    for (number, kind, cash) in [
        (1, "DEPOSIT", most),
        (2, "DEPOSIT", most),
        (3, "WITHDRAWAL", -most),
        (4, "WITHDRAWAL", -most),
    ] {
        door.run(&format!(
            "INSERT INTO ledger_entry (account_id, entry_id, kind, currency, reference, entry_us)
             VALUES ('{account_id}', 'ent_{number}', '{kind}', 'USD', '', {now})"
        ))
        .await;
        door.run(&format!(
            "INSERT INTO posting (account_id, entry_id, posting_number, ledger_account, amount_minor)
             VALUES ('{account_id}', 'ent_{number}', 1, 'CASH', {cash}),
                ('{account_id}', 'ent_{number}', 2, 'BALANCE', {})",
            -cash
        ))
        .await;
    }
    // These entries have no event, which is the only fault in them.
    let verification = verify(&location).await;
    assert_eq!(differing(&verification), ["seals"], "{verification}");
}

fn shown(Output { stdout, stderr, .. }: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(stdout), text(stderr))
}

fn url(location: &Location) -> String {
    match location {
        Location::Sqlite(path) => format!("sqlite:{}", path.display()),
        Location::Postgres { url, schema } => format!("{url}#{schema}"),
    }
}

async fn verify_runs_beside_the_service_and_ends_with_its_verdict(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.account_with("24.50").await;
    let location = world.billing_location();
    let command = ["verify", "--billing-database", &url(&location)];
    let clean = licet(&command);
    let (said, log) = shown(&clean);
    assert!(clean.status.success(), "{said}{log}");
    assert!(said.contains("ok      balances: "), "{said}");
    assert!(said.trim_end().ends_with("no differences"), "{said}");

    // Verification changed nothing, and the service continues.
    world.deposit(&account_id, "0.50").await;
    assert_eq!(world.balance(&account_id).await, "25.00 USD");

    let door = BackDoor::open(&location).await;
    door.run("UPDATE account SET balance_minor = 2499").await;
    let dirty = licet(&command);
    let (said, log) = shown(&dirty);
    assert_eq!(dirty.status.code(), Some(1), "{said}{log}");
    let difference = format!("{account_id}: expected 25.00 USD, found 24.99 USD");
    assert!(said.contains(&difference), "{said}");
    assert!(said.trim_end().ends_with("1 DIFFERENCE"), "{said}");
}

#[test]
fn verify_finds_the_embedded_store_by_its_folder() {
    run(async {
        let suite = SuiteProcess::start().await;
        let data = suite.folder().join("data").display().to_string();
        for command in [["verify", "--data", &data], ["--data", &data, "verify"]] {
            let output = licet(&command);
            let (said, log) = shown(&output);
            assert!(output.status.success(), "{command:?}: {said}{log}");
            // The starter's deposits.
            let deposits = "every entry has postings that sum to zero (BL-5); 1 checked";
            assert!(said.contains(deposits), "{said}");
        }
    });
}

async fn verify_reads_no_store_that_is_not_there_or_of_another_version(backend: Backend) {
    let storage = Storage::create(backend).await;
    let absent = storage.location("billing");
    let missing = licet(&["verify", "--billing-database", &url(&absent)]);
    let (said, log) = shown(&missing);
    assert_eq!(
        (missing.status.code(), said.as_str()),
        (Some(1), ""),
        "{log}"
    );
    if let Location::Sqlite(path) = &absent {
        assert!(!path.exists(), "verification must not make a store");
        assert!(log.contains("--billing-database"), "{log}");
    }

    let world = World::start(backend).await;
    let location = world.billing_location();
    let door = BackDoor::open(&location).await;
    door.run("INSERT INTO seaql_migrations (version, applied_at) VALUES ('billing_9999_later', 0)")
        .await;
    let error = licet_billing::verify(&location)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("billing_9999_later"), "{error}");
}
