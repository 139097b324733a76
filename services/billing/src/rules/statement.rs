//! An account over a period: the opening sums plus every change are the closing sums.

use licet_domain::{
    clock::Instant,
    ids::AccountId,
    money::{Currency, Money, MoneyError},
    term::Period,
};

use super::ledger::{EntryKind, LedgerAccount};

/// The two sums of an account at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    /// What the customer may spend.
    pub(crate) balance: Money,
    /// What the customer owes on open invoices.
    pub(crate) due: Money,
}

/// The total of all entries of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryTotal {
    /// The kind.
    pub(crate) kind: EntryKind,
    /// The number of entries.
    pub(crate) entry_count: i64,
    /// Their change of the balance.
    pub(crate) balance_change: Money,
    /// Their change of what is due.
    pub(crate) due_change: Money,
}

/// The statement of an account over a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The account.
    pub(crate) account_id: AccountId,
    /// The requested period.
    pub(crate) period: Period,
    /// The end of the period, or the time of the request if that is earlier.
    pub(crate) as_of: Instant,
    /// The sums at the start of the period.
    pub(crate) opening: Sums,
    /// The sums at `as_of`.
    pub(crate) closing: Sums,
    /// The changes in between, in the order of the kinds.
    pub(crate) totals: Vec<EntryTotal>,
    /// The number of entries in between.
    pub(crate) entry_count: i64,
}

/// The exclusive end of a statement requested at `now`: the period's end, or one microsecond after `now`, so
/// that entries at `now` count.
pub(crate) fn statement_end(period: Period, now: Instant) -> Instant {
    let next = Instant::from_micros(now.as_micros().saturating_add(1)).unwrap_or(Instant::MAX);
    period.end.min(next)
}

/// The sum of the postings of one kind on one ledger account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PostingSum {
    /// The kind; `None`: all entries before the period.
    pub(crate) kind: Option<EntryKind>,
    /// The ledger account.
    pub(crate) ledger_account: LedgerAccount,
    /// In minor units, debits positive.
    pub(crate) sum_minor: i128,
}

/// Builds the statement requested at `now` from sums of postings and counts of entries.
///
/// # Errors
/// When a sum exceeds the largest amount.
pub(crate) fn assemble(
    account_id: AccountId,
    currency: Currency,
    period: Period,
    now: Instant,
    moved: &[PostingSum],
    counts: &[(EntryKind, i64)],
) -> Result<Statement, MoneyError> {
    let of_kind = |kind: Option<EntryKind>| change(currency, moved, |it| it.kind == kind);
    let mut totals = Vec::with_capacity(counts.len());
    for &(kind, entry_count) in counts {
        let Sums { balance, due } = of_kind(Some(kind))?;
        totals.push(EntryTotal {
            kind,
            entry_count,
            balance_change: balance,
            due_change: due,
        });
    }
    totals.sort_by_key(|total| total.kind);
    Ok(Statement {
        account_id,
        period,
        as_of: period.end.min(now),
        opening: of_kind(None)?,
        // In one sum: added kind by kind, an intermediate sum could overflow where the total does
        // not.
        closing: change(currency, moved, |_| true)?,
        totals,
        entry_count: counts.iter().map(|(_, count)| count).sum(),
    })
}

/// The changes by the wanted postings. The balance is a liability, so its postings count negated.
fn change(
    currency: Currency,
    moved: &[PostingSum],
    wanted: impl Fn(&PostingSum) -> bool,
) -> Result<Sums, MoneyError> {
    let sum = |ledger_account: LedgerAccount| -> i128 {
        let wanted = moved
            .iter()
            .filter(|moved| wanted(moved) && moved.ledger_account == ledger_account);
        wanted.map(|moved| moved.sum_minor).sum()
    };
    let money = |minor: i128| {
        let minor = i64::try_from(minor).map_err(|_| MoneyError::Overflow);
        minor.map(|minor| Money::from_minor(currency, minor))
    };
    Ok(Sums {
        balance: money(-sum(LedgerAccount::Balance))?,
        due: money(sum(LedgerAccount::Receivable))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn moved(
        kind: Option<EntryKind>,
        ledger_account: LedgerAccount,
        sum_minor: i128,
    ) -> PostingSum {
        PostingSum {
            kind,
            ledger_account,
            sum_minor,
        }
    }

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    fn statement(
        moved: &[PostingSum],
        counts: &[(EntryKind, i64)],
    ) -> Result<Statement, MoneyError> {
        let period = Period::new(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")).unwrap();
        let (account_id, currency) = (AccountId::generate(), usd(0).currency());
        let now = at("2026-03-01T00:00:00Z");
        assemble(account_id, currency, period, now, moved, counts)
    }

    /// Opening 10.00 and nothing due; a sale of 49.00 on terms, 5.00 of it paid.
    #[test]
    fn opening_and_changes_are_closing() {
        use EntryKind::{Invoice, Payment};
        use LedgerAccount::{Balance, Cash, Receivable, Revenue};
        let statement = statement(
            &[
                moved(None, Cash, 1_000),
                moved(None, Balance, -1_000),
                moved(Some(Payment), Balance, 500),
                moved(Some(Payment), Receivable, -500),
                moved(Some(Invoice), Receivable, 4_900),
                moved(Some(Invoice), Revenue, -4_900),
            ],
            &[(Payment, 2), (Invoice, 1)],
        )
        .unwrap();
        let sums = |balance, due| Sums {
            balance: usd(balance),
            due: usd(due),
        };
        assert_eq!(statement.opening, sums(1_000, 0));
        assert_eq!(statement.closing, sums(500, 4_400));
        assert_eq!(statement.entry_count, 3);
        let kinds: Vec<_> = statement.totals.iter().map(|total| total.kind).collect();
        assert_eq!(kinds, [Invoice, Payment]);
    }

    /// A sum beyond the largest amount is an error, not a wrong number.
    #[test]
    fn a_sum_beyond_the_range() {
        let much = moved(
            Some(EntryKind::Deposit),
            LedgerAccount::Balance,
            -i128::from(i64::MAX) - 1,
        );
        let refused = statement(&[much], &[(EntryKind::Deposit, 2)]);
        assert_eq!(refused, Err(MoneyError::Overflow));
    }

    /// A deposit and a credit of the largest amount with a payment between: kind by kind they
    /// overflow.
    #[test]
    fn a_sum_that_passes_the_range_on_its_way() {
        use EntryKind::{CreditNote, Deposit, Payment};
        let kinds = [(Deposit, -1), (CreditNote, -1), (Payment, 1)];
        let moved = kinds.map(|(kind, sign)| {
            let sum_minor = sign * i128::from(i64::MAX);
            moved(Some(kind), LedgerAccount::Balance, sum_minor)
        });
        let counts = kinds.map(|(kind, _)| (kind, 1));
        let statement = statement(&moved, &counts).unwrap();
        assert_eq!(statement.closing.balance, usd(i64::MAX));
    }

    /// Entries at the instant of the request are on the statement; entries after the period are
    /// not.
    #[test]
    fn counted_to_the_period_s_end_or_now() {
        let period = Period::new(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")).unwrap();
        let end = statement_end(period, at("2026-02-01T00:00:00Z"));
        assert_eq!(end, period.end);
        let running = statement_end(period, at("2026-01-15T00:00:00Z"));
        assert_eq!(running, at("2026-01-15T00:00:00.000001Z"));
    }
}
