//! BL-6 on plain values: what an account can spend and owe.

use super::*;

fn usd(minor: i64) -> Money {
    Money::from_minor("USD".parse().unwrap(), minor)
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn account(balance_minor: i64) -> Account {
    Account {
        account_id: AccountId::generate(),
        display_name: "Example".to_owned(),
        terms: PaymentTerms::Prepaid,
        balance: usd(balance_minor),
        due: usd(0),
        created: at("2026-01-01T00:00:00Z"),
        last_entry: at("2026-01-01T00:00:00Z"),
    }
}

fn on_terms(limit_minor: i64, due_minor: i64) -> Account {
    Account {
        terms: PaymentTerms::OnTerms(CreditTerms {
            credit_limit: usd(limit_minor),
            net_days: 30,
            overdue_grace_days: 5,
        }),
        due: usd(due_minor),
        ..account(0)
    }
}

fn numbers(refusal: &Refusal) -> Vec<String> {
    let each = refusal.metadata.iter();
    each.map(|(key, value)| format!("{key}={value}")).collect()
}

/// BL-6: spending to the last cent; the refusal names what is missing.
#[test]
fn spending() {
    assert_eq!(account(2_450).balance_without(usd(2_450)).unwrap(), usd(0));
    let refused = account(2_449).balance_without(usd(2_450)).unwrap_err();
    assert_eq!(refused.reason, Reason::InsufficientFunds);
    assert_eq!(
        numbers(&refused),
        [
            "available=24.49",
            "currency=USD",
            "missing=0.01",
            "required=24.50"
        ]
    );
}

/// M-4: another currency, or an amount out of range, never reaches the balance.
#[test]
fn receiving() {
    let eur = Money::from_minor("EUR".parse().unwrap(), 1);
    let reason = |amount| {
        let refused = account(1).balance_with(amount).err();
        refused.map(|refusal| refusal.reason)
    };
    assert_eq!(reason(usd(5)), None);
    assert_eq!(reason(eur), Some(Reason::CurrencyMismatch));
    assert_eq!(reason(usd(i64::MAX)), Some(Reason::AmountOutOfRange));
    let spent = account(1).balance_without(eur).unwrap_err();
    assert_eq!(spent.reason, Reason::CurrencyMismatch);
}

/// BL-6: on terms the limit can be reached but not exceeded by a cent; the balance does not matter.
#[test]
fn owing_up_to_the_limit() {
    let accepted = at("2026-03-01T00:00:00Z");
    let charge = |minor| on_terms(10_000, 4_000).check_charge(usd(minor), None, accepted);
    assert!(charge(6_000).unwrap().is_some());
    let refused = charge(6_001).unwrap_err();
    assert_eq!(refused.reason, Reason::CreditLimitExceeded);
    assert_eq!(
        numbers(&refused),
        [
            "currency=USD",
            "due=40.00",
            "limit=100.00",
            "missing=0.01",
            "required=60.01"
        ]
    );
    // A limit may have been lowered below what is due.
    let lowered = on_terms(100, 4_000).check_charge(usd(1), None, accepted);
    assert_eq!(lowered.unwrap_err().metadata["missing"], "39.01");
    assert_eq!(account(1).check_charge(usd(1), None, accepted), Ok(None));
}

/// BL-6: an overdue invoice blocks charges after the grace, to the microsecond.
#[test]
fn overdue_beyond_the_grace() {
    let first = FirstDue {
        invoice_id: InvoiceId::generate(),
        number: DocumentNumber::sample(7),
        due_time: at("2026-03-01T00:00:00Z"),
    };
    let charge = |accepted: &str| {
        on_terms(10_000, 4_000).check_charge(usd(1), Some(first.clone()), at(accepted))
    };
    assert!(charge("2026-02-01T00:00:00Z").is_ok());
    assert!(charge("2026-03-06T00:00:00Z").is_ok());
    let refused = charge("2026-03-06T00:00:00.000001Z").unwrap_err();
    assert_eq!(refused.reason, Reason::AccountOverdue);
    assert_eq!(
        numbers(&refused),
        [
            "due_time=2026-03-01T00:00:00.000000Z".to_owned(),
            "grace_days=5".to_owned(),
            format!("invoice_id={}", first.invoice_id),
            "number=INV-000007".to_owned(),
            "overdue_days=5".to_owned(),
        ]
    );
}

/// BL-6: an account becomes prepaid again only when nothing is due; a limit is in the account's
/// currency.
#[test]
fn changing_terms() {
    let reason = |account: &Account, terms: &PaymentTerms| {
        let refused = account.check_terms(terms).err();
        refused.map(|refusal| refusal.reason)
    };
    let owing = on_terms(10_000, 1);
    assert_eq!(
        reason(&owing, &PaymentTerms::Prepaid),
        Some(Reason::AccountHasDue)
    );
    assert_eq!(reason(&on_terms(10_000, 0), &PaymentTerms::Prepaid), None);
    assert_eq!(reason(&account(1), &owing.terms), None);
    assert_eq!(reason(&owing, &on_terms(0, 0).terms), None);
    let euros = PaymentTerms::OnTerms(CreditTerms {
        credit_limit: Money::from_minor("EUR".parse().unwrap(), 1),
        net_days: 0,
        overdue_grace_days: 0,
    });
    assert_eq!(reason(&owing, &euros), Some(Reason::CurrencyMismatch));
}

/// An account is overdue after the due time, not at it.
#[test]
fn overdue_since() {
    let due_time = at("2026-03-01T00:00:00Z");
    let since = |first, now: &str| account(0).view(first, at(now)).overdue_since;
    assert_eq!(since(None, "2026-03-02T00:00:00Z"), None);
    assert_eq!(since(Some(due_time), "2026-03-01T00:00:00Z"), None);
    assert_eq!(
        since(Some(due_time), "2026-03-01T00:00:00.000001Z"),
        Some(due_time)
    );
}
