//! BL-5: withdrawals and reversals. An entry is reversed at most once, and no balance falls below zero.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{
        AccountKind, ChargeQuoteRequest, EntryKind, GetStatementRequest, LedgerAccount,
        LedgerEntry, LineKind, ReverseEntryRequest, UpdateAccountRequest, WithdrawRequest,
    },
    events::v1::StreamEventsResponse,
};
use licet_domain::ids::EntryId;
use tonic::{Code, Request};

use super::events;
use crate::harness::{
    Backend,
    clock::{instant, shifted},
    corrections::goodwill,
    errors::{refused, take_apart},
    eventually, on_both_databases, request_id,
    samples::{MULTI, money, shown, usd},
    selling::item,
    terms::{payment_request, period, terms, withdraw_request},
    world::World,
};

on_both_databases![
    a_withdrawal_leaves_the_balance_at_zero_at_least,
    withdrawals_and_charges_at_once_never_overdraw,
    a_deposit_is_reversed_once,
    a_withdrawal_is_reversed_once,
    only_deposits_and_withdrawals_are_reversed,
    reversals_at_once_reverse_once,
    another_accounts_money_is_not_found,
    t_5_an_accounts_entries_never_run_back_in_time,
    x_5_every_change_of_an_account_leaves_one_event,
];

fn reverse(entry_id: &str) -> ReverseEntryRequest {
    ReverseEntryRequest {
        entry_id: entry_id.to_owned(),
        reason: "booked on the wrong account".to_owned(),
        request_id: request_id(),
        ..ReverseEntryRequest::default()
    }
}

fn postings(entry: &LedgerEntry) -> Vec<(LedgerAccount, String)> {
    let each = entry.postings.iter();
    each.map(|it| (it.ledger_account(), shown(it.amount.as_ref())))
        .collect()
}

async fn a_withdrawal_leaves_the_balance_at_zero_at_least(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.account_with("100.00").await;
    let preview = WithdrawRequest {
        validate_only: true,
        request_id: String::new(),
        ..withdraw_request(&account_id, "100.00")
    };
    let preview = world
        .accounts()
        .withdraw(preview)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(world.balance(&account_id).await, "100.00 USD");
    let much = world.withdraw(&account_id, "100.01").await;
    let refusal =
        take_apart(&much.unwrap_err()).expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(
        (refusal.value("missing"), refusal.value("available")),
        ("0.01", "100.00")
    );

    let paid = world.withdraw(&account_id, "100.00").await.unwrap();
    assert_eq!(shown(paid.balance.as_ref()), "0.00 USD");
    let entry = paid.entry.unwrap();
    assert_eq!(entry.kind(), EntryKind::Withdrawal);
    assert_eq!(entry.reference, "paid back");
    let expected = [
        (LedgerAccount::Balance, "100.00 USD".to_owned()),
        (LedgerAccount::Cash, "-100.00 USD".to_owned()),
    ];
    assert_eq!(postings(&entry), expected);
    let unnamed = LedgerEntry {
        entry_id: String::new(),
        ..entry.clone()
    };
    assert_eq!(
        (preview.entry, preview.balance),
        (Some(unnamed), usd("0.00"))
    );
    assert_eq!(world.entries_of(&account_id).await[1], entry);
    assert_eq!(world.balance(&account_id).await, "0.00 USD");

    let euros = WithdrawRequest {
        amount: money("EUR", "1.00"),
        ..withdraw_request(&account_id, "1.00")
    };
    refused(world.accounts().withdraw(euros).await)
        .expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    let refusal = refused(world.accounts().withdraw(WithdrawRequest::default()).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), ["account_id", "amount", "request_id"]);
}

async fn withdrawals_and_charges_at_once_never_overdraw(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    // Enough for 10 withdrawals or charges of 12.00.
    let account_id = world.account_with("120.00").await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let mut wanted = item(LineKind::Certificate, MULTI, 1);
        wanted.term_months = 1;
        let quote = world.quote(&account_id, vec![wanted]).await;
        let charge = ChargeQuoteRequest {
            quote_id: quote.quote_id,
            request_id: request_id(),
            ..ChargeQuoteRequest::default()
        };
        let mut invoices = world.invoices();
        calls.spawn(async move { invoices.charge_quote(charge).await.map(drop) });
        let mut accounts = world.accounts();
        let withdrawal = withdraw_request(&account_id, "12.00");
        calls.spawn(async move { accounts.withdraw(withdrawal).await.map(drop) });
    }
    let mut taken = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(()) => taken += 1,
            Err(status) => {
                take_apart(&status).expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
            }
        }
    }
    assert_eq!(taken, 10);
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
}

async fn a_deposit_is_reversed_once(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.account_with("100.00").await;
    let deposit = world.entries_of(&account_id).await.remove(0);
    world.withdraw(&account_id, "0.01").await.unwrap();
    let short = world
        .accounts()
        .reverse_entry(reverse(&deposit.entry_id))
        .await;
    let refusal = refused(short).expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(refusal.value("missing"), "0.01");
    world.deposit(&account_id, "0.01").await;

    let request = ReverseEntryRequest {
        validate_only: true,
        request_id: String::new(),
        ..reverse(&deposit.entry_id)
    };
    let preview = world
        .accounts()
        .reverse_entry(request)
        .await
        .unwrap()
        .into_inner();
    let request = reverse(&deposit.entry_id);
    let answer = world
        .accounts()
        .reverse_entry(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = world
        .accounts()
        .reverse_entry(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, answer, "BL-2");
    let entry = answer.entry.unwrap();
    assert_eq!(entry.kind(), EntryKind::Reversal);
    assert_eq!(entry.reverses_entry_id, deposit.entry_id);
    assert_eq!(entry.reference, "booked on the wrong account");
    let expected = [
        (LedgerAccount::Cash, "-100.00 USD".to_owned()),
        (LedgerAccount::Balance, "100.00 USD".to_owned()),
    ];
    assert_eq!(postings(&entry), expected);
    let unnamed = LedgerEntry {
        entry_id: String::new(),
        ..entry.clone()
    };
    assert_eq!(preview.entry, Some(unnamed));
    assert_eq!(world.balance(&account_id).await, "0.00 USD");

    world.deposit(&account_id, "100.00").await;
    let twice = world
        .accounts()
        .reverse_entry(reverse(&deposit.entry_id))
        .await;
    let refusal = refused(twice).expect(Code::FailedPrecondition, "ENTRY_ALREADY_REVERSED");
    assert_eq!(refusal.value("reversal_entry_id"), entry.entry_id);
    assert_eq!(world.balance(&account_id).await, "100.00 USD");
    assert_eq!(world.entries_of(&account_id).await.len(), 5);
}

async fn a_withdrawal_is_reversed_once(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.account_with("10.00").await;
    let withdrawal = world
        .withdraw(&account_id, "4.00")
        .await
        .unwrap()
        .entry
        .unwrap();
    let request = reverse(&withdrawal.entry_id);
    let answer = world
        .accounts()
        .reverse_entry(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(shown(answer.balance.as_ref()), "10.00 USD");
    refused(
        world
            .accounts()
            .reverse_entry(reverse(&withdrawal.entry_id))
            .await,
    )
    .expect(Code::FailedPrecondition, "ENTRY_ALREADY_REVERSED");
    assert_eq!(world.balance(&account_id).await, "10.00 USD");
}

async fn only_deposits_and_withdrawals_are_reversed(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("20.00").await;
    world.buy(&account_id, 1).await.unwrap();
    let deposit = world.entries_of(&account_id).await.remove(0);
    world.deposit(&account_id, "20.00").await;
    world
        .accounts()
        .reverse_entry(reverse(&deposit.entry_id))
        .await
        .unwrap();
    for entry in world.entries_of(&account_id).await {
        let reason = if entry.kind() != EntryKind::Deposit {
            "ENTRY_NOT_REVERSIBLE"
        } else if entry.entry_id == deposit.entry_id {
            "ENTRY_ALREADY_REVERSED"
        } else {
            continue;
        };
        refused(
            world
                .accounts()
                .reverse_entry(reverse(&entry.entry_id))
                .await,
        )
        .expect(Code::FailedPrecondition, reason);
    }
    let unknown = reverse(&EntryId::generate().to_string());
    refused(world.accounts().reverse_entry(unknown).await).expect(Code::NotFound, "NOT_FOUND");
    let refusal = refused(
        world
            .accounts()
            .reverse_entry(ReverseEntryRequest::default())
            .await,
    );
    assert_eq!(refusal.paths(), ["entry_id", "reason", "request_id"]);
}

async fn reversals_at_once_reverse_once(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.account_with("10.00").await;
    let deposit = world.entries_of(&account_id).await.remove(0);
    world.deposit(&account_id, "100.00").await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let mut accounts = world.accounts();
        let request = reverse(&deposit.entry_id);
        calls.spawn(async move { accounts.reverse_entry(request).await });
    }
    let mut reversed = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(_) => reversed += 1,
            Err(status) => {
                let refusal = take_apart(&status);
                refusal.expect(Code::FailedPrecondition, "ENTRY_ALREADY_REVERSED");
            }
        }
    }
    assert_eq!(reversed, 1);
    assert_eq!(world.balance(&account_id).await, "100.00 USD");
}

async fn another_accounts_money_is_not_found(backend: Backend) {
    /// A request whose caller sees `account_id` only.
    fn by<M>(message: M, account_id: &str) -> Request<M> {
        let mut request = Request::new(message);
        let scope = account_id.parse().unwrap();
        request.metadata_mut().insert("licet-accounts", scope);
        request
    }
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("50.00", 30, 0).await;
    world.deposit(&account_id, "10.00").await;
    let invoice = world.buy(&account_id, 1).await.unwrap();
    let before = (
        world.get_account(&account_id).await,
        world.entries_of(&account_id).await,
    );
    let other = world.empty_account().await;

    let request = by(reverse(&before.1[0].entry_id), &other);
    let mut refusals = vec![refused(world.accounts().reverse_entry(request).await)];
    let request = by(withdraw_request(&account_id, "1.00"), &other);
    refusals.push(refused(world.accounts().withdraw(request).await));
    let update = UpdateAccountRequest {
        account_id: account_id.clone(),
        display_name: "Taken".to_owned(),
        request_id: request_id(),
        ..UpdateAccountRequest::default()
    };
    let request = by(update, &other);
    refusals.push(refused(world.accounts().update_account(request).await));
    let request = by(payment_request(&invoice.invoice_id, Some("1.00")), &other);
    refusals.push(refused(world.invoices().pay_invoice(request).await));
    let statement = GetStatementRequest {
        account_id: account_id.clone(),
        period: Some(period(world.now(), shifted(world.now(), 1))),
    };
    let request = by(statement, &other);
    refusals.push(refused(world.accounts().get_statement(request).await));
    for refusal in refusals {
        refusal.expect(Code::NotFound, "NOT_FOUND");
    }
    let after = (
        world.get_account(&account_id).await,
        world.entries_of(&account_id).await,
    );
    assert_eq!(after, before);
}

async fn t_5_an_accounts_entries_never_run_back_in_time(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    world.time.advance_days(2);
    let account_id = world.account_with("50.00").await;
    let latest = world.now();
    // The clock of this instance is a day behind.
    world.time.advance(TimeDelta::days(-1));
    world.withdraw(&account_id, "1.00").await.unwrap();
    let invoice = world.buy(&account_id, 1).await.unwrap();
    assert_eq!(instant(invoice.issue_time), latest);
    let request = goodwill(&invoice, &[]);
    let credited = world.invoices().issue_credit_note(request).await.unwrap();
    let note = credited.into_inner().credit_note.unwrap();
    assert_eq!(instant(note.issue_time), latest);
    world.time.move_to(latest);
    let entries = world.entries_of(&account_id).await;
    assert_eq!(entries.len(), 5);
    for entry in entries {
        assert_eq!(instant(entry.entry_time), latest, "{entry:?}");
    }
}

async fn x_5_every_change_of_an_account_leaves_one_event(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("50.00").await;
    let request = UpdateAccountRequest {
        account_id: account_id.clone(),
        kind: AccountKind::OnTerms.into(),
        terms: Some(terms("100.00", 30, 0)),
        request_id: request_id(),
        ..UpdateAccountRequest::default()
    };
    world.accounts().update_account(request).await.unwrap();
    let withdrawal = world.withdraw(&account_id, "1.00").await.unwrap();
    let request = reverse(&withdrawal.entry.unwrap().entry_id);
    world.accounts().reverse_entry(request).await.unwrap();
    let invoice = world.buy(&account_id, 1).await.unwrap();
    world.pay(&invoice.invoice_id, Some("2.00")).await.unwrap();
    world.pay(&invoice.invoice_id, None).await.unwrap();
    world.withdraw(&account_id, "1000.00").await.unwrap_err();

    let log = eventually("both payments are in the log", || async {
        let log = events::log(world.billing_events()).await;
        let paid = |entry: &&StreamEventsResponse| kind_of(entry) == "invoice.paid.v1";
        (log.iter().filter(paid).count() == 2).then_some(log)
    })
    .await;
    events::check_chain(&log);
    let of_account = |entry: &&StreamEventsResponse| {
        let event = entry.event.as_ref().unwrap();
        event.account_id == account_id
    };
    let kinds: Vec<_> = log
        .iter()
        .filter(of_account)
        .map(kind_of)
        .filter(|kind| !kind.starts_with("quote."))
        .collect();
    assert_eq!(
        kinds,
        [
            "account.created.v1",
            "account.deposited.v1",
            "account.updated.v1",
            "account.withdrawn.v1",
            "account.entry_reversed.v1",
            "invoice.issued.v1",
            "invoice.paid.v1",
            "invoice.paid.v1"
        ]
    );
}

/// The event's type without the prefix that all of Billing's types share.
fn kind_of(entry: &StreamEventsResponse) -> &str {
    let kind = &entry.event.as_ref().unwrap().r#type;
    kind.strip_prefix("licet.billing.").unwrap_or(kind)
}
