//! Accounts: how they pay, and the refusals when balance or credit does not suffice (BL-6).

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId},
    money::{Currency, Money, MoneyError},
    refusal::{Reason, Refusal},
    worded,
};

use super::{currency_mismatch, money_refusal, numbers::DocumentNumber};

const DAY_MICROS: i64 = 86_400_000_000;

worded! {
    /// How an account pays (BL-6).
    pub(crate) enum AccountKind {
        /// In advance, from its balance.
        Prepaid = "PREPAID",
        /// Later, up to a credit limit.
        OnTerms = "ON_TERMS",
    }
}

/// The terms of a customer who pays later (BL-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CreditTerms {
    /// The most that may be due at any time, in the account's currency; not negative.
    pub(crate) credit_limit: Money,
    /// Days of 24 hours from the issue of an invoice until it is due (T-1).
    pub(crate) net_days: u32,
    /// Days of 24 hours from the due time of an unpaid invoice until charges are refused.
    pub(crate) overdue_grace_days: u32,
}

impl CreditTerms {
    /// When an invoice issued at `issued` is due.
    pub(crate) fn due_time(&self, issued: Instant) -> Instant {
        days_after(issued, self.net_days)
    }
}

/// `start` plus `days` of 24 hours, or the last instant if that is later.
fn days_after(start: Instant, days: u32) -> Instant {
    start
        .checked_add(TimeDelta::days(i64::from(days)))
        .unwrap_or(Instant::MAX)
}

/// How an account pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaymentTerms {
    /// In advance.
    Prepaid,
    /// Later, on these terms.
    OnTerms(CreditTerms),
}

impl PaymentTerms {
    /// The kind of account that pays on these terms.
    pub(crate) fn kind(&self) -> AccountKind {
        match self {
            Self::Prepaid => AccountKind::Prepaid,
            Self::OnTerms(_) => AccountKind::OnTerms,
        }
    }
}

/// A customer's account. Its currency never changes (M-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Its id.
    pub(crate) account_id: AccountId,
    /// For people.
    pub(crate) display_name: String,
    /// How it pays.
    pub(crate) terms: PaymentTerms,
    /// What the customer may spend, in the account's currency; never negative.
    pub(crate) balance: Money,
    /// What is due on its open invoices; never negative.
    pub(crate) due: Money,
    /// When it was opened.
    pub(crate) created: Instant,
    /// When its last entry was written, by the clock of the instance that wrote it.
    pub(crate) last_entry: Instant,
}

/// An account as responses show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountView {
    /// The account.
    pub(crate) account: Account,
    /// The due time of the longest overdue invoice; `None`: nothing is overdue.
    pub(crate) overdue_since: Option<Instant>,
}

/// The open invoice that is due first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirstDue {
    /// Its id.
    pub(crate) invoice_id: InvoiceId,
    /// Its number.
    pub(crate) number: DocumentNumber,
    /// When it is due.
    pub(crate) due_time: Instant,
}

impl Account {
    /// The time of a reading: `clock`, or the time of the last entry if another instance's clock
    /// was ahead (T-5).
    pub(crate) fn seen_at(&self, clock: Instant) -> Instant {
        clock.max(self.last_entry)
    }

    /// The currency of everything on the account.
    pub(crate) fn currency(&self) -> Currency {
        self.balance.currency()
    }

    /// The balance plus `amount`.
    ///
    /// # Errors
    /// CURRENCY_MISMATCH (M-4), AMOUNT_OUT_OF_RANGE.
    pub(crate) fn balance_with(&self, amount: Money) -> Result<Money, Refusal> {
        if amount.currency() != self.currency() {
            return Err(currency_mismatch(self.currency(), amount.currency()));
        }
        self.balance
            .checked_add(amount)
            .map_err(|error| money_refusal(self.currency(), &error))
    }

    /// The balance less `required`.
    ///
    /// # Errors
    /// INSUFFICIENT_FUNDS with the missing amount (BL-6); CURRENCY_MISMATCH.
    pub(crate) fn balance_without(&self, required: Money) -> Result<Money, Refusal> {
        if required.currency() != self.currency() {
            return Err(currency_mismatch(self.currency(), required.currency()));
        }
        let refused = |error: MoneyError| money_refusal(self.currency(), &error);
        let left = self.balance.checked_sub(required).map_err(refused)?;
        if left.minor() >= 0 {
            return Ok(left);
        }
        let missing = left.checked_neg().map_err(refused)?;
        Err(Refusal::new(
            Reason::InsufficientFunds,
            format!(
                "insufficient balance: {required} required, {} available, {missing} short",
                self.balance
            ),
        )
        .with("missing", missing.value())
        .with("available", self.balance.value())
        .with("required", required.value())
        .with("currency", required.currency().code()))
    }

    /// Checks a charge of `total`, above zero and accepted at `accepted`, against the account's
    /// payment terms. `first_due` is the open invoice that is due first.
    ///
    /// Returns the terms that the charge is owed on; `None`: it is paid from the balance.
    ///
    /// # Errors
    /// INSUFFICIENT_FUNDS, ACCOUNT_OVERDUE, CREDIT_LIMIT_EXCEEDED (BL-6).
    pub(crate) fn check_charge(
        &self,
        total: Money,
        first_due: Option<FirstDue>,
        accepted: Instant,
    ) -> Result<Option<CreditTerms>, Refusal> {
        match self.terms {
            PaymentTerms::Prepaid => self.balance_without(total).map(|_| None),
            PaymentTerms::OnTerms(terms) => {
                check_overdue(first_due, terms.overdue_grace_days, accepted)?;
                self.check_limit(total, terms.credit_limit)?;
                Ok(Some(terms))
            }
        }
    }

    /// CREDIT_LIMIT_EXCEEDED if `required` would raise what is due above `limit`.
    fn check_limit(&self, required: Money, limit: Money) -> Result<(), Refusal> {
        let refused = |error: MoneyError| money_refusal(self.currency(), &error);
        let due = self.due.checked_add(required).map_err(refused)?;
        let missing = due.checked_sub(limit).map_err(refused)?;
        if missing.minor() <= 0 {
            return Ok(());
        }
        Err(Refusal::new(
            Reason::CreditLimitExceeded,
            format!(
                "credit limit of {limit} exceeded by {missing}: {} due, {required} to be charged",
                self.due
            ),
        )
        .with("limit", limit.value())
        .with("due", self.due.value())
        .with("required", required.value())
        .with("missing", missing.value())
        .with("currency", self.currency().code()))
    }

    /// Whether the account can change to `terms`.
    ///
    /// # Errors
    /// CURRENCY_MISMATCH for a limit in another currency (M-4); ACCOUNT_HAS_DUE for PREPAID while
    /// invoices are open (BL-6).
    pub(crate) fn check_terms(&self, terms: &PaymentTerms) -> Result<(), Refusal> {
        match terms {
            PaymentTerms::OnTerms(terms) if terms.credit_limit.currency() != self.currency() => {
                Err(currency_mismatch(
                    self.currency(),
                    terms.credit_limit.currency(),
                ))
            }
            PaymentTerms::Prepaid if !self.due.is_zero() => Err(Refusal::new(
                Reason::AccountHasDue,
                format!(
                    "{} is due on open invoices; pay them before changing to PREPAID",
                    self.due
                ),
            )
            .with("account_id", self.account_id)
            .with("due", self.due.value())
            .with("currency", self.currency().code())),
            PaymentTerms::OnTerms(_) | PaymentTerms::Prepaid => Ok(()),
        }
    }

    /// The account as shown at `now`.
    pub(crate) fn view(self, first_due: Option<Instant>, now: Instant) -> AccountView {
        AccountView {
            account: self,
            overdue_since: first_due.filter(|due_time| *due_time < now),
        }
    }
}

/// ACCOUNT_OVERDUE once the grace after the first due time is over; its last instant still passes.
fn check_overdue(
    first_due: Option<FirstDue>,
    grace_days: u32,
    accepted: Instant,
) -> Result<(), Refusal> {
    let Some(first) = first_due else {
        return Ok(());
    };
    if accepted <= days_after(first.due_time, grace_days) {
        return Ok(());
    }
    let overdue_days = first.due_time.micros_until(accepted) / DAY_MICROS;
    Err(Refusal::new(
        Reason::AccountOverdue,
        format!(
            "invoice {} was due at {}, {overdue_days} days ago; {grace_days} days of grace are allowed. Pay it first",
            first.invoice_id, first.due_time
        ),
    )
    .with("invoice_id", first.invoice_id)
    .with("number", first.number.of_invoice())
    .with("due_time", first.due_time)
    .with("overdue_days", overdue_days)
    .with("grace_days", grace_days))
}

#[cfg(test)]
mod tests;
