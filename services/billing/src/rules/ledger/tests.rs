//! BL-5 on plain values: what entries move, and that they balance.

use proptest::prelude::*;

use super::*;

fn usd(minor: i64) -> Money {
    Money::from_minor("USD".parse().unwrap(), minor)
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn moved(entries: &[Entry], account: LedgerAccount) -> i64 {
    let postings = entries.iter().flat_map(Entry::postings);
    postings
        .filter(|side| side.ledger_account == account)
        .map(|side| side.amount.minor())
        .sum()
}

/// Deposit 100.00, buy for 49.00, pay out 10.00, credit 24.50: the balance is a liability of 65.50,
/// nothing is owed and 24.50 was earned.
#[test]
fn a_sale_and_its_credit() {
    let invoice_id = InvoiceId::generate();
    let entries = [
        Entry::deposit(usd(10_000), String::new()).unwrap(),
        Entry::invoice(usd(4_900), invoice_id).unwrap(),
        Entry::payment(usd(4_900), invoice_id).unwrap(),
        Entry::withdrawal(usd(1_000), String::new()).unwrap(),
        Entry::credit_note(usd(2_450), usd(2_450), CreditNoteId::generate()).unwrap(),
    ];
    assert_eq!(moved(&entries, LedgerAccount::Cash), 9_000);
    assert_eq!(moved(&entries, LedgerAccount::Balance), -6_550);
    assert_eq!(moved(&entries, LedgerAccount::Receivable), 0);
    assert_eq!(moved(&entries, LedgerAccount::Revenue), -2_450);
    let movement = Movement::of(usd(0).currency(), &entries).unwrap();
    assert_eq!((movement.balance, movement.due), (usd(6_550), usd(0)));
}

/// BL-4: a credit of 49.00 on an invoice of which 10.00 were paid takes 39.00 off what is owed.
#[test]
fn bl_4_credit_on_a_part_paid_invoice() {
    let entry = Entry::credit_note(usd(4_900), usd(1_000), CreditNoteId::generate()).unwrap();
    let movement = Movement::of(usd(0).currency(), std::slice::from_ref(&entry)).unwrap();
    assert_eq!((movement.balance, movement.due), (usd(1_000), usd(-3_900)));
    assert_eq!(entry.postings().len(), 3);
    let unpaid = Entry::credit_note(usd(4_900), usd(0), CreditNoteId::generate()).unwrap();
    assert_eq!(unpaid.postings().len(), 2, "nothing returns to the balance");
}

/// BL-5: a reversal undoes what its entry moved; only deposits and withdrawals are reversed, and
/// only once.
#[test]
fn reversing() {
    let (account_id, time) = (AccountId::generate(), at("2026-01-01T00:00:00Z"));
    for entry in [
        Entry::deposit(usd(700), String::new()),
        Entry::withdrawal(usd(700), String::new()),
    ] {
        let entry = entry.unwrap();
        let booked = entry.clone().book(account_id, time);
        let back = booked.reversal("a mistake".to_owned(), None).unwrap();
        let both = [entry, back];
        let movement = Movement::of(usd(0).currency(), &both).unwrap();
        assert_eq!((movement.balance, movement.due), (usd(0), usd(0)));
        assert_eq!(moved(&both, LedgerAccount::Cash), 0);

        let [_, back] = both;
        let again = booked.reversal(String::new(), Some(EntryId::generate()));
        assert_eq!(again.unwrap_err().reason, Reason::EntryAlreadyReversed);
        let back = back.book(account_id, time).reversal(String::new(), None);
        assert_eq!(back.unwrap_err().reason, Reason::EntryNotReversible);
    }
    let sale = Entry::invoice(usd(700), InvoiceId::generate()).unwrap();
    let sale = sale.book(account_id, time).reversal(String::new(), None);
    assert_eq!(sale.unwrap_err().metadata["kind"], "INVOICE");
}

proptest! {
    /// BL-5: every entry sums to zero, its reversal too.
    #[test]
    fn every_entry_sums_to_zero(minor in 0..=i64::MAX, part in 0..=i64::MAX) {
        let amount = usd(minor);
        let returned = usd(part.min(minor));
        let invoice_id = InvoiceId::generate();
        let (account_id, time) = (AccountId::generate(), at("2026-01-01T00:00:00Z"));
        let deposit = Entry::deposit(amount, String::new()).unwrap();
        let reversal = deposit.clone().book(account_id, time).reversal(String::new(), None).unwrap();
        for entry in [
            deposit,
            reversal,
            Entry::withdrawal(amount, String::new()).unwrap(),
            Entry::invoice(amount, invoice_id).unwrap(),
            Entry::payment(amount, invoice_id).unwrap(),
            Entry::credit_note(amount, returned, CreditNoteId::generate()).unwrap(),
        ] {
            let sides = entry.postings().iter();
            let sum: i128 = sides.map(|side| i128::from(side.amount.minor())).sum();
            prop_assert_eq!(sum, 0);
        }
    }
}
