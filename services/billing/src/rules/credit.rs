//! What of an invoice can still be credited, and whether a credit fits (BL-3). A held amount
//! belongs to a refund in review and is not free for anything else.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CreditNoteId, InvoiceId},
    money::{Money, MoneyError},
    refusal::{Reason, Refusal},
};

use super::sum_refused;

/// One invoice line as far as crediting it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CreditableLine {
    /// Its number on the invoice, from 1.
    pub(crate) line_number: u32,
    /// What was invoiced.
    pub(crate) amount: Money,
    /// What credit notes have taken back.
    pub(crate) credited: Money,
    /// What a refund in review holds.
    pub(crate) held: Money,
}

impl CreditableLine {
    /// What can still be credited.
    pub(crate) fn creditable(&self) -> Result<Money, MoneyError> {
        self.amount
            .checked_sub(self.credited)?
            .checked_sub(self.held)
    }
}

/// An amount taken off one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineCredit {
    /// The line's number on the invoice, from 1.
    pub(crate) line_number: u32,
    /// More than nothing.
    pub(crate) amount: Money,
}

/// A correction of one invoice; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreditNote {
    /// Its id.
    pub(crate) credit_note_id: CreditNoteId,
    /// Its place in the seller's series, from 1.
    pub(crate) number: i64,
    /// The account credited.
    pub(crate) account_id: AccountId,
    /// The invoice corrected.
    pub(crate) invoice_id: InvoiceId,
    /// What of which line.
    pub(crate) lines: Vec<LineCredit>,
    /// Their sum.
    pub(crate) total: Money,
    /// Why, for people.
    pub(crate) reason: String,
    /// When it was issued: our record time (T-6).
    pub(crate) issued: Instant,
}

/// Everything that is left of an invoice, line by line; lines with nothing left are passed over.
pub(crate) fn whole(lines: &[CreditableLine]) -> Result<Vec<LineCredit>, Refusal> {
    let mut credits = Vec::new();
    for line in lines {
        let amount = line
            .creditable()
            .map_err(|error| sum_refused(line.amount.currency(), &error))?;
        if amount.minor() > 0 {
            credits.push(LineCredit {
                line_number: line.line_number,
                amount,
            });
        }
    }
    Ok(credits)
}

/// Holds `credits` against the invoice's lines and answers their sum.
///
/// # Errors
/// CREDIT_EXCEEDS_INVOICE where a line, and with it the invoice, would be credited with more than
/// is left of it (BL-3).
pub(crate) fn check(
    lines: &[CreditableLine],
    credits: &[LineCredit],
    zero: Money,
) -> Result<Money, Refusal> {
    let refused = |error: MoneyError| sum_refused(zero.currency(), &error);
    let mut total = zero;
    for line in lines {
        let mut asked = zero;
        for credit in credits
            .iter()
            .filter(|credit| credit.line_number == line.line_number)
        {
            asked = asked.checked_add(credit.amount).map_err(refused)?;
        }
        let creditable = line.creditable().map_err(refused)?;
        if asked.minor() > creditable.minor() {
            return Err(exceeds(line.line_number, asked, creditable));
        }
        total = total.checked_add(asked).map_err(refused)?;
    }
    let known = |number| lines.iter().any(|line| line.line_number == number);
    match credits.iter().find(|credit| !known(credit.line_number)) {
        Some(stray) => Err(exceeds(stray.line_number, stray.amount, zero)),
        None => Ok(total),
    }
}

fn exceeds(line_number: u32, asked: Money, creditable: Money) -> Refusal {
    Refusal::new(
        Reason::CreditExceedsInvoice,
        format!("line {line_number} can be credited with {creditable} at most, not with {asked}"),
    )
    .with("line_number", line_number)
    .with("asked", asked)
    .with("creditable", creditable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    fn line(line_number: u32, amount: i64, credited: i64, held: i64) -> CreditableLine {
        CreditableLine {
            line_number,
            amount: usd(amount),
            credited: usd(credited),
            held: usd(held),
        }
    }

    fn credit(line_number: u32, minor: i64) -> LineCredit {
        LineCredit {
            line_number,
            amount: usd(minor),
        }
    }

    /// BL-3: to the minor unit, per line and together.
    #[test]
    fn never_more_than_is_left() {
        let lines = [
            line(1, 4_900, 900, 0),
            line(2, 2_450, 0, 450),
            line(3, 100, 100, 0),
        ];
        let sum = |credits: &[LineCredit]| check(&lines, credits, usd(0));
        assert_eq!(
            sum(&[credit(1, 4_000), credit(2, 2_000)]).unwrap(),
            usd(6_000)
        );
        assert_eq!(
            sum(&[credit(1, 1_500), credit(1, 2_500)]).unwrap(),
            usd(4_000)
        );
        for refused in [
            vec![credit(1, 4_001)],
            vec![credit(2, 2_001)],
            vec![credit(3, 1)],
            vec![credit(1, 4_000), credit(1, 1)],
            vec![credit(9, 1)],
        ] {
            assert_eq!(
                sum(&refused).unwrap_err().reason,
                Reason::CreditExceedsInvoice
            );
        }
        assert_eq!(whole(&lines).unwrap(), [credit(1, 4_000), credit(2, 2_000)]);
    }

    proptest! {
        /// BL-3: the whole of what is left always passes, and one minor unit more never does.
        #[test]
        fn whole_is_the_most(
            parts in prop::collection::vec((0..1_000_000_i64, 0..1_000_000_i64, 1..1_000_000_i64), 1..8),
        ) {
            let lines: Vec<_> = (1..).zip(parts).map(|(number, (credited, held, left))| {
                line(number, credited + held + left, credited, held)
            }).collect();
            let mut credits = whole(&lines).unwrap();
            let left: i64 = credits.iter().map(|credit| credit.amount.minor()).sum();
            prop_assert_eq!(check(&lines, &credits, usd(0)).unwrap(), usd(left));
            credits.push(credit(1, 1));
            prop_assert!(check(&lines, &credits, usd(0)).is_err());
        }
    }
}
