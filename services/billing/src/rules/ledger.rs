//! Which postings a business event makes (BL-5). An entry that does not sum to zero cannot be
//! built; each customer has ledger accounts of its own.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CreditNoteId, EntryId, InvoiceId},
    money::{Money, MoneyError},
    worded,
};

worded! {
    /// The ledger accounts that each customer has. Debits are positive, credits negative.
    pub(crate) enum LedgerAccount {
        /// Asset: money received from the customer.
        Cash = "CASH",
        /// Liability: what the customer may still spend.
        Balance = "BALANCE",
        /// Asset: what the customer owes on open invoices.
        Receivable = "RECEIVABLE",
        /// Income: what was sold.
        Revenue = "REVENUE",
    }
}

worded! {
    /// What an entry records.
    pub(crate) enum EntryKind {
        /// Money put on the account.
        Deposit = "DEPOSIT",
        /// An invoice was issued.
        Invoice = "INVOICE",
        /// An invoice was paid from the balance.
        Payment = "PAYMENT",
        /// A paid invoice was credited to the balance (BL-4).
        CreditNote = "CREDIT_NOTE",
    }
}

/// One side of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    /// The ledger account that it moves.
    pub(crate) ledger_account: LedgerAccount,
    /// Positive for a debit, negative for a credit.
    pub(crate) amount: Money,
}

/// A balanced entry: `amount` is debited on one ledger account and credited on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    kind: EntryKind,
    postings: [Posting; 2],
}

impl Entry {
    /// Received money becomes spendable balance.
    pub(crate) fn deposit(amount: Money) -> Result<Self, MoneyError> {
        Self::new(
            EntryKind::Deposit,
            LedgerAccount::Cash,
            LedgerAccount::Balance,
            amount,
        )
    }

    /// A sale is owed.
    pub(crate) fn invoice(amount: Money) -> Result<Self, MoneyError> {
        Self::new(
            EntryKind::Invoice,
            LedgerAccount::Receivable,
            LedgerAccount::Revenue,
            amount,
        )
    }

    /// What is owed is paid from the balance.
    pub(crate) fn payment(amount: Money) -> Result<Self, MoneyError> {
        Self::new(
            EntryKind::Payment,
            LedgerAccount::Balance,
            LedgerAccount::Receivable,
            amount,
        )
    }

    /// A paid sale is taken back; the money becomes balance again (BL-4).
    pub(crate) fn credit_note(amount: Money) -> Result<Self, MoneyError> {
        Self::new(
            EntryKind::CreditNote,
            LedgerAccount::Revenue,
            LedgerAccount::Balance,
            amount,
        )
    }

    /// Invariant: the postings sum to zero, whatever the amount.
    fn new(
        kind: EntryKind,
        debit: LedgerAccount,
        credit: LedgerAccount,
        amount: Money,
    ) -> Result<Self, MoneyError> {
        let postings = [
            Posting {
                ledger_account: debit,
                amount,
            },
            Posting {
                ledger_account: credit,
                amount: amount.checked_neg()?,
            },
        ];
        Ok(Self { kind, postings })
    }
}

/// What an entry was booked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Money received, known by this text.
    Deposit(String),
    /// An invoice issued or paid.
    Invoice(InvoiceId),
    /// A credit note.
    CreditNote(CreditNoteId),
}

/// An entry in an account's ledger; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerEntry {
    /// Its id.
    pub(crate) entry_id: EntryId,
    /// Whose ledger.
    pub(crate) account_id: AccountId,
    /// What it records.
    pub(crate) kind: EntryKind,
    /// Its sides; they sum to zero.
    pub(crate) postings: Vec<Posting>,
    /// What it was booked for.
    pub(crate) cause: Cause,
    /// When it was booked.
    pub(crate) time: Instant,
}

/// A deposit as it was booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deposited {
    /// The entry.
    pub(crate) entry: LedgerEntry,
    /// The balance after it.
    pub(crate) balance: Money,
}

impl LedgerEntry {
    /// Books `entry` under a new id.
    pub(crate) fn book(account_id: AccountId, entry: &Entry, cause: Cause, time: Instant) -> Self {
        Self {
            entry_id: EntryId::generate(),
            account_id,
            kind: entry.kind,
            postings: entry.postings.to_vec(),
            cause,
            time,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    fn moved(entries: &[Entry], account: LedgerAccount) -> i64 {
        let postings = entries.iter().flat_map(|entry| entry.postings.iter());
        postings
            .filter(|side| side.ledger_account == account)
            .map(|side| side.amount.minor())
            .sum()
    }

    /// Deposit 100.00, buy for 49.00, credit 24.50: the balance is a liability of 75.50, nothing
    /// is owed and 24.50 was earned.
    #[test]
    fn a_sale_and_its_credit() {
        let entries = [
            Entry::deposit(usd(10_000)).unwrap(),
            Entry::invoice(usd(4_900)).unwrap(),
            Entry::payment(usd(4_900)).unwrap(),
            Entry::credit_note(usd(2_450)).unwrap(),
        ];
        assert_eq!(moved(&entries, LedgerAccount::Cash), 10_000);
        assert_eq!(moved(&entries, LedgerAccount::Balance), -7_550);
        assert_eq!(moved(&entries, LedgerAccount::Receivable), 0);
        assert_eq!(moved(&entries, LedgerAccount::Revenue), -2_450);
    }

    proptest! {
        /// BL-5: every entry sums to zero.
        #[test]
        fn every_entry_sums_to_zero(minor in 0..=i64::MAX) {
            for entry in [Entry::deposit, Entry::invoice, Entry::payment, Entry::credit_note] {
                let entry = entry(usd(minor)).unwrap();
                let sum: i128 =
                    entry.postings.iter().map(|side| i128::from(side.amount.minor())).sum();
                prop_assert_eq!(sum, 0);
            }
        }
    }
}
