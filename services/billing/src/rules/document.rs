//! The content of printed invoices and statements, gathered from decided figures. Decides only how
//! much fits on one page.

use licet_domain::{
    clock::Instant,
    money::{Money, MoneyError},
    refusal::{Reason, Refusal},
};

use super::{
    account::Account,
    charge::Invoice,
    credit::CreditNote,
    ledger::EntryKind,
    numbers::Seller,
    statement::{Statement, Sums},
};

/// The most credit notes that a printed invoice lists.
pub(crate) const MAX_NOTES: u16 = 1_000;
/// The most lines of all listed credit notes.
const MAX_NOTE_LINES: usize = 10_000;
/// The most entries that a printed statement lists.
const MAX_ENTRIES: i64 = 10_000;

/// A printed invoice.
#[derive(Clone, Debug)]
pub(crate) struct InvoiceDocument {
    /// The seller.
    pub(crate) seller: Seller,
    /// The charged account.
    pub(crate) account: Account,
    /// The invoice.
    pub(crate) invoice: Invoice,
    /// The listed credit notes, oldest first.
    pub(crate) notes: Vec<CreditNote>,
    /// The sum of the credit notes that are not listed.
    pub(crate) unlisted: Money,
    /// When it was read; less may be due later.
    pub(crate) as_of: Instant,
}

impl InvoiceDocument {
    /// Lists as many of `notes`, oldest first, as fit on a page.
    ///
    /// # Errors
    /// Never if `notes` are the invoice's.
    pub(crate) fn new(
        seller: Seller,
        account: Account,
        invoice: Invoice,
        mut notes: Vec<CreditNote>,
        as_of: Instant,
    ) -> Result<Self, MoneyError> {
        let mut room = MAX_NOTE_LINES;
        let fitting = notes
            .iter()
            .take(MAX_NOTES.into())
            .take_while(|note| match room.checked_sub(note.lines.len()) {
                Some(left) => {
                    room = left;
                    true
                }
                None => false,
            })
            .count();
        notes.truncate(fitting);
        let unlisted = notes
            .iter()
            .try_fold(invoice.credited, |left, note| left.checked_sub(note.total))?;
        Ok(Self {
            seller,
            account,
            invoice,
            notes,
            unlisted,
            as_of,
        })
    }
}

/// A ledger entry as a statement lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatementEntry {
    /// When it was booked.
    pub(crate) time: Instant,
    /// What it records.
    pub(crate) kind: EntryKind,
    /// The number of the invoice that was issued, paid or credited.
    pub(crate) invoice_number: Option<i64>,
    /// The number of the credit note.
    pub(crate) credit_note_number: Option<i64>,
    /// The text that was given with it.
    pub(crate) reference: String,
    /// Its changes of balance and due.
    pub(crate) change: Sums,
}

/// A printed statement.
#[derive(Clone, Debug)]
pub(crate) struct StatementDocument {
    /// The seller.
    pub(crate) seller: Seller,
    /// The account.
    pub(crate) account: Account,
    /// The statement.
    pub(crate) statement: Statement,
    /// Its entries, oldest first, each with the sums after it.
    pub(crate) entries: Vec<(StatementEntry, Sums)>,
}

impl StatementDocument {
    /// Computes the sums after each entry. Invariant: after the last they are the closing sums.
    ///
    /// # Errors
    /// Never if `entries` are the statement's.
    pub(crate) fn new(
        seller: Seller,
        account: Account,
        statement: Statement,
        entries: Vec<StatementEntry>,
    ) -> Result<Self, MoneyError> {
        let mut after = statement.opening;
        let entries: Result<Vec<_>, MoneyError> = entries
            .into_iter()
            .map(|entry| {
                after.balance = after.balance.checked_add(entry.change.balance)?;
                after.due = after.due.checked_add(entry.change.due)?;
                Ok((entry, after))
            })
            .collect();
        let entries = entries?;
        debug_assert_eq!(after, statement.closing, "entries and totals differ");
        Ok(Self {
            seller,
            account,
            statement,
            entries,
        })
    }
}

/// Whether a statement's entries fit on one printed page.
///
/// # Errors
/// STATEMENT_TOO_LONG with the number of entries.
pub(crate) fn check_entries(statement: &Statement) -> Result<(), Refusal> {
    let entries = statement.entry_count;
    if entries <= MAX_ENTRIES {
        return Ok(());
    }
    Err(too_long(
        entries,
        MAX_ENTRIES.into(),
        format!(
            "the period has {entries} entries; {MAX_ENTRIES} fit on a page. Request a shorter period"
        ),
    ))
}

/// As [`check_entries`], for a page that long texts made larger than a response may be. The
/// refusal's `maximum` is how many entries of that size would fit.
///
/// # Errors
/// STATEMENT_TOO_LONG.
pub(crate) fn check_page(statement: &Statement, bytes: usize, most: usize) -> Result<(), Refusal> {
    if bytes <= most {
        return Ok(());
    }
    let entries = statement.entry_count;
    let fitting = i128::from(entries) * most as i128 / bytes as i128;
    Err(too_long(
        entries,
        fitting,
        format!(
            "the page of {entries} entries has {bytes} bytes; {most} can be sent. Request a shorter period"
        ),
    ))
}

fn too_long(entries: i64, maximum: i128, why: String) -> Refusal {
    Refusal::new(Reason::StatementTooLong, why)
        .with("entries", entries)
        .with("maximum", maximum)
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::{AccountId, CreditNoteId, InvoiceId, QuoteId};

    use super::{
        super::{
            account::PaymentTerms, charge::Quote, credit::LineCredit, numbers::DocumentNumber,
        },
        *,
    };

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    fn account() -> Account {
        Account {
            account_id: AccountId::generate(),
            display_name: "Example".to_owned(),
            terms: PaymentTerms::Prepaid,
            balance: usd(0),
            due: usd(0),
            created: at("2026-01-01T00:00:00Z"),
            last_entry: at("2026-01-01T00:00:00Z"),
        }
    }

    fn credited_by(account: &Account, notes: &[CreditNote]) -> Invoice {
        let quote = Quote {
            quote_id: None,
            account_id: account.account_id,
            pin: String::new(),
            subject: None,
            lines: Vec::new(),
            total: usd(1_000_000),
            decision: at("2026-01-01T00:00:00Z"),
            expires: at("2026-01-01T00:15:00Z"),
            invoice_id: None,
        };
        let issued = at("2026-01-01T00:00:00Z");
        Invoice {
            credited: usd(notes.iter().map(|note| note.total.minor()).sum()),
            ..Invoice::from_quote(&quote, QuoteId::generate(), None, issued, issued)
        }
    }

    /// Credit notes of 0.01 a line.
    fn notes(count: i64, lines: u32) -> Vec<CreditNote> {
        let (account_id, invoice_id) = (AccountId::generate(), InvoiceId::generate());
        let credit = |line_number| LineCredit {
            line_number,
            amount: usd(1),
        };
        (1..=count)
            .map(|number| CreditNote {
                credit_note_id: Some(CreditNoteId::generate()),
                number: Some(DocumentNumber::sample(number)),
                account_id,
                invoice_id,
                lines: (1..=lines).map(credit).collect(),
                total: usd(i64::from(lines)),
                returned: usd(0),
                reason: String::new(),
                issued: at("2026-01-02T00:00:00Z"),
            })
            .collect()
    }

    /// The sum of unlisted credit notes is shown, so that the page adds up.
    #[test]
    fn an_invoice_lists_as_many_credit_notes_as_fit() {
        for (count, lines, listed, unlisted) in [
            (1_000, 1, 1_000, 0),
            (1_001, 1, 1_000, 1),
            (101, 100, 100, 100),
        ] {
            let (account, notes) = (account(), notes(count, lines));
            let invoice = credited_by(&account, &notes);
            let as_of = at("2026-02-01T00:00:00Z");
            let document =
                InvoiceDocument::new(Seller::default(), account, invoice, notes, as_of).unwrap();
            assert_eq!(document.notes.len(), listed, "{count} of {lines} lines");
            assert_eq!(document.unlisted, usd(unlisted), "{count} of {lines} lines");
        }
    }
}
