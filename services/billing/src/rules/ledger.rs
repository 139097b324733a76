//! The postings of each business event (BL-5). An entry that does not sum to zero cannot be built;
//! each customer has their own ledger accounts.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CreditNoteId, EntryId, InvoiceId},
    money::{Currency, Money, MoneyError},
    refusal::{Reason, Refusal},
    worded,
};

use super::{id_text, money_refusal};

worded! {
    /// The ledger accounts of a customer. Debits are positive, credits negative.
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
        /// An invoice was credited (BL-4).
        CreditNote = "CREDIT_NOTE",
        /// Money paid out of the balance.
        Withdrawal = "WITHDRAWAL",
        /// A deposit or a withdrawal was reversed.
        Reversal = "REVERSAL",
    }
}

/// One amount on one ledger account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    /// The ledger account that it changes.
    pub(crate) ledger_account: LedgerAccount,
    /// Positive for a debit, negative for a credit.
    pub(crate) amount: Money,
}

/// What an entry was booked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Money received or paid out; the payment's reference.
    Transfer(String),
    /// An invoice issued or paid.
    Invoice(InvoiceId),
    /// A credit note.
    CreditNote(CreditNoteId),
    /// An earlier entry is reversed.
    Reversal {
        /// The reversed entry.
        reverses: EntryId,
        /// Why, in words.
        reason: String,
    },
}

/// A balanced entry before it is booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    kind: EntryKind,
    postings: Vec<Posting>,
    cause: Cause,
}

/// How entries change the two sums stored with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    /// The change of the balance.
    pub(crate) balance: Money,
    /// The change of what is due.
    pub(crate) due: Money,
}

impl Entry {
    /// Received money becomes spendable balance.
    pub(crate) fn deposit(amount: Money, reference: String) -> Result<Self, MoneyError> {
        let cause = Cause::Transfer(reference);
        Self::between(
            EntryKind::Deposit,
            LedgerAccount::Cash,
            LedgerAccount::Balance,
            amount,
            cause,
        )
    }

    /// Balance is paid out.
    pub(crate) fn withdrawal(amount: Money, reference: String) -> Result<Self, MoneyError> {
        let cause = Cause::Transfer(reference);
        Self::between(
            EntryKind::Withdrawal,
            LedgerAccount::Balance,
            LedgerAccount::Cash,
            amount,
            cause,
        )
    }

    /// A sale is owed.
    pub(crate) fn invoice(amount: Money, invoice_id: InvoiceId) -> Result<Self, MoneyError> {
        let cause = Cause::Invoice(invoice_id);
        Self::between(
            EntryKind::Invoice,
            LedgerAccount::Receivable,
            LedgerAccount::Revenue,
            amount,
            cause,
        )
    }

    /// What is owed is paid from the balance.
    pub(crate) fn payment(amount: Money, invoice_id: InvoiceId) -> Result<Self, MoneyError> {
        let cause = Cause::Invoice(invoice_id);
        Self::between(
            EntryKind::Payment,
            LedgerAccount::Balance,
            LedgerAccount::Receivable,
            amount,
            cause,
        )
    }

    /// `total` of a sale is credited: `returned` goes back to the balance, the rest was never paid
    /// and is no longer owed (BL-4).
    pub(crate) fn credit_note(
        total: Money,
        returned: Money,
        credit_note_id: CreditNoteId,
    ) -> Result<Self, MoneyError> {
        let unpaid = total.checked_sub(returned)?;
        let sides = [
            (LedgerAccount::Revenue, total),
            (LedgerAccount::Receivable, unpaid.checked_neg()?),
            (LedgerAccount::Balance, returned.checked_neg()?),
        ];
        let postings = sides
            .into_iter()
            .filter(|(_, amount)| !amount.is_zero())
            .map(|(ledger_account, amount)| Posting {
                ledger_account,
                amount,
            });
        Ok(Self {
            kind: EntryKind::CreditNote,
            postings: postings.collect(),
            cause: Cause::CreditNote(credit_note_id),
        })
    }

    /// Invariant: the postings sum to zero, whatever the amount.
    fn between(
        kind: EntryKind,
        debit: LedgerAccount,
        credit: LedgerAccount,
        amount: Money,
        cause: Cause,
    ) -> Result<Self, MoneyError> {
        let postings = vec![
            Posting {
                ledger_account: debit,
                amount,
            },
            Posting {
                ledger_account: credit,
                amount: amount.checked_neg()?,
            },
        ];
        Ok(Self {
            kind,
            postings,
            cause,
        })
    }

    /// Its postings.
    pub(crate) fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// The entry in the ledger of `account_id`, under a new id.
    pub(crate) fn book(self, account_id: AccountId, time: Instant) -> LedgerEntry {
        LedgerEntry {
            entry_id: Some(EntryId::generate()),
            ..self.draft(account_id, time)
        }
    }

    /// The same without an id, for a preview.
    pub(crate) fn draft(self, account_id: AccountId, time: Instant) -> LedgerEntry {
        LedgerEntry {
            entry_id: None,
            account_id,
            kind: self.kind,
            postings: self.postings,
            cause: self.cause,
            time,
        }
    }
}

impl Movement {
    /// The changes by all of `entries`. The balance is a liability, so its postings count negated.
    ///
    /// # Errors
    /// When a sum overflows, or two currencies meet (M-4).
    pub(crate) fn of(currency: Currency, entries: &[Entry]) -> Result<Self, MoneyError> {
        let zero = Money::zero(currency);
        let mut moved = Self {
            balance: zero,
            due: zero,
        };
        for posting in entries.iter().flat_map(Entry::postings) {
            let amount = posting.amount;
            match posting.ledger_account {
                LedgerAccount::Balance => moved.balance = moved.balance.checked_sub(amount)?,
                LedgerAccount::Receivable => moved.due = moved.due.checked_add(amount)?,
                LedgerAccount::Cash | LedgerAccount::Revenue => {}
            }
        }
        Ok(moved)
    }
}

/// An entry in an account's ledger; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerEntry {
    /// `None`: a preview, not booked.
    pub(crate) entry_id: Option<EntryId>,
    /// The account of the ledger.
    pub(crate) account_id: AccountId,
    /// What it records.
    pub(crate) kind: EntryKind,
    /// Its postings; they sum to zero.
    pub(crate) postings: Vec<Posting>,
    /// What it was booked for.
    pub(crate) cause: Cause,
    /// When it was booked; never before an earlier entry of the account (T-5).
    pub(crate) time: Instant,
}

impl LedgerEntry {
    /// The entry that reverses this one: the same postings, negated. `earlier` is a reversal that
    /// exists already.
    ///
    /// # Errors
    /// ENTRY_NOT_REVERSIBLE unless it is a deposit or a withdrawal; ENTRY_ALREADY_REVERSED.
    pub(crate) fn reversal(
        &self,
        reason: String,
        earlier: Option<EntryId>,
    ) -> Result<Entry, Refusal> {
        let id = id_text(self.entry_id);
        let reverses = match (self.kind, self.entry_id) {
            (EntryKind::Deposit | EntryKind::Withdrawal, Some(entry_id)) => entry_id,
            (kind, _) => {
                return Err(Refusal::new(
                    Reason::EntryNotReversible,
                    format!(
                        "entry {id} is of kind {}; only deposits and withdrawals can be reversed",
                        kind.as_str()
                    ),
                )
                .with("entry_id", id)
                .with("kind", kind.as_str()));
            }
        };
        if let Some(earlier) = earlier {
            return Err(Refusal::new(
                Reason::EntryAlreadyReversed,
                format!("entry {id} is already reversed by {earlier}"),
            )
            .with("entry_id", id)
            .with("reversal_entry_id", earlier));
        }
        let mut postings = self.postings.clone();
        for posting in &mut postings {
            let currency = posting.amount.currency();
            let mirrored = posting.amount.checked_neg();
            posting.amount = mirrored.map_err(|error| money_refusal(currency, &error))?;
        }
        Ok(Entry {
            kind: EntryKind::Reversal,
            postings,
            cause: Cause::Reversal { reverses, reason },
        })
    }
}

/// A booked deposit, withdrawal or reversal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BookedEntry {
    /// The entry.
    pub(crate) entry: LedgerEntry,
    /// The balance after it.
    pub(crate) balance: Money,
}

#[cfg(test)]
mod tests;
