//! BL-6: accounts on terms, up to a credit limit, and what stops a charge on them.

use chrono::TimeDelta;
use licet_contracts::billing::v1::{
    Account, AccountKind, ChargeQuoteRequest, EntryKind, Invoice, InvoiceState, LedgerEntry,
    LineKind, ListAccountsRequest, ListInvoicesRequest, PayInvoiceRequest, PaymentTerms,
    UpdateAccountRequest,
};
use licet_domain::ids::AccountId;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::{refused, take_apart},
    on_both_databases, request_id,
    samples::{MULTI, money, shown, term_price, usd},
    selling::item,
    terms::{on_terms_request, payment_request, terms},
    world::World,
};

on_both_databases![
    bl_6_on_terms_a_charge_leaves_an_open_invoice_due_in_net_days,
    bl_6_the_credit_limit_is_reached_and_never_passed,
    bl_6_overdue_beyond_the_grace_blocks_charges_and_nothing_else,
    t_3_overdue_is_judged_as_of_the_time_of_acceptance,
    bl_6_charges_at_once_owe_up_to_the_limit_and_no_more,
    a_payment_takes_what_is_due_or_a_part_of_it,
    two_payments_at_once_pay_an_invoice_once,
    accounts_change_their_terms,
    terms_are_checked_with_every_violation,
    what_is_free_is_paid_at_once,
];

/// Balance and amount due.
fn stands(account: &Account) -> (String, String) {
    (shown(account.balance.as_ref()), shown(account.due.as_ref()))
}

fn pair(balance: &str, due: &str) -> (String, String) {
    (balance.to_owned(), due.to_owned())
}

fn update(
    account_id: &str,
    kind: AccountKind,
    terms: Option<PaymentTerms>,
) -> UpdateAccountRequest {
    UpdateAccountRequest {
        account_id: account_id.to_owned(),
        kind: kind.into(),
        terms,
        request_id: request_id(),
        ..UpdateAccountRequest::default()
    }
}

async fn bl_6_on_terms_a_charge_leaves_an_open_invoice_due_in_net_days(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("500.00", 30, 5).await;
    // A charge on terms does not touch the balance.
    world.deposit(&account_id, "10.00").await;

    let mut wanted = item(LineKind::Certificate, MULTI, 1);
    wanted.term_months = 12;
    let quote = world.quote(&account_id, vec![wanted]).await;
    let preview = ChargeQuoteRequest {
        quote_id: quote.quote_id.clone(),
        validate_only: true,
        ..ChargeQuoteRequest::default()
    };
    let answer = world.invoices().charge_quote(preview).await.unwrap();
    let preview = answer.into_inner().invoice.unwrap();
    let invoice = world.charge(&quote).await.unwrap();
    assert_eq!(invoice.state(), InvoiceState::Open);
    assert_eq!(shown(invoice.due.as_ref()), "98.00 USD");
    assert_eq!(shown(invoice.paid.as_ref()), "0.00 USD");
    let due_time = world.now().checked_add(TimeDelta::days(30)).unwrap();
    assert_eq!(instant(invoice.due_time), due_time);
    let unnamed = Invoice {
        invoice_id: String::new(),
        number: String::new(),
        ..invoice.clone()
    };
    assert_eq!(preview, unnamed, "BL-1: the preview is the charge");
    assert_eq!(world.invoice(&invoice.invoice_id).await, invoice);

    let account = world.get_account(&account_id).await;
    assert_eq!(stands(&account), pair("10.00 USD", "98.00 USD"));
    assert_eq!(account.kind(), AccountKind::OnTerms);
    assert_eq!(account.terms, Some(terms("500.00", 30, 5)));
    assert_eq!(account.overdue_since_time, None);
    let entries = world.entries_of(&account_id).await;
    let kinds: Vec<_> = entries.iter().map(LedgerEntry::kind).collect();
    assert_eq!(kinds, [EntryKind::Deposit, EntryKind::Invoice]);
    assert_eq!(entries[1].invoice_id, invoice.invoice_id);
}

async fn bl_6_the_credit_limit_is_reached_and_never_passed(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("110.00", 30, 0).await;
    world.buy(&account_id, 12).await.unwrap();
    let before = world.get_account(&account_id).await;
    let refusal = take_apart(&world.buy(&account_id, 24).await.unwrap_err())
        .expect(Code::ResourceExhausted, "CREDIT_LIMIT_EXCEEDED");
    let numbers = ["limit", "due", "required", "missing", "currency"].map(|key| refusal.value(key));
    assert_eq!(numbers, ["110.00", "98.00", "180.00", "168.00", "USD"]);
    assert_eq!(world.get_account(&account_id).await, before);
    assert_eq!(world.invoices_of_account(&account_id).await.len(), 1);
    // 98.00 and 12.00 are the limit to the cent.
    world.buy(&account_id, 1).await.unwrap();
    let account = world.get_account(&account_id).await;
    assert_eq!(stands(&account), pair("0.00 USD", "110.00 USD"));
    take_apart(&world.buy(&account_id, 1).await.unwrap_err())
        .expect(Code::ResourceExhausted, "CREDIT_LIMIT_EXCEEDED");
}

async fn bl_6_overdue_beyond_the_grace_blocks_charges_and_nothing_else(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("1000.00", 10, 5).await;
    let first = world.buy(&account_id, 1).await.unwrap();
    world.time.advance_days(1);
    let second = world.buy(&account_id, 1).await.unwrap();
    let due_time = instant(first.due_time);

    world.time.move_to(due_time);
    let account = world.get_account(&account_id).await;
    assert_eq!(account.overdue_since_time, None, "due today is not overdue");
    world.time.move_to(shifted(due_time, 1));
    let account = world.get_account(&account_id).await;
    assert_eq!(account.overdue_since_time, first.due_time);
    let answer = world
        .accounts()
        .list_accounts(ListAccountsRequest::default())
        .await;
    let listed = answer.unwrap().into_inner().accounts;
    assert_eq!(listed, [account]);

    let last = due_time.checked_add(TimeDelta::days(5)).unwrap();
    world.time.move_to(last);
    world.buy(&account_id, 1).await.unwrap();
    world.time.move_to(shifted(last, 1));
    let refusal = take_apart(&world.buy(&account_id, 1).await.unwrap_err())
        .expect(Code::FailedPrecondition, "ACCOUNT_OVERDUE");
    assert_eq!(refusal.value("invoice_id"), first.invoice_id);
    assert_eq!(refusal.value("number"), first.number);
    assert_eq!(refusal.value("due_time"), due_time.to_string());
    assert_eq!(
        (refusal.value("overdue_days"), refusal.value("grace_days")),
        ("5", "5")
    );

    // Only charges are refused: deposits, withdrawals and payments work.
    world.deposit(&account_id, "30.00").await;
    world.withdraw(&account_id, "1.00").await.unwrap();
    world.pay(&first.invoice_id, Some("11.99")).await.unwrap();
    take_apart(&world.buy(&account_id, 1).await.unwrap_err())
        .expect(Code::FailedPrecondition, "ACCOUNT_OVERDUE");
    world.pay(&first.invoice_id, None).await.unwrap();
    let account = world.get_account(&account_id).await;
    assert_eq!(account.overdue_since_time, second.due_time);
    world.buy(&account_id, 1).await.unwrap();
}

async fn t_3_overdue_is_judged_as_of_the_time_of_acceptance(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("1000.00", 0, 0).await;
    world.buy(&account_id, 1).await.unwrap();
    let accepted = world.now();
    let quote = world
        .quote(&account_id, vec![item(LineKind::Certificate, MULTI, 1)])
        .await;
    world.time.advance_days(1);
    let late = world.charge(&quote).await.unwrap_err();
    take_apart(&late).expect(Code::FailedPrecondition, "QUOTE_EXPIRED");
    let request = ChargeQuoteRequest {
        quote_id: quote.quote_id,
        accept_time: Some(timestamp(accepted)),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    let answer = world.invoices().charge_quote(request).await.unwrap();
    let invoice = answer.into_inner().invoice.unwrap();
    assert_eq!(instant(invoice.issue_time), world.now(), "T-6");
}

async fn bl_6_charges_at_once_owe_up_to_the_limit_and_no_more(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    // Enough for 10 charges of 12.00.
    let account_id = world.account_on_terms("131.99", 30, 0).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let mut wanted = item(LineKind::Certificate, MULTI, 1);
        wanted.term_months = 1;
        let quote = world.quote(&account_id, vec![wanted]).await;
        let mut invoices = world.invoices();
        calls.spawn(async move {
            let charge = ChargeQuoteRequest {
                quote_id: quote.quote_id,
                request_id: request_id(),
                ..ChargeQuoteRequest::default()
            };
            invoices.charge_quote(charge).await
        });
    }
    let (mut charged, mut short) = (0, 0);
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(_) => charged += 1,
            Err(status) => {
                take_apart(&status).expect(Code::ResourceExhausted, "CREDIT_LIMIT_EXCEEDED");
                short += 1;
            }
        }
    }
    assert_eq!((charged, short), (10, 14));
    let account = world.get_account(&account_id).await;
    assert_eq!(stands(&account), pair("0.00 USD", "120.00 USD"));
}

async fn a_payment_takes_what_is_due_or_a_part_of_it(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("500.00", 30, 5).await;
    let invoice = world.buy(&account_id, 12).await.unwrap();
    let id = invoice.invoice_id.as_str();

    let short = world.pay(id, Some("0.01")).await.unwrap_err();
    let refusal = take_apart(&short).expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(refusal.value("missing"), "0.01");
    world.deposit(&account_id, "100.00").await;
    let much = world.pay(id, Some("98.01")).await.unwrap_err();
    let refusal = take_apart(&much).expect(Code::FailedPrecondition, "PAYMENT_EXCEEDS_DUE");
    assert_eq!(
        (refusal.value("due"), refusal.value("asked")),
        ("98.00", "98.01")
    );
    let euros = PayInvoiceRequest {
        amount: money("EUR", "1.00"),
        ..payment_request(id, None)
    };
    refused(world.invoices().pay_invoice(euros).await)
        .expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    for amount in ["0.00", "-1.00", "1.0"] {
        let refusal = refused(
            world
                .invoices()
                .pay_invoice(payment_request(id, Some(amount)))
                .await,
        );
        refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    }
    assert_eq!(world.balance(&account_id).await, "100.00 USD");

    let preview = PayInvoiceRequest {
        validate_only: true,
        ..payment_request(id, Some("40.00"))
    };
    let preview = world
        .invoices()
        .pay_invoice(preview)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(world.invoice(id).await, invoice, "a preview pays nothing");
    let part = world.pay(id, Some("40.00")).await.unwrap();
    assert_eq!(preview, part);
    assert_eq!(shown(part.balance.as_ref()), "60.00 USD");
    let left = part.invoice.unwrap();
    assert_eq!(left.state(), InvoiceState::Open);
    assert_eq!(shown(left.due.as_ref()), "58.00 USD");
    let paid = world.pay(id, None).await.unwrap().invoice.unwrap();
    assert_eq!(paid.state(), InvoiceState::Paid);
    assert_eq!(shown(paid.paid.as_ref()), "98.00 USD");
    assert_eq!(world.invoice(id).await, paid);
    let again = world.pay(id, None).await.unwrap_err();
    let refusal = take_apart(&again).expect(Code::FailedPrecondition, "INVOICE_NOT_OPEN");
    assert_eq!(refusal.value("invoice_id"), id);
    let account = world.get_account(&account_id).await;
    assert_eq!(stands(&account), pair("2.00 USD", "0.00 USD"));

    for (state, expected) in [(InvoiceState::Open, 0), (InvoiceState::Paid, 1)] {
        let request = ListInvoicesRequest {
            account_id: account_id.clone(),
            state: state.into(),
            ..ListInvoicesRequest::default()
        };
        let answer = world.invoices().list_invoices(request).await.unwrap();
        assert_eq!(answer.into_inner().invoices.len(), expected, "{state:?}");
    }
}

async fn two_payments_at_once_pay_an_invoice_once(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("500.00", 30, 5).await;
    world.deposit(&account_id, "500.00").await;
    let invoice = world.buy(&account_id, 12).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mut invoices = world.invoices();
        let request = payment_request(&invoice.invoice_id, None);
        calls.spawn(async move { invoices.pay_invoice(request).await });
    }
    let mut paid = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(_) => paid += 1,
            Err(status) => {
                take_apart(&status).expect(Code::FailedPrecondition, "INVOICE_NOT_OPEN");
            }
        }
    }
    assert_eq!(paid, 1);
    let account = world.get_account(&account_id).await;
    assert_eq!(stands(&account), pair("402.00 USD", "0.00 USD"));
}

async fn accounts_change_their_terms(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let rename = UpdateAccountRequest {
        display_name: "Example & Sons".to_owned(),
        ..update(&account_id, AccountKind::Unspecified, None)
    };
    let renamed = world
        .accounts()
        .update_account(rename.clone())
        .await
        .unwrap();
    let repeated = world.accounts().update_account(rename).await.unwrap();
    let renamed = renamed.into_inner().account.unwrap();
    assert_eq!(repeated.into_inner().account.unwrap(), renamed, "BL-2");
    assert_eq!(renamed.display_name, "Example & Sons");
    assert_eq!(renamed.kind(), AccountKind::Prepaid);

    let agreed = Some(terms("200.00", 14, 0));
    let request = update(&account_id, AccountKind::OnTerms, agreed.clone());
    let account = world.accounts().update_account(request).await.unwrap();
    let account = account.into_inner().account.unwrap();
    assert_eq!(account.terms, agreed);
    assert_eq!(account.display_name, "Example & Sons");
    assert_eq!(world.get_account(&account_id).await, account);
    let invoice = world.buy(&account_id, 12).await.unwrap();

    let back = || update(&account_id, AccountKind::Prepaid, None);
    let refusal = refused(world.accounts().update_account(back()).await)
        .expect(Code::FailedPrecondition, "ACCOUNT_HAS_DUE");
    assert_eq!(refusal.value("due"), "98.00");
    // Neither a lower limit nor other days change open invoices.
    let request = update(&account_id, AccountKind::OnTerms, Some(terms("1.00", 0, 0)));
    world.accounts().update_account(request).await.unwrap();
    assert_eq!(world.invoice(&invoice.invoice_id).await, invoice);
    world.pay(&invoice.invoice_id, None).await.unwrap();
    let account = world.accounts().update_account(back()).await.unwrap();
    let account = account.into_inner().account.unwrap();
    assert_eq!(
        (account.kind(), account.terms),
        (AccountKind::Prepaid, None)
    );
    let short = world.buy(&account_id, 1).await.unwrap_err();
    take_apart(&short).expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");

    let euros = PaymentTerms {
        credit_limit: money("EUR", "1.00"),
        ..terms("1.00", 0, 0)
    };
    let request = update(&account_id, AccountKind::OnTerms, Some(euros));
    refused(world.accounts().update_account(request).await)
        .expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    let unknown = AccountId::generate().to_string();
    let request = update(&unknown, AccountKind::Prepaid, None);
    refused(world.accounts().update_account(request).await).expect(Code::NotFound, "NOT_FOUND");
}

async fn terms_are_checked_with_every_violation(backend: Backend) {
    let world = World::start(backend).await;
    let mut request = on_terms_request(PaymentTerms {
        credit_limit: usd("-1.00"),
        net_days: -1,
        overdue_grace_days: 366,
    });
    request.display_name = String::new();
    let refusal = refused(world.accounts().create_account(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(
        refusal.paths(),
        [
            "display_name",
            "terms.credit_limit.value",
            "terms.net_days",
            "terms.overdue_grace_days"
        ]
    );
    let mut foreign = on_terms_request(terms("1.00", 0, 0));
    foreign.currency_code = "JPY".to_owned();
    let mut without = on_terms_request(terms("1.00", 0, 0));
    without.terms = None;
    let mut stray = on_terms_request(terms("1.00", 0, 0));
    stray.kind = AccountKind::Prepaid.into();
    let mut unheard_of = on_terms_request(terms("1.00", 0, 0));
    unheard_of.kind = 7;
    for (request, path) in [
        (foreign, "terms.credit_limit.currency_code"),
        (without, "terms"),
        (stray, "terms"),
        (unheard_of, "kind"),
    ] {
        let refusal = refused(world.accounts().create_account(request).await)
            .expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), [path]);
    }
    let account_id = world.empty_account().await;
    let nothing = update(&account_id, AccountKind::Unspecified, None);
    let refusal = refused(world.accounts().update_account(nothing).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), ["display_name"]);
}

async fn what_is_free_is_paid_at_once(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    world.time.advance_days(1);
    let free = term_price(1, ["12.00", "0", "0", "0"]);
    world.set_prices(MULTI, vec![free]).await;
    let account_id = world.account_on_terms("0.00", 0, 0).await;
    let mut domains = item(LineKind::Domain, MULTI, 3);
    domains.term_months = 1;
    let quote = world.quote(&account_id, vec![domains]).await;
    let invoice = world.charge(&quote).await.unwrap();
    assert_eq!(invoice.state(), InvoiceState::Paid);
    assert_eq!(shown(invoice.due.as_ref()), "0.00 USD");
    assert_eq!(invoice.due_time, None);
    assert!(world.entries_of(&account_id).await.is_empty());
}
