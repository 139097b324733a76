//! Statements: opening, changes and closing are compared with the ledger entries that they sum up.

use chrono::TimeDelta;
use licet_contracts::billing::v1::{
    EntryKind, EntryTotal, GetStatementRequest, GetStatementResponse, LedgerAccount, LedgerEntry,
    ListEntriesRequest, ReverseEntryRequest,
};
use licet_domain::{clock::Instant, ids::AccountId};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::{refused, take_apart},
    on_both_databases, request_id,
    samples::{minor, shown, usd},
    terms::period,
    world::World,
};

on_both_databases![
    opening_and_all_changes_are_closing_over_every_period,
    a_period_that_has_not_ended_is_counted_until_now,
    entries_are_listed_by_period_and_page,
    a_turnover_beyond_the_largest_amount_is_refused,
    bad_periods_and_unknown_accounts,
];

/// The sum of the entries' postings on one ledger account.
fn moved(entries: &[LedgerEntry], account: LedgerAccount) -> i64 {
    let postings = entries.iter().flat_map(|entry| &entry.postings);
    postings
        .filter(|it| it.ledger_account() == account)
        .map(|it| minor(it.amount.as_ref()))
        .sum()
}

/// Checks a statement against the account's ledger: the sum and each figure.
fn check(statement: &GetStatementResponse, ledger: &[LedgerEntry], start: Instant, end: Instant) {
    let at = |entry: &LedgerEntry| instant(entry.entry_time);
    let (before, within): (Vec<_>, Vec<_>) = ledger
        .iter()
        .filter(|entry| at(entry) < end)
        .cloned()
        .partition(|entry| at(entry) < start);
    let sums = |entries: &[LedgerEntry]| {
        (
            -moved(entries, LedgerAccount::Balance),
            moved(entries, LedgerAccount::Receivable),
        )
    };
    let opening = (
        minor(statement.opening_balance.as_ref()),
        minor(statement.opening_due.as_ref()),
    );
    let closing = (
        minor(statement.closing_balance.as_ref()),
        minor(statement.closing_due.as_ref()),
    );
    assert_eq!(opening, sums(&before));
    let (mut balance, mut due, mut count) = (opening.0, opening.1, 0);
    for total in &statement.totals {
        balance += minor(total.balance_change.as_ref());
        due += minor(total.due_change.as_ref());
        count += total.entry_count;
        let of_kind: Vec<_> = within
            .iter()
            .filter(|entry| entry.kind() == total.kind())
            .cloned()
            .collect();
        let changes = (
            minor(total.balance_change.as_ref()),
            minor(total.due_change.as_ref()),
        );
        assert_eq!(changes, sums(&of_kind), "{total:?}");
        assert_eq!(usize::try_from(total.entry_count).unwrap(), of_kind.len());
    }
    assert_eq!((balance, due), closing, "opening plus changes is closing");
    assert_eq!(count, statement.entry_count);
    assert_eq!(usize::try_from(count).unwrap(), within.len());
    assert!(statement.totals.is_sorted_by_key(|total| total.kind));
}

async fn opening_and_all_changes_are_closing_over_every_period(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("1000.00", 30, 5).await;
    let mut days = vec![world.now()];
    let mut day = || {
        world.time.advance_days(1);
        days.push(world.now());
    };
    world.deposit(&account_id, "200.00").await;
    let first = world.buy(&account_id, 12).await.unwrap();
    day();
    world.buy(&account_id, 1).await.unwrap();
    world.pay(&first.invoice_id, Some("40.00")).await.unwrap();
    day();
    let withdrawal = world.withdraw(&account_id, "25.00").await.unwrap();
    let request = ReverseEntryRequest {
        entry_id: withdrawal.entry.unwrap().entry_id,
        reason: "never left".to_owned(),
        request_id: request_id(),
        ..ReverseEntryRequest::default()
    };
    world.accounts().reverse_entry(request).await.unwrap();
    day();
    world.pay(&first.invoice_id, None).await.unwrap();
    day();
    day();

    let ledger = world.entries_of(&account_id).await;
    for (index, &start) in days.iter().enumerate() {
        for &end in &days[index + 1..] {
            let statement = world.statement(&account_id, start, end).await.unwrap();
            check(&statement, &ledger, start, end);
            assert_eq!(statement.period, Some(period(start, end)));
            assert_eq!(instant(statement.as_of_time), end);
        }
    }
    let whole = world
        .statement(&account_id, days[0], *days.last().unwrap())
        .await
        .unwrap();
    assert_eq!(shown(whole.closing_balance.as_ref()), "102.00 USD");
    assert_eq!(shown(whole.closing_due.as_ref()), "12.00 USD");
    let kinds: Vec<_> = whole.totals.iter().map(EntryTotal::kind).collect();
    assert_eq!(
        kinds,
        [
            EntryKind::Deposit,
            EntryKind::Invoice,
            EntryKind::Payment,
            EntryKind::Withdrawal,
            EntryKind::Reversal
        ]
    );
    // To the microsecond: the start is included, the end is not.
    let statement = world
        .statement(&account_id, days[0], shifted(days[0], 1))
        .await
        .unwrap();
    assert_eq!(statement.entry_count, 2);
    let statement = world
        .statement(&account_id, shifted(days[0], -1), days[0])
        .await
        .unwrap();
    assert_eq!(
        (
            statement.entry_count,
            shown(statement.closing_balance.as_ref())
        ),
        (0, "0.00 USD".to_owned())
    );
}

async fn a_period_that_has_not_ended_is_counted_until_now(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let start = world.now();
    world.time.advance_days(3);
    world.deposit(&account_id, "5.00").await;
    let far = start.checked_add(TimeDelta::days(400)).unwrap();
    let statement = world.statement(&account_id, start, far).await.unwrap();
    assert_eq!(instant(statement.as_of_time), world.now());
    assert_eq!(statement.entry_count, 1, "the present is included");
    assert_eq!(shown(statement.closing_balance.as_ref()), "5.00 USD");
    let later = shifted(far, 1);
    let statement = world.statement(&account_id, far, later).await.unwrap();
    assert_eq!(shown(statement.opening_balance.as_ref()), "5.00 USD");
    assert_eq!(statement.closing_balance, statement.opening_balance);
    assert_eq!((statement.entry_count, statement.totals.len()), (0, 0));
}

async fn entries_are_listed_by_period_and_page(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let mut times = Vec::new();
    for _ in 0..4 {
        for _ in 0..3 {
            world.deposit(&account_id, "1.00").await;
        }
        times.push(world.now());
        world.time.advance_days(1);
    }
    let all = world.entries_of(&account_id).await;
    let mut listed = Vec::new();
    let mut request = ListEntriesRequest {
        account_id: account_id.clone(),
        page_size: 2,
        period: Some(period(times[1], times[3])),
        ..ListEntriesRequest::default()
    };
    loop {
        let answer = world
            .accounts()
            .list_entries(request.clone())
            .await
            .unwrap()
            .into_inner();
        listed.extend(answer.entries);
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    assert_eq!(listed, all[3..9]);
    request.period = None;
    assert!(!request.page_token.is_empty());
    refused(world.accounts().list_entries(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
}

async fn a_turnover_beyond_the_largest_amount_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let most = "92233720368547758.07";
    world.deposit(&account_id, most).await;
    world.withdraw(&account_id, most).await.unwrap();
    let start = world.now();
    world.time.advance_days(1);
    let middle = world.now();
    world.deposit(&account_id, most).await;
    world.time.advance_days(1);
    let end = world.now();
    let second = world.statement(&account_id, middle, end).await.unwrap();
    assert_eq!(second.opening_balance, usd("0.00"));
    assert_eq!(second.closing_balance, usd(most));
    let both = world.statement(&account_id, start, end).await.unwrap_err();
    take_apart(&both).expect(Code::FailedPrecondition, "AMOUNT_OUT_OF_RANGE");
}

async fn bad_periods_and_unknown_accounts(backend: Backend) {
    let world = World::start(backend).await;
    let now = world.now();
    let refusal = refused(
        world
            .accounts()
            .get_statement(GetStatementRequest::default())
            .await,
    )
    .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), ["account_id", "period"]);
    let account_id = world.empty_account().await;
    let empty = world.statement(&account_id, now, now).await.unwrap_err();
    let refusal = take_apart(&empty).expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), ["period.end_time"]);
    let mut half = period(now, now);
    half.start_time = None;
    let request = ListEntriesRequest {
        account_id,
        period: Some(half),
        ..ListEntriesRequest::default()
    };
    let refusal = refused(world.accounts().list_entries(request).await);
    assert_eq!(refusal.paths(), ["period.start_time"]);
    let unknown = AccountId::generate().to_string();
    let missing = world
        .statement(&unknown, now, shifted(now, 1))
        .await
        .unwrap_err();
    take_apart(&missing).expect(Code::NotFound, "NOT_FOUND");
}
